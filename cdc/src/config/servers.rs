//! Where the two servers are.

use lapin::uri::{AMQPScheme, AMQPUri};
use mongodb::options::ConnectionString;

use super::{
    Secret,
    kind::Kind,
    setting::Input,
    settings::{Mongo, Rabbit},
};
use crate::{amqp::Broker, encode::RoutingKey};

pub(super) fn mongo_uri() -> Kind<Secret> {
    Kind::new("", |uri| match ConnectionString::parse(uri) {
        Ok(_) => Ok(Secret(uri.to_owned())),
        Err(error) => Err(format!(
            "not a mongodb:// or mongodb+srv:// connection string ({})",
            error.kind
        )),
    })
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
