//! Where the two servers are.

use lapin::uri::{AMQPScheme, AMQPUri};
use mongodb::options::ConnectionString;

use super::{
    RabbitArgs, Secret,
    faults::{Faults, set},
};
use crate::amqp::{Broker, Queue, QueueType};

pub(super) const DEFAULT_QUEUE: &str = "test_queue";
const DEFAULT_MONGO_URI: &str =
    "mongodb://localhost:30001,localhost:30002,localhost:30003/?replicaSet=my-replica-set";
const DEFAULT_RABBIT_HOST: &str = "localhost";
const DEFAULT_RABBIT_PORT: u64 = 5673;

/// Whether all of `addresses`, `host:port` with commas between them, are those of servers on this machine that are
/// used where nothing is set.
pub fn are_defaults(addresses: &str) -> bool {
    let rabbit = format!("{DEFAULT_RABBIT_HOST}:{DEFAULT_RABBIT_PORT}");
    addresses.split(',').all(|address| {
        let mut mongo = DEFAULT_MONGO_URI.split(['/', ',']);
        address == rabbit || mongo.any(|known| known == address)
    })
}

pub(super) fn mongo_uri(value: Option<&str>, faults: &mut Faults) -> Secret {
    let uri = Faults::text(value, DEFAULT_MONGO_URI);
    if let Err(error) = ConnectionString::parse(&uri) {
        // The driver's texts name the option at fault; the user's part of the URI is never shown.
        let reason = redact(&error.kind.to_string(), &uri);
        faults.add(
            "MONGO_DATABASE_HOST",
            format_args!("not a mongodb:// or mongodb+srv:// connection string ({reason})"),
        );
    }
    Secret(uri)
}

pub(super) fn broker(args: &RabbitArgs, faults: &mut Faults) -> Broker {
    Broker::new(match set(args.rabbitmq_uri.as_deref()) {
        Some(uri) => from_uri(uri, faults),
        None => from_parts(args, faults),
    })
}

pub(super) fn queue(args: &RabbitArgs, faults: &mut Faults) -> Queue {
    Queue {
        name: short_name(
            "RABBITMQ_QUEUE_NAME",
            args.rabbitmq_queue_name.as_deref(),
            DEFAULT_QUEUE,
            faults,
        ),
        kind: faults.choice(
            "CDC_QUEUE_TYPE",
            args.queue_type.as_deref(),
            &QueueType::NAMES,
        ),
    }
}

/// The queue for what is parked, beside `queue`. A stream has none of its own kind: what is parked is to be taken out.
pub(super) fn parking(queue: &Queue, faults: &mut Faults) -> Queue {
    let name = format!("{}.parked", queue.name);
    if name.len() > 255 {
        let text = format!("`{name}`, the queue for what is parked, is longer than 255 bytes");
        faults.add("RABBITMQ_QUEUE_NAME", text);
    }
    let kind = match queue.kind {
        QueueType::Stream => QueueType::Classic,
        kind => kind,
    };
    Queue { name, kind }
}

/// A name that AMQP carries as a short string: at most 255 bytes.
pub(super) fn short_name(
    variable: &str,
    value: Option<&str>,
    default: &str,
    faults: &mut Faults,
) -> String {
    let name = Faults::text(value, default);
    if name.len() > 255 {
        faults.add(
            variable,
            format_args!("{} bytes long, AMQP allows 255", name.len()),
        );
        return default.to_owned();
    }
    name
}

fn from_parts(args: &RabbitArgs, faults: &mut Faults) -> AMQPUri {
    let mut uri = AMQPUri::default();
    uri.authority.host = Faults::text(args.rabbitmq_host.as_deref(), DEFAULT_RABBIT_HOST);
    if uri.authority.host.contains(['/', '@', ' ']) || uri.authority.host.matches(':').count() == 1
    {
        faults.add(
            "RABBITMQ_HOST",
            "not a host name or address; the port has its own variable, a full URI is RABBITMQ_URI",
        );
    }
    let port = faults.number(
        "RABBITMQ_PORT",
        args.rabbitmq_port.as_deref(),
        DEFAULT_RABBIT_PORT,
        1..=65_535,
    );
    uri.authority.port = u16::try_from(port).unwrap_or_default();
    uri.authority.userinfo.username =
        Faults::text(args.rabbitmq_default_username.as_deref(), "guest");
    uri.authority.userinfo.password = args
        .rabbitmq_default_password
        .clone()
        .filter(|password| !password.is_empty())
        .unwrap_or("guest".to_owned());
    uri.vhost = Faults::text(args.rabbitmq_vhost.as_deref(), "/");
    uri
}

fn from_uri(text: &str, faults: &mut Faults) -> AMQPUri {
    let scheme_known = ["amqp://", "amqps://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    match text.parse::<AMQPUri>() {
        Ok(mut uri) if scheme_known => {
            // The parser keeps no IPv6 address and falls back to localhost.
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
        Ok(_) => {
            faults.add("RABBITMQ_URI", "not an amqp:// or amqps:// URI");
            AMQPUri::default()
        }
        Err(reason) => {
            let reason = redact(&reason, text);
            faults.add(
                "RABBITMQ_URI",
                format_args!("not an amqp:// or amqps:// URI ({reason})"),
            );
            AMQPUri::default()
        }
    }
}

/// `text` without the credentials that `uri` holds.
fn redact(text: &str, uri: &str) -> String {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let mut text = text.replace(uri, "(the URI)").replace(rest, "(the URI)");
    if let Some((credentials, _)) = rest.rsplit_once('@') {
        text = text.replace(credentials, "(credentials)");
        for part in credentials.split(':').filter(|part| part.len() > 2) {
            text = text.replace(part, "(hidden)");
        }
    }
    text
}
