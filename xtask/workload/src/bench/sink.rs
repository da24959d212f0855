//! The floor of publishing: the same bodies as the engine's, by the fastest publisher that the client library allows.
//!
//! Publishes are made in groups and polled together, and a window of confirms is in flight; nothing is ever awaited one
//! by one. The defaults are the fastest of those that were tried on two cores, see [`Args`].

use std::{ops::Range, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use futures_util::{FutureExt, StreamExt, future::try_join_all, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Confirmation, PublisherConfirm,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use tokio::time::timeout;

use super::{child, document::Shape};
use crate::broker;

/// Longest wait for one confirm, or for the socket to take more.
const CONFIRM_LIMIT: Duration = Duration::from_secs(60);
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
    /// Most messages in flight
    #[arg(long, default_value_t = 2048)]
    pub window: usize,
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
    // The parser's message may repeat the URI and with it the password.
    let parsed: Result<lapin::uri::AMQPUri, String> = args.amqp_uri.parse();
    let mut uri = parsed.map_err(|_| anyhow::anyhow!("--amqp-uri cannot be parsed"))?;
    uri.query.frame_max = args.frame_max.or(uri.query.frame_max);
    let connection = broker::open(uri).await?;
    let channel = connection
        .create_channel()
        .await
        .context("open a channel")?;
    let confirms = channel.confirm_select(ConfirmSelectOptions::default());
    confirms.await.context("ask for confirms")?;
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
    in_flight: FuturesUnordered<PublisherConfirm>,
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
            window: args.window.min(fits).saturating_sub(group),
            in_flight: FuturesUnordered::new(),
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
            let queue = self.queue.clone();
            self.channel
                .basic_publish(ShortString::default(), queue, options, body, properties)
        });
        let taken = timeout(CONFIRM_LIMIT, try_join_all(publishes)).await;
        let confirms = taken.context("the broker takes nothing")?;
        self.in_flight.extend(confirms.context("publish")?);
        Ok(())
    }

    /// Waits until at most `most` messages are in flight; takes every confirm that is there.
    async fn shrink_to(&mut self, most: usize) -> Result<()> {
        while most < self.in_flight.len() {
            match timeout(CONFIRM_LIMIT, self.in_flight.next()).await {
                Ok(Some(confirm)) => check(confirm)?,
                Ok(None) => return Ok(()),
                Err(_) => bail!("the broker confirms nothing"),
            }
            while let Some(Some(confirm)) = self.in_flight.next().now_or_never() {
                check(confirm)?;
            }
        }
        Ok(())
    }
}

fn check(confirm: lapin::Result<Confirmation>) -> Result<()> {
    let confirm = confirm.context("wait for a confirm")?;
    ensure!(
        confirm == Confirmation::Ack(None),
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
    let time = format!("1795487294:{number}");
    headers.insert("cdc-cluster-time".into(), long(&time));
    let wall_time = AMQPValue::LongLongInt(1_795_487_294_477);
    headers.insert("cdc-wall-time-ms".into(), wall_time);
    bare()
        .with_content_type("application/json".into())
        .with_message_id(format!("{number:032x}").into())
        .with_timestamp(1_795_487_294)
        .with_type("insert".into())
        .with_app_id("cdc".into())
        .with_headers(headers)
}

/// As long as that of a bench database.
const NAMESPACE: &str = "bench_6b04f63edc884a06b4022687_0.games";
