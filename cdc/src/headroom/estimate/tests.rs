use super::*;

const HOUR: u32 = 3_600;
const DAY: u32 = 24 * HOUR;
/// Some second long after 1970.
const NOW: u32 = 1_000_000_000;

/// A pipeline and an oplog, of which a sample is taken every ten seconds.
struct World {
    estimate: Estimate,
    at: Instant,
    now: u32,
    oldest: u32,
    position: u32,
    is_whole: bool,
}

impl World {
    /// An oplog that reaches so far back, and a checkpoint so far behind.
    fn new(window: u32, behind: u32) -> Self {
        let thresholds = Thresholds {
            warning: 6 * HOUR,
            critical: HOUR,
        };
        Self {
            estimate: Estimate::new(thresholds),
            at: Instant::now(),
            now: NOW,
            oldest: NOW - window,
            position: NOW - behind,
            is_whole: false,
        }
    }

    fn look(&mut self) -> Report {
        self.estimate.take(Sample {
            at: self.at,
            oldest: self.oldest,
            newest: self.now,
            position: self.position,
            is_whole: self.is_whole,
        })
    }

    /// Time passes in which the checkpoint moves at this speed, and the oplog is cut in pieces of so many seconds to reach
    /// back as far as before.
    fn pass(&mut self, seconds: u32, speed: u32, piece: u32) -> Report {
        self.burst(seconds, speed, (piece, 1))
    }

    /// The same where the oldest entry is so many times as fast as the clock.
    fn burst(&mut self, seconds: u32, speed: u32, (piece, times): (u32, u32)) -> Report {
        let begin = self.oldest;
        let mut report = self.look();
        for step in 1..=seconds / 10 {
            self.at += Duration::from_secs(10);
            self.now += 10;
            self.position = (self.position + 10 * speed).min(self.now);
            self.oldest = begin + step * 10 * times / piece * piece;
            report = self.look();
        }
        report
    }
}

#[test]
fn at_the_end_of_the_oplog_no_loss_is_in_sight_however_small_it_is() {
    let report = World::new(120, 30).pass(600, 1, 10);
    assert_eq!((report.headroom_seconds, report.level), (None, Level::Well));
    assert!((110..=130).contains(&report.window_seconds));
    assert_eq!(report.behind_seconds, 30);
}

#[test]
fn a_moment_at_the_end_of_a_small_oplog_is_no_danger() {
    let report = World::new(120, 20).pass(30, 0, 10);
    assert_eq!((report.headroom_seconds, report.level), (None, Level::Well));
}

#[test]
fn who_stands_still_has_the_window_less_the_lag() {
    let report = World::new(DAY, 2 * HOUR).pass(HOUR, 0, 864);
    let headroom = report.headroom_seconds.unwrap();
    assert!(
        (21 * HOUR - 864..=22 * HOUR).contains(&headroom),
        "{headroom}"
    );
    assert_eq!(report.level, Level::Well);
    assert_eq!(report.behind_seconds, 3 * HOUR);
}

#[test]
fn who_catches_up_loses_nothing() {
    let report = World::new(DAY, 23 * HOUR).pass(600, 5, 864);
    assert_eq!((report.headroom_seconds, report.level), (None, Level::Well));
}

#[test]
fn the_levels_come_as_the_headroom_shrinks_and_go_with_a_margin() {
    let mut world = World::new(DAY, 17 * HOUR);
    let mut levels = vec![(world.look().level, DAY)];
    let mut note = |report: Report| {
        if levels.last().unwrap().0 != report.level {
            levels.push((report.level, report.headroom_seconds.unwrap_or(DAY)));
        }
    };
    (0..650).for_each(|_| note(world.pass(40, 0, 10)));
    (0..250).for_each(|_| note(world.pass(100, 2, 10)));
    let names: Vec<_> = levels.iter().map(|(level, _)| *level).collect();
    assert_eq!(
        names,
        [
            Level::Well,
            Level::Warning,
            Level::Critical,
            Level::Warning,
            Level::Well
        ]
    );
    let seconds: Vec<_> = levels.iter().map(|(_, seconds)| *seconds).collect();
    assert!(
        (6 * HOUR - 60..6 * HOUR).contains(&seconds[1]),
        "{seconds:?}"
    );
    assert!((HOUR - 60..HOUR).contains(&seconds[2]), "{seconds:?}");
}

