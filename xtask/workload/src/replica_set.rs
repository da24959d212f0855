//! Makes a working replica set out of members that are starting.
//!
//! Safe to run again, and to run twice at once: a set that exists is left as it is.

mod member;

use std::time::Duration;

use anyhow::{Result, bail};
use bson::{Bson, Document, doc};
use mongodb::options::ServerAddress;
use tokio::time::{Instant, sleep, timeout_at};

use self::member::{Member, State};
use crate::{hint::Hinted, store};

/// Pause between two looks at the members.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How long the members may sit without a primary before we ask one to step up.
const ELECTION_PATIENCE: Duration = Duration::from_millis(150);

/// Server error codes that say "try again" or "somebody was faster".
const ALREADY_INITIALIZED: i32 = 23;
const NODE_NOT_FOUND: i32 = 74;
const CONFIGURATION_IN_PROGRESS: i32 = 109;
const UNAUTHORIZED: i32 = 13;

/// Which set to make, and how long that may take.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Connection string that names every member
    #[arg(long, env = "MONGO_DATABASE_HOST", hide_env_values = true)]
    pub uri: String,
    /// Name of the replica set
    #[arg(long, default_value = "my-replica-set")]
    pub name: String,
    /// Longest time until the set is ready
    #[arg(long, default_value_t = 60_000)]
    pub timeout_ms: u64,
    /// `electionTimeoutMillis` of a new set [default: the server's, 10000]
    #[arg(long)]
    pub election_timeout_ms: Option<i32>,
}

/// Initiates the set if need be and returns once it has one PRIMARY and only SECONDARYs beside it.
///
/// `on_change` gets one line per change of a member's state.
///
/// # Errors
/// At once if a member can never be part of this set; at the deadline otherwise, naming the culprit.
pub async fn run(args: &Args, mut on_change: impl FnMut(&str)) -> Result<()> {
    let deadline = Instant::now() + Duration::from_millis(args.timeout_ms);
    let mut set = Set::new(args).await?;
    loop {
        set.look(&mut on_change).await;
        set.refuse_misfits()?;
        if set.is_ready() {
            return Ok(());
        }
        if deadline <= Instant::now() {
            return Err(set.culprit(args.timeout_ms));
        }
        // A member that takes the command and then hangs is told of at the deadline.
        if let Ok(outcome) = timeout_at(deadline, set.help()).await {
            outcome?;
        }
        sleep(POLL_INTERVAL).await;
    }
}

struct Set {
    name: String,
    election_timeout_ms: Option<i32>,
    members: Vec<Member>,
    states: Vec<State>,
    leaderless_since: Option<Instant>,
}

impl Set {
    async fn new(args: &Args) -> Result<Self> {
        let options = store::parse(&args.uri).await?;
        let members = options.hosts.iter();
        let members = members.map(|address| Member::new(&options, address));
        let members: Vec<Member> = members.collect::<Result<_>>()?;
        Ok(Self {
            name: args.name.clone(),
            election_timeout_ms: args.election_timeout_ms,
            states: vec![State::Silent("not asked yet".to_owned()); members.len()],
            members,
            leaderless_since: None,
        })
    }

    /// Asks every member for its state and reports the changes.
    async fn look(&mut self, on_change: &mut impl FnMut(&str)) {
        let asked = self.members.iter().map(Member::state);
        let states = futures_util::future::join_all(asked).await;
        for ((member, before), now) in self.members.iter().zip(&self.states).zip(&states) {
            if before.label() != now.label() {
                on_change(&format!("{} {}", member.address, now.label()));
            }
        }
        self.states = states;
    }

    /// Fails for a member that waiting cannot help.
    fn refuse_misfits(&self) -> Result<()> {
        let mut members = self.members.iter().zip(&self.states);
        let misfit = members.find_map(|(member, state)| misfit(&self.name, &member.address, state));
        misfit.map_or(Ok(()), |misfit| Err(misfit.into()))
    }

    fn is_ready(&self) -> bool {
        let count = |role| self.states.iter().filter(|state| state.is(role)).count();
        count("PRIMARY") == 1 && 1 + count("SECONDARY") == self.states.len()
    }

