//! Stages of the user's own behind those of the change stream.

use bson::{Bson, Document, doc};

use crate::event::Operation;

/// Stages that leave an event an event: others take it apart, or the server refuses them.
/// <https://www.mongodb.com/docs/manual/changeStreams/#modify-change-stream-output>
const ALLOWED: [&str; 5] = ["$addFields", "$match", "$project", "$set", "$unset"];
/// Fields by which an event is told from others, and by which it is watched, resumed after and masked.
const PROTECTED: [&str; 7] = [
    "_id",
    "clusterTime",
    "documentKey",
    "ns",
    "operationDescription",
    "operationType",
    "to",
];

/// Stages that filter events or change them on the server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Aggregation(Vec<Document>);

impl Aggregation {
    /// Reads a JSON array of stages, Extended JSON inside.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Fields keep their order, which counts where a document is compared as a whole.
        let stages: Vec<Bson> = serde_json::from_str(text).map_err(|error| {
            format!("not a JSON array of stages such as [{{\"$match\": {{…}}}}] ({error})")
        })?;
        let stages = stages.into_iter().map(stage);
        stages.collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The stages as the server gets them.
    pub(in crate::source) fn stages(&self) -> &[Document] {
        &self.0
    }
}

/// A `$match` also lets the end of the stream through: whoever does not see it would open the stream there again and again.
fn stage(stage: Bson) -> Result<Document, String> {
    let (name, content) = match stage {
        Bson::Document(stage) if stage.len() == 1 => stage.into_iter().next(),
        _ => None,
    }
    .ok_or("a stage is an object with one field")?;
    match (name.as_str(), &content) {
        ("$match", _) => {
            let end = doc! { "operationType": Operation::Invalidate.as_str() };
            return Ok(doc! { name: { "$or": [end, content] } });
        }
        ("$set" | "$addFields", Bson::Document(fields)) => check(fields.keys())?,
        ("$project", Bson::Document(fields)) if fields.iter().all(is_left_out) => {
            check(fields.keys())?;
        }
        ("$project", _) => {
            return Err(
                "`$project` may leave fields out, each with a 0, and not choose some".to_owned(),
            );
        }
        ("$unset", Bson::String(field)) => check([field])?,
        ("$unset", Bson::Array(fields)) => check(fields.iter().filter_map(Bson::as_str))?,
        _ => {
            let allowed = ALLOWED.join(", ");
            return Err(format!("`{name}` is not one of the stages {allowed}"));
        }
    }
    Ok(doc! { name: content })
}

fn check(paths: impl IntoIterator<Item = impl AsRef<str>>) -> Result<(), String> {
    let first = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
    let mut fields = paths.into_iter().map(|path| first(path.as_ref()));
    match fields.find(|field| PROTECTED.contains(&field.as_str())) {
        Some(field) => Err(format!("`{field}` of a change event has to stay as it is")),
        None => Ok(()),
    }
}

/// Whether a `$project` leaves this field out, or some of the fields in it.
fn is_left_out((_, value): (&String, &Bson)) -> bool {
    match value {
        Bson::Document(inner) => !inner.is_empty() && inner.iter().all(is_left_out),
        Bson::Boolean(keeps) => !keeps,
        Bson::Int32(number) => *number == 0,
        Bson::Int64(number) => *number == 0,
        Bson::Double(number) => *number == 0.0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_taken_with_their_types_and_the_end_of_the_stream_passes() {
        let text = r#"[{"$match": {"fullDocument.n": {"$gt": {"$numberLong": "5"}}}}, {"$unset": "wallTime"}, {"$project": {"fullDocument": {"secret": 0}}}]"#;
        let end = doc! { "operationType": "invalidate" };
        let stages = [
            doc! { "$match": { "$or": [end, { "fullDocument.n": { "$gt": 5_i64 } }] } },
            doc! { "$unset": "wallTime" },
            doc! { "$project": { "fullDocument": { "secret": 0 } } },
        ];
        assert_eq!(Aggregation::parse(text).unwrap().stages(), stages);
        assert!(Aggregation::parse("[]").unwrap().is_empty());
    }

    #[test]
    fn the_fields_of_a_document_keep_their_order() {
        let text = r#"[{"$match": {"ns": {"db": "shop", "coll": "games"}}}]"#;
        let stages = Aggregation::parse(text).unwrap();
        assert!(
            stages.stages()[0]
                .to_string()
                .contains(r#"{ "db": "shop", "coll": "games" }"#)
        );
    }

    #[test]
    fn what_is_no_stage_or_none_that_is_allowed_is_told() {
        for (text, part) in [
            ("{}", "not a JSON array of stages"),
            ("[1]", "a stage is an object with one field"),
            (r#"[{"$match": {}, "$set": {}}]"#, "one field"),
            (
                r#"[{"$unset": ["wallTime", "ns.coll"]}]"#,
                "`ns` of a change event",
            ),
            (
                r#"[{"$unset": "documentKey"}]"#,
                "`documentKey` of a change event",
            ),
            (
                r#"[{"$set": {"operationType": "insert"}}]"#,
                "`operationType` of",
            ),
            (r#"[{"$addFields": {"_id.x": 1}}]"#, "`_id` of"),
            (r#"[{"$project": {"to": 0}}]"#, "`to` of"),
            (
                r#"[{"$project": {"fullDocument": 1}}]"#,
                "may leave fields out",
            ),
            (
                r#"[{"$replaceRoot": {"newRoot": "$fullDocument"}}]"#,
                "is not one of the stages",
            ),
            (
                r#"[{"$group": {"_id": 1}}]"#,
                "`$group` is not one of the stages $addFields, ",
            ),
            (
                r#"[{"$match": {"a": {"$oid": 1}}}]"#,
                "not a JSON array of stages",
            ),
        ] {
            let fault = Aggregation::parse(text).unwrap_err();
            assert!(fault.contains(part), "{fault}");
        }
    }
}
