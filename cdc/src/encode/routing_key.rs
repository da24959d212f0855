//! The routing key: a constant, one for each partition, or a template over the change.

use std::{fmt, sync::Arc};

use sha2::{Digest as _, Sha256};

use super::{
    extended_json,
    template::{Template, TemplateError, Values},
};
use crate::event::ChangeEvent;

/// Longest routing key that AMQP 0-9-1 carries, in bytes.
const BYTES_MAX: usize = 255;

/// How a change's routing key is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingKey {
    template: Template,
    form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// The keys of each partition in turn, or one for all, which messages share.
    Known(Vec<Arc<str>>),
    Rendered,
}

impl RoutingKey {
    /// Reads a template, for one partition.
    ///
    /// # Errors
    /// Unknown names, single braces, and more text than a routing key has room for.
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
        let template = Template::parse(template)?;
        match template.text_bytes() {
            bytes if BYTES_MAX < bytes => Err(TemplateError::TooLong(bytes, BYTES_MAX)),
            _ => Ok(Self::new(template, 1)),
        }
    }

    /// The key `queue` for every change, braces and all; with more than one partition `queue.0`, `queue.1` and so on.
    pub fn of_queue(queue: &str, partitions: u16) -> Self {
        let template = if partitions == 1 {
            Template::literal(queue, false)
        } else {
            Template::literal(&format!("{queue}."), true)
        };
        Self::new(template, partitions)
    }

    /// The same for so many partitions.
    #[must_use]
    pub fn over(self, partitions: u16) -> Self {
        Self::new(self.template, partitions)
    }

    fn new(template: Template, partitions: u16) -> Self {
        let numbers = (0..partitions).map(|number| (1 < partitions).then_some(number));
        let count = if template.has_partition() {
            usize::MAX
        } else {
            1
        };
        let keys = numbers.take(count).map(|number| {
            let key = template.without_event(number)?;
            Some(fit(key, BYTES_MAX).into())
        });
        let keys: Option<Vec<Arc<str>>> = keys.collect();
        let form = keys.map_or(Form::Rendered, Form::Known);
        Self { template, form }
    }

    /// Whether the partition's number is in it.
    pub fn has_partition(&self) -> bool {
        self.template.has_partition()
    }

    /// The keys of each partition in turn, or one for all, where they depend on nothing else.
    pub fn known(&self) -> Option<&[Arc<str>]> {
        match &self.form {
            Form::Known(keys) => Some(keys),
            Form::Rendered => None,
        }
    }

    /// The routing key of one change in partition `partition`. A value that the change does not have is empty.
    ///
    /// # Errors
    /// The value of a field cannot be written as text.
    pub fn render(
        &self,
        event: &ChangeEvent,
        partition: Option<u16>,
    ) -> Result<Arc<str>, extended_json::Error> {
        if let Form::Known(keys) = &self.form {
            let place = partition.map_or(0, usize::from);
            let key = keys.get(place).or(keys.first());
            return Ok(key.map(Arc::clone).unwrap_or_default());
        }
        let mut key = String::new();
        self.template
            .render(event, partition, Values::OneWord, &mut key)?;
        Ok(fit(key, BYTES_MAX).into())
    }
}

/// `text`; where it is longer than `bytes_max`, its begin and, after `~`, 128 bits of the SHA-256 of the rest as 32
/// hexadecimal digits.
pub(super) fn fit(text: String, bytes_max: usize) -> String {
    const DIGITS: usize = 32;
    if text.len() <= bytes_max {
        return text;
    }
    let most = bytes_max - DIGITS - 1;
    let cut = (0..=most).rev().find(|place| text.is_char_boundary(*place));
    let (begin, rest) = text.split_at(cut.unwrap_or_default());
    let digest = format!("{:x}", Sha256::digest(rest));
    [begin, "~", &digest[..DIGITS]].concat()
}

/// The template.
impl fmt::Display for RoutingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.template.fmt(f)
    }
}

impl Default for RoutingKey {
    fn default() -> Self {
        Self::of_queue("", 1)
    }
}

#[cfg(test)]
mod tests {
    use bson::{Timestamp, rawdoc};

    use super::*;

    fn event(id: &str) -> ChangeEvent {
        let raw = rawdoc! {
            "_id": { "_data": "82" }, "operationType": "insert", "clusterTime": Timestamp { time: 1, increment: 1 },
            "ns": { "db": "scrabble", "coll": "moves" }, "documentKey": { "_id": id },
        };
        ChangeEvent::parse(raw.into_bytes().into()).unwrap()
    }

    fn key(template: &str, id: &str) -> String {
        let key = RoutingKey::parse(template).unwrap();
        key.render(&event(id), None).unwrap().to_string()
    }

    #[test]
    fn a_key_is_the_text_or_made_of_the_change() {
        assert_eq!(key("test_queue", "1"), "test_queue");
        assert_eq!(key("", "1"), "");
        assert_eq!(
            key("changes.{collection}.{key}", "a.b"),
            "changes.moves.a%2Eb"
        );
    }

    #[test]
    fn keys_that_depend_on_the_partition_alone_are_made_once() {
        let queues = RoutingKey::of_queue("a{b", 3);
        assert_eq!(queues.known().unwrap().concat(), "a{b.0a{b.1a{b.2");
        assert_eq!(queues.to_string(), "a{b.{partition}");
        let [one, other] = [0, 1].map(|_| queues.render(&event("1"), Some(2)).unwrap());
        assert!(&*one == "a{b.2" && Arc::ptr_eq(&one, &other));
        let typed = RoutingKey::parse("q.{partition}").unwrap();
        assert_eq!(typed.over(2), RoutingKey::of_queue("q", 2));
        let constant = RoutingKey::parse("q").unwrap().over(3);
        assert_eq!(&*constant.render(&event("1"), Some(2)).unwrap(), "q");
        let other = RoutingKey::parse("{partition}.{key}").unwrap().over(3);
        assert_eq!(other.known(), None);
        assert_eq!(&*other.render(&event("1"), Some(2)).unwrap(), "2.1");
    }

    #[test]
    fn a_key_over_255_bytes_is_cut_and_has_a_hash_of_the_rest() {
        assert_eq!(key("{key}", &"x".repeat(255)), "x".repeat(255));
        let long = key("{key}", &"x".repeat(256));
        // head -c 34 /dev/zero | tr '\0' x | sha256sum | cut -c1-32
        let digest = "b0b43789f1857820775bdb3ab67a4dd8";
        assert_eq!(long, format!("{}~{digest}", "x".repeat(222)));
        // The last character that fits would end at byte 223.
        let wide = key("{key}", &format!("x{}", "é".repeat(200)));
        assert_eq!(wide.split('~').next().unwrap().len(), 221);
        assert_eq!(wide.len(), 254);
        let others = ["y", "z"].map(|end| key("{key}", &("x".repeat(400) + end)));
        assert_ne!(others[0], others[1]);
    }

    #[test]
    fn text_that_no_key_has_room_for_is_refused() {
        assert_eq!(
            RoutingKey::parse(&format!("{}{{key}}x", "x".repeat(255))),
            Err(TemplateError::TooLong(256, 255))
        );
    }
}
