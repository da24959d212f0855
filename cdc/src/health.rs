//! Whether the engine does its work, and what is in the way: one value, published through a watch channel, of which
//! readiness and whatever else people see are views.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Instant};

use tokio::sync::watch;

/// What the engine is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// It connects to its servers.
    #[default]
    Starting,
    /// Another engine works for the same pipeline.
    Standby,
    /// It works.
    Leader,
    /// It delivers what is in flight and stops.
    Draining,
}

/// What may be in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The change stream is lost.
    Mongodb,
    /// Changes leave the oplog soon that are not read yet.
    Headroom,
    /// The broker is lost.
    Rabbitmq,
    /// A sink of the program's own fails.
    Sink,
    /// The broker has blocked the connection: an alarm.
    Blocked,
    /// The broker refuses messages.
    Nacked,
    /// The broker has no queue for a message.
    Unroutable,
    /// The checkpoint cannot be saved.
    Checkpoint,
    /// Nothing moves, although there is work.
    Stalled,
}

/// Something in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// Its kind.
    pub cause: Cause,
    /// What happened last, for people.
    pub reason: String,
    /// When it began.
    pub since: Instant,
}

/// A moment's picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whether the engine does, or could at once do, its work.
    pub ready: bool,
    /// What the engine is doing.
    pub role: Role,
    /// What is in the way, in the order of [`Cause`].
    pub obstacles: Vec<Obstacle>,
    /// How many seconds the reading is behind the server's time, while it catches up. It is at work, so it is ready.
    pub behind_seconds: Option<u32>,
    /// What a person should look at, although nothing is in the way.
    pub notice: Option<String>,
    /// To a leader, the engines that stand by for it; nothing where that is not known.
    pub standbys: Option<Vec<String>>,
}

/// The engine's health. A clone tells of the same engine.
#[derive(Debug, Clone, Default)]
pub struct Health {
    status: Arc<watch::Sender<Status>>,
}

/// How things stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    role: Role,
    obstacles: BTreeMap<Cause, Obstacle>,
    behind_seconds: Option<u32>,
    notice: Option<String>,
    standbys: Option<Vec<String>>,
}

impl Health {
    /// The engine changed what it does. What is in the way stays.
    pub fn set_role(&self, role: Role) {
        self.change(|status| status.role = role);
    }

    /// The reading is far behind the server's time, by so many seconds, or no longer.
    pub fn set_behind(&self, seconds: Option<u32>) {
        self.change(|status| status.behind_seconds = seconds);
    }

    /// There is something that a person should look at, or no longer.
    pub fn set_notice(&self, notice: Option<String>) {
        self.change(|status| status.notice = notice);
    }

    /// These engines stand by for this one, if that is known.
    pub fn set_standbys(&self, standbys: Option<Vec<String>>) {
        self.change(|status| status.standbys = standbys);
    }

    /// The engine begins anew: what was in the way of its last session tells nothing of the next one.
    pub fn restart(&self) {
        self.change(|status| *status = Status::default());
    }

    /// Something is in the way. Said again, it keeps the moment when it began and takes the new reason.
    pub fn add_obstacle(&self, cause: Cause, reason: impl Into<String>) {
        let reason = reason.into();
        self.change(|status| {
            let known = status.obstacles.get(&cause);
            let since = known.map_or_else(Instant::now, |obstacle| obstacle.since);
            let obstacle = Obstacle {
                cause,
                reason,
                since,
            };
            status.obstacles.insert(cause, obstacle);
        });
    }

    /// It is out of the way.
    pub fn clear(&self, cause: Cause) {
        self.change(|status| {
            status.obstacles.remove(&cause);
        });
    }

    /// How things stand now.
    pub fn report(&self) -> Report {
        self.status.borrow().report()
    }

    /// Tells of every change from now on.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }
}

impl Status {
    /// What people see of it. A standby is ready: whoever rolls out a new engine beside an old one must not wait for it
    /// to lead.
    pub fn report(&self) -> Report {
        let at_work = matches!(self.role, Role::Leader | Role::Standby);
        Report {
            ready: at_work && self.obstacles.is_empty(),
            role: self.role,
            obstacles: self.obstacles.values().cloned().collect(),
            behind_seconds: self.behind_seconds,
            notice: self.notice.clone(),
            standbys: self.standbys.clone(),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Starting => "starting",
            Self::Standby => "standby",
            Self::Leader => "leader",
            Self::Draining => "draining",
        })
    }
}

