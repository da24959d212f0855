//! The documented role is enough and nothing in it is too much: without one privilege the engine names it, with the
//! command that grants it.

use bson::{Document, doc};

use crate::support::{Engine, Finished, MongoServer, Scenario, amqp_uri, check};

const DOCUMENT: &str = include_str!("../../../docs/security.md");

/// A server on which the documented commands were run for the database of a scenario.
pub(crate) struct Guarded {
    pub(crate) server: MongoServer,
    pub(crate) scenario: Scenario,
}

impl Guarded {
    pub(crate) async fn start(label: &str) -> Self {
        let server = MongoServer::guarded(label).await;
        server.create_user("root", "password", "root").await;
        let root = server.uri_of("root", "password");
        let mut scenario = Scenario::at(label, &root, &amqp_uri()).await;
        scenario.set("MONGO_DATABASE_HOST", server.uri_of("cdc", "password"));
        scenario.set("CDC_CHECKPOINT_DATABASE", "cdc");
        scenario.set("CDC_CHECKPOINT_INTERVAL_MS", "10");
        let guarded = Self { server, scenario };
        guarded.paste(&guarded.documented()).await;
        guarded
    }

    /// The document's commands, for this scenario's database.
    fn documented(&self) -> String {
        let section = DOCUMENT.split("## MongoDB").nth(1).unwrap();
        let block = section.split("```js").nth(1).unwrap();
        let commands = block.split("```").next().unwrap();
        commands
            .replace("scrabble", &self.scenario.name)
            .replace("passwordPrompt()", "\"password\"")
    }

    /// Runs what could be pasted into mongosh.
    pub(crate) async fn paste(&self, text: &str) {
        for statement in text.split("db.getSiblingDB(").skip(1) {
            let (database, command) = statement.split_once(").runCommand(").unwrap();
            let command = command.trim_end().strip_suffix(')').unwrap();
            let database: String = serde_json::from_str(database).unwrap();
            let command: Document = serde_json::from_str(command).unwrap();
            self.run(&database, command).await;
        }
    }

    pub(crate) async fn run(&self, database: &str, command: Document) {
        let database = self.scenario.mongo.database(database);
        database
            .run_command(command.clone())
            .await
            .unwrap_or_else(|error| panic!("{command}: {error}"));
    }

    /// The engine delivers what is inserted, and saves.
    async fn works(&self, numbers: std::ops::Range<i32>) {
        let engine = self.scenario.start().await;
        self.scenario.insert_numbers(numbers.clone()).await;
        self.scenario.take_until_number(numbers.end - 1).await;
        let finished = engine.stop().await;
        assert_eq!(finished.code, Some(0), "{}", finished.log);
    }

    /// The engine ends, and what it says of why.
    async fn fails(&self) -> Finished {
        let finished = self.scenario.spawn().finish().await;
        assert_eq!(finished.code, Some(1), "{}", finished.log);
        finished
    }
}

/// The command that the hint ends with.
fn hinted(finished: &Finished) -> &str {
    let (_, hint) = finished
        .log
        .rsplit_once("hint: in mongosh, as an administrator: ")
        .unwrap();
    hint
}

#[tokio::test]
async fn the_documented_role_is_enough_and_each_missing_privilege_is_named_and_granted() {
    let guarded = Guarded::start("privileges").await;
    let name = guarded.scenario.name.clone();
    guarded.works(0..10).await;
    let show = Engine::spawn(&["checkpoint", "show"], guarded.scenario.given());
    check(&show.finish().await, 0, &[]);
    let watched = (name.as_str(), "", format!("every collection of `{name}`"));
    let saved = ("cdc", "checkpoints", "`cdc.checkpoints`".to_owned());
    for (number, ((database, collection, place), action)) in [
        (&watched, "find"),
        (&watched, "changeStream"),
        (&saved, "find"),
        (&saved, "insert"),
        (&saved, "update"),
    ]
    .into_iter()
    .enumerate()
    {
        let resource = doc! { "db": database, "collection": collection };
        let privileges = [doc! { "resource": resource, "actions": [action] }];
        let command = doc! { "revokePrivilegesFromRole": "cdc", "privileges": &privileges[..] };
        guarded.run("admin", command).await;
        if action == "insert" {
            // It takes a first start to need it.
            let checkpoints = guarded
                .scenario
                .mongo
                .database("cdc")
                .collection::<Document>("checkpoints");
            checkpoints.delete_many(doc! {}).await.unwrap();
        }
        let finished = guarded.fails().await;
        let error = format!("mongodb: user `cdc` is not authorized for {action} on {place}\n");
        assert!(
            finished.log.contains(&error),
            "no `{error}` in:\n{}",
            finished.log
        );
        guarded.paste(hinted(&finished)).await;
        let first = i32::try_from(number).unwrap() * 10 + 10;
        guarded.works(first..first + 10).await;
    }
}

