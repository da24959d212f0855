//! One run from its first write to its verdict.

mod conclusion;

use std::{fs, rc::Rc, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    Args, QueueType,
    change::{COLLECTIONS, WriterId},
    consumer,
    copy::{self, Copy},
    engine::{Ending, Engine},
    fault::Kind,
    inject::Injector,
    ledger::{Copies, Ledger},
    queue::Queue,
    record::{Record, Stage},
    schedule::Schedule,
    servers::Servers,
    setup::{self, Names},
    writer::{self, Writer},
};
use crate::{hint::Hinted, interrupt::unless_interrupted};

/// Writers beside the pulse.
const WRITERS: WriterId = 4;
/// Who drops collections, over several partitions.
const DROPPER: WriterId = WRITERS + 1;
/// Longest wait for an engine to work.
const ENGINE_LIMIT: Duration = Duration::from_secs(30);
/// Longest wait for everything that was acknowledged to arrive.
const SETTLE_LIMIT: Duration = Duration::from_secs(120);
/// Longest silence in that time: the engine has no wait that is longer once nothing is broken.
const LONGEST_SILENCE: Duration = Duration::from_secs(40);
/// The same once the newest changes are there, so that what is missing would come out of order anyway.
const GAP_SILENCE: Duration = Duration::from_secs(10);
/// Silence after everything has arrived, for what should not arrive.
const SILENCE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(50);

/// Carries a run out and prints what came of it.
pub(super) async fn run(args: &Args, seed: u64) -> Result<()> {
    let kinds = setup::kinds(args)?;
    eprintln!("seed {seed}, {} minutes", args.minutes);
    fs::create_dir_all(&args.folder).context("make the folder for logs")?;
    let names = Names::new();
    let queue = setup::queue(args, &names, &kinds)?;
    queue.declare().await?;
    let judged = if kinds.iter().any(|kind| kind.name() == "nack") {
        Copies::Last
    } else {
        Copies::First
    };
    let ledger = Ledger::new(usize::from(DROPPER) + 1, judged)
        .over(args.queues())
        .exactly_once(args.queue_type == QueueType::Stream);
    let copy = args.snapshot.map(|_| Copy::new());
    let record = Rc::new(Record::new(ledger, copy));
    let run = Run {
        engines: setup::engines(args, &names, &queue, &record).await?,
        args,
        seed,
        names,
        queue,
        kinds,
        record,
        servers: setup::servers(args).await?,
    };
    unless_interrupted(run.carry_out()).await?;
    run.conclude().await
}

struct Run<'a> {
    args: &'a Args,
    seed: u64,
    names: Names,
    queue: Queue,
    kinds: Vec<Kind>,
    record: Rc<Record>,
    engines: Vec<Rc<Engine>>,
    /// Here, since those that a fault has started end when this is dropped. None where they belong to somebody else.
    servers: Option<Rc<Servers>>,
}

