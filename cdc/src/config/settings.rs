//! The settings, each declared once: the flag, the check, `.env.example` and `docs/configuration.md` come from here.

use std::{collections::BTreeSet, net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use lapin::uri::SASLMechanism;

use super::{
    LogFilter, LogFormat, Secret,
    admin::{host_names, token},
    amqp_uri::{Uri, amqp_uri},
    arguments::{exchange_arguments, queue_arguments},
    fields::key,
    formats::uri_reference,
    kind::{
        address, aggregation, choice, database, databases, list, millis, number, operations,
        optional, sequence, share, short, start, text,
    },
    log::filter,
    routing::{headers, routing_key},
    servers::{hosts, mongo_uri},
    setting::{Input, SecretFile, Setting, settings},
    snapshot::rate,
    streams::{Protocol, age},
    tls::{AUTH, file, switch},
    topology::exchange_type,
};
use crate::{
    admin::Token,
    encode::{
        Format, Headers, JsonMode, Partitions, RoutingKey, cloudevents, compression::Algorithm,
    },
    lease::PIPELINE_BYTES_MAX,
    pipeline::{OnOversize, OnPoison, OnUnroutable},
    rabbitmq::{Arguments, Declare, QueueType},
    share::Share,
    snapshot::{OnRenameIn, When},
    source::{Aggregation, FullDocument, FullDocumentBefore, HistoryLost, Operations},
    start::Start,
};

settings! { "MongoDB" Mongo {
    /// Connection string, `mongodb://` or `mongodb+srv://`
    uri: Secret = MONGO_DATABASE_HOST(
        URI,
        "mongodb://localhost:30001,localhost:30002,localhost:30003/?replicaSet=my-replica-set",
        mongo_uri().secret()
    ),
    /// Database to watch, several separated by commas, or `*` for all of the deployment
    ///
    /// Where this is not set, the database in the path of `MONGO_DATABASE_HOST` is watched, if there is one; `admin` is none.
    /// The checkpoint's database is never watched.
    databases: BTreeSet<String> = MONGO_DATABASE_NAME(NAME, "scrabble", databases()),
    /// Collections to watch, separated by commas
    ///
    /// `*` stands for any text, `?` for any one character; the watched database may stand before a name, as in
    /// `scrabble.games`. Where more databases are watched, what is before the first dot is one of them or a pattern, and a
    /// name without a dot is of any.
    collections: BTreeSet<String> = CDC_COLLECTIONS(NAMES, "all" / "games,moves_*", list()),
    /// Collections of these not to watch, separated by commas, in the same form
    excluded: BTreeSet<String> = CDC_COLLECTIONS_EXCLUDE(NAMES, "none" / "moves_tmp*", list()),
    /// Operations to publish, separated by commas, or `all`, which also has those of later servers
    ///
    /// Every change of a document is `insert,update,replace,delete`: replaceOne gives a `replace`, not an `update`.
    operations: Operations = CDC_OPERATIONS(NAMES, "insert", operations()),
    /// Stages behind those of the change stream, a JSON array of Extended JSON
    ///
    /// `$match`, `$set`, `$addFields`, `$unset`, or a `$project` that leaves fields out; they see whole change events. What
    /// an event is known by has to stay: `_id`, `operationType`, `clusterTime`, `ns`, `to`, `documentKey` and
    /// `operationDescription`.
    aggregation: Aggregation = CDC_AGGREGATION(
        JSON,
        "none" / "[{\"$match\": {\"fullDocument.level\": {\"$gte\": 3}}}]",
        aggregation()
    ),
    /// The full document of an update: none, looked up when the update is read, or as it was right after it
    ///
    /// The last takes collections with `changeStreamPreAndPostImages`; where one has none, the document is missing
    /// (`when_available`), or the engine stops (`required`).
    full_document: FullDocument = CDC_FULL_DOCUMENT(WHICH, "lookup", choice(&FullDocument::NAMES)),
    /// The full document before a change, which takes the same
    full_document_before: FullDocumentBefore = CDC_FULL_DOCUMENT_BEFORE(
        WHICH,
        "off",
        choice(&FullDocumentBefore::NAMES)
    ),
    /// Where a pipeline without a checkpoint begins: `now`, `earliest` or a time such as `2026-11-28T12:00:00Z`
    ///
    /// `earliest` is the oplog's begin, which takes `read` on the database `local`; a time before it is a fault.
    start: Start = CDC_START(WHEN, "now", start()),
    /// Database that holds the checkpoint, never the watched one
    checkpoint_database: String = CDC_CHECKPOINT_DATABASE(NAME, "cdc", database()),
    /// What to do when the changes since the checkpoint have left the oplog
    ///
    /// `skip` goes on from now, warns with the range that was skipped, and counts it. `snapshot` does the same, and then
    /// reads every document that is watched; deletions of the range stay unknown.
    on_history_lost: HistoryLost = CDC_ON_HISTORY_LOST(POLICY, "stop", choice(&HistoryLost::NAMES)),
} }

settings! { "Snapshots" Snapshots {
    /// Whether a pipeline without a checkpoint begins with every document that exists
    ///
    /// With `initial` they come as messages of the operation `read`, in order with the changes.
    when: When = CDC_SNAPSHOT(WHEN, "never", choice(&When::NAMES)),
    /// Most documents that a snapshot reads in a second
    rate: Option<NonZeroU32> = CDC_SNAPSHOT_RATE(
        N,
        "no limit" / "2000",
        optional(rate())
    ),
    /// What follows where a collection comes among the watched ones by a rename
    ///
    /// No change tells of its documents: `event` publishes the rename alone, `snapshot` reads the documents too.
    on_rename_in: OnRenameIn = CDC_ON_RENAME_IN(POLICY, "event", choice(&OnRenameIn::NAMES)),
} }

settings! { "RabbitMQ" Rabbit {
    /// Hosts of the broker's nodes, separated by commas: names or addresses, each with a port or without
    ///
    /// For example `a.example,b.example:5674,[::1]:5675`. They are tried in random order.
    hosts: String = RABBITMQ_HOST(HOSTS, "localhost", hosts()),
    /// Port of the hosts that have none of their own
    port: u16 = RABBITMQ_PORT(PORT, "5673", number(1..=65_535)),
    /// User name
    user: String = RABBITMQ_DEFAULT_USERNAME(USER, "guest", text()),
    /// Password
    ///
    /// Better not given as a flag, which shows in the process list.
    password: String = RABBITMQ_DEFAULT_PASSWORD(PASSWORD, "guest", text().verbatim().secret()),
    /// Virtual host
    vhost: String = RABBITMQ_VHOST(VHOST, "/", text()),
    /// A full `amqp://` or `amqps://` URI
    ///
    /// It wins over host, port, user name, password and virtual host. Several hosts stand with commas between them; its
    /// parameters are `auth_mechanism`, `channel_max`, `connection_timeout` (ms), `frame_max` and `heartbeat` (s).
    uri: Option<Uri> = RABBITMQ_URI(
        URI,
        "made of the settings above" / "amqps://user:password@a.example,b.example:5671/vhost",
        amqp_uri().secret()
    ),
    /// Whether the connection is encrypted, where there is no URI
    tls: Option<bool> = RABBITMQ_TLS(
        SWITCH,
        "on where one of the next three files is set" / "on",
        switch()
    ),
    /// PEM file of the CA certificates that are trusted, instead of the system's
    ca_file: Option<PathBuf> = RABBITMQ_CA_FILE(FILE, "the system's CAs" / "/etc/cdc/ca.pem", file()),
    /// PEM file of the client certificate
    cert_file: Option<PathBuf> = RABBITMQ_CERT_FILE(FILE, "none" / "/etc/cdc/client.pem", file()),
    /// PEM file of the client certificate's private key, not encrypted
    key_file: Option<PathBuf> = RABBITMQ_KEY_FILE(FILE, "none" / "/etc/cdc/client.key", file()),
    /// How to authenticate
    ///
    /// With `external` the client certificate gives the user's name; user name and password are not used. The URI's
    /// `auth_mechanism` wins.
    auth: SASLMechanism = RABBITMQ_AUTH(MECHANISM, "plain", choice(&AUTH)),
    /// Queue, used as it is where it is there
    queue: String = RABBITMQ_QUEUE_NAME(QUEUE, "test_queue", short(255)),
    /// Type that the queue must have
    queue_type: Option<QueueType> = CDC_QUEUE_TYPE(
        TYPE,
        "any that is there, classic for a new one" / "quorum",
        optional(choice(&QueueType::NAMES))
    ),
} }

settings! { "Both servers" Servers {
    /// Longest wait for the servers at the start
    startup_timeout: Duration = CDC_STARTUP_TIMEOUT_MS(MS, "30000", millis(0..=3_600_000)),
} }

settings! { "Messages" Messages {
    /// Exchange to publish to
    ///
    /// It must exist, and queues must be bound to it, unless `CDC_DECLARE` is `all`.
    exchange: String = RABBITMQ_EXCHANGE(EXCHANGE, "the default exchange" / "changes", short(255)),
    /// Routing key, which may have values of the change in braces
    ///
    /// `{database}`, `{collection}`, `{operation}`, `{key}` for the `_id`, `{document.tenant.id}` for a field of the
    /// document, and `{partition}`; see messages.md.
    routing_key: Option<RoutingKey> = RABBITMQ_ROUTING_KEY(
        KEY,
        "the queue" / "{database}.{collection}.{operation}",
        routing_key()
    ),
    /// Over how many partitions changes are spread
    ///
    /// With more than one, the queues are `<queue>.0`, `<queue>.1` and so on. All changes of a document go to the same
    /// one, and what is about no document goes to each.
    partitions: u16 = CDC_PARTITIONS(N, "1", number(1..=Partitions::MAX.into())),
    /// Headers of every message, a JSON object of texts and whole numbers
    ///
    /// A text may have values of the change in braces, as the routing key may.
    headers: Headers = CDC_HEADERS(
        JSON,
        "none" / "{\"tenant\": \"{document.tenant.id}\", \"env\": \"prod\"}",
        headers()
    ),
    /// Time after which RabbitMQ drops a message that nobody has taken
    ///
    /// What was dropped is gone, unless the queue has a dead-letter exchange. What is parked stays.
    lifetime: Option<Duration> = CDC_MESSAGE_TTL_MS(
        MS,
        "none" / "86400000",
        optional(millis(1..=u32::MAX.into()))
    ),
    /// Priority of every message, for queues with x-max-priority
    priority: Option<u8> = CDC_MESSAGE_PRIORITY(N, "none" / "5", optional(number(0..=255))),
    /// What the body is
    ///
    /// `document` is the document with its collection and its id, `event` the whole change event, `debezium` the envelope
    /// of Debezium's connector for MongoDB, `cloudevents` CloudEvents 1.0, `bson` the whole change event as BSON.
    format: Format = CDC_FORMAT(FORMAT, "document", choice(&Format::NAMES)),
    /// Dialect of Extended JSON v2
    json_mode: JsonMode = CDC_JSON_MODE(MODE, "relaxed", choice(&JsonMode::NAMES)),
} }

settings! { "Fields of documents" Fields {
    /// Paths of the fields that no message has, separated by commas
    ///
    /// docs/privacy.md says what a path is, and what follows from it.
    exclude: Vec<String> = CDC_FIELDS_EXCLUDE(PATHS, "none" / "notes,games:players.email", sequence()),
    /// Paths of the only fields that messages have, separated by commas; `_id` always stays
    include: Vec<String> = CDC_FIELDS_INCLUDE(PATHS, "all" / "name,games:players", sequence()),
    /// Paths of the fields whose values are replaced, separated by commas
    ///
    /// `path` puts `***` in the place of each value beneath it, `path=text` that text, and `path=hash` a keyed hash, which
    /// is the same for equal values.
    mask: Vec<String> = CDC_FIELDS_MASK(PATHS, "none" / "phone,card=none,games:players.name=hash", sequence()),
    /// Key of the hashes in `CDC_FIELDS_MASK`, at least 16 bytes
    ///
    /// `openssl rand -hex 32` writes a good one. Hashes of another key do not match.
    secret: Option<Secret> = CDC_FIELDS_MASK_SECRET(
        SECRET,
        "none" / "what-openssl-rand-hex-32-writes",
        key()
    ),
} }

settings! { "Formats" Formats {
    /// With the format `debezium`: `source.name`, for Debezium its topic prefix
    debezium_name: Option<String> = CDC_DEBEZIUM_NAME(NAME, "the pipeline's name" / "shop", optional(short(255))),
    /// With the format `debezium`: whether each body has its Kafka Connect schema, as `{"schema":…,"payload":…}`
    debezium_schema: bool = CDC_DEBEZIUM_SCHEMA(SWITCH, "off", choice(&[("off", false), ("on", true)])),
    /// With the format `cloudevents`: where the attributes are, in the body or in headers
    cloudevents_mode: cloudevents::Mode = CDC_CLOUDEVENTS_MODE(
        MODE,
        "structured",
        choice(&cloudevents::Mode::NAMES)
    ),
    /// With the format `cloudevents` and the mode `binary`: what the names of these headers begin with
    cloudevents_prefix: cloudevents::Prefix = CDC_CLOUDEVENTS_PREFIX(
        PREFIX,
        "cloudEvents:",
        choice(&cloudevents::Prefix::NAMES)
    ),
    /// With the format `cloudevents`: the attribute `source`, a URI reference
    cloudevents_source: Option<String> = CDC_CLOUDEVENTS_SOURCE(
        URI,
        "/mongodb/ and the change's database" / "https://shop.example/orders",
        optional(uri_reference())
    ),
    /// What bodies are compressed with, in every format
    ///
    /// The property `content_encoding` tells, and the largest message that the broker takes is compared with what is left.
    compression: Option<Algorithm> = CDC_COMPRESSION(ALGORITHM, "none", choice(&Algorithm::NAMES)),
    /// Smallest body that is compressed, in bytes
    ///
    /// One that would not get smaller stays as it is.
    compression_min_bytes: usize = CDC_COMPRESSION_MIN_BYTES(BYTES, "1024", number(0..=4 << 30)),
} }

settings! { "Declarations" Declarations {
    /// What is declared on the broker; what is there is never changed
    ///
    /// `missing` declares queues that are not there: the one of the default exchange, and the one for what is parked.
    /// `all` also declares the exchange, and the queue with its binding to it.
    declare: Declare = CDC_DECLARE(WHAT, "missing", choice(&Declare::NAMES)),
    /// Arguments of the queue where it is declared, a JSON object
    ///
    /// The queue for what is parked has none of them.
    queue_arguments: Arguments = CDC_QUEUE_ARGUMENTS(
        JSON,
        "none" / "{\"x-max-length\": 1000000, \"x-overflow\": \"reject-publish\"}",
        queue_arguments()
    ),
    /// Type of the exchange where it is declared (topic, direct, fanout, headers, or x- and more)
    exchange_type: String = CDC_EXCHANGE_TYPE(TYPE, "topic", exchange_type()),
    /// Arguments of the exchange where it is declared, a JSON object
    exchange_arguments: Arguments = CDC_EXCHANGE_ARGUMENTS(
        JSON,
        "none" / "{\"alternate-exchange\": \"changes.unrouted\"}",
        exchange_arguments()
    ),
    /// Key by which the queue is bound to the exchange where that is declared
    ///
    /// With `CDC_PARTITIONS` it has `{partition}` in it.
    binding_key: Option<String> = CDC_BINDING_KEY(
        KEY,
        "# for a topic exchange, the routing key for a direct one or with partitions, else empty" / "scrabble.#",
        optional(short(255))
    ),
} }

settings! { "Streams" Streams {
    /// By which protocol messages go to a stream (`CDC_QUEUE_TYPE` stream)
    ///
    /// `native` is RabbitMQ's own for streams, by which each message is stored once whatever crashes; `amqp` brings some
    /// messages again after a crash. `auto` is `native` where the broker speaks it and the exchange is the default one.
    protocol: Protocol = CDC_STREAM_PROTOCOL(PROTOCOL, "auto", choice(&Protocol::NAMES)),
    /// Port of the stream protocol at the hosts of `RABBITMQ_HOST` or `RABBITMQ_URI`
    port: Option<u16> = RABBITMQ_STREAM_PORT(
        PORT,
        "5552, with TLS 5551" / "5552",
        optional(number(1..=65_535))
    ),
    /// Bytes of a stream from which on its oldest messages go, where it is declared
    max_bytes: Option<u64> = CDC_STREAM_MAX_BYTES(
        BYTES,
        "no limit" / "20000000000",
        optional(number(1..=i64::MAX as u64))
    ),
    /// Age from which on the oldest messages of a stream go, where it is declared: a number and one of Y, M, D, h, m, s
    max_age: Option<String> = CDC_STREAM_MAX_AGE(AGE, "no limit" / "7D", optional(age())),
    /// Bytes of a stream's segments, where it is declared; what goes for its age or its place goes by the segment
    segment_bytes: Option<u64> = CDC_STREAM_SEGMENT_BYTES(
        BYTES,
        "RabbitMQ's" / "100000000",
        optional(number(1_000..=3_000_000_000))
    ),
} }

settings! { "Engine" Engine {
    /// Name of this pipeline: its checkpoint and its lock
    pipeline: String = CDC_PIPELINE(NAME, "default", short(PIPELINE_BYTES_MAX)),
    /// Which share of the documents this engine has, as `i/N`: that of the number i of N, counted from 0
    ///
    /// An engine whose i is N or more stands by for the one of i modulo N. Each share has a checkpoint and a lock of its
    /// own; see scaling.md. `cdc checkpoint divide` changes N.
    share: Option<Share> = CDC_SHARE(SHARE, "all documents" / "0/4", share()),
    // More in flight make fewer system calls; from some 1,200 on a quorum queue of RabbitMQ 4.0 takes them more slowly
    // (200,000 messages, by the fastest publisher: 1,024 in flight 31,000 to 33,000/s, 1,400 22,000 to 24,000/s, 2,048
    // 12,000/s). Fewer make more system calls and were faster in one comparison, slower in another.
    /// Most messages in flight
    ///
    /// A broker that answers after 50 ms takes at most 20 windows a second.
    window_events: usize = CDC_WINDOW_EVENTS(N, "1024", number(1..=65_536)),
    /// Most bytes of bodies in flight
    ///
    /// One larger message still passes alone.
    window_bytes: usize = CDC_WINDOW_BYTES(BYTES, "4194304", number(1024..=4 << 30)),
    /// Longest time between checkpoints while busy
    checkpoint_interval: Duration = CDC_CHECKPOINT_INTERVAL_MS(MS, "1000", millis(10..=3_600_000)),
    /// Longest wait for the broker's confirm of a message
    confirm_timeout: Duration = CDC_CONFIRM_TIMEOUT_MS(MS, "30000", millis(100..=3_600_000)),
    /// Longest drain after a signal
    shutdown_grace: Duration = CDC_SHUTDOWN_GRACE_MS(MS, "10000", millis(0..=3_600_000)),
    /// What to do with a message that matches no queue
    ///
    /// `retry` declares again what is ours and publishes again, `park` moves it to `<queue>.parked`, `drop` gives it up
    /// and counts it.
    on_unroutable: OnUnroutable = CDC_ON_UNROUTABLE(POLICY, "stop", choice(&OnUnroutable::NAMES)),
    /// What to do with a message that is larger than the broker takes
    ///
    /// `trim` leaves the full document out and says so in the header `cdc-trimmed-bytes`, `park` moves the trimmed
    /// message to `<queue>.parked`.
    on_oversize: OnOversize = CDC_ON_OVERSIZE(POLICY, "stop", choice(&OnOversize::NAMES)),
    /// What to do with an event that cannot be encoded
    ///
    /// `park` moves it, as raw BSON, to `<queue>.parked`. `replace` publishes it with U+FFFD in the place of text that is
    /// not UTF-8, and says where in the header `cdc-replaced-paths`.
    on_poison: OnPoison = CDC_ON_POISON(POLICY, "stop", choice(&OnPoison::NAMES)),
    /// Headroom below which the engine warns
    ///
    /// That is the time until changes leave the oplog that are not read yet, as things go; operating.md says how it is worked
    /// out. Half of the oplog's window where that is less; 0 for never.
    headroom_warning: u32 = CDC_HEADROOM_WARNING_SECONDS(SECONDS, "21600", number(0..=31_536_000)),
    /// Headroom below which `/ready` answers 503
    ///
    /// A quarter of the oplog's window where that is less; 0 for never.
    headroom_critical: u32 = CDC_HEADROOM_CRITICAL_SECONDS(SECONDS, "3600", number(0..=31_536_000)),
    /// How log lines look
    log_format: LogFormat = CDC_LOG_FORMAT(FORMAT, "text", choice(&LogFormat::NAMES)),
    /// Which log lines are written, for example `debug` or `cdc=debug,mongodb=info`
    ///
    /// Release builds have nothing below `debug`.
    log: LogFilter = RUST_LOG(FILTER, "info", filter()),
} }

settings! { "Admin port" AdminPort {
    /// Address and port of metrics and health, or `off`
    ///
    /// 0.0.0.0 lets other machines in, for which one of the next two has to be set; port 0 takes a free one, which the log
    /// names.
    address: Option<SocketAddr> = CDC_ADMIN_ADDR(ADDRESS, "127.0.0.1:9464", address()),
    /// Token that clients have to send as `Authorization: Bearer TOKEN`, at least 16 characters
    ///
    /// `openssl rand -hex 32` writes a good one. `/live` and `/ready` answer without it too, and then tell no detail.
    token: Option<Token> = CDC_ADMIN_TOKEN(TOKEN, "none" / "what-openssl-rand-hex-32-writes", token()),
    /// Whether other machines may ask without a token
    allow_anyone: bool = CDC_ADMIN_ALLOW_ANYONE(SWITCH, "off", choice(&[("off", false), ("on", true)])),
    /// Names by which clients may ask, beside `localhost` and addresses, separated by commas
    ///
    /// A request by any other name is refused where it does not show the token: a web page could have its own name lead to
    /// this port, and read it through the browser of whoever looks at that page.
    hosts: Vec<String> = CDC_ADMIN_HOSTS(NAMES, "none" / "cdc.example,cdc", host_names()),
} }

/// What `cdc run` reads, in the order of the help and of the documents.
pub(super) struct Settings {
    pub(super) mongo: Mongo,
    pub(super) snapshots: Snapshots,
    pub(super) rabbit: Rabbit,
    pub(super) servers: Servers,
    pub(super) messages: Messages,
    pub(super) fields: Fields,
    pub(super) formats: Formats,
    pub(super) declarations: Declarations,
    pub(super) streams: Streams,
    pub(super) engine: Engine,
    pub(super) admin: AdminPort,
}

impl Rabbit {
    /// Reads the group; where there is a URI, what is wrong with its parts does not matter.
    pub(super) fn checked(input: &mut Input<'_>) -> Self {
        let rabbit = Self::read(input);
        if rabbit.uri.is_some() {
            input.faults.forget(&["RABBITMQ_HOST", "RABBITMQ_PORT"]);
        }
        rabbit
    }
}

impl Settings {
    pub(super) fn read(input: &mut Input<'_>) -> Self {
        Self {
            mongo: Mongo::read(input),
            snapshots: Snapshots::read(input),
            rabbit: Rabbit::checked(input),
            servers: Servers::read(input),
            messages: Messages::read(input),
            fields: Fields::read(input),
            formats: Formats::read(input),
            declarations: Declarations::read(input),
            streams: Streams::read(input),
            engine: Engine::read(input),
            admin: AdminPort::read(input),
        }
    }
}

/// The settings of `cdc run`.
pub fn run_settings() -> Vec<Setting> {
    let mut input = Input::default();
    Settings::read(&mut input);
    input.declared
}

/// The settings of `cdc tail`.
pub fn tail_settings() -> Vec<Setting> {
    let mut input = Input::default();
    Rabbit::read(&mut input);
    Servers::read(&mut input);
    input.declared
}

/// What the toolkit and docker compose read from the same `.env`: variable, default or example, meaning.
pub(super) const TOOLKIT: [(&str, &str, &str); 12] = [
    (
        "CDC_BACKEND",
        "auto",
        "How local servers run: auto, docker or native",
    ),
    ("MONGO_IMAGE", "mongo:8.0", "Image of MongoDB"),
    (
        "RABBITMQ_IMAGE",
        "rabbitmq:4-management",
        "Image of RabbitMQ",
    ),
    (
        "CDC_IMAGE",
        "cdc",
        "Image of the engine, which docker compose builds where there is none",
    ),
    (
        "CDC_RUST_IMAGE",
        "rust:1.95-slim-bookworm",
        "Image that compiles the engine's",
    ),
    (
        "CDC_RUNTIME_IMAGE",
        "gcr.io/distroless/cc-debian12:nonroot",
        "Image that the engine's is based on",
    ),
    ("MONGO_PORT_1", "30001", "Port of the first member"),
    ("MONGO_PORT_2", "30002", "Port of the second member"),
    ("MONGO_PORT_3", "30003", "Port of the third member"),
    (
        "RABBITMQ_MANAGEMENT_PORT",
        "15673",
        "Port of the management page",
    ),
    (
        "MONGOD",
        "/usr/bin/mongod",
        "A mongod that is already there, for native servers",
    ),
    (
        "RABBITMQ_SERVER",
        "/usr/lib/rabbitmq/bin/rabbitmq-server",
        "A rabbitmq-server that is already there, for native servers",
    ),
];
