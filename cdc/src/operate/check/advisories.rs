//! Releases of the servers with faults that touch us.
//!
//! Sources: <https://www.mongodb.com/docs/manual/reference/operator/aggregation/changeStreamSplitLargeEvent/> (split
//! events), <https://jira.mongodb.org/browse/SERVER-135099> (positions that go back), the release notes of MongoDB 8.2.1
//! (expanded events), <https://www.rabbitmq.com/docs/metadata-store> (Mnesia and Khepri),
//! <https://github.com/rabbitmq/ra/issues/637> (early confirms), and the release notes of RabbitMQ 4.3.1 (passive
//! declarations). That a queue may be forgotten was measured with RabbitMQ 3.10.8.

use std::fmt;

use super::version::Version;

/// The servers that a pipeline uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Where changes come from.
    Mongodb,
    /// Where messages go.
    Rabbitmq,
}

/// A fault of some releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advisory {
    /// Whose it is.
    pub server: Server,
    /// The first release that has it.
    pub first: Version,
    /// The first one that does not have it any more.
    pub mended: Version,
    /// What happens.
    pub what: &'static str,
    /// What to do.
    pub mend: &'static str,
}

const UPGRADE_TO_SPLIT: &str =
    "upgrade MongoDB to 6.0.9 or later of 6.0, or to 7.0 or later, if there may be such events";

const ADVISORIES: [Advisory; 9] = [
    Advisory {
        server: Server::Mongodb,
        first: Version(0, 0, 0),
        mended: Version(6, 0, 0),
        what: "releases before 6.0 are not tested",
        mend: "upgrade MongoDB to 6.0 or later",
    },
    Advisory {
        server: Server::Mongodb,
        first: Version(6, 0, 0),
        mended: Version(6, 0, 9),
        what: "it cannot send a change event over 16 MB, which would stop the pipeline",
        mend: UPGRADE_TO_SPLIT,
    },
    Advisory {
        server: Server::Mongodb,
        first: Version(6, 1, 0),
        mended: Version(7, 0, 0),
        what: "it cannot send a change event over 16 MB, which would stop the pipeline",
        mend: UPGRADE_TO_SPLIT,
    },
    Advisory {
        server: Server::Mongodb,
        first: Version(8, 2, 0),
        mended: Version(8, 2, 1),
        what: "it sends the fields of expanded events unasked, so bodies of whole events have more fields",
        mend: "upgrade MongoDB to 8.2.1 or later",
    },
    Advisory {
        server: Server::Mongodb,
        first: Version(9, 0, 0),
        mended: Version(9, 0, 2),
        what: "a mongos may send positions that go back (SERVER-135099); they are not taken",
        mend: "upgrade MongoDB to 9.0.2 or later, so that the checkpoint follows while nothing happens",
    },
    Advisory {
        server: Server::Rabbitmq,
        first: Version(0, 0, 0),
        mended: Version(3, 10, 0),
        what: "releases before 3.10 are not tested",
        mend: "upgrade RabbitMQ to 3.10 or later",
    },
    Advisory {
        server: Server::Rabbitmq,
        first: Version(3, 10, 0),
        mended: Version(4, 2, 0),
        what: "with Mnesia, its default, a crash within two seconds of a queue's declaration may take the queue away",
        mend: "nothing has to be done: no checkpoint is saved in that time; RabbitMQ 4.2 with Khepri does not forget",
    },
    Advisory {
        server: Server::Rabbitmq,
        first: Version(4, 3, 0),
        mended: Version(4, 3, 1),
        what: "it wants the configure permission for a mere look at a queue or exchange",
        mend: "upgrade RabbitMQ to 4.3.1 or later, or grant configure on the queue and the exchange",
    },
    Advisory {
        server: Server::Rabbitmq,
        first: Version(4, 3, 0),
        mended: Version(4, 3, 3),
        what: "a quorum queue's leader may confirm a message before a majority has it (ra 637)",
        mend: "upgrade RabbitMQ to 4.3.3 or later",
    },
];

/// What is known of a release.
pub(super) fn of(server: Server, version: Version) -> impl Iterator<Item = &'static Advisory> {
    let touches =
        move |one: &&Advisory| one.server == server && one.first <= version && version < one.mended;
    ADVISORIES.iter().filter(touches)
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mongodb => "mongodb",
            Self::Rabbitmq => "rabbitmq",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(server: Server, version: Version) -> Vec<Version> {
        of(server, version).map(|one| one.mended).collect()
    }

    #[test]
    fn a_release_has_the_faults_that_came_before_it_and_were_mended_after_it() {
        use Server::{Mongodb, Rabbitmq};
        for (server, version, mended) in [
            (Mongodb, Version(5, 0, 30), vec![Version(6, 0, 0)]),
            (Mongodb, Version(6, 0, 8), vec![Version(6, 0, 9)]),
            (Mongodb, Version(6, 0, 9), vec![]),
            (Mongodb, Version(6, 3, 1), vec![Version(7, 0, 0)]),
            (Mongodb, Version(8, 2, 0), vec![Version(8, 2, 1)]),
            (Mongodb, Version(9, 0, 1), vec![Version(9, 0, 2)]),
            (Mongodb, Version(9, 0, 2), vec![]),
            (Rabbitmq, Version(3, 9, 29), vec![Version(3, 10, 0)]),
            (Rabbitmq, Version(4, 1, 5), vec![Version(4, 2, 0)]),
            (Rabbitmq, Version(4, 2, 0), vec![]),
            (
                Rabbitmq,
                Version(4, 3, 0),
                vec![Version(4, 3, 1), Version(4, 3, 3)],
            ),
            (Rabbitmq, Version(4, 3, 2), vec![Version(4, 3, 3)]),
            (Rabbitmq, Version(4, 3, 3), vec![]),
        ] {
            assert_eq!(known(server, version), mended, "{server} {version}");
        }
    }
}
