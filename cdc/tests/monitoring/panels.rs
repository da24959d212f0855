//! What the dashboard shows, from what a person on call asks first to what explains it.

use cdc::metrics::catalogue::*;

use crate::panel::{
    Panel, Row, by_label, each, lines, number, quantile, rate, rate_by_label, rate_of_each, since,
    sum, worst,
};

pub(crate) fn rows() -> Vec<Row> {
    let row = |title, height, panels| Row {
        title,
        height,
        panels,
    };
    vec![
        row("At a glance", 4, glance()),
        row("Flow", 8, flow()),
        row("Time", 8, time()),
        row("Refused and set aside", 8, refused()),
        row("Servers and checkpoint", 8, servers()),
        row("Oplog", 8, oplog()),
        row("Snapshots", 8, snapshots()),
        row("Process", 8, process()),
    ]
}

fn glance() -> Vec<Panel> {
    vec![
        number("Ready", "short", READY, "min"),
        number("Leaders", "short", LEADER, "sum"),
        number("Standbys", "short", STANDBYS, "sum"),
        number("Lag", "s", LAG, "max"),
        number("Headroom", "s", HEADROOM, "min"),
        worst("Checkpoint's age", "s", CHECKPOINT_AGE),
        number("In flight", "short", MESSAGES_IN_FLIGHT, "sum"),
        number("Release", "short", BUILD_INFO, "count"),
        lines("In the way", "short", vec![by_label(OBSTACLE, "max")]),
    ]
}

fn flow() -> Vec<Panel> {
    vec![
        lines(
            "Changes and messages",
            "ops",
            vec![
                rate(EVENTS_READ),
                rate(MESSAGES_PUBLISHED),
                rate(MESSAGES_CONFIRMED),
            ],
        ),
        lines(
            "Messages made, by operation",
            "ops",
            vec![rate_by_label(EVENTS_ENCODED)],
        ),
        lines("Bytes published", "Bps", vec![rate(BYTES_PUBLISHED)]),
        lines("In flight", "short", vec![sum(MESSAGES_IN_FLIGHT)]),
        lines("Bytes in flight", "bytes", vec![sum(BYTES_IN_FLIGHT)]),
    ]
}

fn time() -> Vec<Panel> {
    let quantiles = |metric| [0.5, 0.99].map(|share| quantile(metric, share)).into();
    vec![
        lines(
            "From publishing to confirm",
            "s",
            quantiles(CONFIRM_LATENCY),
        ),
        lines("From change to confirm", "s", quantiles(END_TO_END_LATENCY)),
        lines("Lag", "s", vec![each(LAG)]),
    ]
}

fn refused() -> Vec<Panel> {
    vec![
        lines(
            "Refused",
            "ops",
            vec![rate(MESSAGES_NACKED), rate(MESSAGES_RETURNED)],
        ),
        lines(
            "Published again",
            "ops",
            vec![
                rate(MESSAGES_RETRIED),
                rate(MESSAGES_REPLAYED),
                rate(MESSAGES_PASSED_OVER),
            ],
        ),
        lines("Parked", "ops", vec![rate_by_label(MESSAGES_PARKED)]),
        lines(
            "Changed or given up",
            "ops",
            vec![
                rate(MESSAGES_TRIMMED),
                rate(MESSAGES_MENDED),
                rate(MESSAGES_WITH_REPLACED_FIELDS),
                rate(MESSAGES_DROPPED),
            ],
        ),
    ]
}

fn servers() -> Vec<Panel> {
    vec![
        lines(
            "Connections made again",
            "ops",
            vec![rate_by_label(RECONNECTS)],
        ),
        lines("Blocked", "short", vec![each(BLOCKED)]),
        lines(
            "Queues and streams",
            "short",
            vec![
                sum(QUEUES_DECLARED),
                sum(QUEUES_LOST),
                sum(STREAM_PLACES_UNKNOWN),
            ],
        ),
        lines(
            "Checkpoint",
            "ops",
            vec![rate(CHECKPOINT_SAVES), rate(CHECKPOINT_SAVE_FAILURES)],
        ),
    ]
}

fn oplog() -> Vec<Panel> {
    vec![
        lines(
            "Headroom and thresholds",
            "s",
            vec![each(HEADROOM), by_label(HEADROOM_THRESHOLD, "min")],
        ),
        lines("Window", "s", vec![each(OPLOG_WINDOW)]),
        lines(
            "History skipped",
            "short",
            vec![sum(HISTORY_SKIPS), sum(HISTORY_SKIPPED)],
        ),
    ]
}

fn snapshots() -> Vec<Panel> {
    vec![
        lines(
            "Documents of the run",
            "short",
            vec![
                each(SNAPSHOT_RUN_DOCUMENTS),
                each(SNAPSHOT_RUN_DOCUMENTS_ESTIMATED),
            ],
        ),
        lines("Documents", "ops", vec![rate(SNAPSHOT_DOCUMENTS)]),
        lines("Bytes", "Bps", vec![rate(SNAPSHOT_BYTES)]),
        lines(
            "Chunks",
            "ops",
            vec![rate(SNAPSHOT_CHUNKS), rate(SNAPSHOT_CHUNKS_GIVEN_UP)],
        ),
        lines(
            "Under way, and what it waits for",
            "short",
            vec![each(SNAPSHOT_RUNNING), by_label(SNAPSHOT_WAITING, "max")],
        ),
    ]
}

fn process() -> Vec<Panel> {
    vec![
        lines("Processor", "percentunit", vec![rate_of_each(PROCESS_CPU)]),
        lines(
            "Memory",
            "bytes",
            vec![each(PROCESS_RESIDENT_MEMORY), each(PROCESS_VIRTUAL_MEMORY)],
        ),
        lines(
            "Open files",
            "short",
            vec![each(PROCESS_OPEN_FDS), each(PROCESS_MAX_FDS)],
        ),
        lines("Running for", "s", vec![since(PROCESS_START_TIME)]),
    ]
}
