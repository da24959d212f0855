//! Exactly the permissions that docs/security.md names are enough; each one that is missing is named, with the command
//! that grants it.

use std::process::Command;

use serde_json::json;

use crate::{
    operate::rfc3339,
    support::{Broker, Engine, Finished, Scenario, check, eventually, mongo_uri, stream_address},
};

/// What the engine does on the broker, and the permissions for that. In the names, `Q`, `P` and `X` stand for the queue,
/// the one for what is parked, and the exchange, `LOCK` for the lock and `DEFAULT` for the default exchange.
struct Mode {
    label: &'static str,
    settings: &'static [(&'static str, &'static str)],
    permissions: &'static [Privilege],
    /// Whether exchange, queue and binding are the operator's.
    is_prepared: bool,
}

/// Kind of the permission, and what it is for.
type Privilege = (&'static str, &'static str);

const CONFIGURE: &str = "configure";
const WRITE: &str = "write";
const READ: &str = "read";

const EXCHANGE: [(&str, &str); 2] = [
    ("RABBITMQ_EXCHANGE", "X"),
    ("RABBITMQ_ROUTING_KEY", "{collection}"),
];

const MISSING: Mode = Mode {
    label: "missing",
    settings: &[],
    permissions: &[(CONFIGURE, "LOCK"), (CONFIGURE, "Q"), (WRITE, "DEFAULT")],
    is_prepared: false,
};
const NEVER: Mode = Mode {
    label: "never",
    settings: &[("CDC_DECLARE", "never"), ("CDC_ON_POISON", "park")],
    permissions: &[(CONFIGURE, "LOCK"), (WRITE, "DEFAULT")],
    is_prepared: true,
};
const OWN_EXCHANGE: Mode = Mode {
    label: "exchange",
    settings: &[EXCHANGE[0], EXCHANGE[1], ("CDC_ON_UNROUTABLE", "park")],
    permissions: &[
        (CONFIGURE, "LOCK"),
        (CONFIGURE, "P"),
        (WRITE, "DEFAULT"),
        (WRITE, "X"),
    ],
    is_prepared: true,
};
const ALL: Mode = Mode {
    label: "all",
    settings: &[
        EXCHANGE[0],
        EXCHANGE[1],
        ("CDC_DECLARE", "all"),
        ("CDC_ON_POISON", "park"),
    ],
    permissions: &[
        (CONFIGURE, "LOCK"),
        (CONFIGURE, "Q"),
        (CONFIGURE, "P"),
        (CONFIGURE, "X"),
        (WRITE, "DEFAULT"),
        (WRITE, "Q"),
        (WRITE, "X"),
        (READ, "X"),
    ],
    is_prepared: false,
};
const DEAD_LETTERS: Mode = Mode {
    label: "letters",
    settings: &[(
        "CDC_QUEUE_ARGUMENTS",
        r#"{"x-dead-letter-exchange": "amq.fanout"}"#,
    )],
    permissions: &[
        (CONFIGURE, "LOCK"),
        (CONFIGURE, "Q"),
        (READ, "Q"),
        (WRITE, "DEFAULT"),
        (WRITE, "amq.fanout"),
    ],
    is_prepared: false,
};

const STREAM: Mode = Mode {
    label: "stream",
    settings: &[
        ("CDC_QUEUE_TYPE", "stream"),
        ("CDC_STREAM_PROTOCOL", "native"),
    ],
    permissions: &[
        (CONFIGURE, "LOCK"),
        (CONFIGURE, "Q"),
        (WRITE, "DEFAULT"),
        (WRITE, "Q"),
        (READ, "Q"),
    ],
    is_prepared: false,
};

/// A mode on a broker, with a user of its own.
struct Place<'a> {
    mode: Mode,
    broker: &'a Broker,
    scenario: Scenario,
    queue: String,
    exchange: String,
    admin_uri: String,
    user_uri: String,
    next: i32,
}

impl<'a> Place<'a> {
    async fn new(mode: Mode, broker: &'a Broker) -> Self {
        let admin_uri = broker.uri("");
        let mut scenario = Scenario::at(mode.label, &mongo_uri(), &admin_uri).await;
        let user = &scenario.name;
        let account = json!({ "password": "secret", "tags": "" });
        broker.put(&format!("/api/users/{user}"), &account).await;
        let user_uri = format!("amqp://{user}:secret@{}/%2f", broker.address());
        // Names that a shell and a regular expression would read otherwise.
        let queue = format!("{user} it's (eu)$");
        let exchange = format!("{user}+changes");
        scenario.set("RABBITMQ_QUEUE_NAME", &queue);
        for (variable, value) in mode.settings {
            scenario.set(variable, value.replace('X', &exchange));
        }
        if let Some(address) = broker.stream_address() {
            let port = address.rsplit_once(':').unwrap().1;
            scenario.set("RABBITMQ_STREAM_PORT", port);
        }
        let place = Self {
            mode,
            broker,
            scenario,
            queue,
            exchange,
            admin_uri,
            user_uri,
            next: 0,
        };
        place.prepare().await;
        place
    }

