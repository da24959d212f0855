//! The collections before the engines start, with what a snapshot has to read.

use anyhow::{Context, Result};
use bson::{Bson, Document, doc};
use mongodb::Database;

use super::{COLLECTIONS, OWN, ids::any_id, names};

/// Documents in one command.
const BATCH: usize = 1_000;

/// Makes the collections and fills them with so many documents.
pub(in crate::chaos) async fn prepare(database: &Database, documents: u32) -> Result<()> {
    for (name, share) in names().zip(shares(documents)) {
        database
            .run_command(options(name))
            .await
            .with_context(|| format!("make the collection {name}"))?;
        let collection = database.collection::<Document>(name);
        let all: Vec<Document> = (0..share).map(|number| document(name, number, 0)).collect();
        for batch in all.chunks(BATCH) {
            let inserting = collection.insert_many(batch);
            inserting
                .await
                .with_context(|| format!("fill the collection {name}"))?;
        }
    }
    Ok(())
}

/// How many documents there are in each collection: most in the one that has all types.
pub(super) fn shares(documents: u32) -> impl Iterator<Item = u32> {
    let others = documents / 10;
    let count = u32::try_from(COLLECTIONS.len() + OWN.len()).unwrap_or(u32::MAX);
    let rest = documents - others * (count - 1);
    names().map(move |name| if name == "typed" { rest } else { others })
}

fn options(name: &str) -> Document {
    match name {
        "typed" => doc! { "create": name, "changeStreamPreAndPostImages": { "enabled": true } },
        // Neither case nor accents count.
        "collated" => doc! { "create": name, "collation": { "locale": "de", "strength": 1 } },
        "clustered" => {
            doc! { "create": name, "clusteredIndex": { "key": { "_id": 1 }, "unique": true } }
        }
        _ => doc! { "create": name },
    }
}

/// The `_id` that document `number` of a collection has.
pub(super) fn id(name: &str, number: u32) -> Bson {
    match name {
        "typed" | "clustered" => any_id(number),
        // In this collation not as their bytes are.
        "collated" => {
            let letter = ["a", "Ä", "b", "B", "ö", "O", "z", "ß"][number as usize % 8];
            format!("{letter}{number}").into()
        }
        _ => format!("before-{number}").into(),
    }
}

/// What stands in it in the beginning, and after it was written anew.
pub(super) fn document(name: &str, number: u32, turn: u32) -> Document {
    let text = format!("{turn} é \u{1f3b2} ").repeat(1 + number as usize % 20);
    doc! {
        "_id": id(name, number), "turn": turn, "text": text,
        "list": [number, { "deep": turn }, "three"], "in": { "a": 1, "b": { "c": f64::from(turn) / 3.0 } },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{super::event::key_of, *};

    #[test]
    fn all_documents_are_spread_and_their_ids_differ() {
        assert_eq!(shares(20_003).sum::<u32>(), 20_003);
        for name in names() {
            let keys: HashSet<_> = (0..3_000).map(|number| key_of(&id(name, number))).collect();
            assert_eq!(keys.len(), 3_000, "{name}");
        }
    }
}
