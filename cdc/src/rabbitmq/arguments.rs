//! Arguments of a queue or an exchange, and which of them endanger messages.
//! <https://www.rabbitmq.com/docs/queues#optional-arguments>

use std::{collections::BTreeMap, fmt};

use lapin::types::{AMQPValue, FieldTable};

/// The argument that names a queue's type.
pub(super) const TYPE: &str = "x-queue-type";
const DEAD_LETTERS: &str = "x-dead-letter-exchange";
const ALTERNATE: &str = "alternate-exchange";

/// Arguments by name. No name has more than 255 bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arguments(BTreeMap<String, AMQPValue>);

/// What a queue's arguments do to messages that nobody has taken yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Danger {
    /// The oldest make room for new ones.
    DropsOldest,
    /// They expire, and no exchange takes them then.
    DropsExpired,
    /// They go with the queue when it is not used for a while.
    Expires,
}

impl Arguments {
    /// Sets the argument `name`, or takes it away.
    pub fn set(&mut self, name: &str, value: Option<AMQPValue>) {
        match value {
            Some(value) => self.0.insert(name.to_owned(), value),
            None => self.0.remove(name),
        };
    }

    /// Whether there is an argument `name`.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The text of the argument `name`, where it is one.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
            AMQPValue::ShortString(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The exchange that takes what a queue drops.
    pub(super) fn dead_letter_exchange(&self) -> Option<&str> {
        self.text(DEAD_LETTERS)
    }

    /// The exchange that takes what another one cannot route.
    pub(super) fn alternate_exchange(&self) -> Option<&str> {
        self.text(ALTERNATE)
    }

    /// What they do to messages of a queue. A stream's limits are not among it: to drop what is old is what it is for.
    pub fn dangers(&self) -> impl Iterator<Item = Danger> + use<> {
        let has = |name| self.has(name);
        let is_stream = self.text(TYPE) == Some("stream");
        let is_limited = has("x-max-length") || has("x-max-length-bytes");
        let drops_oldest = self.text("x-overflow").is_none_or(|how| how == "drop-head");
        let drops_expired = has("x-message-ttl") && !has(DEAD_LETTERS);
        let all = [
            (is_limited && drops_oldest, Danger::DropsOldest),
            (drops_expired, Danger::DropsExpired),
            (has("x-expires"), Danger::Expires),
        ];
        let told = move |(is_there, danger)| (is_there && !is_stream).then_some(danger);
        all.into_iter().filter_map(told)
    }

    pub(super) fn table(&self) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in &self.0 {
            table.insert(name.as_str().into(), value.clone());
        }
        table
    }
}

impl FromIterator<(String, AMQPValue)> for Arguments {
    fn from_iter<T: IntoIterator<Item = (String, AMQPValue)>>(arguments: T) -> Self {
        Self(arguments.into_iter().collect())
    }
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DropsOldest => {
                "it drops its oldest messages beyond its length limit; `x-overflow` reject-publish would make the \
                 engine wait instead"
            }
            Self::DropsExpired => {
                "it drops messages that nobody takes within its `x-message-ttl`, and has no dead-letter exchange"
            }
            Self::Expires => {
                "it is deleted with its messages when nobody uses it for as long as its `x-expires`"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dangers(arguments: &[(&str, AMQPValue)]) -> Vec<Danger> {
        let arguments = arguments.iter().cloned();
        let arguments: Arguments = arguments
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        arguments.dangers().collect()
    }

    fn text(text: &str) -> AMQPValue {
        AMQPValue::LongString(text.into())
    }

    #[test]
    fn a_length_limit_is_a_danger_unless_publishers_are_refused() {
        let limit = ("x-max-length", AMQPValue::LongInt(9));
        let overflow = |how| [limit.clone(), ("x-overflow", text(how))];
        assert_eq!(dangers(std::slice::from_ref(&limit)), [Danger::DropsOldest]);
        assert_eq!(dangers(&overflow("drop-head")), [Danger::DropsOldest]);
        assert_eq!(dangers(&overflow("reject-publish")), []);
        assert_eq!(dangers(&[("x-overflow", text("drop-head"))]), []);
    }

    #[test]
    fn messages_that_expire_are_a_danger_unless_an_exchange_takes_them() {
        let lifetime = ("x-message-ttl", AMQPValue::LongInt(9));
        let caught = [lifetime.clone(), (DEAD_LETTERS, text("dead"))];
        assert_eq!(dangers(&[lifetime]), [Danger::DropsExpired]);
        assert_eq!(dangers(&caught), []);
    }

    #[test]
    fn limits_of_a_stream_are_none() {
        let limit = ("x-max-length-bytes", AMQPValue::LongInt(9));
        assert_eq!(dangers(&[limit, (TYPE, text("stream"))]), []);
    }
}