#[test]
fn a_level_is_not_left_for_a_little() {
    let mut estimate = World::new(DAY, 0).estimate;
    estimate.level = Level::Warning;
    let mut level = |minutes: u32| {
        let seconds = f64::from(6 * HOUR + minutes * 60);
        estimate.level = estimate.level_at(seconds, estimate.thresholds);
        estimate.level
    };
    let levels = [35, 37, 35].map(&mut level);
    assert_eq!(levels, [Level::Warning, Level::Well, Level::Well]);
}

#[test]
fn many_writes_bring_the_loss_nearer() {
    let calm = World::new(DAY, 12 * HOUR).burst(600, 0, (100, 1));
    let busy = World::new(DAY, 12 * HOUR).burst(600, 0, (100, 10));
    let [calm, busy] = [calm, busy].map(|report| report.headroom_seconds.unwrap());
    assert!((11 * HOUR..=12 * HOUR).contains(&calm), "{calm}");
    assert!((HOUR - 300..=HOUR + 900).contains(&busy), "{busy}");
}

#[test]
fn a_cut_of_hours_is_no_speed() {
    let mut world = World::new(7 * DAY, DAY);
    world.pass(600, 0, DAY);
    world.oldest += 2 * HOUR;
    let report = world.pass(10, 0, DAY);
    assert!(6 * DAY - 3 * HOUR < report.headroom_seconds.unwrap());
}

#[test]
fn a_small_oplog_has_thresholds_of_its_size() {
    let mut world = World::new(HOUR, 60);
    let mut level = |behind: u32| {
        world.position = world.now - behind;
        (0..8).for_each(|_| _ = world.pass(10, 1, 1));
        world.pass(60, 0, 1).level
    };
    assert_eq!(level(100), Level::Well);
    assert_eq!(level(HOUR / 2), Level::Warning);
    assert_eq!(level(HOUR - HOUR / 5), Level::Critical);
}

#[test]
fn an_oplog_that_has_dropped_nothing_loses_nothing() {
    let mut world = World::new(600, 590);
    world.is_whole = true;
    let report = world.pass(300, 0, DAY);
    assert_eq!((report.headroom_seconds, report.level), (None, Level::Well));
}

#[test]
fn what_has_left_the_oplog_has_no_headroom() {
    let mut world = World::new(HOUR, 2 * HOUR);
    assert_eq!(world.look().level, Level::Well, "one look tells no speed");
    let report = world.pass(60, 0, 10);
    assert_eq!(
        (report.headroom_seconds, report.level),
        (Some(0), Level::Critical)
    );
}

#[test]
fn the_oplog_of_another_member_begins_elsewhere_and_that_is_no_speed() {
    for step in [-12, 12] {
        let mut world = World::new(DAY, 2 * HOUR);
        world.pass(600, 0, 10);
        world.oldest = world
            .oldest
            .saturating_add_signed(step * i32::try_from(HOUR).unwrap());
        world.estimate.of_another_member();
        let report = world.pass(600, 0, 10);
        let distance = report.position - world.oldest;
        let headroom = report.headroom_seconds.unwrap();
        assert!(headroom.abs_diff(distance) < 60, "{headroom} of {distance}");
    }
}

#[test]
fn who_is_near_a_loss_and_as_fast_as_it_stays_in_danger_until_there_is_room() {
    let mut world = World::new(DAY, DAY - HOUR / 2);
    assert_eq!(world.pass(60, 0, 10).level, Level::Critical);
    let report = world.pass(120, 2, 10);
    assert_eq!(
        (report.headroom_seconds, report.level),
        (None, Level::Critical)
    );
    let report = world.pass(2 * HOUR, 2, 10);
    assert_eq!(
        (report.headroom_seconds, report.level),
        (None, Level::Warning)
    );
    assert_eq!(world.pass(6 * HOUR, 2, 10).level, Level::Well);
}

#[test]
fn what_has_left_an_oplog_of_seconds_is_critical() {
    let report = World::new(3, 90).pass(20, 0, 1);
    assert_eq!(
        (report.headroom_seconds, report.level),
        (Some(0), Level::Critical)
    );
}
