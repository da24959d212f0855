//! Where the two servers are.

use lapin::uri::{AMQPScheme, AMQPUri};

use super::{
    Faults, Secret,
    kind::Kind,
    setting::Input,
    settings::{Mongo, Rabbit},
};
use crate::{
    amqp::{Broker, Queue, QueueType},
    encode::RoutingKey,
    mongo::Uri,
};

pub(super) fn mongo_uri() -> Kind<Secret> {
    Kind::new("", |uri| Uri::parse(uri).map(|_| Secret(uri.to_owned())))
}

pub(super) fn host() -> Kind<String> {
    Kind::new("", |host| {
        if host.contains(['/', '@', ' ']) || host.matches(':').count() == 1 {
            let fault = "not a host name or address; the port has its own variable, a full URI is RABBITMQ_URI";
            return Err(fault.to_owned());
        }
        Ok(host.to_owned())
    })
}

pub(super) fn amqp_uri() -> Kind<Option<AMQPUri>> {
    Kind::new("", |text| match text {
        "" => Ok(None),
        _ if !text.starts_with("amqp://") && !text.starts_with("amqps://") => {
            Err("not an amqp:// or amqps:// URI".to_owned())
        }
        _ => match text.parse() {
            Ok(uri) => Ok(Some(complete(uri, text))),
            Err(reason) => Err(format!("not an amqp:// or amqps:// URI ({reason})")),
        },
    })
}

/// Makes up for what the parser leaves out.
fn complete(mut uri: AMQPUri, text: &str) -> AMQPUri {
    // It keeps no IPv6 address and falls back to localhost.
    if let Some((_, rest)) = text.split_once("@[").or_else(|| text.split_once("//["))
        && let Some((address, _)) = rest.split_once(']')
    {
        address.clone_into(&mut uri.authority.host);
    }
    if uri.vhost.is_empty() {
        uri.vhost.push('/');
    }
    debug_assert!(matches!(uri.scheme, AMQPScheme::AMQP | AMQPScheme::AMQPS));
    uri
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

impl Mongo {
    /// What a person should know about the connection string, a sentence each.
    pub(super) fn notes(&self) -> Vec<String> {
        let notes = Uri::parse(&self.uri.0).map(|uri| uri.notes());
        let notes = notes.unwrap_or_default().into_iter();
        notes
            .map(|note| format!("MONGO_DATABASE_HOST: {note}"))
            .collect()
    }
}

impl Rabbit {
    pub(super) fn broker(&self) -> Broker {
        Broker::new(self.uri.clone().unwrap_or_else(|| {
            let mut uri = AMQPUri::default();
            uri.authority.host.clone_from(&self.host);
            uri.authority.port = self.port;
            uri.authority.userinfo.username.clone_from(&self.user);
            uri.authority.userinfo.password.clone_from(&self.password);
            uri.vhost.clone_from(&self.vhost);
            uri
        }))
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
    let rabbit = rabbit.broker().address();
    addresses.split(',').all(|address| {
        let mut mongo = mongo.0.split(['/', ',']);
        address == rabbit || mongo.any(|known| known == address)
    })
}
