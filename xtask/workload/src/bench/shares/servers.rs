//! The servers' processes, whose processor time is a share's cost.

use std::time::Duration;

use anyhow::{Context, Result};
use bson::doc;
use harness::Usage;
use mongodb::Client;

use crate::{
    bench::{Args, machine, queue},
    store::{self, ANSWER_TIMEOUT},
};

/// The member that reads the oplog for change streams, and the broker.
#[derive(Debug)]
pub(super) struct Servers {
    mongod: u32,
    broker: u32,
}

/// Processor time of each so far.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) mongodb: Duration,
    pub(super) rabbitmq: Duration,
}

impl Servers {
    /// Asks both; they are on this machine.
    pub(super) async fn find(args: &Args, client: &Client) -> Result<Self> {
        let admin = client.database("admin");
        let asking = admin.run_command(doc! { "serverStatus": 1 });
        let status = store::answer("ask for its process", ANSWER_TIMEOUT, asking).await?;
        let mongod = status.get_i64("pid").context("mongod tells no process")?;
        let host = queue::parse(&args.amqp_uri)?.authority.host;
        let port = args
            .management_port
            .context("the broker has no management port")?;
        let broker = machine::broker_process(&host, port).await;
        Ok(Self {
            mongod: mongod.try_into()?,
            broker: broker.context("rabbitmq tells no process")?,
        })
    }

    pub(super) fn used(&self) -> Result<Used> {
        Ok(Used {
            mongodb: processor(&Usage::of(self.mongod)?),
            rabbitmq: processor(&Usage::of(self.broker)?),
        })
    }
}

pub(super) fn processor(usage: &Usage) -> Duration {
    usage.user + usage.system
}
