//! Every metric. The scrape, its table in `docs/operating.md`, the alert rules and the dashboard are made from here.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::{
    Metric,
    declaration::{counter, gauge, histogram, metrics},
    histogram::Histogram,
    process,
    series::{Age, Known, Labelled, Looked, RealCounter, RealGauge, Series as _},
};

/// Bounds of what takes a broker's time.
const CONFIRM: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];
/// Bounds of what takes that and, for an engine that was away, hours.
const END_TO_END: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
    7200.0, 86400.0,
];
/// What may be in the way of an engine.
const CAUSES: &[&str] = &[
    "mongodb",
    "headroom",
    "rabbitmq",
    "sink",
    "blocked",
    "nacked",
    "unroutable",
    "checkpoint",
    "stalled",
];
/// Names of operations, and one for those of a server that is newer than this program.
const OPERATIONS: &[&str] = &[
    "insert",
    "update",
    "replace",
    "delete",
    "read",
    "create",
    "drop",
    "rename",
    "dropDatabase",
    "createIndexes",
    "dropIndexes",
    "modify",
    "shardCollection",
    "refineCollectionShardKey",
    "reshardCollection",
    "invalidate",
    "other",
];

metrics! {
    "Changes" {
        /// Events read from the change stream
        events_read: Counter = EVENTS_READ(counter("cdc_events_read")),
        /// Events of which a message was made, by operation
        ///
        /// `read` are documents that a snapshot read. What a program's filter does not want, and what stops the engine, is
        /// not among them.
        events_encoded: Labelled<Counter> = EVENTS_ENCODED(
            counter("cdc_events_encoded").by("operation", OPERATIONS)
        ),
        /// Times that lost history was skipped
        history_skips: Counter = HISTORY_SKIPS(counter("cdc_history_skips")),
        /// Seconds of history skipped
        history_skipped_seconds: RealCounter = HISTORY_SKIPPED(
            counter("cdc_history_skipped").seconds()
        ),
    }
    "Messages" {
        /// Messages handed to the broker, each attempt
        messages_published: Counter = MESSAGES_PUBLISHED(counter("cdc_messages_published")),
        /// Bytes of the bodies handed to the broker, each attempt
        bytes_published: Counter = BYTES_PUBLISHED(counter("cdc_bytes_published")),
        /// Messages that the broker took
        messages_confirmed: Counter = MESSAGES_CONFIRMED(counter("cdc_messages_confirmed")),
        /// Messages published again within this run, after a lost connection or a nack
        messages_retried: Counter = MESSAGES_RETRIED(counter("cdc_messages_retried")),
        /// Messages published again after a restart, as far as the checkpoint tells
        ///
        /// Those are the ones that were in flight at the last save. Up to a window of them may not have left the process
        /// then, and more may have been sent since.
        messages_replayed: Counter = MESSAGES_REPLAYED(counter("cdc_messages_replayed")),
        /// Messages not published after a restart, since the stream has them already
        messages_passed_over: Counter = MESSAGES_PASSED_OVER(counter("cdc_messages_passed_over")),
        /// Messages that the broker refused
        messages_nacked: Counter = MESSAGES_NACKED(counter("cdc_messages_nacked")),
        /// Messages that came back as unroutable
        messages_returned: Counter = MESSAGES_RETURNED(counter("cdc_messages_returned")),
        /// Messages put aside in the parked queue
        messages_parked: Labelled<Counter> = MESSAGES_PARKED(
            counter("cdc_messages_parked").by("reason", &["unroutable", "oversize", "poison"])
        ),
        /// Messages published without the full document, being too large
        messages_trimmed: Counter = MESSAGES_TRIMMED(counter("cdc_messages_trimmed")),
        /// Messages in which text that is not UTF-8 was replaced
        messages_mended: Counter = MESSAGES_MENDED(counter("cdc_messages_mended")),
        /// Messages in which `type` or `entry_id` of the document gave way to the body's
        ///
        /// Only the format `document` has them in the body.
        messages_with_replaced_fields: Counter = MESSAGES_WITH_REPLACED_FIELDS(
            counter("cdc_messages_with_replaced_fields")
        ),
        /// Messages that matched no queue and were given up
        ///
        /// Only the policy `drop` asks for that; one that is published again counts again.
        messages_dropped: Counter = MESSAGES_DROPPED(counter("cdc_messages_dropped")),
        /// Messages published and not yet confirmed, or waiting to be published again
        messages_in_flight: Gauge = MESSAGES_IN_FLIGHT(gauge("cdc_messages_in_flight")),
        /// Bytes of the bodies published and not yet confirmed
        bytes_in_flight: Gauge = BYTES_IN_FLIGHT(gauge("cdc_bytes_in_flight")),
    }
    "Time" {
        /// Age of the oldest change that waits for its confirm, by the server's clock, and at least how far the reading is behind
        ///
        /// 0 where there is nothing to do.
        lag_seconds: RealGauge = LAG(gauge("cdc_lag").seconds()),
        /// Time from a message's last publishing until its confirm was taken note of
        confirm_latency: Histogram = CONFIRM_LATENCY(
            histogram("cdc_confirm_latency", CONFIRM).seconds()
        ),
        /// Time from a change until its message and all before it were confirmed
        ///
        /// It compares MongoDB's clock with this machine's. Documents that snapshots read are not counted. Before MongoDB
        /// 6.0 changes are timed in whole seconds.
        end_to_end_latency: Histogram = END_TO_END_LATENCY(
            histogram("cdc_end_to_end_latency", END_TO_END).seconds()
        ),
    }
    "Servers" {
        /// Connections made again after a loss
        reconnects: Labelled<Counter> = RECONNECTS(
            counter("cdc_reconnects").by("server", &["mongodb", "rabbitmq"])
        ),
        /// 1 while the broker has blocked the connection
        blocked: Gauge = BLOCKED(gauge("cdc_blocked")),
        /// Queues that were not there and were declared
        ///
        /// One on the very first start.
        queues_declared: Counter = QUEUES_DECLARED(counter("cdc_queues_declared")),
        /// Queues that were gone with what they held, and were declared again
        queues_lost: Counter = QUEUES_LOST(counter("cdc_queues_lost")),
        /// Streams whose last message did not tell where to go on, so that messages come again
        stream_places_unknown: Counter = STREAM_PLACES_UNKNOWN(
            counter("cdc_stream_places_unknown")
        ),
    }
    "Checkpoint" {
        /// Checkpoints saved
        checkpoint_saves: Counter = CHECKPOINT_SAVES(counter("cdc_checkpoint_saves")),
        /// Attempts to save the checkpoint that failed
        checkpoint_save_failures: Counter = CHECKPOINT_SAVE_FAILURES(
            counter("cdc_checkpoint_save_failures")
        ),
        /// Time since the last save of the checkpoint
        ///
        /// Absent before the first one.
        checkpoint_age: Age = CHECKPOINT_AGE(gauge("cdc_checkpoint_age").seconds()),
    }
    "Oplog" {
        /// Time between the oldest and the newest entry of the oplog
        ///
        /// Absent where that is not known, as for the next.
        oplog_window: Known = OPLOG_WINDOW(gauge("cdc_oplog_window").seconds()),
        /// Time until changes leave the oplog that are not read yet, as things go
        ///
        /// Infinite where no loss is in sight; see [headroom](#headroom).
        headroom: Known = HEADROOM(gauge("cdc_headroom").seconds()),
        /// Headroom below which the engine warns, and below which it is not ready
        ///
        /// The settings, or the oplog's share where that is less.
        headroom_threshold: Labelled<Known> = HEADROOM_THRESHOLD(
            gauge("cdc_headroom_threshold").seconds().by("level", &["warning", "critical"])
        ),
    }
    "Snapshots" {
        /// Documents of snapshots that were published
        snapshot_documents: Counter = SNAPSHOT_DOCUMENTS(counter("cdc_snapshot_documents")),
        /// Bytes of the documents of snapshots that were published, as BSON
        snapshot_bytes: Counter = SNAPSHOT_BYTES(counter("cdc_snapshot").bytes()),
        /// Chunks of snapshots that were read
        snapshot_chunks: Counter = SNAPSHOT_CHUNKS(counter("cdc_snapshot_chunks")),
        /// Chunks of snapshots that were given up for a change, and are read again
        snapshot_chunks_given_up: Counter = SNAPSHOT_CHUNKS_GIVEN_UP(
            counter("cdc_snapshot_chunks_given_up")
        ),
        /// 1 while a snapshot is under way
        snapshot_running: Gauge = SNAPSHOT_RUNNING(gauge("cdc_snapshot_running")),
        /// Documents that the snapshot under way has read
        snapshot_run_documents: Gauge = SNAPSHOT_RUN_DOCUMENTS(gauge("cdc_snapshot_run_documents")),
        /// Documents that its collections had when the snapshot under way began, by the server's estimate
        snapshot_run_documents_estimated: Gauge = SNAPSHOT_RUN_DOCUMENTS_ESTIMATED(
            gauge("cdc_snapshot_run_documents_estimated")
        ),
        /// 1 for what the snapshot under way waits for
        ///
        /// With `catching_up` the reading of changes is far behind.
        snapshot_waiting: Labelled<Gauge> = SNAPSHOT_WAITING(
            gauge("cdc_snapshot_waiting").by("for", &["catching_up", "mongodb", "paused"])
        ),
    }
    "Engine" {
        /// 1 while `/ready` answers 200
        ready: Gauge = READY(gauge("cdc_ready")),
        /// 1 for what is in the way, as `/ready` tells it
        obstacle: Labelled<Gauge> = OBSTACLE(gauge("cdc_obstacle").by("cause", CAUSES)),
        /// 1 for a leader, 0 for a standby
        leader: Gauge = LEADER(gauge("cdc_leader")),
        /// Engines that stand by for a leader
        ///
        /// Absent where it is not known: on a standby, and without `read` on the lock's queue.
        standbys: Known = STANDBYS(gauge("cdc_standbys")),
        /// 1, labelled with the release
        build_info: Labelled<Gauge> = BUILD_INFO(
            gauge("cdc_build_info").by("version", &[env!("CARGO_PKG_VERSION")])
        ),
    }
    "Process" {
        /// Time that the processors spent on the process
        process_cpu: Looked = PROCESS_CPU(
            counter("process_cpu").seconds().from(process::cpu_seconds)
        ),
        /// Memory that the process has in use
        process_resident_memory: Looked = PROCESS_RESIDENT_MEMORY(
            gauge("process_resident_memory").bytes().from(process::resident_bytes)
        ),
        /// Addresses that the process has in use
        process_virtual_memory: Looked = PROCESS_VIRTUAL_MEMORY(
            gauge("process_virtual_memory").bytes().from(process::virtual_bytes)
        ),
        /// Files and connections that the process has open
        process_open_fds: Looked = PROCESS_OPEN_FDS(
            gauge("process_open_fds").from(process::open_files)
        ),
        /// Most files and connections that it may have open
        process_max_fds: Looked = PROCESS_MAX_FDS(
            gauge("process_max_fds").from(process::most_files)
        ),
        /// When the process started, in seconds since 1970
        process_start_time: Looked = PROCESS_START_TIME(
            gauge("process_start_time").seconds().from(process::start_seconds)
        ),
    }
}
