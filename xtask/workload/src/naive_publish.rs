//! Publishes with a new connection, one publish and one confirm per message.
//!
//! The yardstick of the engine's rate: this is how the program that it replaces worked.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use lapin::{
    BasicProperties, Confirmation,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::{FieldTable, ShortString},
};

use crate::{broker, settings::Settings};

/// How much to publish.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Messages to publish
    #[arg(long)]
    pub count: usize,
    /// Size of a body in bytes
    #[arg(long, default_value_t = 400)]
    pub size: usize,
    /// Size of a frame in bytes [default: the client's own]; the client clears a buffer of many frames for each
    /// connection, so a small one is faster here
    #[arg(long)]
    pub frame_max: Option<u32>,
}

/// Publishes to a durable classic queue of its own, and says how long that took.
///
/// # Errors
/// If the broker is not there or does not confirm.
pub async fn run(args: &Args, settings: &Settings) -> Result<String> {
    let queue = format!("{}.naive", settings.rabbitmq_queue_name);
    let connection = broker::connect(settings).await?;
    let channel = connection
        .create_channel()
        .await
        .context("open a channel")?;
    let declare = channel.queue_declare(
        queue.as_str().into(),
        QueueDeclareOptions::durable(),
        FieldTable::default(),
    );
    declare
        .await
        .with_context(|| format!("declare queue `{queue}`"))?;

    let body = vec![b'x'; args.size];
    let start = Instant::now();
    for _ in 0..args.count {
        publish(settings, args.frame_max, &queue, &body).await?;
    }
    let seconds = start.elapsed().as_secs_f64();

    let delete = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default());
    delete
        .await
        .with_context(|| format!("delete queue `{queue}`"))?;
    connection.close(200, ShortString::from("done")).await.ok();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = args.count as f64 / seconds;
    Ok(format!(
        "naive: count={} seconds={seconds:.3} per_second={rate:.1}",
        args.count
    ))
}

async fn publish(
    settings: &Settings,
    frame_max: Option<u32>,
    queue: &str,
    body: &[u8],
) -> Result<()> {
    let mut uri = broker::uri(settings)?;
    uri.query.frame_max = frame_max.or(uri.query.frame_max);
    let connection = broker::open(uri).await?;
    let channel = connection
        .create_channel()
        .await
        .context("open a channel")?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .context("ask for confirms")?;
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let properties = BasicProperties::default().with_delivery_mode(2);
    let publishing = channel.basic_publish("".into(), queue.into(), options, body, properties);
    let confirm = publishing
        .await
        .context("publish")?
        .await
        .context("wait for the confirm")?;
    ensure!(
        confirm == Confirmation::Ack(None),
        "the broker did not accept a message: {confirm:?}"
    );
    connection
        .close(200, ShortString::from("done"))
        .await
        .context("close the connection")
}
