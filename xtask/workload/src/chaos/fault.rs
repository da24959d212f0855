//! The kinds of faults. All that the driver knows of one is its row in [`KINDS`]; what it does is a method of the
//! injector.

use std::{ops::RangeInclusive, str::FromStr};

use anyhow::Result;
use futures_util::{FutureExt, future::LocalBoxFuture};

use super::{
    inject::{Injector, Return},
    schedule::Fault,
};

/// What a fault hits; two faults never hit the same at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// An engine process.
    Engine,
    /// The broker's process, and everything inside it.
    Broker,
    /// The way between engine and broker.
    Network,
    /// The replica set.
    Mongo,
}

/// One kind of fault: an index into [`KINDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind(usize);

struct Row {
    name: &'static str,
    target: Target,
    /// How long what it hits stays away, in milliseconds, on top of the time that a start takes.
    lasts_ms: (u64, u64),
    inject: Inject,
    is_default: bool,
    needs_servers: bool,
    needs_cluster: bool,
}

type Inject = for<'a> fn(&'a Injector, Fault) -> LocalBoxFuture<'a, Result<Return>>;

#[rustfmt::skip]
static KINDS: [Row; 22] = [
    // SIGKILL to the engine; SIGTERM, and a new start; SIGSTOP and SIGCONT.
    row("engine-kill", Target::Engine, (0, 1_000), |on, fault| on.kill_engine(fault).boxed_local()),
    row("engine-stop", Target::Engine, (0, 1_000), |on, fault| on.stop_engine(fault).boxed_local()),
    row("engine-pause", Target::Engine, (1_000, 15_000), |on, fault| on.pause_engine(fault).boxed_local()),
    // SIGKILL to the broker, and a new start; a graceful stop, and a new start; a memory alarm; all connections closed
    // by the operator.
    row("broker-kill", Target::Broker, (0, 3_000), |on, fault| on.kill_broker(fault).boxed_local()),
    row("broker-restart", Target::Broker, (0, 3_000), |on, fault| on.restart_broker(fault).boxed_local()),
    row("broker-alarm", Target::Broker, (2_000, 8_000), |on, fault| on.alarm_broker(fault).boxed_local()),
    row("broker-close", Target::Broker, (0, 1_000), |on, _| on.close_connections().boxed_local()),
    // The engine's connections to the broker are cut, and for a while no new ones come through; nothing moves on them.
    row("net-cut", Target::Network, (0, 1_000), |on, fault| on.cut_network(fault).boxed_local()),
    row("net-stall", Target::Network, (1_000, 12_000), |on, fault| on.stall_network(fault).boxed_local()),
    // SIGKILL to the primary, and a new start; it steps down; SIGSTOP and SIGCONT; two of the three members are killed
    // for a while; all are stopped and started.
    row("mongo-kill", Target::Mongo, (0, 3_000), |on, fault| on.kill_primary(fault).boxed_local()),
    row("mongo-stepdown", Target::Mongo, (0, 1_000), |on, fault| on.step_down(fault).boxed_local()),
    row("mongo-pause", Target::Mongo, (1_000, 15_000), |on, fault| on.pause_primary(fault).boxed_local()),
    row("mongo-majority", Target::Mongo, (2_000, 8_000), |on, fault| on.kill_majority(fault).boxed_local()),
    row("mongo-restart-all", Target::Mongo, (0, 3_000), |on, fault| on.restart_set(fault).boxed_local()),
    // Of a broker with several nodes: SIGKILL to the node that leads the queue; SIGSTOP and SIGCONT to the connected one;
    // each is stopped and started in turn; the network between one node and the others is cut, with each way that nodes
    // may handle that. The broker's other faults hit the node that the leading engine is connected to.
    row("queue-node-kill", Target::Broker, (0, 3_000), |on, fault| on.kill_queue_node(fault).boxed_local()).in_cluster(),
    row("broker-pause", Target::Broker, (1_000, 15_000), |on, fault| on.pause_broker(fault).boxed_local()).in_cluster(),
    row("broker-rolling", Target::Broker, (0, 1_000), |on, fault| on.roll_broker(fault).boxed_local()).in_cluster(),
    row("split-pause", Target::Broker, (2_000, 10_000), |on, fault| on.split(fault, "pause_minority").boxed_local())
        .in_cluster(),
    row("split-autoheal", Target::Broker, (2_000, 10_000), |on, fault| on.split(fault, "autoheal").boxed_local())
        .in_cluster(),
    row("split-ignore", Target::Broker, (2_000, 10_000), |on, fault| on.split(fault, "ignore").boxed_local())
        .in_cluster(),
    // The engine's exchange loses its binding, which changes how the engine publishes.
    row("unroutable", Target::Broker, (500, 3_000), |on, fault| on.unbind_queue(fault).boxed_local())
        .only_by_name().on_any_servers(),
    // The queue refuses messages, which changes what the contract promises.
    row("nack", Target::Broker, (500, 3_000), |on, fault| on.fill_queue(fault).boxed_local()).only_by_name(),
];

const fn row(name: &'static str, target: Target, lasts_ms: (u64, u64), inject: Inject) -> Row {
    Row {
        name,
        target,
        lasts_ms,
        inject,
        is_default: true,
        needs_servers: matches!(target, Target::Broker | Target::Mongo),
        needs_cluster: false,
    }
}

impl Row {
    /// It is not among the faults of a run that names none.
    const fn only_by_name(self) -> Self {
        Self {
            is_default: false,
            ..self
        }
    }

    /// It needs a broker of several nodes.
    const fn in_cluster(self) -> Self {
        Self {
            needs_cluster: true,
            ..self
        }
    }

    /// It does no harm to servers that others use too.
    const fn on_any_servers(self) -> Self {
        Self {
            needs_servers: false,
            ..self
        }
    }
}

impl Kind {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..KINDS.len()).map(Self)
    }

    /// The name that `--faults` takes.
    pub fn name(self) -> &'static str {
        KINDS[self.0].name
    }

    /// Whether it is among the faults of a run that names none.
    pub fn is_default(self) -> bool {
        KINDS[self.0].is_default
    }

    /// Whether it needs servers that are ours to kill.
    pub fn needs_servers(self) -> bool {
        KINDS[self.0].needs_servers
    }

    /// Whether it needs a broker of several nodes.
    pub fn needs_cluster(self) -> bool {
        KINDS[self.0].needs_cluster
    }

    /// What it hits.
    pub fn target(self) -> Target {
        KINDS[self.0].target
    }

    /// How long what it hits stays away, in milliseconds, on top of the time that a start takes.
    pub fn lasts_ms(self) -> RangeInclusive<u64> {
        KINDS[self.0].lasts_ms.0..=KINDS[self.0].lasts_ms.1
    }

    /// Lets it happen; returns when it is over.
    pub(super) async fn inject(self, on: &Injector, fault: Fault) -> Result<Return> {
        (KINDS[self.0].inject)(on, fault).await
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::all().find(|kind| kind.name() == name);
        found.ok_or_else(|| {
            let names: Vec<_> = Self::all().map(Self::name).collect();
            format!("no such fault; there are {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in Kind::all() {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        let complaint = "engine-kil".parse::<Kind>().unwrap_err();
        assert!(complaint.contains("mongo-restart-all"), "{complaint}");
    }
}
