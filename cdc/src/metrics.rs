//! What the engine counts, for a scrape: every name begins with `cdc_`, every series carries its pipeline.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::{Duration, Instant},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, text},
    metrics::{
        MetricType,
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Metric, Registry},
};

use crate::message::ParkReason;

/// Counters of one name, told apart by one label.
pub type Labelled = Family<[(&'static str, &'static str); 1], Counter>;

/// A server that a connection was lost to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Where changes are read.
    Mongodb,
    /// Where messages go.
    Rabbitmq,
}

/// The engine's counters and gauges. A clone counts into the same series.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Events read from the change stream.
    pub events_read: Counter,
    /// Messages handed to the broker, each attempt.
    pub messages_published: Counter,
    /// Bytes of the bodies handed to the broker, each attempt.
    pub bytes_published: Counter,
    /// Messages published again within this run.
    pub messages_retried: Counter,
    /// Messages published again after a restart, as far as the checkpoint tells: at least so many.
    pub messages_replayed: Counter,
    /// Messages that were not published because the stream has them already.
    pub messages_passed_over: Counter,
    /// Streams whose last message did not tell where to go on, so that messages came again.
    pub stream_places_unknown: Counter,
    /// Messages that the broker took.
    pub messages_confirmed: Counter,
    /// Verdicts "not taken".
    pub messages_nacked: Counter,
    /// Messages that came back as unroutable.
    pub messages_returned: Counter,
    /// Messages put aside, by `reason`; see [`Metrics::parked`].
    pub messages_parked: Labelled,
    /// Messages published without the full document.
    pub messages_trimmed: Counter,
    /// Messages in which text that is not UTF-8 was replaced.
    pub messages_mended: Counter,
    /// Messages in which fields of the document gave way to the body's.
    pub messages_with_replaced_fields: Counter,
    /// Messages that matched no queue and were given up, each attempt.
    pub messages_dropped: Counter,
    /// Times that the history was lost and skipped.
    pub history_skips: Counter,
    /// Seconds of history skipped.
    pub history_skipped_seconds: Counter<f64, AtomicU64>,
    /// Documents of snapshots that were published.
    pub snapshot_documents: Counter,
    /// Bytes of them, as BSON.
    pub snapshot_bytes: Counter,
    /// Chunks of snapshots that were read.
    pub snapshot_chunks: Counter,
    /// Chunks that were given up, since a change waited, and are read again.
    pub snapshot_chunks_given_up: Counter,
    /// 1 while a snapshot is under way.
    pub snapshot_running: Gauge,
    /// Documents that it has read.
    pub snapshot_run_documents: Gauge,
    /// Documents that its collections had when it began.
    pub snapshot_run_documents_estimated: Gauge,
    /// 1 for what it waits for; see [`Metrics::snapshot_waits`].
    pub snapshot_waiting: Family<[(&'static str, &'static str); 1], Gauge>,
    /// Queues that were not there and were declared.
    pub queues_declared: Counter,
    /// Connections made again, by `server`; see [`Metrics::reconnected`].
    pub reconnects: Labelled,
    /// Checkpoints saved; see [`Metrics::checkpoint_saved`].
    pub checkpoint_saves: Counter,
    /// Attempts to save the checkpoint that failed.
    pub checkpoint_save_failures: Counter,
    /// Messages published and not yet judged, or waiting to be published again.
    pub messages_in_flight: Gauge,
    /// Bytes of their bodies.
    pub bytes_in_flight: Gauge,
    /// Age of the last confirmed change, by the server's clock.
    pub lag_seconds: Gauge<f64, AtomicU64>,
    /// 1 while the broker has blocked the connection.
    pub blocked: Gauge,
    /// 1 while this engine is the leader, 0 while it stands by.
    pub leader: Gauge,
    checkpoint_age: CheckpointAge,
    registry: Arc<Registry>,
}

impl Metrics {
    /// All series at zero, labelled with the pipeline.
    pub fn new(pipeline: &str) -> Self {
        let label = ("pipeline".into(), pipeline.to_owned().into());
        let mut registry = Registry::with_prefix_and_labels("cdc", [label].into_iter());
        let mut metrics = Self::default();
        // A series that exists from the start is a zero, not a gap, on a graph.
        for server in [Server::Mongodb, Server::Rabbitmq] {
            let _ = metrics.reconnects.get_or_create(&server.label());
        }
        for reason in ParkReason::ALL {
            let _ = metrics
                .messages_parked
                .get_or_create(&[("reason", reason.as_str())]);
        }
        for waiting in ["catching_up", "mongodb", "paused"] {
            metrics.snapshot_waits(waiting).set(0);
        }
        metrics.register_messages(&mut registry);
        metrics.register_snapshots(&mut registry);
        metrics.register_rest(&mut registry);
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// The engine begins anew: it leads nobody, and nothing is in flight.
    pub fn restart(&self) {
        for gauge in [
            &self.leader,
            &self.blocked,
            &self.messages_in_flight,
            &self.bytes_in_flight,
            &self.snapshot_running,
            &self.snapshot_run_documents,
            &self.snapshot_run_documents_estimated,
        ] {
            gauge.set(0);
        }
        self.lag_seconds.set(0.0);
    }

    /// A checkpoint was saved now.
    pub fn checkpoint_saved(&self) {
        self.checkpoint_saves.inc();
        self.checkpoint_age.restart();
    }

    /// The time since the last save, where there was one.
    pub fn checkpoint_age(&self) -> Option<Duration> {
        self.checkpoint_age.get()
    }

    /// What the snapshot under way waits for.
    pub fn snapshot_waits_for(&self) -> Option<&'static str> {
        let all = ["catching_up", "mongodb", "paused"].into_iter();
        all.into_iter()
            .find(|one| 0 < self.snapshot_waits(one).get())
    }

