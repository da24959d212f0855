//! Where messages go: an exchange and queues, which are used as they are, and declared where that is ours to do.

use super::{Arguments, Connection, Danger, Error, Needs, Permission, Queue, declare::Properties};

/// Where messages go.
#[derive(Debug, Clone)]
pub struct Topology {
    /// Exchange to publish to.
    pub exchange: Exchange,
    /// Queues for messages: one, or one for each partition. With an exchange of their own they are the operator's,
    /// unless everything is declared.
    pub targets: Vec<Queue>,
    /// Queue for what is parked, where a policy parks anything.
    pub parking: Option<Queue>,
    /// What is declared.
    pub declare: Declare,
}

/// An exchange, as it is to be where it is declared.
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    /// Name; empty for the default exchange.
    pub name: String,
    /// Type, such as `topic`.
    pub kind: String,
    /// Other arguments of a new one.
    pub arguments: Arguments,
    /// How each queue for messages is bound to it, in their order, where it is declared.
    pub bindings: Vec<Binding>,
}

/// How a queue is bound to an exchange.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Binding {
    /// The key.
    pub key: String,
    /// Arguments, which an exchange of type `headers` looks at.
    pub arguments: Arguments,
}

/// What is declared. What exists is never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declare {
    /// Queues that are not there, but no exchange and nothing for one.
    Missing,
    /// Nothing.
    Never,
    /// The exchange, the queues and their bindings too.
    All,
}

/// What [`Topology::declare`] found and did.
#[derive(Debug, Default)]
pub struct Survey {
    /// Queues that were not there and were declared.
    pub new_queues: Vec<String>,
    /// Whether the exchange was not there and was declared.
    pub is_exchange_new: bool,
    /// Queues whose arguments endanger their messages.
    pub dangers: Vec<(String, Danger)>,
    /// Queues whose properties could not be seen, and why.
    pub unseen: Vec<(String, &'static str)>,
    /// Why the partitions' streams are no super stream, where they were to be one.
    pub no_super_stream: Option<String>,
}

/// What a look at a queue tells.
#[derive(Debug)]
pub enum Sight {
    /// It is not there and ours to declare, with arguments that do this to messages.
    New(Vec<Danger>),
    /// It is there, with such arguments.
    Seen(Vec<Danger>),
    /// It is there; its arguments could not be seen, for this reason.
    Unseen(&'static str),
}

impl Topology {
    /// The queues that are ours to look after.
    pub fn queues(&self) -> impl Iterator<Item = &Queue> {
        let are_ours = self.exchange.is_default() || self.is_bound();
        let targets = self.targets.iter().filter(move |_| are_ours);
        targets.chain(&self.parking)
    }

    /// Whether the exchange, and the queues' bindings to it, are ours to declare.
    pub fn is_bound(&self) -> bool {
        self.declare == Declare::All && !self.exchange.is_default()
    }

    /// Looks at everything, and declares what is not there and ours to declare.
    ///
    /// # Errors
    /// [`Error::Unfit`] for a queue that is there and cannot hold messages as it has to; [`Error::NotToDeclare`] and
    /// [`Error::NoExchange`] for what is not there; [`Error::Denied`] where a permission is missing without which
    /// nothing can be delivered.
    pub async fn declare(&self, connection: &Connection) -> Result<Survey, Error> {
        let mut survey = Survey::default();
        if !self.has_exchange(connection).await? {
            connection.declare_exchange(&self.exchange).await?;
            survey.is_exchange_new = true;
        }
        for queue in self.queues() {
            self.settle(queue, connection, &mut survey).await?;
        }
        if self.is_bound() {
            for (queue, binding) in self.targets.iter().zip(&self.exchange.bindings) {
                let (queue, exchange) = (queue.name.as_str(), self.exchange.name.as_str());
                connection.bind(queue, exchange, binding).await?;
            }
        }
        survey.no_super_stream = self.declare_super_stream(connection).await?;
        Ok(survey)
    }

    async fn settle(
        &self,
        queue: &Queue,
        connection: &Connection,
        survey: &mut Survey,
    ) -> Result<(), Error> {
        let name = &queue.name;
        let dangers = match self.look(queue, connection).await? {
            Sight::New(dangers) => {
                connection.declare_queue(queue).await?;
                survey.new_queues.push(name.clone());
                dangers
            }
            Sight::Seen(dangers) => dangers,
            Sight::Unseen(reason) => {
                survey.unseen.push((name.clone(), reason));
                return Ok(());
            }
        };
        let dangers = dangers.into_iter().map(|danger| (name.clone(), danger));
        survey.dangers.extend(dangers);
        Ok(())
    }

