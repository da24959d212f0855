//! Stages of the user's own behind those of the change stream.

use bson::{Bson, Document, doc};

use crate::event::Operation;

/// Stages that leave an event an event. The server refuses others, or they would take events apart.
/// <https://www.mongodb.com/docs/manual/changeStreams/#modify-change-stream-output>
const ALLOWED: [&str; 7] = [
    "$addFields",
    "$match",
    "$project",
    "$replaceRoot",
    "$replaceWith",
    "$set",
    "$unset",
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
        let stages: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|error| {
            format!("not a JSON array of stages such as [{{\"$match\": {{…}}}}] ({error})")
        })?;
        stages
            .into_iter()
            .map(stage)
            .collect::<Result<_, _>>()
            .map(Self)
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
fn stage(value: serde_json::Value) -> Result<Document, String> {
    let text = value.to_string();
    let stage = match Bson::try_from(value) {
        Ok(Bson::Document(stage)) if stage.len() == 1 => stage,
        Ok(_) => {
            return Err(format!(
                "`{text}` is not an object with one field, the stage"
            ));
        }
        Err(error) => return Err(format!("`{text}` is not Extended JSON ({error})")),
    };
    let (name, content) = stage.into_iter().next().expect("it has one field");
    if !ALLOWED.contains(&name.as_str()) {
        return Err(format!(
            "`{name}` is not one of the stages {}",
            ALLOWED.join(", ")
        ));
    }
    let end = doc! { "operationType": Operation::Invalidate.as_str() };
    if name == "$match" {
        return Ok(doc! { name: { "$or": [end, content] } });
    }
    Ok(doc! { name: content })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_taken_with_their_types_and_the_end_of_the_stream_passes() {
        let text = r#"[{"$match": {"fullDocument.n": {"$gt": {"$numberLong": "5"}}}}, {"$unset": "wallTime"}]"#;
        let end = doc! { "operationType": "invalidate" };
        let stages = [
            doc! { "$match": { "$or": [end, { "fullDocument.n": { "$gt": 5_i64 } }] } },
            doc! { "$unset": "wallTime" },
        ];
        assert_eq!(Aggregation::parse(text).unwrap().stages(), stages);
        assert!(Aggregation::parse("[]").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_stage_or_none_that_is_allowed_is_told() {
        for (text, part) in [
            ("{}", "not a JSON array of stages"),
            ("[1]", "`1` is not an object with one field"),
            (r#"[{"$match": {}, "$set": {}}]"#, "one field"),
            (
                r#"[{"$group": {"_id": 1}}]"#,
                "`$group` is not one of the stages $addFields, ",
            ),
            (
                r#"[{"$match": {"a": {"$oid": 1}}}]"#,
                "is not Extended JSON",
            ),
        ] {
            let fault = Aggregation::parse(text).unwrap_err();
            assert!(fault.contains(part), "{fault}");
        }
    }
}
