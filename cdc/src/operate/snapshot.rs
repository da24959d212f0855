//! Asks for snapshots, which the engine that leads takes, and for what becomes of them.

mod standing;
mod trial;

use bson::doc;

pub use self::standing::{Look, Progress, Run, Standing};
use super::{Error, connect};
use crate::{
    checkpoint::Editor,
    config::Config,
    mongo::Mongo,
    share::Share,
    snapshot::requests::{Error as RequestError, Request, Requests, Wanted},
    source::{Choice, Existing, Scope, Unmet},
};

/// Why a snapshot is not asked for.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A name or pattern that means no collection.
    #[error("{0}")]
    Unmet(Unmet),
    /// There is no collection to read.
    #[error("there is no collection to take a snapshot of in `{0}`")]
    Nothing(String),
    /// The server reads no snapshot of a collection that was named.
    #[error("no snapshot can be taken of `{collection}`: {reason}")]
    Unreadable {
        /// The collection.
        collection: String,
        /// Why.
        reason: String,
    },
    /// The server does not take the filter.
    #[error("mongodb does not take the filter for `{collection}`: {reason}")]
    Filter {
        /// The collection.
        collection: String,
        /// The server's words.
        reason: String,
    },
    /// Documents move between shards while they are read.
    #[error("this is a sharded cluster, of which no snapshot is taken")]
    Sharded,
    /// There is none whose fate could be changed.
    #[error("no snapshot of the pipeline `{0}` waits or runs")]
    NoRun(String),
    /// Which one is meant?
    #[error("{} snapshots wait or run: {}", .0.len(), .0.join(", "))]
    Several(Vec<String>),
}

/// What was asked for.
#[derive(Debug)]
pub struct Accepted {
    /// The request.
    pub request: Request,
    /// Collections that will be read, as far as they are known now.
    pub collections: Vec<String>,
    /// What patterns match too and will not be read, and why.
    pub left_out: Vec<(String, String)>,
}

/// Requests that an engine takes, and the share that it is of, where the pipeline is divided.
type Place = (Option<Share>, Requests);

/// Asks for a snapshot, once everything that can be known of it is as it should be. Of a pipeline that is divided each share
/// takes its part, under the same name.
///
/// # Errors
/// A [`Refusal`], or there was a run of this name.
pub async fn start(config: &Config, request: Request) -> Result<Accepted, Error> {
    let mongo = connect(config).await?;
    let hello = mongo.run("hello", "admin", doc! { "hello": 1 }).await?;
    if hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid") {
        return Err(Refusal::Sharded.into());
    }
    let scope = &config.source.scope;
    let existing = scope.existing(&mongo).await?;
    let chosen = scope.choose(&existing, request.collections.as_deref());
    let chosen = chosen.map_err(Refusal::Unmet)?;
    let (collections, left_out) = readable(&mongo, scope, &request, chosen).await?;
    if collections.is_empty() {
        return Err(Refusal::Nothing(scope.databases.to_string()).into());
    }
    let places = places(&mongo, config).await?;
    if 1 < places.len() {
        // None is asked for where one of them cannot be.
        for (_, requests) in &places {
            if let Some(present) = requests.get(&request.run).await? {
                let (run, state) = (request.run, present.state);
                return Err(RequestError::Exists { run, state }.into());
            }
        }
    }
    for (_, requests) in &places {
        requests.submit(&request).await?;
    }
    Ok(Accepted {
        request,
        collections,
        left_out,
    })
}

/// Says what shall become of the run of this name, or of the only one that is not over, in every share that has not ended
/// it. Returns its name.
///
/// # Errors
/// There is no such run, or it is over.
pub async fn want(config: &Config, run: Option<&str>, wanted: Wanted) -> Result<String, Error> {
    let mongo = connect(config).await?;
    let places = places(&mongo, config).await?;
    let run = match run {
        Some(run) => run.to_owned(),
        None => only(&places, config).await?,
    };
    let mut refusal = None;
    let mut is_done = false;
    for (_, requests) in &places {
        match requests.set_wanted(&run, wanted).await {
            Ok(()) => is_done = true,
            // Another share may not be so far.
            Err(
                error @ (RequestError::NotThere { .. }
                | RequestError::Ended { .. }
                | RequestError::Cancelled { .. }),
            ) => refusal = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    match refusal {
        Some(refusal) if !is_done => Err(refusal.into()),
        _ => Ok(run),
    }
}

async fn only(places: &[Place], config: &Config) -> Result<String, Error> {
    let mut names: Vec<String> = Vec::new();
    for (_, requests) in places {
        for request in requests.active().await? {
            if !names.contains(&request.run) {
                names.push(request.run);
            }
        }
    }
    match names.len() {
        0 => Err(Refusal::NoRun(config.checkpoint.pipeline.clone()).into()),
        1 => Ok(names.remove(0)),
        _ => Err(Refusal::Several(names).into()),
    }
}

/// Names of what can be read, and what is left out. What was named itself is never left out.
async fn readable(
    mongo: &Mongo,
    scope: &Scope,
    request: &Request,
    chosen: Choice,
) -> Result<(Vec<String>, Vec<(String, String)>), Error> {
    let name = |one: &Existing| one.namespace().to_string();
    let of_kind = |one: &Existing| (name(one), format!("it is a {}", one.kind()));
    let mut left_out: Vec<_> = chosen.others.iter().map(of_kind).collect();
    let mut collections = Vec::new();
    for one in &chosen.collections {
        match trial::read(mongo, scope, one, request.filter.as_ref()).await? {
            None => collections.push(name(one)),
            Some(reason) if is_named(scope, request, one) => {
                let collection = name(one);
                return Err(Refusal::Unreadable { collection, reason }.into());
            }
            Some(reason) => left_out.push((name(one), reason)),
        }
    }
    Ok((collections, left_out))
}

/// Whether a name, not only a pattern, means it.
fn is_named(scope: &Scope, request: &Request, one: &Existing) -> bool {
    let texts = request.collections.iter().flatten();
    let names: Vec<String> = texts
        .filter(|text| !text.contains(['*', '?']))
        .cloned()
        .collect();
    let one = std::slice::from_ref(one);
    names
        .iter()
        .any(|name| scope.choose(one, Some(std::slice::from_ref(name))).is_ok())
}

/// Where engines look for requests: under the name of the settings, or, where the pipeline is divided, under that of each
/// share.
async fn places(mongo: &Mongo, config: &Config) -> Result<Vec<Place>, Error> {
    let place = &config.checkpoint;
    let requests = |name: &str| Requests::new(mongo, &place.database, name);
    let record = Editor::new(mongo, place.clone()).read().await?;
    let shares = Share::all(record.shares());
    let shares = shares.map(|share| (Some(share), requests(&share.name(&place.pipeline))));
    let places: Vec<Place> = shares.collect();
    Ok(if places.is_empty() {
        vec![(None, requests(&place.pipeline))]
    } else {
        places
    })
}
