//! A message as one line of JSON: `{"properties": {..}, "headers": {..}, "body": ..}`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lapin::{
    message::Delivery,
    types::{AMQPValue, FieldTable},
};
use serde_json::value::RawValue;

use super::content;

/// Adds the line of `delivery` to `out`.
///
/// A body that is JSON stays as it is, with its order of fields and its numbers; only line breaks become spaces and
/// control characters that JSON would allow become `\u` escapes, so that a line is a line and harmless to a terminal.
/// BSON becomes canonical Extended JSON, another text a string, and what is not UTF-8 an object with the one field
/// `base64`.
pub(super) fn write(delivery: &Delivery, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"properties\":");
    properties(delivery, out);
    out.extend_from_slice(b",\"headers\":");
    match delivery.properties.headers() {
        Some(headers) => table(headers, out),
        None => out.extend_from_slice(b"{}"),
    }
    out.extend_from_slice(b",\"body\":");
    body(&content::readable(delivery), out);
    out.extend_from_slice(b"}\n");
}

fn properties(delivery: &Delivery, out: &mut Vec<u8>) {
    let properties = &delivery.properties;
    let texts = [
        ("message_id", properties.message_id()),
        ("type", properties.kind()),
        ("app_id", properties.app_id()),
        ("content_type", properties.content_type()),
        ("content_encoding", properties.content_encoding()),
        ("correlation_id", properties.correlation_id()),
        ("reply_to", properties.reply_to()),
        ("expiration", properties.expiration()),
        ("user_id", properties.user_id()),
        ("cluster_id", properties.cluster_id()),
    ];
    let numbers = [
        ("timestamp", *properties.timestamp()),
        ("delivery_mode", properties.delivery_mode().map(u64::from)),
        ("priority", properties.priority().map(u64::from)),
    ];
    let mut object = Object::open(out);
    for (name, text) in texts {
        if let Some(text) = text {
            string(text.as_str(), object.name(name));
        }
    }
    for (name, number) in numbers {
        if let Some(number) = number {
            display(number, object.name(name));
        }
    }
    string(delivery.exchange.as_str(), object.name("exchange"));
    string(delivery.routing_key.as_str(), object.name("routing_key"));
    display(delivery.redelivered, object.name("redelivered"));
    object.close();
}

fn table(table: &FieldTable, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    for (name, header) in table {
        value(header, object.name(name.as_str()));
    }
    object.close();
}

fn value(value: &AMQPValue, out: &mut Vec<u8>) {
    match value {
        AMQPValue::Boolean(value) => display(value, out),
        AMQPValue::ShortShortInt(value) => display(value, out),
        AMQPValue::ShortShortUInt(value) => display(value, out),
        AMQPValue::ShortInt(value) => display(value, out),
        AMQPValue::ShortUInt(value) => display(value, out),
        AMQPValue::LongInt(value) => display(value, out),
        AMQPValue::LongUInt(value) => display(value, out),
        AMQPValue::LongLongInt(value) => display(value, out),
        AMQPValue::Timestamp(value) => display(value, out),
        AMQPValue::Float(value) if value.is_finite() => display(value, out),
        AMQPValue::Double(value) if value.is_finite() => display(value, out),
        AMQPValue::Float(value) => string(&value.to_string(), out),
        AMQPValue::Double(value) => string(&value.to_string(), out),
        // Exact, and a JSON number: the value is a whole number divided by a power of ten.
        AMQPValue::DecimalValue(value) => {
            display(format_args!("{}e-{}", value.value, value.scale), out);
        }
        AMQPValue::ShortString(value) => string(value.as_str(), out),
        AMQPValue::LongString(value) => bytes(value.as_bytes(), out),
        AMQPValue::ByteArray(value) => base64(value.as_slice(), out),
        AMQPValue::FieldArray(values) => array(values.as_slice(), out),
        AMQPValue::FieldTable(value) => table(value, out),
        AMQPValue::Void => out.extend_from_slice(b"null"),
    }
}

fn array(values: &[AMQPValue], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, item) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        value(item, out);
    }
    out.push(b']');
}

fn body(body: &[u8], out: &mut Vec<u8>) {
    match serde_json::from_slice::<&RawValue>(body) {
        Ok(json) => printable(json.get(), out),
        Err(_) => bytes(body, out),
    }
}

fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => string(text, out),
        Err(_) => base64(bytes, out),
    }
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    string(&STANDARD.encode(bytes), object.name("base64"));
    object.close();
}

fn string(text: &str, out: &mut Vec<u8>) {
    let json = serde_json::to_string(text).expect("a string is JSON");
    printable(&json, out);
}

/// Adds valid JSON without line breaks, which can only be outside of its strings, and without the control characters
/// from U+007F to U+009F, which can only be inside of them and which a terminal may obey.
fn printable(json: &str, out: &mut Vec<u8>) {
    if !json.contains(|c: char| c.is_control()) {
        out.extend_from_slice(json.as_bytes());
        return;
    }
    for c in json.chars() {
        match c {
            '\n' | '\r' => out.push(b' '),
            '\u{7f}'..='\u{9f}' => display(format_args!("\\u{:04x}", u32::from(c)), out),
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

fn display(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    use std::io::Write as _;
    write!(out, "{value}").expect("a Vec takes every write");
}

/// Writes names and the commas between them.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    fn name(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        string(name, self.out);
        self.out.push(b':');
        self.out
    }

    fn close(self) {
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests;
