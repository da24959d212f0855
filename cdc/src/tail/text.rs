//! A message as one line for a person: time, operation, namespace, id, lag, body.

mod row;

use std::{collections::HashMap, time::Duration};

use anstyle::{AnsiColor, Style};
use lapin::{message::Delivery, types::ShortString};
use serde_json::value::RawValue;

use self::row::Row;
use super::{content, headers};

const DIMMED: Style = Style::new().dimmed();
const PLAIN: Style = Style::new();
/// A lag from which on it is worth a look.
const LATE: Duration = Duration::from_secs(10);
/// Terminals of at least so many columns show an `ObjectId` as a whole.
const WIDE: usize = 100;
/// Stands where a message does not say.
const UNKNOWN: &str = "-";

/// How lines look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Columns of the terminal.
    pub(super) width: usize,
    /// Whether to use colours.
    pub(super) colour: bool,
}

/// Adds the line of `delivery` to `out`, which no terminal of that width wraps; `now` is in milliseconds since 1970.
pub(super) fn write(delivery: &Delivery, now: i64, look: Look, out: &mut Vec<u8>) {
    let time = time(delivery);
    let operation = headers::text(delivery, "cdc-operation")
        .or(delivery.properties.kind().as_ref().map(ShortString::as_str))
        .unwrap_or(UNKNOWN);
    let namespace = headers::text(delivery, "cdc-namespace").unwrap_or(UNKNOWN);
    let body = content::readable(delivery);
    let id = id(delivery, &body);
    let id = id.as_deref().unwrap_or(UNKNOWN);
    let lag = time.map(|at| Duration::from_millis(now.saturating_sub(at).max(0).unsigned_abs()));

    let mut row = Row::new(look.width, look.colour);
    row.column(&time.map_or(UNKNOWN.to_owned(), clock), 12, DIMMED);
    row.column(operation, 7, of_operation(operation));
    row.column(namespace, 0, PLAIN);
    row.column(
        &shortened(id, if look.width < WIDE { 12 } else { 24 }),
        0,
        DIMMED,
    );
    row.column(&lag.map_or(UNKNOWN.to_owned(), human), 5, of_lag(lag));
    if let Some(marks) = headers::text(delivery, "cdc-snapshot-mark") {
        row.column(marks, 0, of_operation(operation));
    }
    row.rest(&body);
    row.end(out);
}

/// When the change happened, in milliseconds since 1970, or as of when a snapshot read the document: by the wall clock, else
/// by the seconds of the cluster time.
fn time(delivery: &Delivery) -> Option<i64> {
    let wall_time = headers::integer(delivery, "cdc-wall-time-ms");
    wall_time.or_else(|| {
        let (seconds, _) = headers::text(delivery, "cdc-cluster-time")?.split_once(':')?;
        Some(i64::from(seconds.parse::<u32>().ok()?) * 1000)
    })
}

/// The document's id, from the header that has its key or from the body's `entry_id`; otherwise the message id.
fn id(delivery: &Delivery, body: &[u8]) -> Option<String> {
    let key = headers::text(delivery, "cdc-document-key");
    let id = key.and_then(|key| field(key.as_bytes(), "_id").map(plain));
    let id = id.or_else(|| serde_json::from_str(field(body, "entry_id")?.get()).ok());
    id.or_else(|| Some(delivery.properties.message_id().as_ref()?.to_string()))
}

/// The field called `name` of the JSON object that `json` is.
fn field<'a>(json: &'a [u8], name: &str) -> Option<&'a RawValue> {
    let mut fields = serde_json::from_slice::<HashMap<String, &RawValue>>(json).ok()?;
    fields.remove(name)
}

/// A value as a person writes it: an `ObjectId`, a number or a string without what canonical Extended JSON puts around it.
fn plain(value: &RawValue) -> String {
    let text = value.get();
    let wrapped = serde_json::from_str::<HashMap<String, String>>(text).ok();
    let wrapped = wrapped.filter(|fields| fields.len() == 1);
    let bare = wrapped.and_then(|fields| fields.into_values().next());
    let bare = bare.or_else(|| serde_json::from_str(text).ok());
    bare.unwrap_or_else(|| text.to_owned())
}

/// Begin and end of a long id: both tell ids apart.
fn shortened(id: &str, cells: usize) -> String {
    let length = id.chars().count();
    if length <= cells {
        return id.to_owned();
    }
    let begin = (cells - 1) / 2;
    let end = cells - 1 - begin;
    let head = id.chars().take(begin);
    head.chain(['…'])
        .chain(id.chars().skip(length - end))
        .collect()
}

/// Time of day, UTC.
fn clock(millis: i64) -> String {
    let of_day = millis.rem_euclid(86_400_000);
    let (seconds, millis) = (of_day / 1000, of_day % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!(
        "{:02}:{:02}:{seconds:02}.{millis:03}",
        minutes / 60,
        minutes % 60
    )
}

/// A duration in the two units that matter: `12ms`, `3.4s`, `5m12s`, `3h07m`, `2d03h`.
fn human(lag: Duration) -> String {
    let seconds = lag.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0 => format!("{}ms", lag.as_millis()),
        1..60 => format!("{seconds}.{}s", lag.subsec_millis() / 100),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

fn of_operation(operation: &str) -> Style {
    let colour = match operation {
        "insert" => AnsiColor::Green,
        "update" | "replace" => AnsiColor::Yellow,
        "delete" | "drop" | "dropDatabase" => AnsiColor::Red,
        "read" => AnsiColor::Blue,
        _ => AnsiColor::Cyan,
    };
    colour.on_default()
}

fn of_lag(lag: Option<Duration>) -> Style {
    match lag {
        Some(lag) if lag >= LATE => AnsiColor::Yellow.on_default(),
        _ => DIMMED,
    }
}

#[cfg(test)]
mod tests;
