//! What is asked on a connection.

use std::collections::HashMap;

use rabbitmq_stream_protocol::{
    ResponseCode,
    codec::{Decoder as _, Encoder as _},
    commands::{
        credit::CreditCommand,
        declare_publisher::DeclarePublisherCommand,
        generic::GenericResponse,
        metadata::{MetadataCommand, MetadataResponse},
        query_publisher_sequence::{QueryPublisherRequest, QueryPublisherResponse},
        subscribe::SubscribeCommand,
        superstream_partitions::{SuperStreamPartitionsRequest, SuperStreamPartitionsResponse},
        unsubscribe::UnSubscribeCommand,
    },
};

use super::{Connection, Offset};
use crate::rabbitmq::{Error, Node, Permission};

/// The only subscription of a connection.
const SUBSCRIPTION: u8 = 0;
/// Bytes before the code of an answer.
const CORRELATION_BYTES: usize = 4;

impl Connection {
    /// The node that leads `stream`, as it wants to be called; none where it is not known now.
    ///
    /// # Errors
    /// [`Error::NoQueue`], and whatever ends the connection.
    pub async fn leader(&self, stream: &str) -> Result<Option<Node>, Error> {
        let ask = |id| MetadataCommand::new(id, vec![stream.to_owned()]);
        let answer: MetadataResponse = self.ask("a stream's leader", ask).await?;
        let Some(found) = answer.stream_metadata.into_iter().next() else {
            return Err(self.broker.no_queue(stream));
        };
        match found.code {
            ResponseCode::Ok => {}
            ResponseCode::StreamDoesNotExist => return Err(self.broker.no_queue(stream)),
            // It has no leader for now.
            _ => return Ok(None),
        }
        let mut nodes = answer.brokers.into_iter();
        let leader = nodes.find(|node| node.reference == found.leader_reference);
        Ok(leader.and_then(|leader| {
            let port = u16::try_from(leader.port).ok()?;
            Some(Node {
                host: leader.host,
                port,
            })
        }))
    }

    /// The streams of the super stream `name`, in their order.
    ///
    /// # Errors
    /// Whatever ends the connection.
    pub async fn partitions(&self, name: &str) -> Result<Vec<String>, Error> {
        let ask = |id| SuperStreamPartitionsRequest::new(id, name.to_owned());
        let answer: SuperStreamPartitionsResponse =
            self.ask("a super stream's partitions", ask).await?;
        Ok(answer.streams)
    }

    /// Declares the publisher `number` of this connection, which has a `name` of its own on `stream`.
    ///
    /// # Errors
    /// [`Error::NoQueue`], [`Error::Denied`], and whatever ends the connection.
    pub async fn declare_publisher(
        &self,
        number: u8,
        name: &str,
        stream: &str,
    ) -> Result<(), Error> {
        let ask =
            |id| DeclarePublisherCommand::new(id, number, Some(name.to_owned()), stream.to_owned());
        let answer: GenericResponse = self.ask("a publisher's declaration", ask).await?;
        self.check(answer.code(), stream, Permission::Write)
    }

    /// The greatest publishing id that `stream` has of the publisher `name`; 0 where it has none.
    ///
    /// # Errors
    /// [`Error::NoQueue`], [`Error::Denied`] where the user may not read the stream, and whatever ends the connection.
    /// None of them is an id: a stream drops what comes with a smaller one than it has, and confirms it.
    pub async fn last_id(&self, name: &str, stream: &str) -> Result<u64, Error> {
        let ask = |id| QueryPublisherRequest::new(id, name.to_owned(), stream.to_owned());
        let answer: QueryPublisherResponse = self.ask("a publisher's last id", ask).await?;
        let unreadable = || self.lost("its answer has no code".to_owned());
        let code = code_of(&answer).ok_or_else(unreadable)?;
        self.check(&code, stream, Permission::Read)?;
        Ok(answer.from_response())
    }

    /// Has `stream` read from `offset` on: chunks come as events, as many as there is `credit` for.
    ///
    /// # Errors
    /// [`Error::NoQueue`], [`Error::Denied`], and whatever ends the connection.
    pub async fn subscribe(&self, stream: &str, offset: Offset, credit: u16) -> Result<(), Error> {
        let ask = |id| {
            let stream = stream.to_owned();
            SubscribeCommand::new(id, SUBSCRIPTION, stream, offset, credit, HashMap::new())
        };
        let answer: GenericResponse = self.ask("a subscription", ask).await?;
        self.check(answer.code(), stream, Permission::Read)
    }

    /// Gives the subscription credit for one more chunk.
    ///
    /// # Errors
    /// Whatever ends the connection.
    pub async fn credit(&self) -> Result<(), Error> {
        self.write(CreditCommand::new(SUBSCRIPTION, 1)).await
    }

    /// Ends the subscription. Chunks that came before may still be among the events.
    ///
    /// # Errors
    /// Whatever ends the connection.
    pub async fn unsubscribe(&self) -> Result<(), Error> {
        let ask = |id| UnSubscribeCommand::new(id, SUBSCRIPTION);
        let _: GenericResponse = self.ask("the end of a subscription", ask).await?;
        Ok(())
    }

    fn check(
        &self,
        code: &ResponseCode,
        stream: &str,
        permission: Permission,
    ) -> Result<(), Error> {
        match code {
            ResponseCode::Ok => Ok(()),
            ResponseCode::StreamDoesNotExist => Err(self.broker.no_queue(stream)),
            ResponseCode::AccessRefused => Err(self.broker.denied_on_stream(stream, permission)),
            code => Err(self.lost(format!("the broker answers {code:?}"))),
        }
    }
}

/// The library tells the code of this answer nowhere else.
fn code_of(answer: &QueryPublisherResponse) -> Option<ResponseCode> {
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = answer.encode(&mut bytes);
    let code = bytes.get(CORRELATION_BYTES..)?;
    ResponseCode::decode(code).ok().map(|(_, code)| code)
}
