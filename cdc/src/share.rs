//! A share of the documents: N engines divide a pipeline among them, each reads the documents of one share.
//!
//! The server says which share a document belongs to, by its own hash of the `_id`, which no change of the document and no
//! other shard key alters. What is about no document belongs to the first share.
//! <https://www.mongodb.com/docs/manual/reference/operator/aggregation/toHashedIndexKey/>

use std::fmt;

use bson::{Document, doc};

/// Operations that are about a document; the others are about collections, databases or the change stream.
pub(crate) const OF_DOCUMENTS: [&str; 4] = ["insert", "update", "replace", "delete"];
/// Field that marks an event of a document of another share, where one is let through for its position alone.
const FOREIGN: &str = "cdcForeign";

/// The share `index` of `count`; its text is `index/count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    index: u16,
    count: u16,
}

impl Share {
    /// Most shares of a pipeline.
    pub const MAX: u16 = 64;

    /// The share `index` of `count`, from 0 on; none where there is no such share.
    pub fn new(index: u16, count: u16) -> Option<Self> {
        let exists = index < count && (2..=Self::MAX).contains(&count);
        exists.then_some(Self { index, count })
    }

    /// Reads `i/N`: the share i modulo N, so that the engines from N on stand by for the first ones. One share is the whole.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        let number = |text: &str| text.trim().parse::<u16>().ok();
        let parts = text.split_once('/');
        let parts = parts.and_then(|(index, count)| Some((number(index)?, number(count)?)));
        match parts {
            Some((_, 1)) => Ok(None),
            Some((index, count @ 2..=Self::MAX)) => Ok(Self::new(index % count, count)),
            _ => Err(format!(
                "`{text}` is not a share such as 0/4, which is the first of four; there are at most {}",
                Self::MAX
            )),
        }
    }

    /// All shares of a pipeline that is divided into `count`; none where it is not divided.
    pub fn all(count: u16) -> impl Iterator<Item = Self> {
        (0..count).filter_map(move |index| Self::new(index, count))
    }

    /// How many shares there are.
    pub fn count(self) -> u16 {
        self.count
    }

    /// Whether what is about no document belongs to it.
    pub fn is_first(self) -> bool {
        self.index == 0
    }

    /// The name under which a share of `pipeline` has its checkpoint and its lock.
    pub fn name(self, pipeline: &str) -> String {
        format!("{pipeline}.{}of{}", self.index, self.count)
    }

    /// Whether a pipeline of this name would be taken for a share of another one.
    pub fn is_name(pipeline: &str) -> bool {
        let of = |end: &str| {
            let (index, count) = end.split_once("of")?;
            Self::new(index.parse().ok()?, count.parse().ok()?)
        };
        pipeline
            .rsplit_once('.')
            .is_some_and(|(_, end)| of(end).is_some())
    }

    /// The condition for a change event of this share.
    pub fn of_events(self) -> Document {
        let mut own = vec![doc! {
            "operationType": { "$in": OF_DOCUMENTS.to_vec() },
            "$expr": self.has("$documentKey._id"),
        }];
        if self.is_first() {
            own.push(doc! { "operationType": { "$nin": OF_DOCUMENTS.to_vec() } });
        }
        doc! { "$or": own }
    }

    /// The condition for a document of this share.
    pub fn of_documents(self) -> Document {
        doc! { "$expr": self.has("$_id") }
    }

    /// A stage that marks the events of documents of other shares.
    pub fn mark(self) -> Document {
        let own = doc! { "$or": [
            { "$eq": [{ "$type": "$documentKey._id" }, "missing"] },
            self.has("$documentKey._id"),
        ] };
        doc! { "$set": { FOREIGN: { "$cond": [own, "$$REMOVE", true] } } }
    }

    /// Whether [`Share::mark`] marked the event.
    pub fn is_marked(event: &bson::RawDocument) -> bool {
        matches!(event.get(FOREIGN), Ok(Some(_)))
    }

    /// The hash is a signed number, and so is its remainder.
    fn has(self, id: &str) -> Document {
        let count = i32::from(self.count);
        let remainder = doc! { "$mod": [{ "$toHashedIndexKey": id }, count] };
        let number = doc! { "$mod": [{ "$add": [remainder, count] }, count] };
        doc! { "$eq": [number, i32::from(self.index)] }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_an_engines_number_modulo_their_count() {
        for (text, share) in [("3/4", "3/4"), ("4/4", "0/4"), ("7 / 4", "3/4")] {
            let read = Share::parse(text).unwrap().unwrap();
            assert_eq!((read.to_string().as_str(), read.count()), (share, 4));
        }
        assert_eq!(
            [Share::parse("0/1"), Share::parse("1/1")],
            [Ok(None), Ok(None)]
        );
        for text in ["", "4", "0/0", "-1/4", "0/65", "a/b", "1/4/2"] {
            let fault = Share::parse(text).unwrap_err();
            assert!(fault.contains("such as 0/4"), "{fault}");
        }
    }

    #[test]
    fn the_shares_of_a_pipeline_have_names_that_no_other_pipeline_may_have() {
        let names: Vec<String> = Share::all(3).map(|share| share.name("orders")).collect();
        assert_eq!(names, ["orders.0of3", "orders.1of3", "orders.2of3"]);
        assert!(names.iter().all(|name| Share::is_name(name)));
        for name in [
            "orders",
            "0of3",
            "orders.3of3",
            "orders.of",
            "orders.0of1",
            "a.1of2.b",
        ] {
            assert!(!Share::is_name(name), "{name}");
        }
        assert_eq!(Share::all(1).count(), 0);
    }

    #[test]
    fn only_the_first_share_has_what_is_about_no_document() {
        let alternatives = |index| {
            let of = Share::new(index, 4).unwrap().of_events();
            of.get_array("$or").unwrap().len()
        };
        assert_eq!([0, 1, 2, 3].map(alternatives), [2, 1, 1, 1]);
    }

    #[test]
    fn a_marked_event_is_known() {
        let marked = bson::rawdoc! { "_id": { "_data": "82" }, "cdcForeign": true };
        let own = bson::rawdoc! { "_id": { "_data": "82" } };
        assert!(Share::is_marked(&marked) && !Share::is_marked(&own));
    }
}