    /// A connection to `server` was made again.
    pub fn reconnected(&self, server: Server) {
        self.reconnects.get_or_create(&server.label()).inc();
    }

    /// A message was put aside.
    pub fn parked(&self, reason: ParkReason) {
        self.messages_parked
            .get_or_create(&[("reason", reason.as_str())])
            .inc();
    }

    /// Whether a snapshot waits for this.
    pub fn snapshot_waits(&self, waiting: &'static str) -> Gauge {
        self.snapshot_waiting
            .get_or_create(&[("for", waiting)])
            .clone()
    }

    /// Every series as `OpenMetrics` text.
    #[expect(clippy::missing_panics_doc, reason = "writing to a string never fails")]
    pub fn encode(&self) -> String {
        let mut page = String::new();
        text::encode(&mut page, &self.registry).expect("a string takes every write");
        page
    }

    fn register_messages(&self, registry: &mut Registry) {
        let mut add = |name, help, counter: &Counter| add(registry, name, help, counter);
        add(
            "events_read",
            "Events read from the change stream",
            &self.events_read,
        );
        add(
            "messages_published",
            "Messages handed to the broker, each attempt",
            &self.messages_published,
        );
        add(
            "bytes_published",
            "Bytes of the bodies handed to the broker, each attempt",
            &self.bytes_published,
        );
        add(
            "messages_retried",
            "Messages published again within this run, after a lost connection or a nack",
            &self.messages_retried,
        );
        add(
            "messages_replayed",
            "Messages published again after a restart, as far as the checkpoint tells",
            &self.messages_replayed,
        );
        add(
            "messages_confirmed",
            "Messages that the broker took",
            &self.messages_confirmed,
        );
        add(
            "messages_nacked",
            "Messages that the broker refused",
            &self.messages_nacked,
        );
        add(
            "messages_returned",
            "Messages that came back as unroutable",
            &self.messages_returned,
        );
        add(
            "messages_trimmed",
            "Messages published without the full document, being too large",
            &self.messages_trimmed,
        );
        add(
            "messages_mended",
            "Messages in which text that is not UTF-8 was replaced",
            &self.messages_mended,
        );
        add(
            "messages_with_replaced_fields",
            "Messages in which `type` or `entry_id` of the document gave way to the body's",
            &self.messages_with_replaced_fields,
        );
        add(
            "messages_dropped",
            "Messages that matched no queue and were given up",
            &self.messages_dropped,
        );
    }

    fn register_snapshots(&self, registry: &mut Registry) {
        let help = "Documents of snapshots that were published";
        add(
            registry,
            "snapshot_documents",
            help,
            &self.snapshot_documents,
        );
        let help = "Bytes of the documents of snapshots that were published, as BSON";
        add(registry, "snapshot_bytes", help, &self.snapshot_bytes);
        let help = "Chunks of snapshots that were read";
        add(registry, "snapshot_chunks", help, &self.snapshot_chunks);
        let help = "Chunks of snapshots that were given up for a change, and are read again";
        let given_up = &self.snapshot_chunks_given_up;
        add(registry, "snapshot_chunks_given_up", help, given_up);
        let help = "1 while a snapshot is under way";
        add(registry, "snapshot_running", help, &self.snapshot_running);
        let help = "Documents that the snapshot under way has read";
        let documents = &self.snapshot_run_documents;
        add(registry, "snapshot_run_documents", help, documents);
        let help = "Documents that its collections had when the snapshot under way began";
        let estimated = &self.snapshot_run_documents_estimated;
        add(
            registry,
            "snapshot_run_documents_estimated",
            help,
            estimated,
        );
        let help = "1 for what the snapshot under way waits for";
        add(registry, "snapshot_waiting", help, &self.snapshot_waiting);
    }

