//! Faults of the broker and of the replica set.

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
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
        match fault.kind {
            Kind::MongoKill => self.kill(&[member(0)], fault).await,
            Kind::MongoStepdown => {
                // A primary that is asked to go goes when it is ready.
                servers.step_down().await?;
                self.strike(fault);
                Ok(())
            }
            Kind::MongoPause => {
                member(0).signal(Signal::STOP);
                self.strike(fault);
                sleep(fault.lasts).await;
                member(0).signal(Signal::CONT);
                Ok(())
            }
            // The primary and one of the others, or both others.
            Kind::MongoMajority => {
                let two = [member(usize::from(fault.pick % 2)), member(2)];
                self.kill(&two, fault).await
            }
            _ => self.restart_all(servers, fault).await,
        }
    }

    async fn kill(&self, members: &[&Server], fault: Fault) -> Result<()> {
        for member in members {
            member.kill().await?;
        }
        self.strike(fault);
        sleep(fault.lasts).await;
        start(members.iter().copied()).await
    }

    async fn restart_all(&self, servers: &Servers, fault: Fault) -> Result<()> {
        let stopping = servers.mongo.iter().map(Server::stop);
        try_join_all(stopping).await?;
        self.strike(fault);
        sleep(fault.lasts).await;
        start(servers.mongo.iter()).await
    }

    /// From now on a write that is acknowledged means that there is a primary again.
    fn strike(&self, fault: Fault) {
        let now = self.world.now();
        self.world.recovery.borrow_mut().strike(fault.kind, now);
    }

    fn servers(&self) -> Result<&Servers> {
        let servers = self.world.servers.as_ref();
        servers.context("this fault needs servers of our own")
    }
}

/// Starts all at once; returns when all answer.
async fn start(servers: impl Iterator<Item = &Server>) -> Result<()> {
    try_join_all(servers.map(Server::start)).await?;
    Ok(())
}
