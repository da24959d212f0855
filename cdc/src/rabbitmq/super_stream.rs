//! A super stream: the streams of partitions, which consumers can read as one.
//!
//! It is a direct exchange with a mark, to which each stream is bound by its number.
//! <https://www.rabbitmq.com/docs/streams#super-streams>

use lapin::types::AMQPValue;

use super::{
    Arguments, Binding, Connection, Declare, Error, Exchange, Needs, Permission, QueueType,
    Topology,
};
use crate::retry::chain;

const MARK: &str = "x-super-stream";
const ORDER: &str = "x-stream-partition-order";

impl Topology {
    /// The exchange that makes one of the partitions' streams, where they are ours to declare.
    fn super_stream(&self) -> Option<Exchange> {
        let first = self.targets.first()?;
        let are_streams = first.kind == Some(QueueType::Stream) && 1 < self.targets.len();
        if !are_streams || !self.exchange.is_default() || self.declare == Declare::Never {
            return None;
        }
        let binding = |(number, _)| {
            let order = AMQPValue::LongLongInt(number);
            Binding {
                key: number.to_string(),
                arguments: arguments(ORDER, order),
            }
        };
        Some(Exchange {
            name: first.name.strip_suffix(".0")?.to_owned(),
            kind: "direct".to_owned(),
            arguments: arguments(MARK, AMQPValue::Boolean(true)),
            bindings: (0..).zip(&self.targets).map(binding).collect(),
        })
    }

    /// Declares the super stream, if there is to be one. Gives the reason where that cannot be: messages are delivered all
    /// the same.
    ///
    /// # Errors
    /// Whatever ends the connection.
    pub(super) async fn declare_super_stream(
        &self,
        connection: &Connection,
    ) -> Result<Option<String>, Error> {
        let Some(exchange) = self.super_stream() else {
            return Ok(None);
        };
        match self.bind_all(&exchange, connection).await {
            Ok(()) => Ok(None),
            Err(error @ (Error::Undeclarable { .. } | Error::Denied(_))) => Ok(Some(chain(&error))),
            Err(error) => Err(error),
        }
    }

    async fn bind_all(&self, exchange: &Exchange, connection: &Connection) -> Result<(), Error> {
        connection.declare_exchange(exchange).await?;
        for (queue, binding) in self.targets.iter().zip(&exchange.bindings) {
            connection
                .bind(&queue.name, &exchange.name, binding)
                .await?;
        }
        Ok(())
    }

    /// What the user needs to be allowed for the super stream.
    pub(super) fn super_stream_needs(&self) -> Needs {
        let Some(exchange) = self.super_stream() else {
            return Needs::default();
        };
        let needs = Needs::default()
            .and(Permission::Configure, &exchange.name)
            .and(Permission::Read, &exchange.name);
        let streams = self.targets.iter();
        streams.fold(needs, |needs, stream| {
            needs.and(Permission::Write, &stream.name)
        })
    }
}

fn arguments(name: &str, value: AMQPValue) -> Arguments {
    std::iter::once((name.to_owned(), value)).collect()
}
