//! Which documents a run is to read.

use std::fmt;

use bson::{Bson, Document};

/// A query, as it was typed.
#[derive(Clone, PartialEq)]
pub struct Filter {
    text: String,
    query: Document,
}

impl Filter {
    /// Reads Extended JSON. Only a server knows whether it is a query.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Fields keep their order, which counts where a document is compared as a whole.
        match serde_json::from_str::<Bson>(text) {
            Ok(Bson::Document(query)) => Ok(Self {
                text: text.to_owned(),
                query,
            }),
            Ok(_) => Err(NO_OBJECT.to_owned()),
            Err(error) => Err(format!("{NO_OBJECT} ({error})")),
        }
    }

    /// The text that it was made of. The names of a query begin with a dollar sign, which a stored document's may not.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The query.
    pub fn query(&self) -> &Document {
        &self.query
    }
}

const NO_OBJECT: &str = "not a JSON object such as {\"level\": {\"$gte\": 3}}";

/// It may hold what documents hold.
impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter(a query)")
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn a_query_keeps_its_types_its_order_and_its_text() {
        let text = r#"{"at": {"$lt": {"$date": "2026-11-29T00:00:00Z"}}, "z": {"y": 1, "a": {"$numberLong": "2"}}}"#;
        let filter = Filter::parse(text).unwrap();
        let date = bson::DateTime::from_millis(1_795_910_400_000);
        let query = doc! { "at": { "$lt": date }, "z": { "y": 1, "a": 2_i64 } };
        assert_eq!((filter.query(), filter.text()), (&query, text));
        assert!(!format!("{filter:?}").contains('z'));
    }

    #[test]
    fn what_is_no_object_is_no_query() {
        for text in ["", "[]", "3", "{a: 1}", r#"{"a""#, r#"{"$oid": "x"}"#] {
            let fault = Filter::parse(text).unwrap_err();
            assert!(fault.starts_with("not a JSON object"), "{fault}");
        }
    }
}