impl Cause {
    /// Every cause, in its order.
    pub const ALL: [Self; 9] = [
        Self::Mongodb,
        Self::Headroom,
        Self::Rabbitmq,
        Self::Sink,
        Self::Blocked,
        Self::Nacked,
        Self::Unroutable,
        Self::Checkpoint,
        Self::Stalled,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mongodb => "mongodb",
            Self::Headroom => "headroom",
            Self::Rabbitmq => "rabbitmq",
            Self::Sink => "sink",
            Self::Blocked => "blocked",
            Self::Nacked => "nacked",
            Self::Unroutable => "unroutable",
            Self::Checkpoint => "checkpoint",
            Self::Stalled => "stalled",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_and_a_standby_are_ready_and_nobody_else() {
        let health = Health::default();
        let ready = |role| {
            health.set_role(role);
            health.report().ready
        };
        assert_eq!(health.report().role, Role::Starting);
        let roles = [Role::Starting, Role::Standby, Role::Leader, Role::Draining];
        assert_eq!(roles.map(ready), [false, true, true, false]);
    }

    #[test]
    fn each_obstacle_takes_readiness_away_until_the_last_one_is_cleared() {
        let health = Health::default();
        health.set_role(Role::Leader);
        health.add_obstacle(Cause::Rabbitmq, "lost");
        health.add_obstacle(Cause::Mongodb, "away");
        let report = health.report();
        let causes: Vec<Cause> = report.obstacles.iter().map(|one| one.cause).collect();
        assert_eq!(causes, [Cause::Mongodb, Cause::Rabbitmq]);
        assert!(!report.ready);
        health.clear(Cause::Rabbitmq);
        assert!(!health.report().ready);
        health.clear(Cause::Mongodb);
        health.clear(Cause::Mongodb);
        assert!(health.report().ready);
    }

    #[test]
    fn a_new_session_begins_without_the_obstacles_of_the_last_one() {
        let health = Health::default();
        health.set_role(Role::Leader);
        health.add_obstacle(Cause::Checkpoint, "taken");
        health.restart();
        assert_eq!(health.report().role, Role::Starting);
        health.set_role(Role::Standby);
        assert!(health.report().ready);
    }

    #[test]
    fn an_engine_that_catches_up_is_ready_and_says_how_far_it_is_behind() {
        let health = Health::default();
        health.set_role(Role::Leader);
        health.set_behind(Some(812));
        let report = health.report();
        assert_eq!((report.ready, report.behind_seconds), (true, Some(812)));
        health.restart();
        assert_eq!(health.report().behind_seconds, None);
    }

    #[test]
    fn a_notice_takes_no_readiness_away_and_ends_with_the_session() {
        let health = Health::default();
        health.set_role(Role::Standby);
        health.set_notice(Some("look".to_owned()));
        let report = health.report();
        assert_eq!(
            (report.ready, report.notice.as_deref()),
            (true, Some("look"))
        );
        health.restart();
        assert_eq!(health.report().notice, None);
    }

    #[test]
    fn whoever_watches_hears_of_what_changes_and_of_nothing_else() {
        let health = Health::default();
        let mut watch = health.watch();
        health.clear(Cause::Mongodb);
        health.set_role(Role::Starting);
        assert!(!watch.has_changed().unwrap());
        health.add_obstacle(Cause::Mongodb, "away");
        assert!(watch.has_changed().unwrap());
        let seen = watch.borrow_and_update().report();
        assert_eq!(seen, health.report());
    }

    #[test]
    fn an_obstacle_said_again_keeps_its_beginning_and_takes_the_new_reason() {
        let health = Health::default();
        let other = health.clone();
        health.add_obstacle(Cause::Blocked, "low on memory");
        let first = other.report().obstacles[0].clone();
        std::thread::sleep(std::time::Duration::from_millis(5));
        health.add_obstacle(Cause::Blocked, "low on disk");
        let [again] = &other.report().obstacles[..] else {
            panic!("one cause, one obstacle");
        };
        assert_eq!((again.since, &*again.reason), (first.since, "low on disk"));
        other.clear(Cause::Blocked);
        health.add_obstacle(Cause::Blocked, "low on memory");
        assert!(health.report().obstacles[0].since > first.since);
    }
}
