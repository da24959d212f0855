//! Checkpoints and times as people and programs read them.

use bson::{DateTime, Document, RawDocumentBuf, Timestamp};
use cdc::{
    checkpoint::Record,
    encode::{JsonMode, extended_json::write_document},
    position::{Position, time_text},
    start::{moment, rfc3339, wall_time},
};
use serde_json::{Value, json};

/// A position in words.
pub(super) fn position(position: &Position) -> String {
    let relation = match position {
        Position::At(_) => "at",
        Position::After { .. } => "after",
    };
    match position.cluster_time() {
        Some(time) => format!("{relation} {}", moment(time)),
        None => position.to_string(),
    }
}

/// A checkpoint in words.
pub(super) fn record(record: &Record) -> String {
    match record.position() {
        Ok(Some(found)) => position(&found),
        Ok(None) => "none".to_owned(),
        Err(reason) => format!("not readable: {reason}"),
    }
}

/// A share's checkpoint in words, beside the document of the pipeline that is divided.
pub(super) fn share(own: &Record, pipeline: &Record) -> String {
    match own.0 {
        Some(_) => record(own),
        None => format!("not begun, begins {}", record(pipeline)),
    }
}

/// A checkpoint for programs, null where there is none.
pub(super) fn record_json(record: &Record) -> Value {
    let Some(document) = &record.0 else {
        return Value::Null;
    };
    let found = record.position();
    let time = found
        .as_ref()
        .ok()
        .and_then(|found| found.as_ref()?.cluster_time());
    let token = document.get_document("resume_token").ok();
    let saved_at = document.get_datetime("saved_at").ok();
    json!({
        "cluster_time": time.map(time_text),
        "time": time.map(wall_time),
        "resume_token": token.and_then(|token| token.get_str("_data").ok()),
        "saved_at": saved_at.map(|time| rfc3339(*time)),
        "revision": document.get_i64("revision").ok(),
        "sent_until": document.get_timestamp("sent_until").ok().map(time_text),
        "scope": scope(document),
        "fault": found.err(),
    })
}

/// What the checkpoint was made for, where it says so.
pub(super) fn scope(document: &Document) -> Option<Value> {
    let scope = RawDocumentBuf::try_from(document.get_document("scope").ok()?).ok()?;
    let mut text = Vec::new();
    write_document(&scope, JsonMode::Relaxed, &mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// How many seconds ago `time` was by this machine's clock.
pub(super) fn age(time: DateTime) -> i64 {
    let millis = DateTime::now().timestamp_millis() - time.timestamp_millis();
    (millis / 1_000).max(0)
}

/// Seconds from `earlier` to `later`; negative where it is the other way round.
pub(super) fn seconds_between(earlier: Timestamp, later: Timestamp) -> i64 {
    i64::from(later.time) - i64::from(earlier.time)
}

/// A duration for people: two digits are enough.
pub(super) fn duration(seconds: i64) -> String {
    match seconds {
        ..180 => format!("{seconds} s"),
        180..10_800 => format!("{} min", seconds / 60),
        10_800..259_200 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `name` and what is to be said of it, in two columns.
pub(super) fn line(name: &str, text: impl AsRef<str>) -> String {
    format!("{name:<12}{}", text.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let texts = [0, 179, 180, 10_799, 10_800, 259_200].map(duration);
        assert_eq!(texts, ["0 s", "179 s", "3 min", "179 min", "3 h", "3 d"]);
    }
}
