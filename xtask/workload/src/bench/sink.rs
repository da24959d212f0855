//! The floor of publishing: the same bodies as the engine's, by the fastest publisher that the client library allows.
//!
//! Messages go out in groups, a window of them is in flight, and only the oldest confirm is waited for: those behind it
//! are looked at without being woken for each. On two busy cores that took 5.0 to 5.7 us of processor time a message on
//! a classic queue, where a set of futures that are each woken took 6.0 to 8.2. Groups of 64 to 256 and smaller frames
//! made no difference there, larger windows took more. The rates themselves said nothing: the broker was the limit.
//!
//! Windows of 512, 1,024 and 2,048 are the same to RabbitMQ 3.10: 16,000 to 17,000/s on a classic queue, 40,000 to
//! 48,000/s on a quorum queue. One of 1,024 is the fastest on RabbitMQ 4.0, for which see the engine's own.

use std::{collections::VecDeque, ops::Range};

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use lapin::{
    BasicProperties, Channel, Confirmation, PublisherConfirm,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{
    child,
    document::Shape,
    queue::{self, answer},
    stream,
};
use crate::broker;

/// Messages in flight to a queue.
const WINDOW: usize = 1024;
/// Delivery mode of a message that survives a broker's restart.
const PERSISTENT: u8 = 2;

/// What to publish, and how.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Address of the broker
    #[arg(long, env = "CDC_BENCH_AMQP_URI", hide_env_values = true)]
    pub amqp_uri: String,
    /// Queue, which must exist
    #[arg(long)]
    pub queue: String,
    /// Messages to publish
    #[arg(long)]
    pub count: u64,
    /// Bytes of the documents that the bodies are made of
    #[arg(long)]
    pub size: u64,
    /// Set the delivery mode and no other property
    #[arg(long)]
    pub bare: bool,
    /// Host and port of the broker's streams, to publish to one by their own protocol
    #[arg(long)]
    pub stream_address: Option<String>,
    /// Most messages in flight [default: 1024, or 16384 to a stream]
    #[arg(long)]
    pub window: Option<usize>,
    /// Most bytes of bodies in flight
    #[arg(long, default_value_t = 8 << 20)]
    pub window_bytes: usize,
    /// Messages that are published together
    #[arg(long, default_value_t = 128)]
    pub group: usize,
    /// Bytes of a frame [default: what client and broker agree on]
    #[arg(long)]
    pub frame_max: Option<u32>,
}

/// Publishes all and waits for all confirms.
///
/// # Errors
/// If the broker is not there, or does not take a message.
pub async fn run(args: &Args) -> Result<()> {
    if let Some(address) = &args.stream_address {
        stream::publish(args, address)?;
        child::done();
        return Ok(());
    }
    let mut uri = queue::parse(&args.amqp_uri)?;
    uri.query.frame_max = args.frame_max.or(uri.query.frame_max);
    let connection = broker::open(uri).await?;
    let channel = answer("open a channel", connection.create_channel()).await?;
    let confirms = channel.confirm_select(ConfirmSelectOptions::default());
    answer("ask for confirms", confirms).await?;
    let mut sink = Sink::new(channel, args);
    let mut next = 0;
    while next < args.count {
        let end = args.count.min(next + sink.group);
        sink.publish(next..end).await?;
        next = end;
        sink.shrink_to(sink.window).await?;
    }
    sink.shrink_to(0).await?;
    child::done();
    Ok(())
}

struct Sink {
    channel: Channel,
    queue: ShortString,
    shape: Shape,
    bare: bool,
    /// Messages that are published together.
    group: u64,
    /// Most messages in flight before the next group is published.
    window: usize,
    in_flight: VecDeque<PublisherConfirm>,
    /// The bodies of a group, one after the other.
    bodies: Vec<u8>,
}

impl Sink {
    fn new(channel: Channel, args: &Args) -> Self {
        let size = usize::try_from(args.size).unwrap_or(usize::MAX).max(1);
        let fits = (args.window_bytes / size).max(1);
        let group = args.group.min(fits).max(1);
        Self {
            channel,
            queue: args.queue.as_str().into(),
            shape: Shape::new(args.size),
            bare: args.bare,
            group: group as u64,
            window: args
                .window
                .unwrap_or(WINDOW)
                .min(fits)
                .saturating_sub(group),
            in_flight: VecDeque::new(),
            bodies: Vec::new(),
        }
    }