#[tokio::test]
async fn a_user_without_a_role_of_its_own_is_granted_built_in_ones() {
    let guarded = Guarded::start("roleless").await;
    let command = doc! { "revokeRolesFromUser": "cdc", "roles": ["cdc"] };
    guarded.run("admin", command).await;
    // What is missing comes up one after the other.
    for action in ["find, insert, update on", "find, changeStream on"] {
        let finished = guarded.fails().await;
        assert!(finished.log.contains(action), "{}", finished.log);
        guarded.paste(hinted(&finished)).await;
    }
    guarded.works(0..10).await;
}

#[tokio::test]
async fn a_server_that_asks_for_credentials_says_so() {
    let mut guarded = Guarded::start("anonymous").await;
    let uri = guarded.server.uri("directConnection=true");
    guarded.scenario.set("MONGO_DATABASE_HOST", uri);
    let finished = guarded.fails().await;
    let error = "asks for credentials, and none are given";
    assert!(finished.log.contains(error), "{}", finished.log);
}

#[tokio::test]
async fn an_engine_works_without_the_privilege_for_snapshots_which_asking_for_one_names() {
    let guarded = Guarded::start("snapshotless").await;
    let scenario = &guarded.scenario;
    let resource = doc! { "db": "cdc", "collection": "snapshots" };
    for (first, actions) in [(0, &["find", "insert", "update"][..]), (10, &["insert"])] {
        let privileges = [doc! { "resource": &resource, "actions": actions }];
        let command = doc! { "revokePrivilegesFromRole": "cdc", "privileges": &privileges[..] };
        guarded.run("admin", command).await;
        guarded.works(first..first + 10).await;
        let name = format!("of_{first}");
        let start = ["snapshot", "start", "--name", &name];
        let start = || Engine::spawn(&start, scenario.given());
        let finished = start().finish().await;
        let error = format!(
            "is not authorized for {} on `cdc.snapshots`",
            actions.join(", ")
        );
        check(&finished, 1, &["save the snapshot's request", &error]);
        guarded.paste(hinted(&finished)).await;
        check(&start().finish().await, 0, &[]);
        let status = Engine::spawn(&["snapshot", "status"], scenario.given());
        check(&status.finish().await, 0, &[]);
    }
}

/// Where nothing has to be deleted no privilege for that is needed, and where one is missing nothing is written.
#[tokio::test]
async fn a_pipeline_is_divided_with_the_documented_role_and_divided_anew_with_one_more_privilege() {
    let guarded = Guarded::start("divider").await;
    let scenario = &guarded.scenario;
    guarded.works(0..10).await;
    let divide = async |count: &'static str| {
        let divide = ["checkpoint", "divide", count, "--yes"];
        Engine::spawn(&divide, scenario.given()).finish().await
    };
    let names = async || {
        let checkpoints = scenario.mongo.database("cdc");
        let checkpoints = checkpoints.collection::<Document>("checkpoints");
        let mut names = checkpoints.distinct("_id", doc! {}).await.unwrap();
        names.sort_by_key(ToString::to_string);
        names
    };
    check(&divide("2").await, 0, &[]);
    let of_two = names().await;
    assert_eq!(of_two.len(), 3);
    let finished = divide("3").await;
    let error = "user `cdc` is not authorized for remove on `cdc.checkpoints`";
    check(&finished, 1, &[error]);
    assert_eq!(names().await, of_two);
    guarded.paste(hinted(&finished)).await;
    check(&divide("3").await, 0, &[]);
    assert_eq!(names().await.len(), 4);
}
