//! Users and servers that do not let a run work. Where the mend is a command, it is done.

use bson::doc;
use serde_json::json;

use super::Report;
use crate::{
    mongo_privileges::Guarded,
    permissions::words,
    support::{Broker, MongoServer, Scenario, mongo_uri},
};

const REACHABLE: &str = "mongodb: reachable";

#[tokio::test]
async fn each_missing_privilege_is_found_and_granted() {
    let mut guarded = Guarded::start("check_rights").await;
    let name = guarded.scenario.name.clone();
    let what = "mongodb: privileges";
    for (database, collection, action, hidden) in [
        (name.as_str(), "", "changeStream", "mongodb: change stream"),
        ("cdc", "checkpoints", "find", "mongodb: checkpoint"),
        ("cdc", "checkpoints", "update", ""),
    ] {
        let resource = doc! { "db": database, "collection": collection };
        let privileges = [doc! { "resource": resource, "actions": [action] }];
        let command = doc! { "revokePrivilegesFromRole": "cdc", "privileges": &privileges[..] };
        guarded.run("admin", command).await;
        let report = Report::of(&guarded.scenario).await;
        let lacks = format!("is not authorized for {action} on");
        let mend = report.faults(what, &lacks, "in mongosh, as an administrator: ");
        if !hidden.is_empty() {
            report.has('-', hidden, "the user may not", "");
        }
        report.has('-', "mongodb: oplog", "local", "");
        guarded.paste(&mend).await;
        Report::of(&guarded.scenario).await.ticks(what);
    }
    let wrong = guarded.server.uri_of("cdc", "wrong");
    guarded.scenario.set("MONGO_DATABASE_HOST", wrong);
    let report = Report::of(&guarded.scenario).await;
    report.faults(
        REACHABLE,
        "refused the credentials of user `cdc`",
        "correct user, password",
    );
    let nobody = guarded.server.uri("directConnection=true");
    guarded.scenario.set("MONGO_DATABASE_HOST", nobody);
    let report = Report::of(&guarded.scenario).await;
    report.faults(what, "asks for credentials", "put a user and a password");
}

#[tokio::test]
async fn a_server_that_has_no_change_streams_is_found() {
    let mut scenario = Scenario::new("check_alone").await;
    let alone = MongoServer::start(&[]).await;
    scenario.set("MONGO_DATABASE_HOST", alone.uri("directConnection=true"));
    let report = Report::of(&scenario).await;
    report.faults(REACHABLE, "standalone", "--replSet NAME");
    let late = MongoServer::start(&["--replSet", "late"]).await;
    scenario.set("MONGO_DATABASE_HOST", late.uri("directConnection=true"));
    let report = Report::of(&scenario).await;
    report.faults(REACHABLE, "not initiated yet", "run rs.initiate()");
    late.initiate("late").await;
    Report::of(&scenario).await.ticks(REACHABLE);
}

/// The user may do all of these but one.
#[tokio::test]
async fn each_missing_permission_is_found_and_granted() {
    let broker = Broker::exclusive().await;
    let mut scenario = Scenario::at("check_may", &mongo_uri(), &broker.uri("")).await;
    let user = scenario.name.clone();
    let exchange = format!("{user}_exchange");
    scenario.declare_exchange(&exchange).await;
    let account = json!({ "password": "secret", "tags": "" });
    broker.put(&format!("/api/users/{user}"), &account).await;
    let uri = format!("amqp://{user}:secret@{}/%2f", broker.address());
    scenario.set("RABBITMQ_URI", uri);
    let (lock, queue) = (format!("^cdc\\.lock\\.{user}$"), format!("^{user}$"));
    let (default, own) = ("^amq\\.default$".to_owned(), format!("^{exchange}$"));
    let both = |one: &str, other: &str| format!("{one}|{other}");
    let plants = [
        (
            "",
            queue.clone(),
            default.clone(),
            "rabbitmq: lock",
            "configure permission on queue `cdc.lock.",
        ),
        (
            "",
            lock.clone(),
            default.clone(),
            "rabbitmq: permissions",
            "configure permission on queue",
        ),
        (
            "",
            both(&lock, &queue),
            own,
            "rabbitmq: permissions",
            "write permission on exchange `amq.default`",
        ),
        (
            &exchange,
            both(&lock, &queue),
            default,
            "rabbitmq: permissions",
            "write permission on exchange",
        ),
    ];
    for (exchange, configure, write, what, why) in plants {
        if !exchange.is_empty() {
            scenario.set("RABBITMQ_EXCHANGE", exchange);
        }
        let patterns = json!({ "configure": configure, "write": write, "read": "^$" });
        broker
            .put(&format!("/api/permissions/%2F/{user}"), &patterns)
            .await;
        let report = Report::of(&scenario).await;
        let mend = report.faults(what, why, "rabbitmqctl set_permissions");
        broker
            .control(&words(mend.trim().lines().last().unwrap()))
            .await;
        let report = Report::of(&scenario).await;
        report.ticks("rabbitmq: lock");
        report.ticks("rabbitmq: permissions");
        assert_eq!(scenario.try_ready(&scenario.name).await, None);
    }
}