    fn parking(&self) -> String {
        format!("{}.parked", self.queue)
    }

    fn name(&self, what: &str) -> String {
        match what {
            "Q" => self.queue.clone(),
            "P" => self.parking(),
            "X" => self.exchange.clone(),
            "LOCK" => format!("cdc.lock.{}", self.scenario.name),
            "DEFAULT" => "amq.default".to_owned(),
            other => other.to_owned(),
        }
    }

    /// Makes what is the operator's, and takes away what is the engine's to declare.
    async fn prepare(&self) {
        let scenario = &self.scenario;
        scenario.delete_queue(&self.queue).await;
        scenario.delete_queue(&self.parking()).await;
        scenario.delete_exchange(&self.exchange).await;
        if !self.mode.is_prepared {
            return;
        }
        let none = lapin::types::FieldTable::default;
        scenario.declare(&self.queue, none()).await;
        scenario.declare_exchange(&self.exchange).await;
        scenario.bind(&self.queue, &self.exchange, "numbers").await;
        if self.mode.label == NEVER.label {
            scenario.declare(&self.parking(), none()).await;
        }
    }

    /// Grants the mode's permissions but for `missing`.
    async fn grant_without(&self, missing: Option<Privilege>) {
        let pattern = |kind: &str| {
            let granted = self.mode.permissions.iter();
            let granted =
                granted.filter(|privilege| privilege.0 == kind && Some(**privilege) != missing);
            let names: Vec<String> = granted
                .map(|(_, what)| format!("^{}$", escaped(&self.name(what))))
                .collect();
            if names.is_empty() {
                "^$".to_owned()
            } else {
                names.join("|")
            }
        };
        let patterns = json!({
            "configure": pattern(CONFIGURE), "write": pattern(WRITE), "read": pattern(READ)
        });
        self.put_permissions(&patterns).await;
    }

    async fn put_permissions(&self, patterns: &serde_json::Value) {
        let path = format!("/api/permissions/%2F/{}", self.scenario.name);
        self.broker.put(&path, patterns).await;
    }

    /// An engine with the user of the mode.
    fn spawn(&mut self) -> Engine {
        let uri = self.user_uri.clone();
        self.scenario.set("RABBITMQ_URI", uri);
        self.scenario.spawn()
    }

    /// An engine that may do anything.
    async fn start_as_admin(&mut self) -> Engine {
        let uri = self.admin_uri.clone();
        self.scenario.set("RABBITMQ_URI", uri);
        self.scenario.start().await
    }

    async fn insert(&mut self) -> i32 {
        let number = self.next;
        self.scenario.insert_numbers(number..number + 1).await;
        self.next += 1;
        number
    }

    async fn arrives(&self, number: i32) {
        let mut is_there = |all: &[crate::support::Delivery]| {
            let last = all.last();
            last.is_some_and(|delivery| delivery.number() == number)
        };
        self.scenario.take_until(&self.queue, &mut is_there).await;
    }

    /// Whether the engine finds out only when it asks whether another one holds the lock.
    fn is_standbys(&self, privilege: Privilege) -> bool {
        let publishes_there =
            !self.mode.settings.contains(&EXCHANGE[0]) && self.mode.label != STREAM.label;
        privilege == (WRITE, "DEFAULT") && !publishes_there
    }

    /// How the engine ends without `missing`.
    async fn ends_without(&mut self, missing: Privilege) -> Finished {
        self.prepare().await;
        let leader = if self.is_standbys(missing) {
            Some(self.start_as_admin().await)
        } else {
            None
        };
        self.grant_without(Some(missing)).await;
        self.insert().await;
        let finished = self.spawn().finish().await;
        if let Some(leader) = leader {
            leader.stop().await;
        }
        finished
    }

    /// The engine works.
    async fn works(&mut self) {
        let mut engine = self.spawn();
        engine.leads().await;
        let number = self.insert().await;
        self.arrives(number).await;
        let finished = engine.stop().await;
        assert_eq!(finished.code, Some(0), "{}", finished.log);
    }
}

/// `text` as a regular expression that matches it alone.
fn escaped(text: &str) -> String {
    let escape = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => character.to_string(),
        other => format!("\\{other}"),
    };
    text.chars().map(escape).collect()
}

