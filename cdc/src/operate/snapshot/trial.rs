//! Asks the server whether it reads a snapshot of a collection, by the smallest read there is.

use bson::{Document, doc};
use mongodb::error::{Error as DriverError, ErrorKind};

use super::{Error, Refusal};
use crate::{
    mongo::{self, Mongo, without_values},
    snapshot::requests::Filter,
    source::{Existing, Scope},
};

/// What a server answers where it reads no snapshot of a collection.
const UNAVAILABLE: i32 = 246;

/// Why the server reads no snapshot of it, if it does not.
///
/// # Errors
/// It does not take the filter, or the user lacks the privilege, or MongoDB failed.
pub(super) async fn read(
    mongo: &Mongo,
    scope: &Scope,
    one: &Existing,
    filter: Option<&Filter>,
) -> Result<Option<String>, Error> {
    let find = doc! {
        "find": one.name(), "hint": { "_id": 1 }, "projection": { "_id": 1 }, "limit": 1, "singleBatch": true,
        "readConcern": { "level": "snapshot" },
    };
    if let Err(error) = ask(mongo, one, find).await {
        return match refused(&error) {
            Some(reason) => Ok(Some(reason)),
            None => Err(explained(mongo, scope, error).await),
        };
    }
    let Some(filter) = filter else {
        return Ok(None);
    };
    // A plan is made of it and not carried out, lest it look through all there is for one document.
    let find = doc! { "find": one.name(), "filter": filter.query(), "hint": { "_id": 1 } };
    let explain = doc! { "explain": find, "verbosity": "queryPlanner" };
    match ask(mongo, one, explain).await {
        Ok(_) => Ok(None),
        Err(mongo::Error::Driver(error)) if is_of_the_query(&error) => Err(Refusal::Filter {
            collection: one.namespace().to_string(),
            reason: said(&error),
        }
        .into()),
        Err(error) => Err(explained(mongo, scope, error).await),
    }
}

async fn ask(mongo: &Mongo, one: &Existing, command: Document) -> Result<Document, mongo::Error> {
    mongo
        .run("a trial of a snapshot", one.database(), command)
        .await
}

async fn explained(mongo: &Mongo, scope: &Scope, error: mongo::Error) -> Error {
    mongo.explain(error, &scope.privileges()).await.into()
}

/// The server's words, where they are about the collection.
fn refused(error: &mongo::Error) -> Option<String> {
    match error {
        mongo::Error::Driver(error) if code(error) == Some(UNAVAILABLE) => {
            let said = said(error);
            Some(if said.contains("capped") {
                "it is capped, and mongodb reads no snapshot of such a collection".to_owned()
            } else {
                said
            })
        }
        _ => None,
    }
}

/// Whether the same failed command would fail again.
fn is_of_the_query(error: &DriverError) -> bool {
    code(error).is_some() && !error.contains_label("RetryableError")
}

fn code(error: &DriverError) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}

fn said(error: &DriverError) -> String {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => without_values(&command.message).to_owned(),
        _ => String::new(),
    }
}
