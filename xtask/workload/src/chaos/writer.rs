//! A client that writes: sequential, in bursts and lulls, and exact about what it was told.

use std::{rc::Rc, time::Duration};

use anyhow::{Context, Result};
use bson::{Document, doc};
use mongodb::{
    Client, ClientSession, Database,
    options::{ClientOptions, DatabaseOptions, WriteConcern},
};
use rand::{SeedableRng, rngs::StdRng};
use tokio::time::{sleep, timeout};

use super::{
    change::{COLLECTIONS, Change, Operation, WriterId},
    ledger::{Answer, Together},
    record::Record,
    work::{Phase, Work, Write},
};

/// Longest wait for one answer; after that it counts as lost.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// The same for the pulse, which shows when the database takes writes again.
const PULSE_LIMIT: Duration = Duration::from_secs(2);
/// Time between two writes of the pulse.
const PULSE: Duration = Duration::from_millis(50);
/// Time between two collections that are dropped.
const DROPS: Duration = Duration::from_millis(300);
/// Longest wait for a primary.
const SELECTION_LIMIT: Duration = Duration::from_secs(10);
/// Pause after a failure.
const REST: Duration = Duration::from_millis(100);

/// One writer.
#[derive(Debug)]
pub(super) struct Writer {
    number: WriterId,
    client: Client,
    database: Database,
    work: Work,
    rng: StdRng,
    record: Rc<Record>,
}

impl Writer {
    /// A client of its own, on the database of this name.
    pub(super) async fn connect(
        number: WriterId,
        uri: &str,
        database: &str,
        seed: u64,
        record: Rc<Record>,
    ) -> Result<Self> {
        let client = client(uri).await?;
        let mut options = DatabaseOptions::default();
        options.write_concern = Some(WriteConcern::majority());
        Ok(Self {
            database: client.database_with_options(database, options),
            client,
            number,
            work: Work::new(number),
            rng: StdRng::seed_from_u64(seed ^ (u64::from(number) << 32)),
            record,
        })
    }

    /// The same with no content longer than this.
    pub(super) fn up_to(self, longest: usize) -> Self {
        Self {
            work: self.work.up_to(longest),
            ..self
        }
    }

    /// Writes without a pause worth the name, one small document at a time.
    pub(super) async fn pulse(mut self) -> Result<()> {
        while self.record.is_running() {
            let write = self.work.pulse();
            self.perform(&[write], Together::Batch, PULSE_LIMIT).await;
            sleep(PULSE).await;
        }
        Ok(())
    }

    /// Makes and drops one collection after the other: changes that are about no document.
    pub(super) async fn drop_collections(mut self) -> Result<()> {
        while self.record.is_running() {
            let write = self.work.drop_collection();
            let name = write.change.document.text();
            let creating = self.database.create_collection(&name);
            // Where that fails, so does the drop.
            let _ = timeout(ANSWER_LIMIT, creating).await;
            self.perform(&[write], Together::Batch, ANSWER_LIMIT).await;
            sleep(DROPS).await;
        }
        Ok(())
    }

    /// Writes everything there is, now much, now little.
    pub(super) async fn write(mut self) -> Result<()> {
        while self.record.is_running() {
            let phase = Phase::choose(&mut self.rng);
            for _ in 0..phase.turns {
                if !self.record.is_running() {
                    break;
                }
                let (writes, together) = self.work.choose(&mut self.rng, phase.batch);
                self.perform(&writes, together, ANSWER_LIMIT).await;
                sleep(phase.pause).await;
            }
            self.lull(phase.lull).await;
        }
        Ok(())
    }

    async fn lull(&self, lull: Duration) {
        let until = self.record.now() + lull;
        while self.record.is_running() && self.record.now() < until {
            sleep(REST).await;
        }
    }

    /// Asks the database for `writes` and notes what it answers.
    async fn perform(&mut self, writes: &[Write], together: Together, limit: Duration) {
        let changes: Vec<Change> = writes.iter().map(|write| write.change).collect();
        let sent = self.record.now();
        let ledger = &self.record.ledger;
        let numbers = ledger
            .borrow_mut()
            .sending(self.number, &changes, together, sent);
        let outcome = timeout(limit, self.carry_out(writes, together)).await;
        let answer = match outcome {
            Ok(Ok(())) => Answer::Acknowledged,
            Ok(Err(_)) | Err(_) => Answer::Unknown,
        };
        ledger.borrow_mut().answered(self.number, numbers, answer);
        if answer == Answer::Acknowledged {
            let now = self.record.now();
            self.record.recovery.borrow_mut().written(sent, now);
            self.work.keep(&changes);
        } else {
            // What these documents are now is not known, so they are never touched again.
            sleep(REST).await;
        }
    }

    async fn carry_out(&self, writes: &[Write], together: Together) -> Result<()> {
        let mut session = self.client.start_session().await?;
        match (writes, together) {
            ([write], Together::Batch) => self.one(write, &mut session).await,
            (writes, Together::Batch) => {
                let documents = writes.iter().map(Write::document);
                let name = COLLECTIONS[usize::from(writes[0].change.collection)];
                self.database
                    .collection(name)
                    .insert_many(documents)
                    .await?;
                Ok(())
            }
            (writes, Together::Transaction) => {
                let starting = session.start_transaction();
                starting.write_concern(WriteConcern::majority()).await?;
                for write in writes {
                    self.one(write, &mut session).await?;
                }
                Ok(session.commit_transaction().await?)
            }
        }
    }

    async fn one(&self, write: &Write, session: &mut ClientSession) -> Result<()> {
        let name = COLLECTIONS[usize::from(write.change.collection)];
        let collection = self.database.collection::<Document>(name);
        let filter = doc! { "_id": write.change.document.text() };
        let fields = write.fields();
        let touched = match write.change.operation {
            Operation::Insert => {
                let inserting = collection.insert_one(write.document());
                inserting.session(session).await?;
                1
            }
            Operation::Update => {
                let updating = collection.update_one(filter, doc! { "$set": fields });
                updating.session(session).await?.modified_count
            }
            Operation::Replace => {
                let replacing = collection.replace_one(filter, fields);
                replacing.session(session).await?.modified_count
            }
            Operation::Delete => {
                let deleting = collection.delete_one(filter);
                deleting.session(session).await?.deleted_count
            }
            Operation::Drop => {
                let drop = doc! { "drop": write.change.document.text(), "writeConcern": { "w": "majority" } };
                self.database.run_command(drop).await?;
                1
            }
        };
        // It is ours alone and was acknowledged, so it must be there.
        (touched == 1).then_some(()).context("the document is gone")
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
