//! A client that writes: sequential, in bursts and lulls, and exact about what it was told.

use std::{rc::Rc, time::Duration};

use anyhow::{Context, Result};
use bson::{Document, doc};
use mongodb::{
    Client, ClientSession, Collection, Database,
    options::{ClientOptions, DatabaseOptions, WriteConcern},
};
use rand::{SeedableRng, rngs::StdRng};
use tokio::time::{sleep, timeout};

use super::{
    deed::{COLLECTIONS, Deed, DeedId, Verb, Writer as Number},
    ledger::{Answer, Together},
    step::Step,
    work::{Act, Mood, Work},
    world::{Stage, World},
};

/// Longest wait for one answer; after that it counts as lost.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// The same for the pulse, which shows when the database takes writes again.
const PULSE_LIMIT: Duration = Duration::from_secs(2);
/// Time between two writes of the pulse.
const PULSE: Duration = Duration::from_millis(50);
/// Longest wait for a primary.
const SELECTION_LIMIT: Duration = Duration::from_secs(10);
/// Pause after a failure.
const REST: Duration = Duration::from_millis(100);

/// One writer.
#[derive(Debug)]
pub(super) struct Writer {
    number: Number,
    client: Client,
    database: Database,
    work: Work,
    rng: StdRng,
    world: Rc<World>,
}

impl Writer {
    /// A client of its own, on the database of this name.
    pub(super) async fn connect(
        number: Number,
        uri: &str,
        database: &str,
        seed: u64,
        world: Rc<World>,
    ) -> Result<Self> {
        let client = client(uri).await?;
        let mut options = DatabaseOptions::default();
        options.write_concern = Some(WriteConcern::majority());
        Ok(Self {
            database: client.database_with_options(database, options),
            client,
            number,
            work: Work::default(),
            rng: StdRng::seed_from_u64(seed ^ (u64::from(number) << 32)),
            world,
        })
    }

    /// Writes without a pause worth the name, one small document at a time.
    pub(super) async fn pulse(mut self) -> Result<()> {
        while self.world.stage.get() == Stage::Running {
            let act = Act::pulse();
            self.perform(&[act], Together::Batch, PULSE_LIMIT).await;
            sleep(PULSE).await;
        }
        Ok(())
    }

    /// Writes everything there is, now much, now little.
    pub(super) async fn write(mut self) -> Result<()> {
        while self.world.stage.get() == Stage::Running {
            let mood = Mood::choose(&mut self.rng);
            for _ in 0..mood.turns {
                if self.world.stage.get() != Stage::Running {
                    break;
                }
                let (acts, together) = self.work.choose(&mut self.rng, mood.batch);
                self.perform(&acts, together, ANSWER_LIMIT).await;
                sleep(mood.pause).await;
            }
            self.lull(mood.lull).await;
        }
        Ok(())
    }

    async fn lull(&self, lull: Duration) {
        let until = self.world.now() + lull;
        while self.world.stage.get() == Stage::Running && self.world.now() < until {
            sleep(REST).await;
        }
    }

    /// Asks the database for `acts` and notes what it answers.
    async fn perform(&mut self, acts: &[Act], together: Together, limit: Duration) {
        let first = self.world.ledger.borrow().next_number(self.number);
        let steps: Vec<Step> = (first..)
            .zip(acts)
            .map(|(number, act)| {
                Step::new(
                    DeedId {
                        writer: self.number,
                        number,
                    },
                    *act,
                )
            })
            .collect();
        let deeds: Vec<Deed> = steps.iter().map(|step| step.deed).collect();
        let sent = self.world.now();
        let numbers = {
            let mut ledger = self.world.ledger.borrow_mut();
            ledger.sending(self.number, &deeds, together, sent)
        };
        let outcome = timeout(limit, self.carry_out(&steps, together)).await;
        let answer = match outcome {
            Ok(Ok(())) => Answer::Acknowledged,
            Ok(Err(_)) | Err(_) => Answer::Unknown,
        };
        self.world
            .ledger
            .borrow_mut()
            .answered(self.number, numbers, answer);
        if answer == Answer::Acknowledged {
            let now = self.world.now();
            self.world.recovery.borrow_mut().written(sent, now);
            self.work.keep(&deeds);
        } else {
            // What these documents are now is not known, so they are never touched again.
            sleep(REST).await;
        }
    }

    async fn carry_out(&self, steps: &[Step], together: Together) -> Result<()> {
        match (steps, together) {
            ([step], Together::Batch) => self.one(step, None).await,
            (steps, Together::Batch) => {
                let documents = steps.iter().map(Step::document);
                self.collection(&steps[0]).insert_many(documents).await?;
                Ok(())
            }
            (steps, Together::Transaction) => {
                let mut session = self.client.start_session().await?;
                session
                    .start_transaction()
                    .write_concern(WriteConcern::majority())
                    .await?;
                for step in steps {
                    self.one(step, Some(&mut session)).await?;
                }
                session.commit_transaction().await?;
                Ok(())
            }
        }
    }

    async fn one(&self, step: &Step, session: Option<&mut ClientSession>) -> Result<()> {
        let collection = self.collection(step);
        let filter = doc! { "_id": step.deed.document.text() };
        let touched = match step.deed.verb {
            Verb::Insert => {
                let insert = collection.insert_one(step.document());
                match session {
                    Some(session) => insert.session(session).await?,
                    None => insert.await?,
                };
                1
            }
            Verb::Update => {
                let update = collection.update_one(filter, doc! { "$set": step.fields() });
                match session {
                    Some(session) => update.session(session).await?,
                    None => update.await?,
                }
                .modified_count
            }
            Verb::Replace => {
                let replace = collection.replace_one(filter, step.fields());
                match session {
                    Some(session) => replace.session(session).await?,
                    None => replace.await?,
                }
                .modified_count
            }
            Verb::Delete => {
                let delete = collection.delete_one(filter);
                match session {
                    Some(session) => delete.session(session).await?,
                    None => delete.await?,
                }
                .deleted_count
            }
        };
        // The document is ours alone and was acknowledged, so it must be there.
        (touched == 1).then_some(()).context("the document is gone")
    }

    fn collection(&self, step: &Step) -> Collection<Document> {
        let name = COLLECTIONS[usize::from(step.deed.collection)];
        self.database.collection(name)
    }
}

/// A client that does not wait for ever.
pub(super) async fn client(uri: &str) -> Result<Client> {
    let mut options = ClientOptions::parse(uri).await.context("parse the uri")?;
    options.app_name = Some("cdc-chaos".to_owned());
    options.server_selection_timeout = Some(SELECTION_LIMIT);
    options.connect_timeout = Some(Duration::from_secs(2));
    Client::with_options(options).context("set up the mongodb client")
}
