//! MongoDB's part.

use bson::{DateTime, Document, doc};

use super::{Advice, Error, Server, Steps, Version, advisories};
use crate::{
    checkpoint::{self, Store},
    config::Config,
    mongo::{self, Mongo, Privilege},
    operate::connect,
    position::Position,
    source,
};

const REACHABLE: &str = "reachable";
const VERSION: &str = "version";
const CLOCK: &str = "clock";
const PRIVILEGES: &str = "privileges";
const CHECKPOINT: &str = "checkpoint";
const CHANGE_STREAM: &str = "change stream";
const COLLECTIONS: &str = "collections";
const OPLOG: &str = "oplog";

/// Seconds that clocks may differ by without a word.
const CLOCK_SECONDS: i64 = 5;
/// A checkpoint that is not older than this is not worth a word, however little the oplog holds.
const LAG_SECONDS: i64 = 60;

/// What the user may do.
struct Rights {
    watches: bool,
    loads: bool,
}

pub(super) async fn check(config: &Config, steps: &mut Steps) {
    for note in &config.notes {
        steps.advice("connection string", Advice::ConnectionString(note.clone()));
    }
    let Some((mongo, hello)) = reach(config, steps).await else {
        for what in [
            VERSION,
            CLOCK,
            PRIVILEGES,
            CHECKPOINT,
            CHANGE_STREAM,
            COLLECTIONS,
            OPLOG,
        ] {
            steps.skipped(what, "mongodb cannot be used");
        }
        return;
    };
    version(&mongo, steps).await;
    clock(&hello, steps);
    let rights = rights(&mongo, config, steps).await;
    let position = load(&mongo, config, &rights, steps).await;
    watch(&mongo, config, &rights, position.as_ref(), steps).await;
    collections(&mongo, config, steps).await;
    let position = position.flatten();
    oplog(&mongo, position.as_ref(), steps).await;
}

/// A client, and what the server says of itself.
async fn reach(config: &Config, steps: &mut Steps) -> Option<(Mongo, Document)> {
    let reach = async {
        let mongo = connect(config).await?;
        let hello = mongo.run("hello", "admin", doc! { "hello": 1 }).await?;
        Ok::<_, Error>((mongo, hello))
    };
    let (mongo, hello) = steps.ask(REACHABLE, reach).await?;
    let text = |key| hello.get_str(key).unwrap_or("a server");
    let member = if hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid") {
        "a mongos".to_owned()
    } else {
        let is_primary = hello.get_bool("isWritablePrimary").unwrap_or(false);
        let state = if is_primary { "primary" } else { "secondary" };
        format!(
            "{} ({state}) of replica set `{}`",
            text("me"),
            text("setName")
        )
    };
    steps.good(REACHABLE, format!("{member} answers; {}", mongo.way()));
    Some((mongo, hello))
}

async fn version(mongo: &Mongo, steps: &mut Steps) {
    let asked = mongo.run(
        "a question for the version",
        "admin",
        doc! { "buildInfo": 1 },
    );
    let Some(build) = steps.ask(VERSION, asked).await else {
        return;
    };
    release(Server::Mongodb, build.get_str("version").ok(), steps);
}

/// Says which release it is, and what is known of it.
pub(super) fn release(server: Server, text: Option<&str>, steps: &mut Steps) -> Option<Version> {
    let Some(version) = text.and_then(|text| text.parse().ok()) else {
        steps.advice(VERSION, Advice::NoVersion(server));
        return None;
    };
    steps.good(VERSION, text.unwrap_or_default());
    for advisory in advisories::of(server, version) {
        steps.advice(VERSION, Advice::Release(advisory));
    }
    Some(version)
}

fn clock(hello: &Document, steps: &mut Steps) {
    let Ok(there) = hello.get_datetime("localTime") else {
        steps.skipped(CLOCK, "the server does not tell its time");
        return;
    };
    // The answer came a moment ago, which is far less than what counts.
    let here = DateTime::now().timestamp_millis();
    let seconds = (there.timestamp_millis() - here) / 1_000;
    if seconds.abs() > CLOCK_SECONDS {
        steps.advice(CLOCK, Advice::Clock(seconds));
    } else {
        steps.good(
            CLOCK,
            format!("differs by less than {} s", CLOCK_SECONDS + 1),
        );
    }
}

async fn rights(mongo: &Mongo, config: &Config, steps: &mut Steps) -> Rights {
    let saves = Privilege::to_save(&config.checkpoint.database, checkpoint::COLLECTION);
    let [watches] = config.source.scope.privileges();
    let needed = [watches, saves];
    let (watches, loads) = match steps.answer(mongo.lacking(&needed)).await {
        Ok(Some((_, missing))) if missing.is_empty() => {
            let needed = needed.each_ref().map(ToString::to_string).join(", and ");
            steps.good(PRIVILEGES, needed);
            (true, true)
        }
        Ok(Some((grantee, missing))) => {
            let lacks = |privilege: &Privilege, action: Option<&str>| {
                let is_it = |one: &&Privilege| {
                    (&one.database, one.collection) == (&privilege.database, privilege.collection)
                };
                let mut lacked = missing.iter().filter(is_it);
                lacked.any(|one| action.is_none_or(|action| one.actions.contains(&action)))
            };
            let can = (!lacks(&needed[0], None), !lacks(&needed[1], Some("find")));
            steps.fault(PRIVILEGES, mongo::Error::Permission { grantee, missing });
            can
        }
        Ok(None) => nobody(mongo, config, &needed, steps).await,
        Err(error) => {
            steps.fault(PRIVILEGES, error);
            (true, true)
        }
    };
    Rights { watches, loads }
}

