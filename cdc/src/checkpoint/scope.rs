//! What a checkpoint stands for: what its pipeline watches, and where the messages go.
//!
//! It is stored beside the position. A checkpoint without it, as earlier releases wrote them, stands for anything.

use std::collections::BTreeSet;

use bson::{Bson, Document, doc};

/// What a pipeline watches, and where its messages go. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Database that is watched.
    pub database: String,
    /// Names and patterns of the collections that are watched; none for all.
    pub collections: BTreeSet<String>,
    /// Names and patterns of those of them that are not.
    pub excluded: BTreeSet<String>,
    /// Operations that are published.
    pub operations: BTreeSet<String>,
    /// Where messages go.
    pub target: Target,
    /// Over how many partitions they are spread there.
    pub partitions: u16,
}

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To a queue by its name.
    Queue(String),
    /// To an exchange.
    Exchange {
        /// Its name.
        name: String,
        /// The template of routing keys.
        routing_key: String,
    },
    /// To a sink of the program that runs the engine.
    Own,
}

/// One thing that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `database`, `collections`, `excluded collections`, `operations`, `target` or `partitions`.
    pub what: &'static str,
    /// As it was.
    pub was: String,
    /// As it is.
    pub now: String,
    /// What that means for the messages.
    pub meaning: String,
}

/// What another number of partitions means.
const MOVED: &str = "documents change their partition, so their order holds only if all that is in the queues now is \
     consumed before what comes next; a queue that is no partition any more keeps what it holds";

impl Scope {
    /// The scope in a checkpoint, if there is one that can be read.
    pub(super) fn read(checkpoint: &Document) -> Option<Self> {
        let scope = checkpoint.get_document("scope").ok()?;
        let target = scope.get_document("target").ok()?;
        let text = |field| target.get_str(field).ok().map(str::to_owned);
        let target = match (text("queue"), text("exchange"), text("routing_key")) {
            (Some(queue), _, _) => Target::Queue(queue),
            (None, Some(name), Some(routing_key)) => Target::Exchange { name, routing_key },
            _ if target.get_str("sink").is_ok() => Target::Own,
            _ => return None,
        };
        Some(Self {
            database: scope.get_str("database").ok()?.to_owned(),
            collections: texts(scope.get_array("collections").ok()?)?,
            // Earlier releases had none.
            excluded: match scope.get_array("excluded") {
                Ok(excluded) => texts(excluded)?,
                Err(_) => BTreeSet::new(),
            },
            operations: texts(scope.get_array("operations").ok()?)?,
            target,
            partitions: partitions(scope)?,
        })
    }

    /// The scope as a checkpoint has it.
    pub(super) fn document(&self) -> Document {
        let list = |texts: &BTreeSet<String>| texts.iter().cloned().collect::<Vec<_>>();
        let target = match &self.target {
            Target::Queue(queue) => doc! { "queue": queue },
            Target::Exchange { name, routing_key } => {
                doc! { "exchange": name, "routing_key": routing_key }
            }
            Target::Own => doc! { "sink": "own" },
        };
        let mut document = doc! {
            "database": &self.database,
            "collections": list(&self.collections),
            "operations": list(&self.operations),
            "target": target,
        };
        if !self.excluded.is_empty() {
            document.insert("excluded", list(&self.excluded));
        }
        if 1 < self.partitions {
            document.insert("partitions", i32::from(self.partitions));
        }
        document
    }

    /// What is not as it was in `former`.
    pub fn changes_since(&self, former: &Self) -> Vec<Change> {
        let database = (former.database != self.database).then(|| Change {
            what: "database",
            was: former.database.clone(),
            now: self.database.clone(),
            meaning: "it is another pipeline".to_owned(),
        });
        let collections = of_list("collections", &former.collections, &self.collections);
        let excluded = of_excluded(&former.excluded, &self.excluded);
        let operations = of_list("operations", &former.operations, &self.operations);
        let target = (former.target != self.target).then(|| Change {
            what: "target",
            was: former.target.to_string(),
            now: self.target.to_string(),
            meaning: "what was confirmed before the checkpoint stays where it is".to_owned(),
        });
        let partitions = (former.partitions != self.partitions).then(|| Change {
            what: "partitions",
            was: former.partitions.to_string(),
            now: self.partitions.to_string(),
            meaning: MOVED.to_owned(),
        });
        let all = [
            database,
            collections,
            excluded,
            operations,
            target,
            partitions,
        ];
        all.into_iter().flatten().collect()
    }
}

/// Over how many partitions; one, where nothing says more.
fn partitions(scope: &Document) -> Option<u16> {
    match scope.get("partitions") {
        None => Some(1),
        Some(count) => u16::try_from(count.as_i32()?).ok(),
    }
}

/// How a list changed. One without entries stands for all.
fn of_list(what: &'static str, was: &BTreeSet<String>, now: &BTreeSet<String>) -> Option<Change> {
    if was == now {
        return None;
    }
    let has_more = !was.is_empty() && (now.is_empty() || !now.is_subset(was));
    let has_less = !now.is_empty() && (was.is_empty() || !was.is_subset(now));
    let meanings = [
        (
            has_more,
            format!(
                "changes of the new {what} before the checkpoint were not and will not be published"
            ),
        ),
        (
            has_less,
            format!("changes of the former {what} after the checkpoint are not published"),
        ),
    ];
    let meanings = meanings.into_iter().filter(|(holds, _)| *holds);
    let meanings: Vec<String> = meanings.map(|(_, meaning)| meaning).collect();
    Some(Change {
        what,
        was: list_text(was),
        now: list_text(now),
        meaning: meanings.join("; "),
    })
}

