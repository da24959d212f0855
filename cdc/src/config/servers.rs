//! Where the two servers are.

use lapin::uri::AMQPUri;

use super::{
    Faults, Secret,
    amqp_uri::Uri,
    kind::Kind,
    setting::Input,
    settings::{Mongo, Rabbit},
};
use crate::{
    mongo,
    rabbitmq::{Broker, Node},
};

pub(super) fn mongo_uri() -> Kind<Secret> {
    Kind::new("", |uri| {
        mongo::Uri::parse(uri).map(|_| Secret(uri.to_owned()))
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

impl Mongo {
    /// What a person should know about the connection string, a sentence each.
    pub(super) fn notes(&self) -> Vec<String> {
        let notes = mongo::Uri::parse(&self.uri.0).map(|uri| uri.notes());
        let notes = notes.unwrap_or_default().into_iter();
        notes
            .map(|note| format!("MONGO_DATABASE_HOST: {note}"))
            .collect()
    }
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