/// Nobody is logged in, which the server may allow.
async fn nobody(
    mongo: &Mongo,
    config: &Config,
    needed: &[Privilege],
    steps: &mut Steps,
) -> (bool, bool) {
    let find = doc! { "find": checkpoint::COLLECTION, "limit": 1, "filter": { "_id": "" } };
    let asked = async {
        let found = mongo.run("a checkpoint load", &config.checkpoint.database, find);
        match found.await {
            Ok(_) => Ok(()),
            Err(error) => Err(mongo.explain(error, needed).await),
        }
    };
    let is_open = steps.ask(PRIVILEGES, asked).await.is_some();
    if is_open {
        steps.good(PRIVILEGES, "the server asks nobody who they are");
    }
    (is_open, is_open)
}

/// The checkpoint's position, if there is one; none where it could not be read.
async fn load(
    mongo: &Mongo,
    config: &Config,
    rights: &Rights,
    steps: &mut Steps,
) -> Option<Option<Position>> {
    if !rights.loads {
        steps.skipped(CHECKPOINT, "the user may not read it");
        return None;
    }
    let mut store = Store::new(mongo, config.checkpoint.clone());
    let position = steps.ask(CHECKPOINT, store.load()).await?;
    match &position {
        Some(position) => steps.good(CHECKPOINT, position.to_string()),
        None => steps.good(
            CHECKPOINT,
            format!("none yet: the first start begins at {}", config.start),
        ),
    }
    for change in store.changes() {
        steps.advice(CHECKPOINT, Advice::Scope(change));
    }
    Some(position)
}

async fn watch(
    mongo: &Mongo,
    config: &Config,
    rights: &Rights,
    position: Option<&Option<Position>>,
    steps: &mut Steps,
) {
    if !rights.watches {
        steps.skipped(CHANGE_STREAM, "the user may not open it");
        return;
    }
    let scope = &config.source.scope;
    let (position, place) = match position {
        Some(Some(position)) => (position.clone(), "at the checkpoint"),
        Some(None) => {
            let start = config.start.find(mongo, scope);
            match steps.ask(CHANGE_STREAM, start).await {
                Some(position) => (position, "where the first start begins"),
                None => return,
            }
        }
        None => {
            steps.skipped(CHANGE_STREAM, "where a run goes on is not known");
            return;
        }
    };
    match steps
        .answer(source::rehearse(mongo, scope, &position))
        .await
    {
        Ok(None) => steps.good(CHANGE_STREAM, format!("can be opened {place}")),
        Ok(Some(refused)) => steps.advice(CHANGE_STREAM, Advice::Token(refused)),
        Err(Error::Source(error))
            if config.source.on_history_lost.goes_on() && error.is_skipped() =>
        {
            steps.advice(CHANGE_STREAM, Advice::Skips(error));
        }
        Err(error) => steps.fault(CHANGE_STREAM, error),
    }
}

async fn collections(mongo: &Mongo, config: &Config, steps: &mut Steps) {
    let scope = &config.source.scope;
    let survey = match steps.answer(scope.survey(mongo)).await {
        Ok(survey) => survey,
        // Whoever may read the change stream need not be allowed to ask for this.
        Err(Error::Mongo(error)) => {
            steps.skipped(COLLECTIONS, error.to_string());
            return;
        }
        Err(error) => {
            steps.fault(COLLECTIONS, error);
            return;
        }
    };
    let databases = scope.databases.to_string();
    let is_good = survey.absent.is_empty() && survey.without_images.is_empty();
    if !survey.empty.is_empty() {
        for database in survey.empty {
            steps.advice(COLLECTIONS, Advice::Empty(database));
        }
    } else if is_good {
        let texts: Vec<_> = scope.collections.texts().collect();
        let all = if texts.is_empty() {
            "all".to_owned()
        } else {
            texts.join(", ")
        };
        steps.good(COLLECTIONS, format!("{all} of `{databases}`"));
    } else {
        for absent in survey.absent {
            steps.advice(COLLECTIONS, Advice::Absent(absent));
        }
        images(survey.without_images, scope.images().are_required(), steps);
    }
}

/// Says which collections do not keep the documents before and after a change.
fn images(collections: Vec<(String, String)>, are_required: bool, steps: &mut Steps) {
    for (database, collection) in collections {
        if are_required {
            let error = source::Error::NoImages {
                database,
                collection,
                more: 0,
            };
            steps.fault(COLLECTIONS, error);
        } else {
            steps.advice(COLLECTIONS, Advice::NoImages(database, collection));
        }
    }
}

async fn oplog(mongo: &Mongo, position: Option<&Position>, steps: &mut Steps) {
    let oplog = match steps.answer(mongo.oplog()).await {
        Ok(oplog) => oplog,
        // No run needs it.
        Err(error) => {
            steps.skipped(OPLOG, error.to_string());
            return;
        }
    };
    let (first, last) = (i64::from(oplog.first.time), i64::from(oplog.last.time));
    let window = last - first;
    let Some(time) = position.and_then(Position::cluster_time) else {
        steps.good(OPLOG, format!("holds {window} s"));
        return;
    };
    let (lag, headroom) = (last - i64::from(time.time), i64::from(time.time) - first);
    if LAG_SECONDS < lag && headroom < lag {
        let advice = Advice::Headroom {
            window,
            lag,
            headroom,
        };
        steps.advice(OPLOG, advice);
    } else {
        steps.good(
            OPLOG,
            format!("holds {window} s, of which {headroom} s are before the checkpoint"),
        );
    }
}
