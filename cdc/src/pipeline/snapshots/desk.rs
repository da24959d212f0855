//! What people ask of snapshots, and what they are told: the requests in the checkpoint's database are looked at once a
//! second, and each is told where the run is, so that nothing is lost with an answer or an engine.

use std::{collections::VecDeque, time::Duration};

use bson::DateTime;
use tokio::time::Instant;
use tracing::info;

use super::{Snapshots, reads::Done, waiting::Waiting};
use crate::{
    retry::chain,
    snapshot::{
        Ended, Origin, Run, Step, Wish,
        requests::{Error, Report, Request, State, Wanted},
    },
};

/// Time between looks at the requests.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same where they may not be read.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Time between reports of a run that only goes on.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// Runs that are asked for, the first one first.
    requested: VecDeque<Wish>,
    /// When to look next.
    look_at: Option<Instant>,
    is_asking: bool,
    /// Whether it is known what people ask: a run that was paused does not go on before.
    pub(super) has_looked: bool,
    reported_at: Option<Instant>,
    pub(super) is_paused: bool,
    /// A run of the engine's own that people were not told of. It may be over before they are.
    unannounced: Option<Request>,
}

impl Desk {
    pub(super) fn next(&self) -> Option<&Wish> {
        self.requested.front()
    }

    /// A run has begun. One of the engine's own is told of at once.
    pub(super) fn begun(&mut self, run: &Run) {
        if run.wish.origin != Origin::Request {
            self.unannounced = Some(announcement(run));
            self.look_at = None;
        }
    }

    /// A run begins or ends: what is asked for is looked at anew before the next one.
    pub(super) fn forget(&mut self) {
        self.requested.clear();
    }

    /// When something is to be done.
    pub(super) fn due(&self) -> Option<Instant> {
        self.look_at.filter(|_| !self.is_asking)
    }
}

impl Snapshots {
    /// Looks at the requests, where it is time.
    pub(super) fn look(&mut self, now: Instant) {
        let is_due = self.desk.look_at.is_none_or(|at| at <= now);
        let Some(requests) = self.requests.as_ref().filter(|_| is_due) else {
            return;
        };
        if self.desk.is_asking {
            return;
        }
        let requests = requests.clone();
        self.desk.is_asking = true;
        self.jobs
            .spawn(async move { Done::Asked(requests.active().await) });
    }

    pub(super) fn asked(&mut self, outcome: Result<Vec<Request>, Error>, now: Instant) {
        self.desk.is_asking = false;
        self.desk.has_looked = true;
        self.desk.look_at = Some(now + LOOK_EVERY);
        match outcome {
            Ok(active) => self.answer(&active, now),
            Err(error) => {
                if error.is_denied() {
                    self.desk.look_at = Some(now + LOOK_AGAIN);
                }
                if let Some(tries) = self.failures.repeats.failed(&chain(&error), now) {
                    info!(
                        error = chain(&error),
                        tried = tries.count,
                        "what is asked of snapshots is not known"
                    );
                }
            }
        }
    }

    fn answer(&mut self, active: &[Request], now: Instant) {
        let run = self.progress.run.as_ref().map(|run| run.wish.name.clone());
        let mine = active
            .iter()
            .find(|request| Some(&request.run) == run.as_ref());
        match mine.map(|request| request.wanted) {
            Some(Wanted::Cancel) => self.cancel(),
            Some(Wanted::Pause) if !self.desk.is_paused => self.pause(true),
            Some(Wanted::Run) if self.desk.is_paused => self.pause(false),
            _ => {}
        }
        let mut reports = Vec::new();
        self.desk.requested.clear();
        for request in active {
            match self.report(request, now) {
                Some(report) => reports.push((request.run.clone(), report)),
                None if Some(&request.run) == run.as_ref() => {}
                None if request.wanted == Wanted::Run => {
                    self.desk.requested.push_back(wish(request));
                }
                None => {}
            }
        }
        // The next run begins when it is stored what became of the last one, lest that begins again.
        let ended = self.progress.ended.as_ref().map(|ended| &ended.name);
        if active.iter().any(|request| Some(&request.run) == ended) {
            self.desk.requested.clear();
        }
        let is_known = mine.is_some();
        let own = self.progress.run.as_ref().filter(|_| !is_known);
        let own = own.map(|run| (announcement(run), report(run, State::Running, None)));
        let own = own.or_else(|| self.over_already());
        self.tell(reports, own, now);
    }

