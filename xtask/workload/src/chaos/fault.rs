//! The kinds of faults: their names, what they hit and how long they last.

use std::{ops::RangeInclusive, str::FromStr};

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// SIGKILL to the engine.
    EngineKill,
    /// SIGTERM to the engine, and a new start.
    EngineStop,
    /// SIGSTOP and SIGCONT to the engine.
    EnginePause,
    /// SIGKILL to the broker, and a new start.
    BrokerKill,
    /// A graceful stop of the broker, and a new start.
    BrokerRestart,
    /// A memory alarm.
    BrokerAlarm,
    /// The operator closes all connections.
    BrokerClose,
    /// The engine's connections to the broker are cut; for a while no new ones come through.
    NetCut,
    /// Nothing moves between engine and broker.
    NetStall,
    /// SIGKILL to the primary, and a new start.
    MongoKill,
    /// The primary steps down.
    MongoStepdown,
    /// SIGSTOP and SIGCONT to the primary.
    MongoPause,
    /// Two of the three members are killed for a while.
    MongoMajority,
    /// All members are stopped and started.
    MongoRestartAll,
    /// The engine's exchange loses its binding.
    Unroutable,
    /// The queue refuses messages.
    Nack,
}

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

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 16] = [
        Self::EngineKill,
        Self::EngineStop,
        Self::EnginePause,
        Self::BrokerKill,
        Self::BrokerRestart,
        Self::BrokerAlarm,
        Self::BrokerClose,
        Self::NetCut,
        Self::NetStall,
        Self::MongoKill,
        Self::MongoStepdown,
        Self::MongoPause,
        Self::MongoMajority,
        Self::MongoRestartAll,
        Self::Unroutable,
        Self::Nack,
    ];

    /// The name that `--faults` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::EngineKill => "engine-kill",
            Self::EngineStop => "engine-stop",
            Self::EnginePause => "engine-pause",
            Self::BrokerKill => "broker-kill",
            Self::BrokerRestart => "broker-restart",
            Self::BrokerAlarm => "broker-alarm",
            Self::BrokerClose => "broker-close",
            Self::NetCut => "net-cut",
            Self::NetStall => "net-stall",
            Self::MongoKill => "mongo-kill",
            Self::MongoStepdown => "mongo-stepdown",
            Self::MongoPause => "mongo-pause",
            Self::MongoMajority => "mongo-majority",
            Self::MongoRestartAll => "mongo-restart-all",
            Self::Unroutable => "unroutable",
            Self::Nack => "nack",
        }
    }

    /// Whether it is among the faults of a run that names none.
    ///
    /// The others change what the contract promises (nack) or how the engine publishes (unroutable).
    pub fn is_default(self) -> bool {
        !matches!(self, Self::Unroutable | Self::Nack)
    }

    /// Whether it needs servers that are ours to kill.
    pub fn needs_servers(self) -> bool {
        match self.target() {
            Target::Engine | Target::Network => false,
            Target::Broker => self != Self::Unroutable,
            Target::Mongo => true,
        }
    }

    /// What it hits.
    pub fn target(self) -> Target {
        match self {
            Self::EngineKill | Self::EngineStop | Self::EnginePause => Target::Engine,
            Self::BrokerKill
            | Self::BrokerRestart
            | Self::BrokerAlarm
            | Self::BrokerClose
            | Self::Unroutable
            | Self::Nack => Target::Broker,
            Self::NetCut | Self::NetStall => Target::Network,
            Self::MongoKill
            | Self::MongoStepdown
            | Self::MongoPause
            | Self::MongoMajority
            | Self::MongoRestartAll => Target::Mongo,
        }
    }

    /// How long what it hits stays away, in milliseconds, on top of the time that a start takes.
    pub fn duration_ms(self) -> RangeInclusive<u64> {
        match self {
            Self::EngineKill
            | Self::EngineStop
            | Self::NetCut
            | Self::BrokerClose
            | Self::MongoStepdown => 0..=1_000,
            Self::BrokerKill | Self::BrokerRestart | Self::MongoKill | Self::MongoRestartAll => {
                0..=3_000
            }
            Self::EnginePause | Self::MongoPause => 1_000..=15_000,
            Self::NetStall => 1_000..=12_000,
            Self::BrokerAlarm | Self::MongoMajority => 2_000..=8_000,
            Self::Unroutable | Self::Nack => 500..=3_000,
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("no such fault; there are {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        let complaint = "engine-kil".parse::<Kind>().unwrap_err();
        assert!(complaint.contains("mongo-restart-all"), "{complaint}");
    }
}
