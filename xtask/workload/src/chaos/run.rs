//! One run from its first write to its verdict.

mod conclusion;

use std::{fs, rc::Rc, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    Args, consumer,
    deed::{COLLECTIONS, Writer as Number},
    engine::Doom,
    fault::Kind,
    inject::Injector,
    ledger::{Copies, Ledger},
    queue::Queue,
    schedule::Schedule,
    setup::{self, Names},
    world::{Stage, World},
    writer::{self, Writer},
};
use crate::hint::Hinted;

/// Writers beside the pulse.
const WRITERS: Number = 4;
/// Longest wait for an engine to watch.
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
    let engines = setup::engines(args, &names, &queue).await?;
    let judged = if kinds.contains(&Kind::Nack) {
        Copies::Last
    } else {
        Copies::First
    };
    let ledger = Ledger::new(usize::from(WRITERS) + 1, judged);
    let servers = setup::servers(args).await?;
    let world = Rc::new(World::new(ledger, engines, servers));
    let run = Run {
        args,
        seed,
        names,
        queue,
        kinds,
        world,
    };
    let mut asked_to_stop = signal(SignalKind::terminate()).context("listen to signals")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("listen to signals")?;
    let outcome = tokio::select! {
        outcome = run.carry_out() => outcome,
        _ = asked_to_stop.recv() => bail!("interrupted"),
        _ = interrupted.recv() => bail!("interrupted"),
    };
    outcome?;
    run.conclude().await
}

struct Run<'a> {
    args: &'a Args,
    seed: u64,
    names: Names,
    queue: Queue,
    kinds: Vec<Kind>,
    world: Rc<World>,
}

impl Run<'_> {
    /// Everything up to the moment when nothing moves any more.
    async fn carry_out(&self) -> Result<()> {
        let mut engines = JoinSet::new();
        for engine in &self.world.engines {
            let (engine, world) = (Rc::clone(engine), Rc::clone(&self.world));
            engines.spawn_local(async move { engine.keep(&world).await });
        }
        self.make_collections().await?;
        self.wait_for_engine().await?;
        let mut consumer = JoinSet::new();
        let database = self.names.database.clone();
        consumer.spawn_local(consumer::consume(
            Rc::clone(&self.world),
            self.queue.clone(),
            database,
        ));
        let mut writers = self.start_writers().await?;
        let injector = Injector::new(Rc::clone(&self.world), self.queue.clone());
        let schedule = Schedule::new(self.seed, &self.kinds);
        let length = self.world.now() + Duration::from_secs_f64(self.args.minutes * 60.0);
        tokio::select! {
            outcome = injector.run(schedule, length) => outcome?,
            outcome = first_end(&mut engines) => outcome?,
            outcome = first_end(&mut consumer) => outcome?,
        }
        self.world
            .tell("no more faults, waiting for everything to arrive");
        self.world.stage.set(Stage::Settling);
        drain(&mut writers).await?;
        self.settle().await;
        for engine in &self.world.engines {
            self.world.stage.set(Stage::Over);
            engine.stop(&self.world, Doom::Stop, Duration::ZERO).await;
        }
        drain(&mut engines).await?;
        drain(&mut consumer).await
    }

    async fn make_collections(&self) -> Result<()> {
        let client = writer::client(&self.args.mongo_uri).await?;
        let database = client.database(&self.names.database);
        for name in COLLECTIONS {
            let making = database.create_collection(name);
            making.await.context("make the collections")?;
        }
        Ok(())
    }

    async fn wait_for_engine(&self) -> Result<()> {
        let deadline = Instant::now() + ENGINE_LIMIT;
        let engines = &self.world.engines;
        while !engines.iter().any(|engine| engine.log.contains("watching")) {
            if deadline < Instant::now() {
                let log = engines[0].log.path.display();
                bail!(Hinted::new("no engine watches", format!("look at {log}")));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    async fn start_writers(&self) -> Result<JoinSet<Result<()>>> {
        let mut writers = JoinSet::new();
        for number in 0..=WRITERS {
            let world = Rc::clone(&self.world);
            let uri = &self.args.mongo_uri;
            let database = &self.names.database;
            let writer = Writer::connect(number, uri, database, self.seed, world).await?;
            if number == 0 {
                writers.spawn_local(writer.pulse());
            } else {
                writers.spawn_local(writer.write());
            }
        }
        Ok(writers)
    }

    /// Returns when everything has arrived, or nothing more will.
    async fn settle(&self) {
        let deadline = Instant::now() + SETTLE_LIMIT;
        let mut heard = (0, Instant::now());
        loop {
            let received = self.world.ledger.borrow().received_count();
            if heard.0 != received {
                heard = (received, Instant::now());
            }
            if self.longest_silence() < heard.1.elapsed() || deadline < Instant::now() {
                break;
            }
            sleep(POLL).await;
        }
        let left = self.world.ledger.borrow().outstanding();
        if 0 < left {
            let text = format!("{left} changes have not arrived");
            self.world.tell(&text);
        }
    }

    /// After how much silence nothing more will come.
    fn longest_silence(&self) -> Duration {
        let ledger = self.world.ledger.borrow();
        match (ledger.is_settled(), ledger.has_newest()) {
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
