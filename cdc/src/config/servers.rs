//! Where the two servers are.

use lapin::uri::AMQPUri;
use mongodb::options::ConnectionString;

use super::{
    Faults, Secret,
    amqp_uri::Uri,
    kind::Kind,
    setting::Input,
    settings::{Mongo, Rabbit},
};
use crate::{
    amqp::{Broker, Node, Queue, QueueType},
    encode::RoutingKey,
};

pub(super) fn mongo_uri() -> Kind<Secret> {
    Kind::new("", |uri| match ConnectionString::parse(uri) {
        Ok(_) => Ok(Secret(uri.to_owned())),
        Err(error) => Err(format!(
            "not a mongodb:// or mongodb+srv:// connection string ({})",
            error.kind
        )),
    })
}

/// Hosts with commas between them, each with a port or without.
pub(super) fn hosts() -> Kind<String> {
    Kind::new("", |text| match Node::list(text, 1) {
        Ok(_) => Ok(text.to_owned()),
        Err(fault) => Err(format!(
            "not hosts with commas between them ({fault}); a full URI is RABBITMQ_URI"
        )),
    })
}

/// A template for routing keys; none where nothing is set.
pub(super) fn routing_key() -> Kind<Option<RoutingKey>> {
    Kind::new("", |text| match text {
        "" => Ok(None),
        _ => RoutingKey::parse(text)
            .map(Some)
            .map_err(|error| error.to_string()),
    })
}

impl Rabbit {
    pub(super) fn broker(&self, faults: &mut Faults) -> Broker {
        let (nodes, mut uri) = match &self.uri {
            Some(Uri { nodes, uri }) => (nodes.clone(), uri.clone()),
            None => self.parts(),
        };
        uri.query.auth_mechanism = Some(self.mechanism());
        Broker::new(nodes, uri, self.tls(faults))
    }

    fn parts(&self) -> (Vec<Node>, AMQPUri) {
        let mut uri = AMQPUri::default();
        uri.authority.userinfo.username.clone_from(&self.user);
        uri.authority.userinfo.password.clone_from(&self.password);
        uri.vhost.clone_from(&self.vhost);
        let nodes = Node::list(&self.hosts, self.port);
        (nodes.expect("they were read so"), uri)
    }

    pub(super) fn queue(&self) -> Queue {
        Queue {
            name: self.queue.clone(),
            kind: self.queue_type,
        }
    }

    /// The queue for what is parked. A stream has none of its own kind: what is parked is to be taken out.
    pub(super) fn parking(&self, faults: &mut Faults) -> Queue {
        let name = format!("{}.parked", self.queue);
        if name.len() > 255 {
            let text = format!("`{name}`, the queue for what is parked, is longer than 255 bytes");
            faults.add("RABBITMQ_QUEUE_NAME", text);
        }
        let kind = match self.queue_type {
            QueueType::Stream => QueueType::Classic,
            kind => kind,
        };
        Queue { name, kind }
    }
}

/// Whether all of `addresses`, `host:port` with commas between them, are those of servers on this machine that are
/// used where nothing is set.
pub fn are_defaults(addresses: &str) -> bool {
    let mut input = Input::default();
    let (mongo, rabbit) = (Mongo::read(&mut input).uri, Rabbit::read(&mut input));
    let rabbit = rabbit.broker(&mut Faults::default()).address();
    addresses.split(',').all(|address| {
        let mut mongo = mongo.0.split(['/', ',']);
        address == rabbit || mongo.any(|known| known == address)
    })
}