    /// Does what brings the set nearer to ready: initiate it, or hurry its election.
    async fn help(&mut self) -> Result<()> {
        let is_new = |state: &State| matches!(state, State::Uninitiated { .. });
        if self.states.iter().all(is_new) {
            return self.initiate().await;
        }
        if !self.waits_for_election() {
            self.leaderless_since = None;
            return Ok(());
        }
        let since = *self.leaderless_since.get_or_insert_with(Instant::now);
        if ELECTION_PATIENCE <= since.elapsed() {
            // Refused as long as the others have not heard of the configuration; asked again then.
            let candidate = self.states.iter().position(|state| state.is("SECONDARY"));
            if let Some(index) = candidate {
                let _ = self.members[index].admin(doc! { "replSetStepUp": 1 }).await;
            }
        }
        Ok(())
    }

    /// No primary, nobody silent, and one that could be elected.
    ///
    /// By itself a new set waits out its election timeout (10 s) before the first election.
    fn waits_for_election(&self) -> bool {
        let reachable = |state: &State| !matches!(state, State::Silent(_));
        self.states.iter().all(reachable)
            && self.states.iter().any(|state| state.is("SECONDARY"))
            && !self.states.iter().any(|state| state.is("PRIMARY"))
    }

    async fn initiate(&self) -> Result<()> {
        // Everybody asks the same member, so that two at once cannot make two sets.
        let first = &self.members[0];
        let addresses = self.members.iter().map(|member| &member.address);
        let config = configuration(&self.name, addresses, self.election_timeout_ms);
        let Err(error) = first.admin(doc! { "replSetInitiate": config }).await else {
            return Ok(());
        };
        match member::code(&error) {
            // Somebody else was faster, or a member went away since we looked: the next look tells.
            Some(ALREADY_INITIALIZED | CONFIGURATION_IN_PROGRESS | NODE_NOT_FOUND) | None => Ok(()),
            Some(UNAUTHORIZED) => Err(member::needs_credentials(&first.address).into()),
            Some(_) => bail!(
                "{} refuses to initiate the set: {}",
                first.address,
                store::brief(&error)
            ),
        }
    }

    /// The error at the deadline: the members that are not where they should be.
    fn culprit(&self, timeout_ms: u64) -> anyhow::Error {
        let members = self.members.iter().zip(&self.states);
        let late = members.filter(|(_, state)| !state.is("PRIMARY") && !state.is("SECONDARY"));
        let late =
            late.map(|(member, state)| format!("{} is {}", member.address, state.describe()));
        let mut reason = late.collect::<Vec<_>>().join(", ");
        if reason.is_empty() {
            "no PRIMARY was elected".clone_into(&mut reason);
        }
        let name = &self.name;
        let message = format!("replica set {name} is not ready after {timeout_ms} ms: {reason}");
        Hinted::new(message, "look at the log of that member").into()
    }
}

/// The configuration of a new set, in the order of the connection string.
fn configuration<'a>(
    name: &str,
    addresses: impl Iterator<Item = &'a ServerAddress>,
    election_timeout_ms: Option<i32>,
) -> Document {
    let members: Vec<Bson> = (0_i32..)
        .zip(addresses)
        .map(|(id, address)| doc! { "_id": id, "host": address.to_string() }.into())
        .collect();
    let mut config = doc! { "_id": name, "members": members };
    if let Some(millis) = election_timeout_ms {
        config.insert("settings", doc! { "electionTimeoutMillis": millis });
    }
    config
}

/// Why a member in this state can never be part of set `name`, if it cannot.
fn misfit(name: &str, address: &ServerAddress, state: &State) -> Option<Hinted> {
    match state {
        State::Standalone => Some(Hinted::new(
            format!("{address} is not a replica set member"),
            format!("start it with `mongod --replSet {name}`"),
        )),
        State::NeedsCredentials => Some(member::needs_credentials(address)),
        State::Uninitiated { set: Some(set) } | State::Member { set, .. } if set != name => {
            Some(Hinted::new(
                format!("{address} belongs to replica set {set}, not {name}"),
                format!("another server uses this port, or use replicaSet={set}"),
            ))
        }
        State::Member { hosts, .. }
            if !hosts.is_empty() && !hosts.contains(&address.to_string()) =>
        {
            Some(Hinted::new(
                format!(
                    "replica set {name} does not know {address}: its members are {}",
                    hosts.join(", ")
                ),
                "name the members as the set names them, or delete its data and start again",
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
