//! Faults of the broker and of the replica set.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::sleep;

use super::{Injector, Return};
use crate::chaos::{
    fault::Kind,
    process::Signal,
    recovery::Measure,
    schedule::Fault,
    servers::{Server, Servers},
};

impl Injector {
    pub(super) async fn hit_broker(&self, fault: Fault) -> Result<Return> {
        if fault.kind == Kind::Unroutable {
            self.queue.unbind().await?;
            sleep(fault.lasts).await;
            self.queue.bind().await?;
        } else {
            self.hit_broker_process(fault).await?;
        }
        Ok(Return::At(Measure::Recovery, self.world.now()))
    }

    async fn hit_broker_process(&self, fault: Fault) -> Result<()> {
        let broker = &self.servers()?.broker;
        match fault.kind {
            Kind::BrokerKill => {
                broker.server.kill().await?;
                sleep(fault.lasts).await;
                broker.server.start().await
            }
            Kind::BrokerRestart => {
                broker.server.stop().await?;
                sleep(fault.lasts).await;
                broker.server.start().await
            }
            Kind::BrokerClose => {
                broker
                    .control(&["close_all_connections", "closed by chaos"])
                    .await
            }
            Kind::BrokerAlarm => {
                const COMMAND: &str = "set_vm_memory_high_watermark";
                broker.control(&[COMMAND, "0.000001"]).await?;
                sleep(fault.lasts).await;
                broker.control(&[COMMAND, "0.4"]).await
            }
            _ => {
                let full = r#"{"max-length": 0, "overflow": "reject-publish"}"#;
                let queues = ["--apply-to", "queues"];
                let set = ["set_policy", queues[0], queues[1], "chaos", ".*", full];
                broker.control(&set).await?;
                sleep(fault.lasts).await;
                broker.control(&["clear_policy", "chaos"]).await
            }
        }
    }

    pub(super) async fn hit_mongo(&self, fault: Fault) -> Result<()> {
        let servers = self.servers()?;
        let primary = servers.primary().await;
        let member = |offset: usize| &servers.mongo[(primary + offset) % servers.mongo.len()];
        let strike = || {
            let now = self.world.now();
            self.world.recovery.borrow_mut().strike(fault.kind, now);
        };
        strike();
        match fault.kind {
            Kind::MongoKill => restart(&[member(0)], fault.lasts, End::Kill).await,
            // A primary that is asked to go goes when it is ready.
            Kind::MongoStepdown => {
                servers.step_down().await?;
                strike();
                Ok(())
            }
            Kind::MongoPause => {
                member(0).signal(Signal::STOP);
                sleep(fault.lasts).await;
                member(0).signal(Signal::CONT);
                Ok(())
            }
            // The primary and one of the others, or both others.
            Kind::MongoMajority => {
                let two = [member(usize::from(fault.pick % 2)), member(2)];
                restart(&two, fault.lasts, End::Kill).await
            }
            _ => {
                let all: Vec<_> = servers.mongo.iter().collect();
                restart(&all, fault.lasts, End::Stop).await?;
                strike();
                Ok(())
            }
        }
    }

    fn servers(&self) -> Result<&Servers> {
        let servers = self.world.servers.as_ref();
        servers.context("this fault needs servers of our own")
    }
}

/// How a server ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Kill,
    Stop,
}

/// Ends `servers` and starts them again.
async fn restart(servers: &[&Server], away: Duration, end: End) -> Result<()> {
    for server in servers {
        match end {
            End::Kill => server.kill().await?,
            End::Stop => server.stop().await?,
        }
    }
    sleep(away).await;
    let starting = servers.iter().map(|server| server.start());
    futures_util::future::try_join_all(starting).await?;
    Ok(())
}
