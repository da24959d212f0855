//! One catch-up run: a backlog is read, or published, or both, by one subject; then its queue is looked at.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bson::Document;
use harness::{Engine, Output, Process, Usage};
use tokio::time::sleep;

use super::{
    backlog::Backlog,
    child,
    document::Shape,
    engine::{Job, STOP_LIMIT},
    queue::Queue,
    report::{Run, Subject},
    schedule::Task,
    site::Site,
    system_calls::SystemCalls,
    tally::Tally,
};

/// Longest time for one run.
const RUN_LIMIT: Duration = Duration::from_secs(15 * 60);
/// Longest time for a program to end when it may.
const END_LIMIT: Duration = Duration::from_secs(30);
/// Pause between two looks at the engine's queue.
const POLL: Duration = Duration::from_millis(10);
/// Rest after a run, for servers that still tidy up.
const REST: Duration = Duration::from_millis(300);

/// A backlog with the checkpoint from which an engine reads it.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) backlog: Backlog,
    pub(super) checkpoint: Document,
}

/// What a process took.
struct Measured {
    seconds: f64,
    usage: Usage,
}

/// Lets the subject of `task` do its work once.
pub(super) async fn run(site: &Site, start: &Start, task: &Task, sample: u32) -> Result<Run> {
    let backlog = &start.backlog;
    let queue = match task.queue {
        Some(kind) => Some(Queue::declare(&site.amqp_uri, kind).await?),
        None => None,
    };
    let (measured, tally) = match &queue {
        Some(queue) if task.is_read_meanwhile() => {
            let (measured, tally) = read_meanwhile(site, start, task, queue).await?;
            (measured, Some(tally))
        }
        Some(queue) => {
            let measured = match task.subject {
                Subject::Engine => engine(site, start, task, queue).await?,
                _ => program(site, backlog, task, &queue.name).await?,
            };
            (measured, Some(queue.drain(tally(start, task)).await?))
        }
        None => (program(site, backlog, task, "").await?, None),
    };
    if let Some(queue) = queue {
        queue.delete().await;
    }
    sleep(REST).await;
    Ok(Run {
        group: task.group,
        subject: task.subject,
        queue: task.queue,
        format: task.format.map(str::to_owned),
        sample,
        events: task.events,
        document_bytes: backlog.size,
        seconds: measured.seconds,
        user_us: micros(measured.usage.user),
        system_us: micros(measured.usage.system),
        peak_memory_kib: measured.usage.peak_memory_kib,
        system_calls: None,
        body_bytes: tally.as_ref().map_or(0, |tally| tally.bytes),
        delivery: tally.as_ref().map(Tally::delivery),
    })
}

/// Lets the subject of `task` fill `queue`, which is read all the while.
async fn read_meanwhile(
    site: &Site,
    start: &Start,
    task: &Task,
    queue: &Queue,
) -> Result<(Measured, Tally)> {
    let tally = tally(start, task);
    if task.subject != Subject::Engine {
        let program = program(site, &start.backlog, task, &queue.name);
        let (measured, (tally, _)) = tokio::try_join!(program, queue.follow(tally))?;
        return Ok((measured, tally));
    }
    let mut process = start_engine(site, start, task, queue).await?.process;
    let (tally, moment) = queue.follow(tally).await?;
    process.check_alive()?;
    Ok((end(process, moment).await?, tally))
}

fn tally(start: &Start, task: &Task) -> Tally {
    Tally::new(Shape::new(start.backlog.size), task.events)
}

/// Lets the engine do the work of `task` once more and counts its system calls.
pub(super) async fn system_calls(site: &Site, start: &Start, task: &Task) -> Result<Option<u64>> {
    let kind = task.queue.context("an engine needs a queue")?;
    let queue = Queue::declare(&site.amqp_uri, kind).await?;
    let mut process = start_engine(site, start, task, &queue).await?.process;
    let counting = SystemCalls::count(process.pid())?;
    arrived(&queue, task.events, &mut process).await?;
    let calls = counting.finish().await?;
    process.terminate(STOP_LIMIT).await?;
    queue.delete().await;
    Ok(calls)
}

/// A floor or a Python program: it says itself when it is done.
async fn program(site: &Site, backlog: &Backlog, task: &Task, queue: &str) -> Result<Measured> {
    let mut command = site.command(task, backlog, queue);
    let mut process = Process::start(command.stdin(Stdio::piped()), Output::Stdout)?;
    let moment = process.wait_for(child::DONE, 1, RUN_LIMIT).await?;
    let measured = Measured {
        seconds: (moment - process.started).as_secs_f64(),
        usage: Usage::of(process.pid())?,
    };
    process.close_input();
    process.succeeds(END_LIMIT).await?;
    Ok(measured)
}

/// The engine never is done, so its queue is watched.
async fn engine(site: &Site, start: &Start, task: &Task, queue: &Queue) -> Result<Measured> {
    let mut process = start_engine(site, start, task, queue).await?.process;
    let moment = arrived(queue, task.events, &mut process).await?;
    end(process, moment).await
}

/// What the engine took until `moment`, when it had done its work; it is stopped.
async fn end(engine: Process, moment: Instant) -> Result<Measured> {
    let measured = Measured {
        seconds: (moment - engine.started).as_secs_f64(),
        usage: Usage::of(engine.pid())?,
    };
    engine.terminate(STOP_LIMIT).await?;
    Ok(measured)
}

async fn start_engine(site: &Site, start: &Start, task: &Task, queue: &Queue) -> Result<Engine> {
    let engines = &site.engines;
    // The queue's name is new, so the pipeline's is.
    engines
        .copy_checkpoint(&site.client, &start.checkpoint, &queue.name)
        .await?;
    engines.start(Job {
        pipeline: &queue.name,
        database: &start.backlog.database,
        queue: &queue.name,
        kind: queue.kind,
        format: task.format.context("an engine needs a format")?,
    })
}

/// Waits until the queue holds `events` messages.
async fn arrived(queue: &Queue, events: u64, process: &mut Process) -> Result<Instant> {
    let deadline = Instant::now() + RUN_LIMIT;
    loop {
        let count = queue.count().await?;
        let moment = Instant::now();
        if events <= count {
            return Ok(moment);
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
