//! Whether the user may do what the engine does, asked so that nothing is done.
//!
//! The broker looks at permissions first. So each question has something that it then refuses whatever it finds: a
//! message that expires at no time, an argument of the wrong type, a binding that nobody made. A refusal for such a reason
//! is the permission.

use futures_util::TryFutureExt as _;
use lapin::{
    BasicProperties, ExchangeKind,
    options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions},
    protocol::AMQPSoftError,
    types::{AMQPValue, FieldTable},
};

use super::{
    Action, Connection, Denied, Error, Queue, Topology, declare::to_declare, error::soft_error,
};

/// A text where the broker wants something else.
const NONSENSE: &str = "cdc check";

impl Topology {
    /// What is missing of all that the engine does here but for the lock: publish, and declare what is not there.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn denials(&self, connection: &Connection) -> Result<Vec<Denied>, Error> {
        let mut denials = Vec::new();
        let mut note = |asked: Result<(), Error>| match asked {
            Ok(()) => Ok(()),
            Err(Error::Denied(denied)) => {
                denials.push(*denied);
                Ok(())
            }
            Err(error) => Err(error),
        };
        note(connection.may_publish("").await)?;
        if !self.exchange.is_default() {
            note(connection.may_publish(&self.exchange.name).await)?;
        }
        for queue in self.queues() {
            if self.is_to_be_declared(queue, connection).await {
                note(connection.may_declare(queue).await)?;
            }
        }
        if self.is_bound() {
            let exchange = &self.exchange.name;
            let found = connection.check_exchange(exchange).await;
            if matches!(found, Err(Error::NoExchange { .. })) {
                note(connection.may_declare_exchange(exchange).await)?;
            }
            for queue in &self.targets {
                note(connection.may_bind(&queue.name, exchange).await)?;
            }
        }
        Ok(denials)
    }
}

impl Connection {
    async fn may_publish(&self, exchange: &str) -> Result<(), Error> {
        let publish = self.on_a_channel(async |channel| {
            channel
                .confirm_select(ConfirmSelectOptions::default())
                .await?;
            let properties = BasicProperties::default()
                .with_user_id(NONSENSE.into())
                .with_expiration(NONSENSE.into());
            let options = BasicPublishOptions::default();
            let (exchange, key) = (exchange.into(), NONSENSE.into());
            let published = channel.basic_publish(exchange, key, options, &[], properties);
            published.await?.await.map(drop)
        });
        self.allowed(publish, Action::DeclareOrPublish).await
    }

    async fn may_declare(&self, queue: &Queue) -> Result<(), Error> {
        let mut arguments = queue.all_arguments();
        arguments.set("x-expires", Some(AMQPValue::LongString(NONSENSE.into())));
        let declare = self.attempt(&queue.name, &arguments);
        self.allowed(declare, to_declare(&arguments)).await
    }

    async fn may_declare_exchange(&self, exchange: &str) -> Result<(), Error> {
        let declare = self.on_a_channel(async |channel| {
            let options = ExchangeDeclareOptions {
                durable: true,
                ..ExchangeDeclareOptions::default()
            };
            let mut arguments = FieldTable::default();
            arguments.insert("alternate-exchange".into(), AMQPValue::LongInt(0));
            let kind = ExchangeKind::Topic;
            channel
                .exchange_declare(exchange.into(), kind, options, arguments)
                .await
        });
        self.allowed(declare, Action::DeclareExchange).await
    }

    /// To take a binding away needs the same permissions as to make it.
    async fn may_bind(&self, queue: &str, exchange: &str) -> Result<(), Error> {
        let unbind = self.on_a_channel(async |channel| {
            let mut arguments = FieldTable::default();
            arguments.insert("cdc".into(), AMQPValue::LongString(NONSENSE.into()));
            let (queue, exchange, key) = (queue.into(), exchange.into(), NONSENSE.into());
            channel.queue_unbind(queue, exchange, key, arguments).await
        });
        self.allowed(unbind, Action::Bind).await
    }

    /// Whether the broker did not refuse it for want of a permission.
    async fn allowed(
        &self,
        asked: impl Future<Output = lapin::Result<()>>,
        action: Action,
    ) -> Result<(), Error> {
        let asked = asked.or_else(async |error| match soft_error(&error) {
            Some((AMQPSoftError::ACCESSREFUSED, _)) | None => {
                Err(self.broker.name_after(error, action))
            }
            Some(_) => Ok(()),
        });
        match self.within("a question for permissions", asked).await {
            // The key is ours. Which keys the changes will have is not known yet.
            Err(Error::Denied(denied)) if denied.is_about_a_key() => Ok(()),
            outcome => outcome,
        }
    }
}
