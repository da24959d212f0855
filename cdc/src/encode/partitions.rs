//! Which partition a change is for.
//!
//! A change of a document goes to partition `h % n` of n. h is the CRC-32 (that of zlib and PNG) of the namespace
//! `database.collection`, a zero byte, and the whole document key as raw BSON, since in a sharded cluster an `_id` alone
//! is not unique. So the changes of a document have one partition, and with it their order.
//!
//! A CRC is linear, so over 2, 4 or 8 partitions it spreads keys that are counted up, as object ids and most numbers are,
//! more evenly than chance does: 1,000 of them over 8 differ by 1.1 at most, where by a cryptographic hash 1.3 is usual.

use crc32fast::Hasher;

use crate::{event::ChangeEvent, message::Partition};

/// How many partitions there are; one where changes are not spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partitions(u16);

impl Partitions {
    /// Most partitions.
    pub const MAX: u16 = 256;

    /// So many partitions; at least one.
    pub fn new(count: u16) -> Self {
        Self(count.max(1))
    }

    /// How many there are.
    pub fn count(self) -> u16 {
        self.0
    }

    /// The partition of `event`, where changes are spread. A change of no document goes to all of them, of which this is
    /// the first.
    pub(super) fn of(self, event: &ChangeEvent) -> Option<Partition> {
        if self.0 == 1 {
            return None;
        }
        let number = self.number(event);
        Some(Partition {
            number: number.unwrap_or(0),
            copies: number.is_none().then_some(self.0),
        })
    }

    fn number(self, event: &ChangeEvent) -> Option<u16> {
        let (namespace, key) = (event.namespace(), event.document_key()?);
        let mut hasher = Hasher::new();
        hasher.update(namespace.database.as_bytes());
        if let Some(collection) = namespace.collection {
            hasher.update(b".");
            hasher.update(collection.as_bytes());
        }
        hasher.update(b"\0");
        hasher.update(key.as_bytes());
        u16::try_from(hasher.finalize() % u32::from(self.0)).ok()
    }
}

impl Default for Partitions {
    fn default() -> Self {
        Self(1)
    }
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, Timestamp, oid::ObjectId, rawdoc};

    use super::*;

    fn change(collection: &str, key: Option<RawDocumentBuf>) -> ChangeEvent {
        let mut raw = rawdoc! {
            "_id": { "_data": "82" }, "operationType": "insert", "clusterTime": Timestamp { time: 1, increment: 1 },
            "ns": { "db": "shop", "coll": collection },
        };
        if let Some(key) = key {
            raw.append(bson::cstr!("documentKey"), key);
        }
        ChangeEvent::parse(raw.into_bytes().into()).unwrap()
    }

    fn number(partitions: u16, collection: &str, key: RawDocumentBuf) -> u16 {
        let of = Partitions::new(partitions).of(&change(collection, Some(key)));
        let Partition { number, copies } = of.unwrap();
        assert_eq!(copies, None);
        number
    }

    /// In Python: zlib.crc32(b"shop.orders\0" + bson.encode(key)) % n
    #[test]
    fn a_document_has_the_partition_that_the_documents_say() {
        let id = ObjectId::parse_str("6b04f63edc884a06b4022687").unwrap();
        for (partitions, collection, key, expected) in [
            (8, "orders", rawdoc! { "_id": 1 }, 7),
            (8, "orders", rawdoc! { "_id": "1" }, 3),
            (8, "orders", rawdoc! { "_id": id }, 5),
            (8, "orders", rawdoc! { "region": "eu", "_id": id }, 3),
            (8, "returns", rawdoc! { "_id": id }, 2),
            (7, "orders", rawdoc! { "_id": id }, 5),
            (256, "orders", rawdoc! { "_id": id }, 21),
        ] {
            let text = format!("{partitions} {collection} {key:?}");
            assert_eq!(number(partitions, collection, key), expected, "{text}");
        }
    }

    #[test]
    fn without_partitions_nothing_is_said_of_them() {
        let event = change("orders", Some(rawdoc! { "_id": 1 }));
        assert_eq!(Partitions::default().of(&event), None);
        assert_eq!(Partitions::new(1).of(&change("orders", None)), None);
    }

    #[test]
    fn what_is_about_no_document_goes_to_every_partition() {
        let first = Partitions::new(3).of(&change("orders", None)).unwrap();
        let numbers: Vec<u16> = first.further().map(|partition| partition.number).collect();
        assert_eq!(
            (first.number, first.copies, numbers),
            (0, Some(3), vec![1, 2])
        );
        let one = Partitions::new(3).of(&change("orders", Some(rawdoc! { "_id": 1 })));
        assert_eq!(one.unwrap().further().count(), 0);
    }

    type Key = Box<dyn FnMut(i32) -> RawDocumentBuf>;

    /// Of keys that are counted up, the fullest partition has hardly more than the emptiest.
    #[test]
    fn a_thousand_documents_are_spread_evenly() {
        let number_of = |partitions, key| usize::from(number(partitions, "orders", key));
        let mut bytes = [0x6b; 12];
        let mut kinds: [(&str, Key); 5] = [
            ("int", Box::new(|n| rawdoc! { "_id": n })),
            ("long", Box::new(|n| rawdoc! { "_id": i64::from(n) })),
            ("double", Box::new(|n| rawdoc! { "_id": f64::from(n) })),
            (
                "text",
                Box::new(|n| rawdoc! { "_id": format!("order-{n:06}") }),
            ),
            (
                "ObjectId",
                Box::new(move |n| {
                    bytes[9..].copy_from_slice(&(0x0048_fe00 + n).to_be_bytes()[1..]);
                    rawdoc! { "_id": ObjectId::from_bytes(bytes) }
                }),
            ),
        ];
        for (name, key) in &mut kinds {
            for partitions in [2, 4, 8] {
                let mut loads = vec![0_u32; usize::from(partitions)];
                (0..1_000).for_each(|n| loads[number_of(partitions, key(n))] += 1);
                let (fullest, emptiest) = (loads.iter().max(), loads.iter().min());
                let ratio = f64::from(*fullest.unwrap()) / f64::from(*emptiest.unwrap());
                assert!(ratio <= 1.1, "{name} over {partitions}: {loads:?}");
            }
        }
    }
}
