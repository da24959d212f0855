//! The alerts, the worst first.

use cdc::metrics::{Metric, catalogue::*};

use crate::alert::{Alert, Severity, at, series};

pub(crate) fn alerts() -> Vec<Alert> {
    vec![
        no_engine(),
        no_leader(),
        not_ready(),
        headroom_critical(),
        history_skipped(),
        queue_lost(),
        blocked(),
        stalled(),
        checkpoint_stale(),
        checkpoint_failures(),
        headroom_warning(),
        lag_grows(),
        parked(),
        duplicates(),
        reconnects(),
    ]
}

/// What has grown in a stretch of minutes, also where the series begins with it, as that of a process that has just
/// started. A series that was not scraped for a while begins too, and has not grown.
fn rises(metric: Metric, minutes: u32) -> String {
    let begun = format!("({metric} unless {metric} offset {minutes}m) > 0");
    let is_young = format!("time() - {PROCESS_START_TIME} < {}", 60 * minutes);
    format!(
        "increase({metric}[{minutes}m]) > 0 or {begun} and on (pipeline, instance, job) ({is_young})"
    )
}

fn no_engine() -> Alert {
    let known = format!("max by (pipeline) (last_over_time({BUILD_INFO}[6h]))");
    Alert {
        name: "CdcNoEngine",
        severity: Severity::Critical,
        query: format!("{known} unless on (pipeline) {BUILD_INFO}"),
        after: "2m",
        summary: "No engine of the pipeline {{ $labels.pipeline }} answers, and one did in the last 6 hours",
        fires: at(20, [series(BUILD_INFO, "1x10 _x10")]),
        is_silent: at(
            20,
            [
                series(BUILD_INFO, "1x10 _x10"),
                series(BUILD_INFO, "_x10 1x20").of("version", "2"),
            ],
        ),
    }
}

fn no_leader() -> Alert {
    Alert {
        name: "CdcNoLeader",
        severity: Severity::Critical,
        query: format!("max by (pipeline) ({LEADER}) == 0"),
        after: "2m",
        summary: "Every engine of the pipeline {{ $labels.pipeline }} stands by or starts, and none publishes",
        fires: at(
            5,
            [
                series(LEADER, "0x10"),
                series(LEADER, "0x10").of("zone", "b"),
            ],
        ),
        is_silent: at(
            5,
            [
                series(LEADER, "0x10"),
                series(LEADER, "1x10").of("zone", "b"),
            ],
        ),
    }
}

fn not_ready() -> Alert {
    Alert {
        name: "CdcNotReady",
        severity: Severity::Critical,
        query: format!("{READY} == 0"),
        after: "5m",
        summary: "An engine of the pipeline {{ $labels.pipeline }} is not ready",
        fires: at(8, [series(READY, "1 0x10")]).of_an_engine(),
        is_silent: at(8, [series(READY, "1 0x3 1 0x10")]),
    }
}

fn headroom(level: &str) -> String {
    let threshold = format!("{HEADROOM_THRESHOLD}{{level=\"{level}\"}}");
    format!("min by (pipeline) ({HEADROOM}) < min by (pipeline) ({threshold})")
}

fn headroom_critical() -> Alert {
    let threshold = || series(HEADROOM_THRESHOLD, "3600x20").of("level", "critical");
    Alert {
        name: "CdcHeadroomCritical",
        severity: Severity::Critical,
        query: headroom("critical"),
        after: "1m",
        summary: "The pipeline {{ $labels.pipeline }} loses changes in {{ $value | humanizeDuration }}",
        fires: at(5, [series(HEADROOM, "3540-60x10"), threshold()]).telling("54m 0s"),
        is_silent: at(5, [series(HEADROOM, "+Inf+0x3 3601x10"), threshold()]),
    }
}

fn headroom_warning() -> Alert {
    let threshold = || series(HEADROOM_THRESHOLD, "21600x20").of("level", "warning");
    Alert {
        name: "CdcHeadroomLow",
        severity: Severity::Warning,
        query: headroom("warning"),
        after: "5m",
        summary: "The pipeline {{ $labels.pipeline }} loses changes in {{ $value | humanizeDuration }}",
        fires: at(10, [series(HEADROOM, "20000-60x20"), threshold()]).telling("5h 23m 20s"),
        is_silent: at(10, [series(HEADROOM, "21600x20"), threshold()]),
    }
}

fn history_skipped() -> Alert {
    Alert {
        name: "CdcHistorySkipped",
        severity: Severity::Critical,
        query: rises(HISTORY_SKIPS, 60),
        after: "0m",
        summary: "Changes of the pipeline {{ $labels.pipeline }} had left the oplog and were skipped",
        fires: at(
            5,
            [
                series(HISTORY_SKIPS, "1x10"),
                series(PROCESS_START_TIME, "0x10"),
            ],
        )
        .of_an_engine(),
        // Prometheus was away for 20 minutes an hour before.
        is_silent: at(
            95,
            [
                series(HISTORY_SKIPS, "1x20 _x20 1x60"),
                series(PROCESS_START_TIME, "0x100"),
            ],
        ),
    }
}

fn queue_lost() -> Alert {
    Alert {
        name: "CdcQueueLost",
        severity: Severity::Critical,
        query: rises(QUEUES_LOST, 60),
        after: "0m",
        summary: "A queue of the pipeline {{ $labels.pipeline }} was gone with what it held, and was declared again",
        fires: at(5, [series(QUEUES_LOST, "0 0 1x10")]).of_an_engine(),
        is_silent: at(
            5,
            [series(QUEUES_LOST, "0x10"), series(QUEUES_DECLARED, "1x10")],
        ),
    }
}