/// How the list of what is not published changed.
fn of_excluded(was: &BTreeSet<String>, now: &BTreeSet<String>) -> Option<Change> {
    let meanings = [
        (
            !was.is_subset(now),
            "changes before the checkpoint of what is no longer excluded were not and will not be published",
        ),
        (
            !now.is_subset(was),
            "changes after the checkpoint of what is excluded now are not published",
        ),
    ];
    let meanings = meanings.into_iter().filter(|(holds, _)| *holds);
    let meanings: Vec<&str> = meanings.map(|(_, meaning)| meaning).collect();
    let text = |texts: &BTreeSet<String>| {
        if texts.is_empty() {
            "none".to_owned()
        } else {
            list_text(texts)
        }
    };
    (was != now).then(|| Change {
        what: "excluded collections",
        was: text(was),
        now: text(now),
        meaning: meanings.join("; "),
    })
}

fn list_text(texts: &BTreeSet<String>) -> String {
    if texts.is_empty() {
        return "all".to_owned();
    }
    texts.iter().cloned().collect::<Vec<_>>().join(",")
}

fn texts(list: &[Bson]) -> Option<BTreeSet<String>> {
    let texts = list.iter().map(|one| one.as_str().map(str::to_owned));
    texts.collect()
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Queue(queue) => write!(f, "queue {queue}"),
            Self::Exchange { name, routing_key } => {
                write!(f, "exchange {name} with routing key {routing_key}")
            }
            Self::Own => f.write_str("a sink of the program's own"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn scope(collections: &[&str], operations: &[&str], target: Target) -> Scope {
        Scope {
            database: "shop".to_owned(),
            collections: set(collections),
            excluded: BTreeSet::new(),
            operations: set(operations),
            target,
            partitions: 1,
        }
    }

    fn queue() -> Target {
        Target::Queue("orders".to_owned())
    }

    fn exchange() -> Target {
        Target::Exchange {
            name: "changes".to_owned(),
            routing_key: "{collection}".to_owned(),
        }
    }

    fn of_collections(was: &[&str], now: &[&str]) -> String {
        let [was, now] = [was, now].map(|collections| scope(collections, &["insert"], queue()));
        let changes = now.changes_since(&was);
        assert_eq!(changes.len(), 1);
        let Change {
            was, now, meaning, ..
        } = &changes[0];
        format!("{was} to {now}: {meaning}")
    }

    #[test]
    fn a_scope_is_read_as_it_was_written() {
        for target in [queue(), exchange(), Target::Own] {
            let mut scope = scope(&["games", "mo*"], &["delete", "insert"], target);
            scope.partitions = 8;
            let mut stored = scope.document();
            stored.insert("of_a_later_release", true);
            let read = Scope::read(&doc! { "scope": stored.clone() });
            assert_eq!(read.as_ref(), Some(&scope));
            // As it is without partitions.
            stored.remove("partitions");
            let read = Scope::read(&doc! { "scope": stored });
            assert_eq!(read.unwrap().partitions, 1);
        }
    }

    #[test]
    fn a_checkpoint_without_a_readable_scope_has_none() {
        let mut other = scope(&[], &["insert"], queue()).document();
        other.insert("collections", "games");
        for checkpoint in [doc! {}, doc! { "scope": 1 }, doc! { "scope": other }] {
            assert_eq!(Scope::read(&checkpoint), None);
        }
    }

    #[test]
    fn what_changed_is_told_with_what_it_means() {
        let new = "changes of the new collections before the checkpoint were not and will not be published";
        let former = "changes of the former collections after the checkpoint are not published";
        for (was, now, text) in [
            (
                &["games"][..],
                &["games", "moves"][..],
                format!("games to games,moves: {new}"),
            ),
            (&["games"], &[], format!("games to all: {new}")),
            (
                &["games", "moves"],
                &["games"],
                format!("games,moves to games: {former}"),
            ),
            (&[], &["games"], format!("all to games: {former}")),
            (
                &["games"],
                &["moves"],
                format!("games to moves: {new}; {former}"),
            ),
        ] {
            assert_eq!(of_collections(was, now), text);
        }
    }

    #[test]
    fn what_is_excluded_anew_and_no_longer_is_told() {
        let mut was = scope(&[], &["insert"], queue());
        let mut now = was.clone();
        now.excluded = set(&["games"]);
        assert_eq!(
            Scope::read(&doc! { "scope": now.document() }),
            Some(now.clone())
        );
        let change = |now: &Scope, was: &Scope| {
            let Change {
                was, now, meaning, ..
            } = now.changes_since(was).remove(0);
            format!("{was} to {now}: {meaning}")
        };
        let anew =
            "none to games: changes after the checkpoint of what is excluded now are not published";
        assert_eq!(change(&now, &was), anew);
        was.excluded = set(&["moves"]);
        let both = "moves to games: changes before the checkpoint of what is no longer excluded were not and will not be \
                    published; changes after the checkpoint of what is excluded now are not published";
        assert_eq!(change(&now, &was), both);
    }

    #[test]
    fn every_part_that_changed_is_named_and_no_other() {
        let was = scope(&[], &["insert"], queue());
        assert_eq!(was.changes_since(&was), []);
        let mut now = scope(&[], &["delete", "insert"], exchange());
        now.database = "store".to_owned();
        now.partitions = 8;
        let changes = now.changes_since(&was);
        let named: Vec<_> = changes
            .iter()
            .map(|one| format!("{}: {} to {}", one.what, one.was, one.now))
            .collect();
        let expected = [
            "database: shop to store",
            "operations: insert to delete,insert",
            "target: queue orders to exchange changes with routing key {collection}",
            "partitions: 1 to 8",
        ];
        assert_eq!(named, expected);
    }
}
