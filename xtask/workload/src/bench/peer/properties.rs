//! What Debezium Server is told: where to read and to publish. All else is as it comes, but for two things: documents
//! are written in relaxed Extended JSON, as the engine writes them, and positions are saved every second, as it does.

use std::{fmt::Write, path::Path};

use lapin::uri::AMQPUri;

/// Where it reads and publishes.
#[derive(Debug)]
pub(super) struct Route<'a> {
    pub(super) mongo_uri: &'a str,
    pub(super) database: &'a str,
    /// File of its position.
    pub(super) offsets: &'a Path,
    pub(super) broker: &'a AMQPUri,
    pub(super) target: Target<'a>,
}

/// Where its messages go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'a> {
    /// A queue that is bound by its name to an exchange of its name.
    Queue(&'a str),
    /// A stream, by its own protocol at this host and port.
    Stream(&'a str, (&'a str, &'a str)),
}

/// What is the same wherever it goes.
const ALWAYS: &str = "\
debezium.source.connector.class=io.debezium.connector.mongodb.MongoDbConnector
debezium.source.topic.prefix=bench
debezium.source.snapshot.mode=no_data
debezium.source.json.serialization.mode=relaxed
debezium.source.offset.storage=org.apache.kafka.connect.storage.FileOffsetBackingStore
debezium.source.offset.flush.interval.ms=1000
debezium.format.key=json
debezium.format.key.schemas.enable=false
debezium.format.value=json
debezium.format.value.schemas.enable=false
quarkus.http.host=127.0.0.1
quarkus.http.port=0
quarkus.log.console.json=false
";

impl Route<'_> {
    /// The text of its `application.properties`.
    pub(super) fn properties(&self) -> String {
        let mut text = ALWAYS.to_owned();
        let mut set = |name: &str, value: &str| {
            // A backslash and what looks like a name of another property have a meaning of their own.
            let value = value.replace('\\', "\\\\").replace('$', "\\\\$");
            let _ = writeln!(text, "debezium.{name}={value}");
        };
        let file = self.offsets.to_string_lossy();
        set("source.mongodb.connection.string", self.mongo_uri);
        set("source.database.include.list", self.database);
        set("source.offset.storage.file.filename", &file);
        let user = &self.broker.authority.userinfo;
        let (sink, host, port) = match self.target {
            Target::Queue(name) => {
                set("sink.rabbitmq.exchange", name);
                set("sink.rabbitmq.routingKeySource", "static");
                set("sink.rabbitmq.routingKey", name);
                set("sink.rabbitmq.connection.virtual.host", &self.broker.vhost);
                let port = self.broker.authority.port.to_string();
                ("rabbitmq", self.broker.authority.host.as_str(), port)
            }
            Target::Stream(name, (host, port)) => {
                set("sink.rabbitmqstream.stream", name);
                set("sink.rabbitmqstream.virtualHost", &self.broker.vhost);
                ("rabbitmqstream", host, port.to_owned())
            }
        };
        set("sink.type", sink);
        for (name, value) in [
            ("host", host),
            ("port", &port),
            ("username", &user.username),
            ("password", &user.password),
        ] {
            set(&format!("sink.{sink}.connection.{name}"), value);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(target: Target<'_>) -> Vec<String> {
        let broker = "amqp://me:a$b@there:5673/%2f".parse().unwrap();
        let route = Route {
            mongo_uri: "mongodb://localhost:1/?replicaSet=r",
            database: "d",
            offsets: Path::new("/o"),
            broker: &broker,
            target,
        };
        let text = route.properties();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_queue_is_reached_by_an_exchange_of_its_name() {
        let lines = lines(Target::Queue("q"));
        for line in [
            "debezium.source.mongodb.connection.string=mongodb://localhost:1/?replicaSet=r",
            "debezium.sink.type=rabbitmq",
            "debezium.sink.rabbitmq.exchange=q",
            "debezium.sink.rabbitmq.connection.host=there",
            "debezium.sink.rabbitmq.connection.port=5673",
            "debezium.sink.rabbitmq.connection.password=a\\\\$b",
        ] {
            assert!(lines.iter().any(|found| found == line), "{line}: {lines:?}");
        }
    }

    #[test]
    fn a_stream_is_reached_at_its_own_port() {
        let lines = lines(Target::Stream("s", ("here", "5556")));
        for line in [
            "debezium.sink.type=rabbitmqstream",
            "debezium.sink.rabbitmqstream.stream=s",
            "debezium.sink.rabbitmqstream.connection.host=here",
            "debezium.sink.rabbitmqstream.connection.port=5556",
        ] {
            assert!(lines.iter().any(|found| found == line), "{line}: {lines:?}");
        }
    }
}
