//! What the broker says of a queue that exists otherwise than it was asked for: the first property that differs.
//!
//! `PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received none but current is the
//! value '10' of type 'signedint'`

use lapin::types::AMQPValue;

/// The first property in which an existing queue differs from the declaration.
#[derive(Debug, PartialEq)]
pub(super) enum Difference {
    /// It is gone when the broker restarts.
    NotDurable,
    /// It is gone when its last consumer is.
    AutoDelete,
    /// An argument, and its value where it has one.
    Argument(String, Option<AMQPValue>),
}

impl Difference {
    /// Reads the broker's text; nothing where it says something else, or is cut off.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("inequivalent arg '")?;
        let (name, rest) = rest.split_once("' for ")?;
        let (_, current) = rest.rsplit_once(" but current is ")?;
        match (name, current) {
            ("durable", "'false'") => Some(Self::NotDurable),
            ("auto_delete", "'true'") => Some(Self::AutoDelete),
            (_, "none") => Some(Self::Argument(name.to_owned(), None)),
            _ => {
                let value = value(current).or_else(|| bare_value(current))?;
                Some(Self::Argument(name.to_owned(), Some(value)))
            }
        }
    }
}

/// `the value '10' of type 'signedint'`. Whole numbers of all sizes are the same to the broker.
fn value(text: &str) -> Option<AMQPValue> {
    let (value, kind) = text
        .strip_prefix("the value '")?
        .strip_suffix('\'')?
        .rsplit_once("' of type '")?;
    match kind {
        "longstr" => Some(AMQPValue::LongString(value.into())),
        "bool" => value.parse().ok().map(AMQPValue::Boolean),
        _ => value.parse().ok().map(AMQPValue::LongLongInt),
    }
}

/// `'quorum'`, where the declaration had a value too, which since RabbitMQ 4.0 the queue's type always has. The broker
/// leaves the type of the value out; a guess that is wrong is told as the same difference again.
fn bare_value(text: &str) -> Option<AMQPValue> {
    let value = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let number = value.parse().map(AMQPValue::LongLongInt);
    let boolean = || value.parse().map(AMQPValue::Boolean);
    let text = |_| AMQPValue::LongString(value.into());
    Some(number.or_else(|_| boolean()).unwrap_or_else(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, current: &str) -> Option<Difference> {
        Difference::parse(&format!(
            "PRECONDITION_FAILED - inequivalent arg '{name}' for queue 'a: b' in vhost '/': received none but current is \
             {current}"
        ))
    }

    fn argument(name: &str, value: AMQPValue) -> Difference {
        Difference::Argument(name.to_owned(), Some(value))
    }

    #[test]
    fn properties_are_told_from_arguments() {
        assert_eq!(parse("durable", "'false'"), Some(Difference::NotDurable));
        assert_eq!(parse("auto_delete", "'true'"), Some(Difference::AutoDelete));
        let none = Some(Difference::Argument("x-max-length".to_owned(), None));
        assert_eq!(parse("x-max-length", "none"), none);
    }

    #[test]
    fn values_keep_their_types() {
        assert_eq!(
            parse("x-max-length", "the value '10' of type 'signedint'"),
            Some(argument("x-max-length", AMQPValue::LongLongInt(10)))
        );
        assert_eq!(
            parse(
                "x-single-active-consumer",
                "the value 'true' of type 'bool'"
            ),
            Some(argument(
                "x-single-active-consumer",
                AMQPValue::Boolean(true)
            ))
        );
        assert_eq!(
            parse("x-dead-letter-exchange", "the value '' of type 'longstr'"),
            Some(argument(
                "x-dead-letter-exchange",
                AMQPValue::LongString("".into())
            ))
        );
    }

    #[test]
    fn a_value_beside_one_of_the_declaration_comes_without_its_type() {
        let text = "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'classic' \
             but current is 'quorum'";
        let quorum = AMQPValue::LongString("quorum".into());
        assert_eq!(
            Difference::parse(text),
            Some(argument("x-queue-type", quorum))
        );
        for (text, value) in [
            ("'5'", AMQPValue::LongLongInt(5)),
            ("'true'", AMQPValue::Boolean(true)),
            ("''", AMQPValue::LongString("".into())),
        ] {
            assert_eq!(parse("x-a", text), Some(argument("x-a", value)));
        }
    }

    #[test]
    fn what_is_cut_off_or_means_something_else_is_nothing() {
        assert_eq!(parse("x-a", "the value 'abc"), None);
        assert_eq!(parse("x-a", "the value '[]' of type 'array'"), None);
        assert_eq!(Difference::parse("invalid arg 'x-a' for queue 'q'"), None);
    }
}