fn blocked() -> Alert {
    Alert {
        name: "CdcBlocked",
        severity: Severity::Critical,
        query: format!("{BLOCKED} == 1"),
        after: "2m",
        summary: "RabbitMQ has blocked the connection of the pipeline {{ $labels.pipeline }}",
        fires: at(5, [series(BLOCKED, "0 1x10")]).of_an_engine(),
        is_silent: at(5, [series(BLOCKED, "0 1 0 1 0x10")]),
    }
}

fn stalled() -> Alert {
    Alert {
        name: "CdcNothingMoves",
        severity: Severity::Critical,
        query: format!(
            "{MESSAGES_IN_FLIGHT} > 0 and increase({MESSAGES_CONFIRMED}[5m]) == 0 or {LEADER} == 1 and {LAG} > 60 and {CHECKPOINT_AGE} > 60 and increase({MESSAGES_CONFIRMED}[5m]) == 0"
        ),
        after: "5m",
        summary: "The pipeline {{ $labels.pipeline }} has changes to publish, and none was confirmed for 5 minutes",
        fires: at(
            15,
            [
                series(MESSAGES_IN_FLIGHT, "100x20"),
                series(MESSAGES_CONFIRMED, "7x20"),
            ],
        )
        .of_an_engine(),
        is_silent: at(
            15,
            [
                series(MESSAGES_IN_FLIGHT, "100x20"),
                series(MESSAGES_CONFIRMED, "7+1x20"),
                // Another engine reads through a day of changes that nobody asked for.
                series(LEADER, "1x20").of("zone", "b"),
                series(LAG, "80000x20").of("zone", "b"),
                series(CHECKPOINT_AGE, "1x20").of("zone", "b"),
                series(MESSAGES_CONFIRMED, "0x20").of("zone", "b"),
            ],
        ),
    }
}

fn checkpoint_stale() -> Alert {
    Alert {
        name: "CdcCheckpointStale",
        severity: Severity::Critical,
        query: format!("{CHECKPOINT_AGE} > 300 and {LEADER} == 1"),
        after: "1m",
        summary: "The checkpoint of the pipeline {{ $labels.pipeline }} was last saved {{ $value | humanizeDuration }} ago",
        fires: at(
            8,
            [series(CHECKPOINT_AGE, "0+60x10"), series(LEADER, "1x10")],
        )
        .of_an_engine()
        .telling("8m 0s"),
        is_silent: at(
            8,
            [series(CHECKPOINT_AGE, "0+60x10"), series(LEADER, "0x10")],
        ),
    }
}

fn checkpoint_failures() -> Alert {
    Alert {
        name: "CdcCheckpointSavesFail",
        severity: Severity::Warning,
        query: format!("increase({CHECKPOINT_SAVE_FAILURES}[10m]) > 3"),
        after: "0m",
        summary: "The checkpoint of the pipeline {{ $labels.pipeline }} cannot be saved again and again",
        fires: at(10, [series(CHECKPOINT_SAVE_FAILURES, "0+1x10")]).of_an_engine(),
        is_silent: at(10, [series(CHECKPOINT_SAVE_FAILURES, "0 1x10")]),
    }
}

fn lag_grows() -> Alert {
    let lag = format!("max by (pipeline) ({LAG}) > 300");
    Alert {
        name: "CdcLagGrows",
        severity: Severity::Warning,
        query: format!("{lag} and max by (pipeline) (deriv({LAG}[10m])) > 0"),
        after: "10m",
        summary: "The pipeline {{ $labels.pipeline }} is {{ $value | humanizeDuration }} behind and falls back further",
        fires: at(30, [series(LAG, "0+60x40")]).telling("30m 0s"),
        is_silent: at(30, [series(LAG, "7200-60x40")]),
    }
}

fn parked() -> Alert {
    Alert {
        name: "CdcParked",
        severity: Severity::Warning,
        query: rises(MESSAGES_PARKED, 15),
        after: "0m",
        summary: "Messages of the pipeline {{ $labels.pipeline }} were parked: {{ $labels.reason }}",
        fires: at(
            5,
            [series(MESSAGES_PARKED, "0 0 3x10").of("reason", "poison")],
        )
        .of_an_engine()
        .with([("reason", "poison")]),
        is_silent: at(
            30,
            [series(MESSAGES_PARKED, "0 0 3x40").of("reason", "poison")],
        ),
    }
}

fn duplicates() -> Alert {
    Alert {
        name: "CdcStreamPlaceUnknown",
        severity: Severity::Warning,
        query: rises(STREAM_PLACES_UNKNOWN, 60),
        after: "0m",
        summary: "A stream of the pipeline {{ $labels.pipeline }} may have messages twice",
        fires: at(
            5,
            [
                series(STREAM_PLACES_UNKNOWN, "1x10"),
                series(PROCESS_START_TIME, "0x10"),
            ],
        )
        .of_an_engine(),
        is_silent: at(5, [series(STREAM_PLACES_UNKNOWN, "0x10")]),
    }
}

fn reconnects() -> Alert {
    Alert {
        name: "CdcReconnects",
        severity: Severity::Warning,
        query: format!("increase({RECONNECTS}[15m]) > 5"),
        after: "0m",
        summary: "An engine of the pipeline {{ $labels.pipeline }} loses its connection to {{ $labels.server }} again and again",
        fires: at(15, [series(RECONNECTS, "0+1x20").of("server", "rabbitmq")])
            .of_an_engine()
            .with([("server", "rabbitmq")]),
        is_silent: at(
            15,
            [series(RECONNECTS, "0 1 2x20").of("server", "rabbitmq")],
        ),
    }
}