    /// Hands these messages to the socket, in their order.
    async fn publish(&mut self, numbers: Range<u64>) -> Result<()> {
        self.bodies.clear();
        let mut ends = vec![0];
        for number in numbers.clone() {
            self.shape.write_body(number, &mut self.bodies);
            ends.push(self.bodies.len());
        }
        let publishes = numbers.zip(ends.windows(2)).map(|(number, ends)| {
            let body = &self.bodies[ends[0]..ends[1]];
            // `mandatory`, as the engine has it: the broker looks whether there is a queue.
            let options = BasicPublishOptions {
                mandatory: true,
                ..BasicPublishOptions::default()
            };
            let properties = if self.bare { bare() } else { full(number) };
            let (exchange, queue) = (ShortString::default(), self.queue.clone());
            self.channel
                .basic_publish(exchange, queue, options, body, properties)
        });
        let confirms = together(publishes.map(Box::pin).collect()).await?;
        self.in_flight.extend(confirms);
        Ok(())
    }

    /// Waits until at most `most` messages are in flight; takes every confirm that is there from the oldest on.
    async fn shrink_to(&mut self, most: usize) -> Result<()> {
        while most < self.in_flight.len() {
            let Some(oldest) = self.in_flight.front_mut() else {
                break;
            };
            check(&answer("wait for a confirm", oldest).await?)?;
            self.in_flight.pop_front();
            let ready = |oldest: &mut PublisherConfirm| oldest.now_or_never();
            while let Some(confirm) = self.in_flight.front_mut().and_then(ready) {
                check(&confirm.context("wait for a confirm")?)?;
                self.in_flight.pop_front();
            }
        }
        Ok(())
    }
}

/// Polls each publish once, which puts its frames in line for the socket, and then waits for the last one alone:
/// frames go out in order, so with the last one's all are out, and nobody has to be woken for the others.
async fn together<P>(mut publishes: Vec<P>) -> Result<Vec<PublisherConfirm>>
where
    P: Future<Output = lapin::Result<PublisherConfirm>> + Unpin,
{
    let polled = publishes.iter_mut().map(FutureExt::now_or_never);
    let mut taken: Vec<_> = polled.collect();
    for (publish, taken) in publishes.iter_mut().zip(&mut taken).rev() {
        if taken.is_some() {
            continue;
        }
        *taken = match publish.now_or_never() {
            Some(confirm) => Some(confirm),
            None => Some(Ok(answer("publish", publish).await?)),
        };
    }
    let confirms: lapin::Result<Vec<_>> = taken.into_iter().flatten().collect();
    confirms.context("publish")
}

/// Fails if the broker did not take a message.
pub(super) fn check(confirm: &Confirmation) -> Result<()> {
    ensure!(
        *confirm == Confirmation::Ack(None),
        "the broker did not take a message: {confirm:?}"
    );
    Ok(())
}

/// What makes a message survive, and nothing more.
fn bare() -> BasicProperties {
    BasicProperties::default().with_delivery_mode(PERSISTENT)
}

/// As many properties and headers as the engine sets, of the same lengths.
pub(super) fn full(number: u64) -> BasicProperties {
    let long = |text: &str| AMQPValue::LongString(text.into());
    let mut headers = FieldTable::default();
    headers.insert("cdc-namespace".into(), long(NAMESPACE));
    headers.insert("cdc-operation".into(), long("insert"));
    let time = format!("{SECONDS}:{number}");
    headers.insert("cdc-cluster-time".into(), long(&time));
    let wall_time = AMQPValue::LongLongInt(WALL_TIME_MS);
    headers.insert("cdc-wall-time-ms".into(), wall_time);
    bare()
        .with_content_type("application/json".into())
        .with_message_id(format!("{number:032x}").into())
        .with_timestamp(SECONDS)
        .with_type("insert".into())
        .with_app_id("cdc".into())
        .with_headers(headers)
}

/// When all changes happened.
pub(super) const SECONDS: u64 = 1_795_487_294;
pub(super) const WALL_TIME_MS: i64 = 1_795_487_294_477;
/// As long as that of a bench database.
pub(super) const NAMESPACE: &str = "bench_6b04f63edc884a06b4022687_0.games";
