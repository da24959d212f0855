//! How a stream is written, and what is declared for it.

use lapin::types::AMQPValue;

use super::{
    Faults,
    kind::Kind,
    settings::{Messages, Rabbit, Streams},
};
use crate::{
    rabbitmq::{Arguments, QueueType},
    sink::rabbitmq::stream::{self, Choice},
};

/// Ports of the stream protocol that RabbitMQ listens on where nothing else is set.
const PORT: u16 = 5552;
const TLS_PORT: u16 = 5551;
const UNITS: &str = "YMDhms";

/// By which protocol messages go to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Auto,
    Native,
    Amqp,
}

impl Protocol {
    pub(super) const NAMES: [(&'static str, Self); 3] = [
        ("auto", Self::Auto),
        ("native", Self::Native),
        ("amqp", Self::Amqp),
    ];
}

/// An age as RabbitMQ writes it, such as `7D`.
pub(super) fn age() -> Kind<String> {
    Kind::new("", |text| {
        let number = text.strip_suffix(|unit| UNITS.contains(unit));
        let is_age = number.and_then(|number| number.parse::<u32>().ok());
        match is_age {
            Some(number) if 0 < number => Ok(text.to_owned()),
            _ => Err(format!(
                "`{text}` is not a number and one of Y, M, D, h, m, s, such as 7D"
            )),
        }
    })
}

impl Streams {
    /// How to publish by the stream protocol, where that is to be tried.
    pub(super) fn native(
        &self,
        rabbit: &Rabbit,
        messages: &Messages,
        has_tls: bool,
        pipeline: &str,
        faults: &mut Faults,
    ) -> Option<stream::Streams> {
        let is_stream = rabbit.queue_type == Some(QueueType::Stream);
        let fault = match () {
            () if !is_stream => Some("it is for streams; set CDC_QUEUE_TYPE to stream"),
            () if !messages.exchange.is_empty() => Some(
                "by it no exchange takes messages; leave RABBITMQ_EXCHANGE out, or set it to auto",
            ),
            () => None,
        };
        let choice = match (self.protocol, fault) {
            (Protocol::Native, Some(fault)) => {
                faults.add("CDC_STREAM_PROTOCOL", fault);
                return None;
            }
            (Protocol::Amqp, _) | (Protocol::Auto, Some(_)) => return None,
            (Protocol::Native, None) => Choice::Native,
            (Protocol::Auto, None) => Choice::Auto,
        };
        Some(stream::Streams {
            port: self.port.unwrap_or(if has_tls { TLS_PORT } else { PORT }),
            choice,
            publisher: format!("cdc.{pipeline}"),
        })
    }

    /// Adds the arguments of a new stream.
    pub(super) fn declare(
        &self,
        kind: Option<QueueType>,
        arguments: &mut Arguments,
        faults: &mut Faults,
    ) {
        let number = |number: u64| AMQPValue::LongLongInt(number.try_into().unwrap_or(i64::MAX));
        let text = |text: &String| AMQPValue::LongString(text.as_str().into());
        let all = [
            (
                "CDC_STREAM_MAX_BYTES",
                "x-max-length-bytes",
                self.max_bytes.map(number),
            ),
            (
                "CDC_STREAM_MAX_AGE",
                "x-max-age",
                self.max_age.as_ref().map(text),
            ),
            (
                "CDC_STREAM_SEGMENT_BYTES",
                "x-stream-max-segment-size-bytes",
                self.segment_bytes.map(number),
            ),
        ];
        for (setting, name, value) in all {
            let Some(value) = value else { continue };
            if kind != Some(QueueType::Stream) {
                faults.add(setting, "it is for streams; set CDC_QUEUE_TYPE to stream");
            } else if arguments.has(name) {
                let fault = format!("CDC_QUEUE_ARGUMENTS has {name} too: leave one of them out");
                faults.add(setting, fault);
            } else {
                arguments.set(name, Some(value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        let kind = age();
        for text in ["7D", "1Y", "90s", "12M", "5m", "36h"] {
            assert_eq!((kind.parse)(text).as_deref(), Ok(text));
        }
        for text in ["7", "D", "0D", "-1D", "7d", "1.5h", "7 D"] {
            assert!((kind.parse)(text).is_err(), "{text}");
        }
    }
}