    /// Looks at one of its queues. Declares nothing.
    ///
    /// # Errors
    /// As [`Topology::declare`].
    pub async fn look(&self, queue: &Queue, connection: &Connection) -> Result<Sight, Error> {
        let dangers = |arguments: &Arguments| arguments.dangers().collect();
        match as_seen(connection.check_queue(&queue.name).await) {
            Err(Error::NoQueue { queue, vhost }) if self.declare == Declare::Never => {
                Err(Error::NotToDeclare { queue, vhost })
            }
            Err(Error::NoQueue { .. }) => Ok(Sight::New(dangers(&queue.all_arguments()))),
            Err(error) => Err(error),
            Ok(()) if self.declare == Declare::Never => {
                Ok(Sight::Unseen("rabbitmq tells them only to who may declare"))
            }
            Ok(()) => Ok(match connection.properties(queue).await? {
                Properties::Seen(arguments) => Sight::Seen(dangers(&arguments)),
                Properties::Unseen(reason) => Sight::Unseen(reason),
            }),
        }
    }

    /// Whether `queue` is not there and ours to declare.
    pub(super) async fn is_to_be_declared(&self, queue: &Queue, connection: &Connection) -> bool {
        let found = connection.check_queue(&queue.name).await;
        self.declare != Declare::Never && matches!(found, Err(Error::NoQueue { .. }))
    }

    /// Whether the exchange is there; false where it is not and is ours to declare.
    ///
    /// # Errors
    /// [`Error::NoExchange`] where it is not there and somebody else's.
    pub async fn has_exchange(&self, connection: &Connection) -> Result<bool, Error> {
        match self.check_exchange(connection).await {
            Err(Error::NoExchange { .. }) if self.is_bound() => Ok(false),
            outcome => outcome.map(|()| true),
        }
    }

    /// Checks that all is still there, after [`Topology::declare`] on this or an earlier connection. Declares nothing.
    ///
    /// # Errors
    /// [`Error::NoQueue`] where a queue of ours is gone, and with it what it held; [`Error::NoExchange`].
    pub async fn check(&self, connection: &Connection) -> Result<(), Error> {
        for queue in self.queues() {
            as_seen(connection.check_queue(&queue.name).await)?;
        }
        self.check_exchange(connection).await
    }

    async fn check_exchange(&self, connection: &Connection) -> Result<(), Error> {
        if self.exchange.is_default() {
            return Ok(());
        }
        as_seen(connection.check_exchange(&self.exchange.name).await)
    }

    /// What the user needs to be allowed where the queues are streams that are written and read by their own protocol.
    pub fn stream_needs(&self) -> Needs {
        let streams = self.targets.iter().map(|queue| &queue.name);
        streams.fold(Needs::default(), |needs, stream| {
            let needs = needs.and(Permission::Write, stream);
            needs.and(Permission::Read, stream)
        })
    }

    /// What the user needs to be allowed for all this, and to stand by for the lock `lock`.
    pub fn needs(&self, lock: &str) -> Needs {
        use Permission::{Configure, Read, Write};
        // A standby asks for the lock by a message through the default exchange.
        let mut needs = Needs::default()
            .and(Configure, lock)
            .and(Read, lock)
            .and(Write, "")
            .and(Write, &self.exchange.name);
        if self.declare != Declare::Never {
            for queue in self.queues() {
                needs = needs.and(Configure, &queue.name);
                if let Some(dead_letters) = queue.arguments.dead_letter_exchange() {
                    needs = needs.and(Read, &queue.name).and(Write, dead_letters);
                }
            }
        }
        needs = needs.with(&self.super_stream_needs());
        if self.is_bound() {
            let exchange = &self.exchange.name;
            needs = needs.and(Configure, exchange).and(Read, exchange);
            for queue in &self.targets {
                needs = needs.and(Write, &queue.name);
            }
            if let Some(alternate) = self.exchange.arguments.alternate_exchange() {
                needs = needs.and(Write, alternate);
            }
        }
        needs
    }
}

/// A broker that wants a permission for a mere look (4.3.0 does) says nothing of what is there.
fn as_seen<T>(looked: Result<T, Error>) -> Result<(), Error> {
    match looked {
        Ok(_) | Err(Error::Denied(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

impl Exchange {
    /// Whether it is the default exchange, which takes each message to the queue of its routing key's name.
    pub fn is_default(&self) -> bool {
        self.name.is_empty()
    }
}

impl Declare {
    /// The choices and their names.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("missing", Self::Missing),
        ("never", Self::Never),
        ("all", Self::All),
    ];
}

impl Survey {
    /// Whether anything was declared that the broker may still forget.
    pub fn is_new(&self) -> bool {
        self.is_exchange_new || !self.new_queues.is_empty()
    }
}

#[cfg(test)]
mod tests;
