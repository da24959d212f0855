//! What a consumer makes of the messages: a copy of the collections, byte for byte.

use std::collections::HashMap;

use bson::{RawDocument, RawDocumentBuf, doc};

use crate::support::{Delivery, Scenario};

/// Where a message stands: cluster time, and the place in a transaction. What was read is behind all of its time.
type Version = (u32, u32, u64);

/// A copy that is made of messages of the format `bson`, in the order of their arrival.
#[derive(Default)]
pub(super) struct Copy {
    rows: HashMap<(String, Vec<u8>), Row>,
    /// The last end of a collection, by its name.
    ends: HashMap<String, Version>,
    /// Documents that were read, with copies.
    pub(super) reads: usize,
}

struct Row {
    version: Version,
    document: Option<Vec<u8>>,
}

impl Copy {
    pub(super) fn of(deliveries: &[Delivery]) -> Self {
        let mut copy = Self::default();
        for delivery in deliveries {
            copy.apply(delivery);
        }
        copy
    }

    fn apply(&mut self, delivery: &Delivery) {
        let event = RawDocument::from_bytes(&delivery.body).unwrap();
        let (name, version) = (delivery.header("cdc-namespace"), version(delivery));
        match delivery.header("cdc-operation").as_str() {
            "read" => {
                self.reads += 1;
                self.put(name, event, version);
            }
            "insert" | "update" | "replace" => self.put(name, event, version),
            "delete" => self.row(name, event, version, None),
            "drop" => self.end(&name, version),
            "rename" => {
                let to = event.get_document("to").unwrap();
                let to = format!(
                    "{}.{}",
                    to.get_str("db").unwrap(),
                    to.get_str("coll").unwrap()
                );
                self.rename(&name, &to, version);
            }
            _ => {}
        }
    }

    fn put(&mut self, name: String, event: &RawDocument, version: Version) {
        // One that was looked up may be gone already.
        if let Ok(document) = event.get_document("fullDocument") {
            self.row(name, event, version, Some(document.as_bytes().to_vec()));
        }
    }

    fn row(
        &mut self,
        name: String,
        event: &RawDocument,
        version: Version,
        document: Option<Vec<u8>>,
    ) {
        let key = event.get_document("documentKey").unwrap().as_bytes();
        let ended = self.ends.get(&name).copied().unwrap_or_default();
        let place = (name, key.to_vec());
        let present = self.rows.get(&place).map(|row| row.version);
        if present.unwrap_or_default().max(ended) < version {
            self.rows.insert(place, Row { version, document });
        }
    }

    fn end(&mut self, name: &str, version: Version) {
        self.rows
            .retain(|(other, _), row| other != name || version < row.version);
        self.ends.insert(name.to_owned(), version);
    }

    fn rename(&mut self, from: &str, to: &str, version: Version) {
        if self.ends.get(to) == Some(&version) {
            return;
        }
        self.end(to, version);
        let is_moved =
            |(name, _): &(String, Vec<u8>), row: &mut Row| name == from && row.version < version;
        let moved: Vec<_> = self.rows.extract_if(is_moved).collect();
        for ((_, key), row) in moved {
            let row = Row { version, ..row };
            self.rows.insert((to.to_owned(), key), row);
        }
        self.ends.insert(from.to_owned(), version);
    }

    /// How many documents it has of a collection.
    pub(super) fn count(&self, scenario: &Scenario, collection: &str) -> usize {
        self.documents(scenario, collection).len()
    }

    fn documents(&self, scenario: &Scenario, collection: &str) -> Vec<&[u8]> {
        let name = format!("{}.{collection}", scenario.name);
        let rows = self.rows.iter().filter(|((other, _), _)| *other == name);
        let mut documents: Vec<_> = rows
            .filter_map(|(_, row)| row.document.as_deref())
            .collect();
        documents.sort_unstable();
        documents
    }

    /// Asserts that the collection is the same. Gives the number of its documents.
    pub(super) async fn is_exact(&self, scenario: &Scenario, collection: &str) -> usize {
        let database = scenario.mongo.database(&scenario.name);
        let mut found = database
            .collection::<RawDocumentBuf>(collection)
            .find(doc! {})
            .await
            .unwrap();
        let mut present = Vec::new();
        while found.advance().await.unwrap() {
            present.push(found.current().as_bytes().to_vec());
        }
        present.sort_unstable();
        let copied = self.documents(scenario, collection);
        let missing = present
            .iter()
            .filter(|one| !copied.contains(&one.as_slice()));
        let missing: Vec<_> = missing
            .take(3)
            .map(|one| RawDocument::from_bytes(one).unwrap())
            .collect();
        let numbers = (copied.len(), present.len());
        assert!(
            copied == present,
            "of {collection}: {numbers:?} in the copy and there, without {missing:?}"
        );
        present.len()
    }
}

fn version(delivery: &Delivery) -> Version {
    let time = delivery.header("cdc-cluster-time");
    let (seconds, increment) = time.split_once(':').unwrap();
    let place = match delivery.header("cdc-operation").as_str() {
        "read" => u64::MAX,
        _ => delivery
            .try_header("cdc-transaction-index")
            .map_or(0, |index| index.parse().unwrap()),
    };
    (seconds.parse().unwrap(), increment.parse().unwrap(), place)
}
