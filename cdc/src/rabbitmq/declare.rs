//! What a connection declares and looks at.
//!
//! The broker tells of a queue that exists only how many messages and consumers it has. What else it is shows in the
//! answer to a declaration that differs, which names the first difference; so the declaration is repeated with each
//! difference taken over, until nothing differs. That changes nothing, and needs the permission to configure the queue.

use futures_util::TryFutureExt as _;
use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    protocol::AMQPSoftError,
    types::FieldTable,
};

use super::{
    Action, Arguments, Binding, Connection, Error, Exchange, Queue, QueueType, Unfit,
    arguments::TYPE,
    difference::Difference,
    error::{command_invalid, soft_error},
};

/// Most differences that are taken over: more than there are arguments. Each is a line in the broker's log.
const DIFFERENCES_MAX: usize = 24;

/// What was seen of a queue that exists.
#[derive(Debug)]
pub(super) enum Properties {
    /// It is durable and neither exclusive nor auto-delete, and it has these arguments.
    Seen(Arguments),
    /// The broker does not tell, for this reason.
    Unseen(&'static str),
}

impl Connection {
    /// Declares `queue` durable; does nothing where it exists so.
    ///
    /// # Errors
    /// [`Error::Undeclarable`] where it exists with other properties, or the broker refuses an argument.
    pub async fn declare_queue(&self, queue: &Queue) -> Result<(), Error> {
        self.declare_with(&queue.name, &queue.all_arguments()).await
    }

    async fn declare_with(&self, queue: &str, arguments: &Arguments) -> Result<(), Error> {
        let declare = self.attempt(queue, arguments);
        let declare = declare.map_err(|error| match soft_error(&error) {
            Some((AMQPSoftError::PRECONDITIONFAILED, text)) => undeclarable("queue", queue, &text),
            // A declaration cannot miss the queue; so the broker says that it is not available.
            Some((AMQPSoftError::NOTFOUND, text)) => Error::QueueAway {
                queue: queue.to_owned(),
                reason: text,
            },
            Some((AMQPSoftError::RESOURCELOCKED, _)) => unfit(queue, Unfit::Exclusive),
            _ => self.broker.name_after(error, to_declare(arguments)),
        });
        self.within("a queue declaration", declare).await
    }

    /// Declares a durable queue on a channel of its own.
    pub(super) async fn attempt(&self, queue: &str, arguments: &Arguments) -> lapin::Result<()> {
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let declare = async |channel: &Channel| {
            let declare = channel.queue_declare(queue.into(), options, arguments.table());
            declare.await.map(drop)
        };
        self.on_a_channel(declare).await
    }

    /// Looks at what `queue`, which exists, is.
    ///
    /// # Errors
    /// [`Error::Unfit`] where it cannot hold messages as it has to.
    pub(super) async fn properties(&self, queue: &Queue) -> Result<Properties, Error> {
        let name = queue.name.as_str();
        let mut arguments = queue.all_arguments();
        for _ in 0..DIFFERENCES_MAX {
            let reason = match self.declare_with(name, &arguments).await {
                Ok(()) => {
                    check_type(queue, &arguments)?;
                    return Ok(Properties::Seen(arguments));
                }
                Err(Error::Denied(_)) => {
                    return Ok(Properties::Unseen("the user may not configure the queue"));
                }
                Err(Error::Undeclarable { reason, .. }) => reason,
                Err(error) => return Err(error),
            };
            match Difference::parse(&reason) {
                Some(Difference::NotDurable) => return Err(unfit(name, Unfit::NotDurable)),
                Some(Difference::AutoDelete) => return Err(unfit(name, Unfit::AutoDelete)),
                Some(Difference::Argument(name, value)) => {
                    arguments.set(&name, value);
                    check_type(queue, &arguments)?;
                }
                None => break,
            }
        }
        Ok(Properties::Unseen("rabbitmq does not tell all of them"))
    }

    /// Declares `exchange` durable.
    ///
    /// # Errors
    /// [`Error::Undeclarable`] where the broker refuses its type or an argument.
    pub async fn declare_exchange(&self, exchange: &Exchange) -> Result<(), Error> {
        let options = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let (name, kind) = (exchange.name.as_str(), kind(&exchange.kind));
        let asked = match exchange.arguments.alternate_exchange() {
            Some(_) => Action::Alternate,
            None => Action::DeclareExchange,
        };
        let declare = self.on_a_channel(async |channel| {
            let arguments = exchange.arguments.table();
            channel
                .exchange_declare(name.into(), kind, options, arguments)
                .await
        });
        let declare =
            declare.map_err(
                |error| match (soft_error(&error), command_invalid(&error)) {
                    (Some((AMQPSoftError::PRECONDITIONFAILED, text)), _) | (_, Some(text)) => {
                        undeclarable("exchange", name, &text)
                    }
                    _ => self.broker.name_after(error, asked),
                },
            );
        self.within("an exchange declaration", declare).await
    }

