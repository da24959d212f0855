//! Scrabble games, moves and players: made-up data in the shape of real data.
//!
//! The content of a document depends on the seed and its number alone, so a body can be made again
//! when it is needed instead of being kept. Its `_id` is fresh in every run.

mod content;

use bson::{Bson, Document, oid::ObjectId};
use rand::{SeedableRng, rngs::StdRng};

use crate::settings::Settings;

/// Documents of one round: a few games, their moves, then players who join.
const ROUND: [(&str, usize); 3] = [("games", 20), ("moves", 460), ("players", 20)];

/// Makes the documents of one run.
#[derive(Debug, Clone)]
pub struct Generator {
    seed: u64,
    round: Vec<(&'static str, usize)>,
}

/// Consecutive documents that go into one collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The collection.
    pub collection: &'static str,
    /// How many documents, from the asked index on, may go there before the collection changes.
    pub documents: usize,
}

impl Generator {
    /// A generator for the collections that the engine watches; `None` if it watches none of ours.
    pub fn new(seed: u64, settings: &Settings) -> Option<Self> {
        let watched = ROUND.into_iter().filter(|(name, _)| settings.watches(name));
        let round: Vec<_> = watched.collect();
        (!round.is_empty()).then_some(Self { seed, round })
    }

    /// The names of all collections that there could be data for.
    pub fn collections() -> [&'static str; 3] {
        ROUND.map(|(name, _)| name)
    }

    /// Where document `index` goes, and how many after it go there too.
    pub fn stretch(&self, index: usize) -> Stretch {
        let total: usize = self.round.iter().map(|(_, documents)| documents).sum();
        let mut place = index % total;
        for &(collection, documents) in &self.round {
            if place < documents {
                return Stretch {
                    collection,
                    documents: documents - place,
                };
            }
            place -= documents;
        }
        unreachable!("the place is taken modulo the length of the round")
    }

    /// The content of document `index`, without an `_id`.
    ///
    /// # Panics
    /// If there are 2^63 documents.
    pub fn content(&self, index: usize) -> Document {
        let number = i64::try_from(index).expect("fewer than 2^63 documents");
        let mut rng = StdRng::seed_from_u64(mix(self.seed, number.cast_unsigned()));
        match self.stretch(index).collection {
            "games" => content::game(number, &mut rng),
            "moves" => content::game_move(number, &mut rng),
            _ => content::player(number, &mut rng),
        }
    }

    /// Document `index` with `id` in front, as it is inserted.
    pub fn document(&self, index: usize, id: Bson) -> Document {
        let mut document = Document::new();
        document.insert("_id", id);
        document.extend(self.content(index));
        document
    }
}

/// A new `_id` for a document of `collection`, never used before.
pub fn fresh_id(collection: &str) -> Bson {
    let id = ObjectId::new();
    match collection {
        // Real data has identifiers of its own too, and they must arrive as well.
        "players" => Bson::String(format!("player-{id}")),
        _ => Bson::ObjectId(id),
    }
}

/// Spreads neighbouring numbers of neighbouring seeds over the whole range (`SplitMix64`).
fn mix(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn generator(seed: u64, collections: &str) -> Generator {
        let line = Line::parse_from(["workload", "--cdc-collections", collections]);
        Generator::new(seed, &line.settings).unwrap()
    }

    #[test]
    fn the_same_seed_makes_the_same_content() {
        for index in [0, 25, 490, 123_456] {
            assert_eq!(
                generator(7, "").content(index),
                generator(7, "").content(index)
            );
            assert_ne!(
                generator(7, "").content(index),
                generator(8, "").content(index)
            );
        }
    }

    #[test]
    fn no_two_documents_of_a_run_have_the_same_content() {
        let generator = generator(42, "");
        let contents: HashSet<String> = (0..2000)
            .map(|index| generator.content(index).to_string())
            .collect();
        assert_eq!(contents.len(), 2000);
    }

    #[test]
    fn documents_are_of_the_size_of_real_ones() {
        let generator = generator(42, "");
        for index in 0..1000 {
            let document = generator.document(index, fresh_id("games"));
            let size = document.to_vec().unwrap().len();
            assert!(
                (250..=700).contains(&size),
                "document {index} has {size} bytes: {document}"
            );
        }
    }

    #[test]
    fn a_stretch_ends_where_the_collection_changes() {
        let all = generator(1, "");
        assert_eq!(
            all.stretch(0),
            Stretch {
                collection: "games",
                documents: 20
            }
        );
        assert_eq!(
            all.stretch(19),
            Stretch {
                collection: "games",
                documents: 1
            }
        );
        assert_eq!(
            all.stretch(20),
            Stretch {
                collection: "moves",
                documents: 460
            }
        );
        assert_eq!(
            all.stretch(500),
            Stretch {
                collection: "games",
                documents: 20
            }
        );
    }

    #[test]
    fn only_watched_collections_get_documents() {
        let players = generator(1, "players,elsewhere");
        assert!((0..100).all(|index| players.stretch(index).collection == "players"));
        let line = Line::parse_from(["workload", "--cdc-collections", "elsewhere"]);
        assert!(Generator::new(1, &line.settings).is_none());
    }

    #[test]
    fn ids_are_fresh() {
        let ids: HashSet<String> = (0..1000).map(|_| fresh_id("players").to_string()).collect();
        assert_eq!(ids.len(), 1000);
    }
}
