//! The client library's wait for a verdict, with the verdict made small: the library's has room for a whole message.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use lapin::{Confirmation, PublisherConfirm, message::BasicReturnMessage, types::AMQPValue};

use crate::sink::{Returned, Verdict};

/// The wait for the broker's verdict on a message that is written to the socket.
pub(super) struct Confirm(PublisherConfirm);

/// What ends that wait.
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    pub(super) returned: Option<Returned>,
}

impl Future for Confirm {
    type Output = lapin::Result<Answer>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll(context)).map(Answer::from))
    }
}

impl From<PublisherConfirm> for Confirm {
    fn from(confirm: PublisherConfirm) -> Self {
        Self(confirm)
    }
}

/// Only a plain ack counts as taken. Any verdict may carry a returned message, its own or another's.
impl From<Confirmation> for Answer {
    fn from(confirmation: Confirmation) -> Self {
        let (verdict, returned) = match confirmation {
            Confirmation::Ack(returned) => (Verdict::Confirmed, returned),
            Confirmation::Nack(returned) => (Verdict::Nacked, returned),
            Confirmation::NotRequested => unreachable!("the channel was opened with confirms on"),
        };
        Self {
            verdict,
            returned: returned.map(Returned::from),
        }
    }
}

impl From<BasicReturnMessage> for Returned {
    fn from(message: BasicReturnMessage) -> Self {
        let properties = &message.delivery.properties;
        let id = properties.message_id().as_ref().map(ToString::to_string);
        let headers = properties.headers().as_ref();
        let partition = headers.and_then(|headers| headers.inner().get("cdc-partition"));
        let partition = match partition {
            Some(AMQPValue::LongLongInt(number)) => u16::try_from(*number).ok(),
            _ => None,
        };
        Self {
            message_id: id.unwrap_or_default(),
            partition,
            reason: format!("{} {}", message.reply_code, message.reply_text),
        }
    }
}
