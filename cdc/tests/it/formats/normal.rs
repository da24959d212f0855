//! A message as one text in which nothing depends on the run.

use bson::DateTime;
use cdc::encode::{JsonMode, extended_json};

use crate::support::Delivery;

/// Content type, headers of the format and body of `delivery`, with names in the place of what another run has otherwise.
pub(super) fn shown(delivery: &Delivery, database: &str) -> String {
    let content_type = delivery.properties.content_type().as_ref().unwrap();
    let headers = headers(delivery).into_iter();
    let headers: String = headers
        .flat_map(|(name, value)| {
            [
                "    ".to_owned(),
                name,
                ": ".to_owned(),
                value,
                "\n".to_owned(),
            ]
        })
        .collect();
    let mut text = format!("{content_type}\n{headers}{}\n", body(delivery));
    for (volatile, name) in volatile(delivery, database) {
        text = text.replace(&volatile, name);
    }
    let text = blanked(&text, r#""_data":""#, "TOKEN");
    let text = blanked(
        &text,
        r#""collectionUUID":{"$binary":{"base64":""#,
        "COLLECTION",
    );
    let text = blanked(
        &text,
        r#""collectionOptions":{"uuid":{"$binary":{"base64":""#,
        "COLLECTION",
    );
    // Of a session, in a string or not; the documents of the tests have shorter ones.
    let text = blanked(&text, r#""uid":{"$binary":{"base64":""#, "USER");
    let text = blanked(&text, r#"\"uid\":{\"$binary\":{\"base64\":\""#, "USER");
    let text = blanked(&text, r#"{"id":{"$binary":{"base64":""#, "SESSION");
    blanked(&text, r#"{\"id\":{\"$binary\":{\"base64\":\""#, "SESSION")
}

/// Headers that only some formats have, by name.
pub(super) fn headers(delivery: &Delivery) -> Vec<(String, String)> {
    let headers = delivery.properties.headers().as_ref().unwrap();
    let names = headers.inner().keys().map(ToString::to_string);
    let names = names.filter(|name| !name.starts_with("cdc-"));
    names
        .map(|name| {
            let value = delivery.header(&name);
            (name, value)
        })
        .collect()
}

fn body(delivery: &Delivery) -> String {
    let content_type = delivery.properties.content_type().as_ref().unwrap();
    let mut body = delivery.body.clone();
    if content_type.as_str() == "application/bson" {
        body.clear();
        extended_json::write_bytes(&delivery.body, JsonMode::Canonical, &mut body).unwrap();
    }
    String::from_utf8(body).unwrap()
}

fn volatile(delivery: &Delivery, database: &str) -> Vec<(String, &'static str)> {
    let millis: i64 = delivery.header("cdc-wall-time-ms").parse().unwrap();
    let time = delivery.header("cdc-cluster-time");
    let (seconds, increment) = time.split_once(':').unwrap();
    vec![
        (database.to_owned(), "db"),
        (delivery.message_id(), "MESSAGE_ID"),
        (rfc_3339(millis), "WALL_TIME"),
        (millis.to_string(), "WALL_MS"),
        (time.clone(), "SECONDS:INCREMENT"),
        (
            format!(r#""t":{seconds},"i":{increment}"#),
            r#""t":SECONDS,"i":INCREMENT"#,
        ),
        (format!(r#""ord":{increment},"#), r#""ord":INCREMENT,"#),
        (
            format!(r#""version":"{}""#, env!("CARGO_PKG_VERSION")),
            r#""version":"VERSION""#,
        ),
    ]
}

/// Milliseconds only where there are some, then three digits.
fn rfc_3339(millis: i64) -> String {
    let (seconds, millis) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    let whole = DateTime::from_millis(seconds * 1000);
    let text = whole.try_to_rfc3339_string().unwrap();
    match millis {
        0 => text,
        _ => text.replace('Z', &format!(".{millis:03}Z")),
    }
}

/// `text` with `name` in the place of what stands between each `begin` and the next quote or backslash.
fn blanked(text: &str, begin: &str, name: &str) -> String {
    let mut parts = text.split(begin);
    let mut blanked = parts.next().unwrap().to_owned();
    for part in parts {
        let end = part.find(['"', '\\']).unwrap();
        blanked += &[begin, name, &part[end..]].concat();
    }
    blanked
}
