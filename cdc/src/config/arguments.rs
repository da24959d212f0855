//! Arguments of what is declared on the broker: a JSON object, whose known names are checked.

use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Map, Value};

use super::kind::Kind;
use crate::rabbitmq::Arguments;

/// What a value has to be.
#[derive(Debug, Clone, Copy)]
enum Form {
    Count,
    Text,
    Flag,
    OneOf(&'static [&'static str]),
}

/// Arguments of queues that RabbitMQ knows: <https://www.rabbitmq.com/docs/queues#optional-arguments>.
const OF_QUEUES: [(&str, Form); 20] = [
    (
        "x-queue-type",
        Form::OneOf(&["classic", "quorum", "stream"]),
    ),
    ("x-expires", Form::Count),
    ("x-message-ttl", Form::Count),
    ("x-max-length", Form::Count),
    ("x-max-length-bytes", Form::Count),
    ("x-max-in-memory-length", Form::Count),
    ("x-max-in-memory-bytes", Form::Count),
    ("x-max-priority", Form::Count),
    ("x-delivery-limit", Form::Count),
    ("x-queue-version", Form::Count),
    ("x-quorum-initial-group-size", Form::Count),
    ("x-initial-cluster-size", Form::Count),
    ("x-stream-max-segment-size-bytes", Form::Count),
    ("x-single-active-consumer", Form::Flag),
    (
        "x-overflow",
        Form::OneOf(&["drop-head", "reject-publish", "reject-publish-dlx"]),
    ),
    ("x-dead-letter-exchange", Form::Text),
    ("x-dead-letter-routing-key", Form::Text),
    ("x-queue-mode", Form::OneOf(&["default", "lazy"])),
    ("x-queue-leader-locator", Form::Text),
    ("x-max-age", Form::Text),
];
const OF_EXCHANGES: [(&str, Form); 1] = [("alternate-exchange", Form::Text)];

pub(super) fn queue_arguments() -> Kind<Arguments> {
    arguments(&OF_QUEUES)
}

pub(super) fn exchange_arguments() -> Kind<Arguments> {
    arguments(&OF_EXCHANGES)
}

fn arguments(known: &'static [(&str, Form)]) -> Kind<Arguments> {
    Kind::new("", move |text| {
        if text.is_empty() {
            return Ok(Arguments::default());
        }
        let object: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| format!("not a JSON object such as {{\"x-name\": 1}} ({error})"))?;
        let argument = |(name, value)| checked(known, name, value);
        object.into_iter().map(argument).collect()
    })
}

fn checked(
    known: &[(&str, Form)],
    name: String,
    value: Value,
) -> Result<(String, AMQPValue), String> {
    if name.is_empty() || name.len() > 255 {
        return Err(format!("`{name}` is not a name of 1 to 255 bytes"));
    }
    if let Some((_, form)) = known.iter().find(|(one, _)| *one == name) {
        form.check(&name, &value)?;
    }
    match plain(value) {
        Some(value) => Ok((name, value)),
        None => Err(format!(
            "`{name}` has a number that AMQP cannot carry, or a name that is too long"
        )),
    }
}

impl Form {
    fn check(self, name: &str, value: &Value) -> Result<(), String> {
        let (is_fine, form) = match self {
            Self::Count => (
                value.as_u64().is_some(),
                "a whole number from 0 on".to_owned(),
            ),
            Self::Text => (value.is_string(), "a text in quotes".to_owned()),
            Self::Flag => (value.is_boolean(), "true or false".to_owned()),
            Self::OneOf(choices) => (
                value.as_str().is_some_and(|text| choices.contains(&text)),
                format!("one of {}", choices.join(", ")),
            ),
        };
        if is_fine {
            Ok(())
        } else {
            Err(format!("`{name}` is {value}, not {form}"))
        }
    }
}

/// JSON's types in AMQP's.
fn plain(value: Value) -> Option<AMQPValue> {
    Some(match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(flag) => AMQPValue::Boolean(flag),
        Value::Number(number) => match number.as_i64() {
            Some(number) => AMQPValue::LongLongInt(number),
            None if number.is_f64() => AMQPValue::Double(number.as_f64()?),
            None => return None,
        },
        Value::String(text) => AMQPValue::LongString(text.into()),
        Value::Array(values) => {
            let values: Option<Vec<_>> = values.into_iter().map(plain).collect();
            AMQPValue::FieldArray(values?.into())
        }
        Value::Object(values) => {
            let mut table = FieldTable::default();
            for (name, value) in values {
                let is_short = name.len() <= 255;
                table.insert(is_short.then_some(name)?.into(), plain(value)?);
            }
            AMQPValue::FieldTable(table)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Arguments, String> {
        (queue_arguments().parse)(text)
    }

    #[test]
    fn values_become_amqps_types() {
        let text = r#"{"x-max-length": 9, "x-single-active-consumer": true, "x-overflow": "reject-publish", "x-own": [1.5]}"#;
        let list = AMQPValue::FieldArray(vec![AMQPValue::Double(1.5)].into());
        let expected = [
            ("x-max-length", AMQPValue::LongLongInt(9)),
            ("x-single-active-consumer", AMQPValue::Boolean(true)),
            ("x-overflow", AMQPValue::LongString("reject-publish".into())),
            ("x-own", list),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(parse(text), Ok(expected.into_iter().collect()));
        assert_eq!(parse(""), Ok(Arguments::default()));
    }

    #[test]
    fn what_rabbitmq_would_refuse_is_a_fault_with_its_name() {
        for (text, part) in [
            ("x-max-length=1", "not a JSON object"),
            ("[1]", "not a JSON object"),
            (
                r#"{"x-max-length": "9"}"#,
                "`x-max-length` is \"9\", not a whole number",
            ),
            (r#"{"x-max-length": -1}"#, "`x-max-length` is -1"),
            (r#"{"x-overflow": "drop"}"#, "not one of drop-head"),
            (r#"{"x-single-active-consumer": 1}"#, "not true or false"),
            (r#"{"x-dead-letter-exchange": 1}"#, "not a text"),
            (r#"{"x-own": 18446744073709551615}"#, "cannot carry"),
        ] {
            let fault = parse(text).expect_err(text);
            assert!(fault.contains(part), "{fault}");
        }
    }
}
