//! One catch-up run: a backlog is read, or published, or both, by one subject; then its queue is looked at.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use harness::{Engine, Output, Process, Usage};
use tokio::time::sleep;

use super::{
    backlog::Backlog,
    child,
    document::Shape,
    number::float,
    queue::Queue,
    report::{Key, Queue as Kind, Run, Subject},
    schedule,
    site::{STOP_LIMIT, Site},
    system_calls::SystemCalls,
    tally::Tally,
};

/// Longest time for one run.
const RUN_LIMIT: Duration = Duration::from_secs(15 * 60);
/// Longest time for a program to end when it may.
const END_LIMIT: Duration = Duration::from_secs(30);
/// Pause between two looks at the engine's queue.
const POLL: Duration = Duration::from_millis(10);
/// The engine's count of confirms.
const CONFIRMED: &str = "cdc_messages_confirmed_total";
/// Rest after a run, for servers that still tidy up.
pub(super) const REST: Duration = Duration::from_millis(300);

/// What a process took, in seconds and otherwise.
type Measured = (f64, Usage);

/// Lets the subject of `key` do its work once.
pub(super) async fn run(site: &Site, backlog: &Backlog, key: &Key, sample: u32) -> Result<Run> {
    let queue = match key.queue {
        Some(kind) => Some(Queue::declare(&site.amqp_uri, kind).await?),
        None => None,
    };
    let tally = Tally::new(Shape::new(key.document_bytes), key.events);
    let ((seconds, usage), tally) = match (&queue, key.subject) {
        (Some(queue), Subject::Engine) => engine(site, backlog, key, queue, tally).await?,
        (Some(queue), _) if schedule::is_read_meanwhile(key) => {
            let program = program(site, backlog, key, Some(queue));
            let (measured, (tally, _)) = tokio::try_join!(program, queue.follow(tally))?;
            (measured, tally)
        }
        (Some(queue), _) => {
            let measured = program(site, backlog, key, Some(queue)).await?;
            (measured, queue.drain(tally).await?)
        }
        (None, _) => (program(site, backlog, key, None).await?, tally),
    };
    let delivery = queue.is_some().then(|| tally.delivery());
    if let Some(queue) = queue {
        queue.delete().await;
    }
    sleep(REST).await;
    Ok(Run {
        key: key.clone(),
        sample,
        seconds,
        user_us: micros(usage.user),
        system_us: micros(usage.system),
        peak_memory_kib: usage.peak_memory_kib,
        system_calls: None,
        body_bytes: tally.bytes,
        delivery,
    })
}

/// Lets the engine do the work of `key` once more and counts its system calls.
pub(super) async fn system_calls(site: &Site, backlog: &Backlog, key: &Key) -> Result<Option<u64>> {
    let kind = key.queue.context("an engine needs a queue")?;
    let queue = Queue::declare(&site.amqp_uri, kind).await?;
    let mut engine = start(site, backlog, key, &queue).await?;
    let counting = SystemCalls::count(engine.process.pid())?;
    done(&queue, key.events, &mut engine).await?;
    let calls = counting.finish().await?;
    engine.process.terminate(STOP_LIMIT).await?;
    queue.delete().await;
    Ok(calls)
}

/// A floor or a Python program: it says itself when it is done.
async fn program(
    site: &Site,
    backlog: &Backlog,
    key: &Key,
    queue: Option<&Queue>,
) -> Result<Measured> {
    let mut command = site.command(key, backlog, queue);
    let mut process = Process::start(command.stdin(Stdio::piped()), Output::Stdout)?;
    let moment = process.wait_for(child::DONE, 1, RUN_LIMIT).await?;
    let measured = measured(&process, moment)?;
    process.close_input();
    process.succeeds(END_LIMIT).await?;
    Ok(measured)
}

/// The engine never is done, so its queue is watched.
async fn engine(
    site: &Site,
    backlog: &Backlog,
    key: &Key,
    queue: &Queue,
    tally: Tally,
) -> Result<(Measured, Tally)> {
    let mut engine = start(site, backlog, key, queue).await?;
    if schedule::is_read_meanwhile(key) {
        let (tally, moment) = queue.follow(tally).await?;
        engine.process.check_alive()?;
        return Ok((end(engine.process, moment).await?, tally));
    }
    let moment = done(queue, key.events, &mut engine).await?;
    let measured = end(engine.process, moment).await?;
    Ok((measured, queue.drain(tally).await?))
}

/// What the engine took until `moment`, when it had done its work; it is stopped.
async fn end(engine: Process, moment: Instant) -> Result<Measured> {
    let measured = measured(&engine, moment)?;
    engine.terminate(STOP_LIMIT).await?;
    Ok(measured)
}

async fn start(site: &Site, backlog: &Backlog, key: &Key, queue: &Queue) -> Result<Engine> {
    // The queue's name is new, so the pipeline's is.
    site.copy_checkpoint(&backlog.checkpoint, queue).await?;
    let format = key.format.as_deref().context("an engine needs a format")?;
    site.engine(&backlog.database, queue, format)
}

/// What a process has taken until `moment`, when its work was done.
fn measured(process: &Process, moment: Instant) -> Result<Measured> {
    let seconds = (moment - process.started).as_secs_f64();
    Ok((seconds, Usage::of(process.pid())?))
}

/// Waits until the engine has done its work.
async fn done(queue: &Queue, events: u64, engine: &mut Engine) -> Result<Instant> {
    match queue.kind {
        Kind::Stream => confirmed(events, engine).await,
        _ => arrived(queue, events, &mut engine.process).await,
    }
}

/// Waits until the engine says that `events` messages are confirmed: the broker counts those of a stream anew every five
/// seconds only. Whether they are there is looked at afterwards.
async fn confirmed(events: u64, engine: &mut Engine) -> Result<Instant> {
    let deadline = Instant::now() + RUN_LIMIT;
    loop {
        let metrics = engine.admin.get("/metrics").await.ok();
        let confirmed = metrics.and_then(|metrics| metrics.metric(CONFIRMED));
        let moment = Instant::now();
        if confirmed.is_some_and(|confirmed| float(events) <= confirmed) {
            return Ok(moment);
        }
        engine.process.check_alive()?;
        if deadline < moment {
            bail!("{confirmed:?} of {events} messages were confirmed in time");
        }
        sleep(POLL).await;
    }
}

/// Waits until the queue holds `events` messages.
pub(super) async fn arrived(queue: &Queue, events: u64, process: &mut Process) -> Result<Instant> {
    let (_, moment) = reached(async || queue.count().await, events, process).await?;
    Ok(moment)
}

/// Waits until there are `events` messages, as `count` tells; returns how many there were then, and when.
pub(super) async fn reached(
    count: impl AsyncFn() -> Result<u64>,
    events: u64,
    process: &mut Process,
) -> Result<(u64, Instant)> {
    let deadline = Instant::now() + RUN_LIMIT;
    loop {
        let count = count().await?;
        let moment = Instant::now();
        if events <= count {
            return Ok((count, moment));
        }
        process.check_alive()?;
        if deadline < moment {
            bail!("{count} of {events} messages arrived in time");
        }
        sleep(POLL).await;
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