/// The command of a hint.
pub(crate) fn command_of(finished: &Finished) -> String {
    let line = finished.log.lines().last().unwrap().trim();
    assert!(line.starts_with("rabbitmqctl "), "{}", finished.log);
    line.to_owned()
}

/// The words that a shell makes of `command` behind its first one.
pub(crate) fn words(command: &str) -> Vec<String> {
    let script = format!("rabbitmqctl() {{ printf '%s\\n' \"$@\"; }}; {command}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
    let words = String::from_utf8(output.stdout).unwrap();
    words.lines().map(str::to_owned).collect()
}

/// Takes each permission away, sees that it is named, and does what the hint says.
async fn each_missing_permission_is_named(mode: Mode) {
    let broker = Broker::exclusive().await;
    let mut place = Place::new(mode, &broker).await;
    // From now on there is a checkpoint, so that what is inserted while no engine runs is published.
    place.start_as_admin().await.stop().await;
    for privilege in place.mode.permissions {
        let finished = place.ends_without(*privilege).await;
        let (kind, name) = (privilege.0, place.name(privilege.1));
        let user = format!("user `{}` lacks the", place.scenario.name);
        let is_exchange = matches!(privilege.1, "X" | "DEFAULT" | "amq.fanout");
        let resource = if is_exchange { "exchange" } else { "queue" };
        let what = format!("{resource} `{name}` in virtual host `/`");
        check(&finished, 1, &[&user, &what, "hint: "]);
        let line = finished.log.lines().find(|line| line.contains(&user));
        let lacks = line.unwrap().split("lacks the ").nth(1).unwrap();
        let kinds = lacks.split(" permission on").next().unwrap();
        assert!(
            kinds.split(" or ").any(|one| one == kind),
            "{kind}: {}",
            finished.log
        );
        let words = words(&command_of(&finished));
        let [set, p, vhost, user, configure, write, read] = &words[..] else {
            panic!("{words:?}");
        };
        assert_eq!([set, p, vhost], ["set_permissions", "-p", "/"]);
        assert_eq!(user, &place.scenario.name);
        let patterns = json!({ "configure": configure, "write": write, "read": read });
        place.put_permissions(&patterns).await;
        place.works().await;
    }
}

/// The engine, a standby and parking work with the mode's permissions and no others.
async fn these_permissions_are_enough(mode: Mode) {
    let broker = Broker::exclusive().await;
    let mut place = Place::new(mode, &broker).await;
    place.grant_without(None).await;
    let mut leader = place.spawn();
    leader.leads().await;
    let mut standby = place.spawn();
    standby.stands_by().await;
    let number = place.insert().await;
    place.arrives(number).await;
    // That takes `read` on the lock, which no more than this needs.
    let status = leader.get("/status.json").await.json();
    assert!(status["standbys"].is_null(), "{status}");
    let parking = place.parking();
    if place.scenario.try_ready(&parking).await.is_some() {
        park(&place).await;
        eventually("it is parked", async || {
            place.scenario.try_ready(&parking).await == Some(1)
        })
        .await;
    }
    let finished = leader.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    standby.leads().await;
    let number = place.insert().await;
    place.arrives(number).await;
    let finished = standby.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
}

/// Writes something that is parked in either way: it matches no queue, and is not UTF-8.
async fn park(place: &Place<'_>) {
    let mut bytes = bson::rawdoc! { "_id": "stray", "word": "qXiz" }.into_bytes();
    if place.mode.settings.contains(&("CDC_ON_POISON", "park")) {
        let at = bytes.iter().position(|byte| *byte == b'X').unwrap();
        bytes[at] = 0xff;
    }
    let document = bson::RawDocumentBuf::from_bytes(bytes).unwrap();
    let strays = place.scenario.collection("strays");
    let strays = strays.clone_with_type::<bson::RawDocumentBuf>();
    strays.insert_one(document).await.unwrap();
}

#[tokio::test]
async fn the_documented_permissions_are_enough() {
    for mode in [MISSING, NEVER, OWN_EXCHANGE, ALL, DEAD_LETTERS] {
        these_permissions_are_enough(mode).await;
    }
}

#[tokio::test]
async fn each_missing_permission_is_named_with_the_command_that_grants_it() {
    for mode in [MISSING, NEVER, OWN_EXCHANGE, ALL, DEAD_LETTERS] {
        each_missing_permission_is_named(mode).await;
    }
}

#[tokio::test]
async fn a_stream_by_its_own_protocol_needs_write_and_read_on_it() {
    if stream_address().is_some() {
        these_permissions_are_enough(STREAM).await;
        each_missing_permission_is_named(STREAM).await;
    }
}

#[tokio::test]
async fn the_commands_of_the_hints_work_as_they_are() {
    let broker = Broker::exclusive().await;
    let mut place = Place::new(OWN_EXCHANGE, &broker).await;
    place.start_as_admin().await.stop().await;
    let finished = place.ends_without((WRITE, "X")).await;
    broker.control(&words(&command_of(&finished))).await;
    place.works().await;
    // Routing keys of a topic exchange have permissions of their own.
    let path = format!("/api/topic-permissions/%2F/{}", place.scenario.name);
    let topics = json!({ "exchange": place.exchange, "write": "^other$", "read": "^other$" });
    broker.put(&path, &topics).await;
    place.insert().await;
    let finished = place.spawn().finish().await;
    let topic = format!(
        "routing key `numbers` of topic exchange `{}`",
        place.exchange
    );
    check(&finished, 1, &["lacks the write permission", &topic]);
    broker.control(&words(&command_of(&finished))).await;
    place.works().await;
}

/// A command beside the engine, with the engine's user, adds to what that user may do.
#[tokio::test]
async fn what_another_command_lacks_is_granted_and_the_engine_keeps_what_it_has() {
    let broker = Broker::exclusive().await;
    let mut place = Place::new(MISSING, &broker).await;
    place.grant_without(None).await;
    place.works().await;
    let now = rfc3339(place.scenario.now().await);
    let again = format!("{}.again", place.queue);
    for arguments in [
        &["tail", "--no-follow"][..],
        &["replay", "--from", &now, "--queue", &again][..],
    ] {
        let run = async || {
            Engine::spawn(arguments, place.scenario.given())
                .finish()
                .await
        };
        let finished = run().await;
        check(&finished, 1, &["lacks the", "hint: "]);
        broker.control(&words(&command_of(&finished))).await;
        check(&run().await, 0, &[]);
        place.works().await;
    }
}

/// Engines of shares have one user, whose permissions each hint replaces.
#[tokio::test]
async fn what_one_share_lacks_is_granted_for_all_of_them() {
    let broker = Broker::exclusive().await;
    let mut place = Place::new(MISSING, &broker).await;
    place.grant_without(None).await;
    place.works().await;
    let divide = async |place: &Place<'_>, count: &'static str| {
        let divide = ["checkpoint", "divide", count, "--yes"];
        Engine::spawn(&divide, place.scenario.given())
            .finish()
            .await
    };
    let finished = divide(&place, "2").await;
    check(&finished, 1, &["lacks the configure permission", ".0of2`"]);
    broker.control(&words(&command_of(&finished))).await;
    check(&divide(&place, "2").await, 0, &[]);
    place.grant_without(None).await;
    place.scenario.set("CDC_SHARE", "1/2");
    let finished = place.spawn().finish().await;
    check(&finished, 1, &["lacks the configure permission", ".1of2`"]);
    broker.control(&words(&command_of(&finished))).await;
    let mut engines = Vec::new();
    for share in ["0/2", "1/2"] {
        place.scenario.set("CDC_SHARE", share);
        let mut engine = place.spawn();
        engine.leads().await;
        engines.push(engine);
    }
    for engine in engines {
        check(&engine.stop().await, 0, &[]);
    }
    check(&divide(&place, "3").await, 0, &[]);
    place.scenario.unset("CDC_SHARE");
    check(&divide(&place, "1").await, 0, &[]);
    place.works().await;
}

#[tokio::test]
async fn a_user_without_any_permission_is_granted_all_that_the_engine_needs() {
    let broker = Broker::exclusive().await;
    let mut place = Place::new(MISSING, &broker).await;
    let user = place.scenario.name.clone();
    broker.control(&["clear_permissions", &user]).await;
    let finished = place.spawn().finish().await;
    check(
        &finished,
        1,
        &["has no permissions on virtual host `/`", "hint: "],
    );
    broker.control(&words(&command_of(&finished))).await;
    place.works().await;
}

/// What exists is not declared again, at the start or later.
#[tokio::test]
async fn a_queue_that_is_there_needs_no_permission_to_configure_it() {
    let broker = Broker::exclusive().await;
    let mut place = Place::new(MISSING, &broker).await;
    place
        .scenario
        .declare(&place.queue, lapin::types::FieldTable::default())
        .await;
    place.grant_without(Some((CONFIGURE, "Q"))).await;
    let mut engine = place.spawn();
    engine.leads().await;
    let number = place.insert().await;
    place.arrives(number).await;
    broker.control(&["close_all_connections", "test"]).await;
    engine.wait_for("rabbitmq connected again").await;
    let uri = place.admin_uri.clone();
    place.scenario.reconnect(&uri).await;
    let number = place.insert().await;
    place.arrives(number).await;
    let finished = engine.stop().await;
    check(
        &finished,
        0,
        &["may not configure the queue", "were not checked"],
    );
}