    /// The run of the engine's own that was over before people were told of it.
    fn over_already(&mut self) -> Option<(Request, Report)> {
        let request = self.desk.unannounced.take()?;
        let ended = self.progress.ended.as_ref()?;
        (ended.name == request.run).then(|| (request, last_report(ended)))
    }

    /// What is to be told of a request, if that is not what it says already.
    fn report(&self, request: &Request, now: Instant) -> Option<Report> {
        if let Some(run) = self.progress.run.as_ref()
            && run.wish.name == request.run
        {
            let state = if self.desk.is_paused {
                State::Paused
            } else {
                State::Running
            };
            let is_stale = self
                .desk
                .reported_at
                .is_none_or(|at| at + REPORT_EVERY <= now);
            return (request.state != state || is_stale).then(|| report(run, state, self.waiting));
        }
        match &self.progress.ended {
            Some(ended) if ended.name == request.run => Some(last_report(ended)),
            _ if request.wanted == Wanted::Cancel => Some(Report {
                state: State::Cancelled,
                reason: None,
                started_at: request.started_at,
                ended_at: Some(DateTime::now()),
                documents: request.documents,
                bytes: request.bytes,
                skipped: request.skipped.clone(),
            }),
            _ => None,
        }
    }

    fn tell(
        &mut self,
        reports: Vec<(String, Report)>,
        own: Option<(Request, Report)>,
        now: Instant,
    ) {
        let Some(requests) = self.requests.clone() else {
            return;
        };
        if reports.is_empty() && own.is_none() {
            return;
        }
        self.desk.is_asking = true;
        self.desk.reported_at = Some(now);
        self.jobs.spawn(async move {
            for (run, report) in reports {
                if let Err(error) = requests.report(&run, &report).await {
                    return Done::Told(Err(error));
                }
            }
            let Some((request, report)) = own else {
                return Done::Told(Ok(()));
            };
            // A run of the engine's own may have had this name before, under another checkpoint.
            Done::Told(match requests.report(&request.run, &report).await {
                Ok(false) => requests.announce(&request).await,
                outcome => outcome.map(|_| ()),
            })
        });
    }

    pub(super) fn told(&mut self, outcome: Result<(), Error>, now: Instant) {
        self.desk.is_asking = false;
        if let Err(error) = outcome {
            self.desk.look_at = Some(
                now + if error.is_denied() {
                    LOOK_AGAIN
                } else {
                    LOOK_EVERY
                },
            );
        }
    }

    fn pause(&mut self, is_paused: bool) {
        info!(
            is_paused,
            "somebody asked the snapshot to pause, or to go on"
        );
        self.desk.is_paused = is_paused;
        if is_paused {
            self.give_up();
        }
    }

    fn cancel(&mut self) {
        info!("the snapshot is cancelled, as somebody asked");
        self.give_up();
        self.desk.is_paused = false;
        self.step(Step::Ended { is_cancelled: true });
    }
}

fn wish(request: &Request) -> Wish {
    Wish {
        name: request.run.clone(),
        origin: Origin::Request,
        collections: request.collections.clone(),
        filter: request.filter.as_ref().map(|filter| filter.query().clone()),
        rate: request.rate,
    }
}

/// What people are to see of a run that nobody asked for.
fn announcement(run: &Run) -> Request {
    Request {
        run: run.wish.name.clone(),
        collections: run.wish.collections.clone(),
        filter: None,
        rate: run.wish.rate,
        requested_at: run.started_at,
        wanted: Wanted::Run,
        state: State::Running,
        reason: None,
        started_at: Some(run.started_at),
        ended_at: None,
        documents: run.documents,
        bytes: run.bytes,
        skipped: run.skipped.clone(),
    }
}

fn report(run: &Run, state: State, waiting: Option<Waiting>) -> Report {
    let reason = waiting.map(|waiting| waiting.text().to_owned());
    Report {
        state,
        reason,
        started_at: Some(run.started_at),
        ended_at: None,
        documents: run.documents,
        bytes: run.bytes,
        skipped: run.skipped.clone(),
    }
}

fn last_report(ended: &Ended) -> Report {
    let is_nothing = ended.collections == 0 && !ended.skipped.is_empty();
    let (state, reason) = if ended.is_cancelled {
        (State::Cancelled, None)
    } else if is_nothing {
        (
            State::Failed,
            Some("no collection could be read".to_owned()),
        )
    } else {
        (State::Done, None)
    };
    Report {
        state,
        reason,
        started_at: Some(ended.started_at),
        ended_at: Some(ended.ended_at),
        documents: ended.documents,
        bytes: ended.bytes,
        skipped: ended.skipped.clone(),
    }
}