    fn register_rest(&self, registry: &mut Registry) {
        let help = "Messages not published after a restart, since the stream has them already";
        let passed_over = &self.messages_passed_over;
        add(registry, "messages_passed_over", help, passed_over);
        let help =
            "Streams whose last message did not tell where to go on, so that messages come again";
        let unknown = &self.stream_places_unknown;
        add(registry, "stream_places_unknown", help, unknown);
        let help = "Messages put aside in the parked queue";
        add(registry, "messages_parked", help, &self.messages_parked);
        let help = "Times that lost history was skipped";
        add(registry, "history_skips", help, &self.history_skips);
        let help = "Seconds of history skipped";
        let skipped = &self.history_skipped_seconds;
        add(registry, "history_skipped_seconds", help, skipped);
        let help = "Queues that were not there and were declared";
        add(registry, "queues_declared", help, &self.queues_declared);
        let help = "Connections made again after a loss";
        add(registry, "reconnects", help, &self.reconnects);
        let help = "Checkpoints saved";
        add(registry, "checkpoint_saves", help, &self.checkpoint_saves);
        let help = "Attempts to save the checkpoint that failed";
        let failures = &self.checkpoint_save_failures;
        add(registry, "checkpoint_save_failures", help, failures);
        let help = "Messages published and not yet confirmed";
        add(
            registry,
            "messages_in_flight",
            help,
            &self.messages_in_flight,
        );
        let help = "Bytes of the bodies published and not yet confirmed";
        add(registry, "bytes_in_flight", help, &self.bytes_in_flight);
        let help = "Age of the last confirmed change by the server's clock";
        add(registry, "lag_seconds", help, &self.lag_seconds);
        let help = "1 while the broker has blocked the connection";
        add(registry, "blocked", help, &self.blocked);
        let help = "1 while this engine is the leader, 0 while it stands by";
        add(registry, "leader", help, &self.leader);
        registry.register_collector(Box::new(self.checkpoint_age.clone()));
    }
}

fn add(registry: &mut Registry, name: &str, help: &str, metric: &(impl Metric + Clone)) {
    registry.register(name, help, metric.clone());
}

impl Server {
    fn label(self) -> [(&'static str, &'static str); 1] {
        let server = match self {
            Self::Mongodb => "mongodb",
            Self::Rabbitmq => "rabbitmq",
        };
        [("server", server)]
    }
}

/// The time since the last save, worked out when it is asked for. Absent until the first save.
#[derive(Debug, Clone, Default)]
struct CheckpointAge {
    saved: Arc<Mutex<Option<Instant>>>,
}

impl CheckpointAge {
    fn restart(&self) {
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn get(&self) -> Option<Duration> {
        let saved = *self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        saved.map(|saved| saved.elapsed())
    }
}

impl Collector for CheckpointAge {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(age) = self.get() else {
            return Ok(());
        };
        let help = "Time since the last save of the checkpoint.";
        let gauge = MetricType::Gauge;
        let encoder = encoder.encode_descriptor("checkpoint_age_seconds", help, None, gauge)?;
        ConstGauge::new(age.as_secs_f64()).encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(page: &str, series: &str) -> f64 {
        let rest = page
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
            .unwrap_or_else(|| panic!("no {series} in\n{page}"));
        rest.parse().unwrap()
    }

    #[test]
    fn every_series_is_there_from_the_start_under_its_pipeline() {
        let page = Metrics::new("orders").encode();
        for (name, help) in page
            .lines()
            .filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '))
        {
            assert!(name.starts_with("cdc_"), "{name}");
            assert!(help.ends_with('.'), "{help}");
        }
        let series = page.lines().filter(|line| !line.starts_with('#'));
        let mut count = 0;
        for line in series {
            count += 1;
            assert!(line.contains("pipeline=\"orders\""), "{line}");
            assert!(line.ends_with(" 0") || line.ends_with(" 0.0"), "{line}");
        }
        assert_eq!(count, 39, "{page}");
        assert!(page.ends_with("# EOF\n"), "{page}");
    }

    #[test]
    fn a_clone_counts_into_the_same_series() {
        let metrics = Metrics::new("p");
        let clone = metrics.clone();
        clone.events_read.inc_by(3);
        clone.reconnected(Server::Rabbitmq);
        clone.parked(ParkReason::Poison);
        clone.lag_seconds.set(1.5);
        let page = metrics.encode();
        let read = value(&page, "cdc_events_read_total{pipeline=\"p\"}");
        let again = "cdc_reconnects_total{pipeline=\"p\",server=\"rabbitmq\"}";
        let parked = "cdc_messages_parked_total{pipeline=\"p\",reason=\"poison\"}";
        let lag = value(&page, "cdc_lag_seconds{pipeline=\"p\"}");
        let counts = (value(&page, again), value(&page, parked));
        assert_eq!((read, counts, lag), (3.0, (1.0, 1.0), 1.5), "{page}");
    }

    #[test]
    fn the_age_of_the_checkpoint_begins_with_the_first_save_and_grows() {
        let metrics = Metrics::new("p");
        let series = "cdc_checkpoint_age_seconds{pipeline=\"p\"}";
        assert!(!metrics.encode().contains(series));
        metrics.checkpoint_saved();
        let first = value(&metrics.encode(), series);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let second = value(&metrics.encode(), series);
        assert!(second >= first + 0.02, "{first} {second}");
        metrics.checkpoint_saved();
        assert!(value(&metrics.encode(), series) < second);
        let saves = value(
            &metrics.encode(),
            "cdc_checkpoint_saves_total{pipeline=\"p\"}",
        );
        assert!((saves - 2.0).abs() < f64::EPSILON);
    }
}
