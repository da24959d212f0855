//! Asks for snapshots, which the engine that leads takes, and for what becomes of them.

mod standing;
mod trial;

use bson::doc;

pub use self::standing::{Look, Progress, Run, Standing};
use super::{Error, connect};
use crate::{
    config::Config,
    mongo::Mongo,
    snapshot::requests::{Request, Requests, Wanted},
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

/// Asks for a snapshot, once everything that can be known of it is as it should be.
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
    requests(&mongo, config).submit(&request).await?;
    Ok(Accepted {
        request,
        collections,
        left_out,
    })
}

/// Says what shall become of the run of this name, or of the only one that is not over. Returns its name.
///
/// # Errors
/// There is no such run, or it is over.
pub async fn want(config: &Config, run: Option<&str>, wanted: Wanted) -> Result<String, Error> {
    let mongo = connect(config).await?;
    let requests = requests(&mongo, config);
    let run = match run {
        Some(run) => run.to_owned(),
        None => only(requests.active().await?, config)?,
    };
    requests.set_wanted(&run, wanted).await?;
    Ok(run)
}

fn only(mut active: Vec<Request>, config: &Config) -> Result<String, Refusal> {
    match active.len() {
        0 => Err(Refusal::NoRun(config.checkpoint.pipeline.clone())),
        1 => Ok(active.remove(0).run),
        _ => {
            let names = active.into_iter().map(|request| request.run);
            Err(Refusal::Several(names.collect()))
        }
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

fn requests(mongo: &Mongo, config: &Config) -> Requests {
    let place = &config.checkpoint;
    Requests::new(mongo, &place.database, &place.pipeline)
}