    /// Binds `queue` to `exchange`; does nothing where it is bound so.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn bind(&self, queue: &str, exchange: &str, binding: &Binding) -> Result<(), Error> {
        let bind = self.on_a_channel(async |channel| {
            let (options, key) = (QueueBindOptions::default(), binding.key.as_str());
            let arguments = binding.arguments.table();
            channel
                .queue_bind(
                    queue.into(),
                    exchange.into(),
                    key.into(),
                    options,
                    arguments,
                )
                .await
        });
        let bind = bind.map_err(|error| self.broker.name_after(error, Action::Bind));
        self.within("a binding", bind).await
    }

    /// Checks that an exchange exists, without declaring it.
    ///
    /// # Errors
    /// [`Error::NoExchange`] where it does not.
    pub async fn check_exchange(&self, exchange: &str) -> Result<(), Error> {
        let options = ExchangeDeclareOptions {
            passive: true,
            ..ExchangeDeclareOptions::default()
        };
        let check = self.on_a_channel(async |channel| {
            let (kind, none) = (ExchangeKind::Topic, FieldTable::default());
            channel
                .exchange_declare(exchange.into(), kind, options, none)
                .await
        });
        let check = check.map_err(|error| self.exchange_lost(exchange, error));
        self.within("an exchange check", check).await
    }

    /// Checks that a queue exists, without declaring it, and counts its ready messages and its consumers.
    ///
    /// # Errors
    /// [`Error::NoQueue`] where it does not; [`Error::QueueAway`] where its node is away.
    pub async fn check_queue(&self, queue: &str) -> Result<lapin::Queue, Error> {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let check = self.on_a_channel(async |channel| {
            let none = FieldTable::default();
            channel.queue_declare(queue.into(), options, none).await
        });
        let check = check.map_err(|error| self.queue_lost(queue, error));
        self.within("a queue check", check).await
    }

    /// Does `what` on a channel of its own, because a refusal closes the channel.
    pub(super) async fn on_a_channel<T>(
        &self,
        what: impl AsyncFnOnce(&Channel) -> lapin::Result<T>,
    ) -> lapin::Result<T> {
        let channel = self.inner.create_channel().await?;
        let outcome = what(&channel).await?;
        channel.close(200, "OK".into()).await?;
        Ok(outcome)
    }
}

/// What was done, where a permission is missing to declare a queue with these arguments.
pub(super) fn to_declare(arguments: &Arguments) -> Action {
    match arguments.dead_letter_exchange() {
        Some(_) => Action::DeadLetters,
        None => Action::DeclareOrPublish,
    }
}

fn check_type(queue: &Queue, arguments: &Arguments) -> Result<(), Error> {
    let name = arguments.text(TYPE).unwrap_or("classic");
    let found = QueueType::NAMES.iter().find(|(known, _)| *known == name);
    match (queue.kind, found) {
        (Some(wanted), Some((_, found))) if wanted != *found => {
            let found = *found;
            Err(unfit(&queue.name, Unfit::Type { found, wanted }))
        }
        _ => Ok(()),
    }
}

fn unfit(queue: &str, unfit: Unfit) -> Error {
    Error::Unfit {
        queue: queue.to_owned(),
        unfit,
    }
}

/// With the broker's text, without the protocol's frame around it.
fn undeclarable(kind: &str, name: &str, text: &str) -> Error {
    let reason = text.split_once(" - ").map_or(text, |(_, reason)| reason);
    Error::Undeclarable {
        what: format!("{kind} `{name}`"),
        reason: reason.to_owned(),
    }
}

/// The client library's name for an exchange's type.
fn kind(name: &str) -> ExchangeKind {
    match name {
        "direct" => ExchangeKind::Direct,
        "fanout" => ExchangeKind::Fanout,
        "headers" => ExchangeKind::Headers,
        "topic" => ExchangeKind::Topic,
        other => ExchangeKind::Custom(other.to_owned()),
    }
}
