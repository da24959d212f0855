//! The driver: sample after sample, everything once in each.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    Args, Part,
    backlog::{self, Backlog},
    catch_up::{self, Start},
    engine::Job,
    latency::{self, Load},
    life,
    queue::{self, Queue},
    record::Record,
    report::{FORMAT, Group, Queue as Kind, Report, Settings, Subject},
    schedule::{self, Block, DOCUMENT, Extent, LatencyTask, Scope},
    site::Site,
    system_calls::SystemCalls,
    tell::{self, tell},
    writer,
};
use crate::bench::machine;

/// Seconds of each latency.
const SECONDS: u32 = 10;
const QUICK_SECONDS: u32 = 3;

/// Measures and writes a report.
pub(super) async fn run(args: &Args) -> Result<()> {
    let mut asked_to_stop = signal(SignalKind::terminate()).context("listen to signals")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("listen to signals")?;
    // What is dropped here kills the processes that it has started.
    tokio::select! {
        outcome = measure(args) => outcome,
        _ = asked_to_stop.recv() => bail!("interrupted"),
        _ = interrupted.recv() => bail!("interrupted"),
    }
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
    for sample in 0..args.samples {
        driver.sample(sample).await?;
    }
    let path = driver.record.finish()?;
    let seconds = started.elapsed().as_secs();
    tell(&format!("{} after {seconds} s", path.display()));
    Ok(())
}

/// All that is known before anything is measured.
async fn report(args: &Args, site: &Site) -> Result<Report> {
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
        let args = self.args;
        let takes = |part| args.parts.is_empty() || args.parts.contains(&part);
        tell(&format!("sample {} of {}", sample + 1, args.samples));
        let scope = Scope {
            count: args.count,
            size: args.size,
            quick: args.quick,
            python: !args.no_python,
            growth: takes(Part::Growth),
        };
        for block in schedule::blocks(&scope, sample) {
            if block.tasks[0].group != Group::Main || takes(Part::Main) {
                self.block(&block, sample).await?;
            }
        }
        if takes(Part::Latency) {
            self.latencies(sample).await?;
        }
        if takes(Part::Life) {
            self.life().await?;
        }
        Ok(())
    }

    /// Inserts the block's backlogs and lets every subject at them.
    ///
    /// New for each sample, so that they lie at the end of the oplog: a change stream goes on to that end before it
    /// hands over the last events of what it has found.
    async fn block(&mut self, block: &Block, sample: u32) -> Result<()> {
        let mut starts = Vec::new();
        for &extent in &block.extents {
            starts.push(self.start(extent).await?);
        }
        for task in &block.tasks {
            let run = catch_up::run(&self.site, &starts[task.backlog], task, sample).await;
            let run = run.with_context(|| tell::task(task))?;
            tell(&tell::run(&run));
            self.record.add(|report| report.runs.push(run))?;
        }
        if self.counts_calls && sample == 0 {
            self.system_calls(&starts, block).await?;
        }
        for start in starts {
            start.backlog.delete(&self.site.client).await?;
        }
        Ok(())
    }

    async fn start(&self, extent: Extent) -> Result<Start> {
        let site = &self.site;
        let database = queue::name();
        let queue = Queue::declare(&site.amqp_uri, Kind::Classic).await?;
        let job = Job {
            pipeline: &queue.name,
            database: &database,
            queue: &queue.name,
            kind: queue.kind,
            format: DOCUMENT,
        };
        let checkpoint = site.engines.checkpoint_now(&site.client, job).await?;
        queue.delete().await;
        let from = backlog::cluster_time(&site.client).await?;
        let started = Instant::now();
        let backlog = Backlog::insert(&site.client, &database, from, extent).await?;
        tell(&format!(
            "inserted {} documents of {} bytes in {:.1} s",
            extent.count,
            extent.size,
            started.elapsed().as_secs_f64()
        ));
        Ok(Start {
            backlog,
            checkpoint,
        })
    }

    /// Adds the engine's system calls to its first run in each queue.
    async fn system_calls(&mut self, starts: &[Start], block: &Block) -> Result<()> {
        let is_counted = |task: &&schedule::Task| {
            task.group == Group::Main
                && task.subject == Subject::Engine
                && task.format == Some(DOCUMENT)
        };
        for task in block.tasks.iter().filter(is_counted) {
            let calls = catch_up::system_calls(&self.site, &starts[task.backlog], task).await?;
            tell(&tell::system_calls(task, calls));
            self.record.add(|report| {
                let mut runs = report.runs.iter_mut();
                let run = runs.find(|run| {
                    (run.group, run.subject, run.queue) == (task.group, task.subject, task.queue)
                        && run.format.as_deref() == task.format
                });
                if let Some(run) = run {
                    run.system_calls = calls;
                }
            })?;
        }
        Ok(())
    }

    async fn latencies(&mut self, sample: u32) -> Result<()> {
        let default = if self.args.quick {
            QUICK_SECONDS
        } else {
            SECONDS
        };
        for task in schedule::latencies(sample) {
            let LatencyTask {
                per_second,
                pair,
                path,
            } = task;
            let load = Load {
                per_second,
                seconds: self.args.seconds.unwrap_or(default),
                size: self.args.size,
            };
            let latency = latency::measure(&self.site, path, &load, pair).await?;
            tell(&tell::latency(&latency));
            self.record.add(|report| report.latencies.push(latency))?;
        }
        Ok(())
    }

    async fn life(&mut self) -> Result<()> {
        let starts = life::starts_ms(&self.site).await?;
        let quiet = Duration::from_secs(if self.args.quick { 2 } else { 5 });
        let idle = life::idle_memory_kib(&self.site, quiet).await?;
        tell(&tell::life(&starts, idle));
        self.record.add(|report| {
            report.starts_ms.extend(starts);
            report.idle_memory_kib.push(idle);
        })
    }
}
