//! The driver: sample after sample, everything once in each.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use harness::Usage;
use tokio::time::sleep;

use super::{
    Args, Part,
    backlog::Backlog,
    catch_up,
    latency::{self, Load},
    machine,
    queue::{self, Queue},
    record::Record,
    report::{FORMAT, Group, Key, PYTHON, Queue as Kind, Report, Settings, Subject},
    schedule::{self, DOCUMENT, Task},
    site::{STOP_LIMIT, Site},
    system_calls::SystemCalls,
    tell::{self, tell},
    writer,
};
use crate::interrupt::unless_interrupted;

/// Starts of the engine in one sample.
const STARTS: usize = 5;
/// Seconds of each latency.
const SECONDS: u32 = 10;
const QUICK_SECONDS: u32 = 3;

/// Measures and writes a report.
pub(super) async fn run(args: &Args) -> Result<()> {
    unless_interrupted(measure(args)).await
}

async fn measure(args: &Args) -> Result<()> {
    let started = Instant::now();
    let site = Site::new(args).await?;
    let record = Record::begin(&args.folder, report(args, &site).await?)?;
    let mut driver = Driver {
        args,
        counts_calls: SystemCalls::can_be_counted().await,
        site,
        record,
    };
    if !driver.counts_calls {
        tell("system calls are not counted: there is no perf that we may use");
    }
    if driver.site.stream_address.is_none() {
        tell("streams are left out: the broker has none in their own protocol");
    }
    for sample in 0..args.samples {
        driver.sample(sample).await?;
    }
    let path = driver.record.finish()?;
    let seconds = started.elapsed().as_secs();
    tell(&format!("{} after {seconds} s", path.display()));
    Ok(())
}

/// All that is known before anything is measured.
pub(super) async fn report(args: &Args, site: &Site) -> Result<Report> {
    let date = bson::DateTime::now().try_to_rfc3339_string();
    let host = queue::parse(&args.amqp_uri)?.authority.host;
    let management = args.management_port.map(|port| (host.as_str(), port));
    let python = args.pythonpath.as_deref().filter(|_| !args.no_python);
    let engine = std::fs::metadata(&args.engine);
    Ok(Report {
        format: FORMAT,
        date: date.context("read the clock")?,
        machine: machine::machine(),
        versions: machine::versions(&site.client, management, python).await,
        settings: Settings {
            count: args.count,
            size: args.size,
            samples: args.samples,
            quick: args.quick,
        },
        runs: Vec::new(),
        latencies: Vec::new(),
        writer: args.criterion.as_deref().map_or(Vec::new(), writer::read),
        starts_ms: Vec::new(),
        idle_memory_kib: Vec::new(),
        binary_bytes: engine.context("find the engine's program")?.len(),
    })
}

struct Driver<'a> {
    args: &'a Args,
    site: Site,
    record: Record,
    counts_calls: bool,
}

impl Driver<'_> {
    /// Measures everything once.
    async fn sample(&mut self, sample: u32) -> Result<()> {
        tell(&format!("sample {} of {}", sample + 1, self.args.samples));
        for mut block in schedule::blocks(&self.record.report.settings, sample) {
            block.retain(|task| self.takes_task(&task.key));
            self.block(&block, sample).await?;
        }
        if self.takes(Part::Latency) {
            self.latencies(sample).await?;
        }
        if self.takes(Part::Life) {
            self.life().await?;
        }
        Ok(())
    }

    fn takes(&self, part: Part) -> bool {
        self.args.parts.is_empty() || self.args.parts.contains(&part)
    }

    fn takes_task(&self, key: &Key) -> bool {
        if key.queue == Some(Kind::Stream) && self.site.stream_address.is_none() {
            return false;
        }
        match key.group {
            Group::Main if self.args.no_python && PYTHON.contains(&key.subject) => false,
            Group::Main => self.takes(Part::Main),
            Group::Events | Group::Bytes => self.takes(Part::Growth),
        }
    }

    /// Inserts the block's backlogs and lets every subject at them.
    ///
    /// New for each sample, so that they lie at the end of the oplog: a change stream goes on to that end before it
    /// hands over the last events of what it has found.
    async fn block(&mut self, block: &[Task], sample: u32) -> Result<()> {
        let mut backlogs = BTreeMap::new();
        for (count, size) in schedule::backlogs(block) {
            let started = Instant::now();
            backlogs.insert(count, Backlog::insert(&self.site, count, size).await?);
            let seconds = started.elapsed().as_secs_f64();
            tell(&format!(
                "inserted {count} documents of {size} bytes in {seconds:.1} s"
            ));
        }
        for Task { key, backlog } in block {
            let run = catch_up::run(&self.site, &backlogs[backlog], key, sample).await;
            let run = run.with_context(|| tell::name(key))?;
            tell(&tell::run(&run));
            self.record.add(|report| report.runs.push(run))?;
        }
        if self.counts_calls && sample == 0 {
            self.system_calls(&backlogs, block).await?;
        }
        for backlog in backlogs.into_values() {
            self.site.drop_database(&backlog.database).await?;
        }
        Ok(())
    }

    /// Adds the engine's system calls to its first run in each queue.
    async fn system_calls(
        &mut self,
        backlogs: &BTreeMap<u64, Backlog>,
        block: &[Task],
    ) -> Result<()> {
        let is_counted = |task: &&Task| {
            (task.key.group, task.key.subject) == (Group::Main, Subject::Engine)
                && task.key.format.as_deref() == Some(DOCUMENT)
        };
        for Task { key, backlog } in block.iter().filter(is_counted) {
            let calls = catch_up::system_calls(&self.site, &backlogs[backlog], key).await?;
            tell(&tell::system_calls(key, calls));
            self.record.add(|report| {
                if let Some(run) = report.runs.iter_mut().find(|run| run.key == *key) {
                    run.system_calls = calls;
                }
            })?;
        }
        Ok(())
    }

    async fn latencies(&mut self, sample: u32) -> Result<()> {
        let Args { quick, size, .. } = *self.args;
        let default = if quick { QUICK_SECONDS } else { SECONDS };
        for task in schedule::latencies(sample) {
            let load = Load {
                per_second: task.per_second,
                seconds: self.args.seconds.unwrap_or(default),
                size,
            };
            let latency = latency::measure(&self.site, task.path, &load, task.pair).await?;
            tell(&tell::latency(&latency));
            self.record.add(|report| report.latencies.push(latency))?;
        }
        Ok(())
    }

    /// Starts an engine again and again, with nothing to do and a checkpoint that is there already, and looks at the
    /// memory of the last one after a while.
    async fn life(&mut self) -> Result<()> {
        let (site, database) = (&self.site, queue::name());
        let queue = Queue::declare(&site.amqp_uri, Kind::Classic).await?;
        // The first one writes the checkpoint.
        let (mut engine, _) = site.ready_engine(&database, &queue).await?;
        let mut starts = Vec::new();
        while starts.len() < STARTS {
            engine.process.terminate(STOP_LIMIT).await?;
            let (next, moment) = site.ready_engine(&database, &queue).await?;
            starts.push((moment - next.process.started).as_secs_f64() * 1_000.0);
            engine = next;
        }
        sleep(Duration::from_secs(if self.args.quick { 2 } else { 5 })).await;
        engine.process.check_alive()?;
        let idle = Usage::of(engine.process.pid())?.memory_kib;
        engine.process.terminate(STOP_LIMIT).await?;
        queue.delete().await;
        tell(&tell::life(&starts, idle));
        self.record.add(|report| {
            report.starts_ms.extend(starts);
            report.idle_memory_kib.push(idle);
        })
    }
}
