//! A client of MongoDB that goes on whatever fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bson::doc;
use mongodb::error::{ErrorKind, WriteFailure};

/// Documents inserted by one command.
const BATCH: i32 = 50;
/// Time between two commands.
const PAUSE: Duration = Duration::from_millis(10);
/// Time before a failed insert is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// Inserts `{_id: n, n: n}` for 0, 1, 2 and so on, each batch when the one before is acknowledged by the majority.
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<i32>,
}

impl Writer {
    pub(crate) fn start(collection: mongodb::Collection<bson::Document>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut number = 0;
            while !stopped.load(Ordering::Relaxed) {
                let end = number + BATCH;
                let documents = (number..end).map(document);
                if collection.insert_many(documents).await.is_err() {
                    for number in number..end {
                        insert(&collection, number).await;
                    }
                }
                number = end;
                tokio::time::sleep(PAUSE).await;
            }
            number
        });
        Self { stop, task }
    }

    /// Ends it after the present batch; returns how many numbers were acknowledged.
    pub(crate) async fn stop(self) -> i32 {
        self.stop.store(true, Ordering::Relaxed);
        let end = tokio::time::timeout(super::DEADLINE, self.task);
        end.await.expect("the last insert is acknowledged").unwrap()
    }
}

/// Until the document is there. A lost answer may be of an insert that worked.
async fn insert(collection: &mongodb::Collection<bson::Document>, number: i32) {
    loop {
        match collection.insert_one(document(number)).await {
            Ok(_) => return,
            Err(error) if is_duplicate(&error) => return,
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

fn document(number: i32) -> bson::Document {
    doc! { "_id": number, "n": number }
}

fn is_duplicate(error: &mongodb::error::Error) -> bool {
    matches!(
        error.kind.as_ref(),
        ErrorKind::Write(WriteFailure::WriteError(error)) if error.code == 11_000
    )
}