impl Run<'_> {
    /// Everything up to the moment when nothing moves any more.
    async fn carry_out(&self) -> Result<()> {
        self.make_collections().await?;
        let mut engines = JoinSet::new();
        for engine in self.engines.iter().map(Rc::clone) {
            engines.spawn_local(async move { engine.keep().await });
        }
        self.wait_for_engine().await?;
        let mut consumer = self.start_consumers();
        let mut snapshots = self.start_snapshots().await?;
        let mut writers = self.start_writers().await?;
        let injector = Injector::new(
            Rc::clone(&self.record),
            self.engines.clone(),
            self.servers.clone(),
            self.queue.clone(),
        );
        let schedule = Schedule::new(self.seed, &self.kinds);
        let length = self.record.now() + Duration::from_secs_f64(self.args.minutes * 60.0);
        tokio::select! {
            outcome = injector.run(schedule, length) => outcome?,
            outcome = first_end(&mut engines) => outcome?,
            outcome = first_end(&mut consumer) => outcome?,
            outcome = first_end(&mut snapshots) => outcome?,
        }
        self.record
            .tell("no more faults, waiting for everything to arrive");
        self.record.stage.set(Stage::Settling);
        drain(&mut writers).await?;
        self.settle().await;
        if self.args.snapshot.is_some() {
            let client = writer::client(&self.args.mongo_uri).await?;
            copy::compare_at_end(&client, &self.names.database, &self.record).await?;
        }
        self.record.stage.set(Stage::Over);
        for engine in &self.engines {
            engine.stop(Ending::Stop, Duration::ZERO).await;
        }
        drain(&mut engines).await?;
        drain(&mut snapshots).await?;
        drain(&mut consumer).await
    }

    async fn make_collections(&self) -> Result<()> {
        let client = writer::client(&self.args.mongo_uri).await?;
        let database = client.database(&self.names.database);
        if let Some(documents) = self.args.snapshot {
            return copy::prepare(&database, documents).await;
        }
        for name in COLLECTIONS {
            let making = database.create_collection(name);
            making.await.context("make the collections")?;
        }
        Ok(())
    }

    async fn wait_for_engine(&self) -> Result<()> {
        let deadline = Instant::now() + ENGINE_LIMIT;
        while Instant::now() < deadline {
            for engine in &self.engines {
                if engine.is_leader().await {
                    return Ok(());
                }
            }
            sleep(POLL).await;
        }
        let log = self.engines[0].log.path.display();
        bail!(Hinted::new("no engine works", format!("look at {log}")))
    }

    /// One for each queue.
    fn start_consumers(&self) -> JoinSet<Result<()>> {
        let mut consumers = JoinSet::new();
        for partition in 0..self.args.queues() {
            let (record, queue) = (Rc::clone(&self.record), self.queue.clone());
            let database = self.names.database.clone();
            consumers.spawn_local(consumer::consume(record, queue, partition, database));
        }
        consumers
    }

    /// What asks for snapshots, and what compares; nothing where there are none.
    async fn start_snapshots(&self) -> Result<JoinSet<Result<()>>> {
        let mut tasks = JoinSet::new();
        if let Some(documents) = self.args.snapshot {
            let client = writer::client(&self.args.mongo_uri).await?;
            let (names, record) = (self.names.clone(), Rc::clone(&self.record));
            let rate = setup::snapshot_rate(documents);
            tasks.spawn_local(copy::request_runs(client.clone(), names, rate, record));
            let (database, record) = (self.names.database.clone(), Rc::clone(&self.record));
            tasks.spawn_local(copy::compare_marks(client, database, record));
        }
        Ok(tasks)
    }

    async fn start_writers(&self) -> Result<JoinSet<Result<()>>> {
        let mut writers = JoinSet::new();
        let last = if self.args.partitions == 1 {
            WRITERS
        } else {
            DROPPER
        };
        for number in 0..=last {
            let record = Rc::clone(&self.record);
            let uri = &self.args.mongo_uri;
            let database = &self.names.database;
            let writer = Writer::connect(number, uri, database, self.seed, record).await?;
            let writer = writer.up_to(setup::longest_content(self.args));
            match number {
                0 => writers.spawn_local(writer.pulse()),
                DROPPER => writers.spawn_local(writer.drop_collections()),
                _ => writers.spawn_local(writer.write()),
            };
        }
        if let Some(documents) = self.args.snapshot {
            let client = writer::client(&self.args.mongo_uri).await?;
            let database = self.names.database.clone();
            let record = Rc::clone(&self.record);
            writers.spawn_local(copy::change(client, database, documents, self.seed, record));
        }
        Ok(writers)
    }

    /// Returns when everything has arrived, or nothing more will.
    async fn settle(&self) {
        let deadline = Instant::now() + SETTLE_LIMIT;
        let mut heard = (0, Instant::now());
        loop {
            let received = self.record.received_count();
            if heard.0 != received {
                heard = (received, Instant::now());
            }
            if self.longest_silence() < heard.1.elapsed() || deadline < Instant::now() {
                break;
            }
            sleep(POLL).await;
        }
        let left = self.record.ledger.borrow().outstanding();
        if 0 < left {
            let text = format!("{left} changes have not arrived");
            self.record.tell(&text);
        }
    }

    /// After how much silence nothing more will come.
    fn longest_silence(&self) -> Duration {
        let ledger = self.record.ledger.borrow();
        match (
            self.record.is_settled(),
            ledger.has_newest() && self.record.copy.is_none(),
        ) {
            (true, _) => SILENCE,
            (false, true) => GAP_SILENCE,
            (false, false) => LONGEST_SILENCE,
        }
    }
}

/// Tasks that go on until the run is over must not end before.
async fn first_end(tasks: &mut JoinSet<Result<()>>) -> Result<()> {
    match tasks.join_next().await {
        Some(outcome) => outcome.context("a part of the run failed")?,
        None => std::future::pending().await,
    }
}

async fn drain(tasks: &mut JoinSet<Result<()>>) -> Result<()> {
    while let Some(outcome) = tasks.join_next().await {
        outcome.context("a part of the run failed")??;
    }
    Ok(())
}
