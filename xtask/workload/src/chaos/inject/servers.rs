//! Faults of the broker and of the replica set.

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use harness::Signal;
use tokio::time::sleep;

use super::{Injector, Return};
use crate::chaos::{
    schedule::Fault,
    servers::{Broker, Server, Servers},
};

impl Injector {
    pub(in crate::chaos) async fn kill_broker(&self, fault: Fault) -> Result<Return> {
        let node = self.connected_node().await;
        self.kill_node(node, fault).await
    }

    pub(in crate::chaos) async fn restart_broker(&self, fault: Fault) -> Result<Return> {
        let server = &self.broker()?.nodes[self.connected_node().await];
        server.stop().await?;
        sleep(fault.lasts).await;
        server.start().await?;
        Ok(self.back_now())
    }

    pub(super) async fn kill_node(&self, node: usize, fault: Fault) -> Result<Return> {
        let server = &self.broker()?.nodes[node];
        server.kill().await?;
        sleep(fault.lasts).await;
        server.start().await?;
        Ok(self.back_now())
    }

    pub(in crate::chaos) async fn alarm_broker(&self, fault: Fault) -> Result<Return> {
        const COMMAND: &str = "set_vm_memory_high_watermark";
        let broker = self.broker()?;
        broker.control(&[COMMAND, "0.000001"]).await?;
        sleep(fault.lasts).await;
        broker.control(&[COMMAND, "0.4"]).await?;
        Ok(self.back_now())
    }

    pub(in crate::chaos) async fn close_connections(&self) -> Result<Return> {
        let close = ["close_all_connections", "closed by chaos"];
        self.broker()?.control(&close).await?;
        Ok(self.back_now())
    }

    pub(in crate::chaos) async fn unbind_queue(&self, fault: Fault) -> Result<Return> {
        self.queue.unbind().await?;
        sleep(fault.lasts).await;
        self.queue.bind().await?;
        Ok(self.back_now())
    }

    pub(in crate::chaos) async fn fill_queue(&self, fault: Fault) -> Result<Return> {
        let full = r#"{"max-length": 0, "overflow": "reject-publish"}"#;
        let set = ["set_policy", "--apply-to", "queues", "chaos", ".*", full];
        let broker = self.broker()?;
        broker.control(&set).await?;
        sleep(fault.lasts).await;
        broker.control(&["clear_policy", "chaos"]).await?;
        Ok(self.back_now())
    }

    pub(in crate::chaos) async fn kill_primary(&self, fault: Fault) -> Result<Return> {
        self.kill_members(&[0], fault).await
    }

    /// The primary and one of the others, or both others.
    pub(in crate::chaos) async fn kill_majority(&self, fault: Fault) -> Result<Return> {
        self.kill_members(&[usize::from(fault.pick % 2), 2], fault)
            .await
    }

    pub(in crate::chaos) async fn step_down(&self, fault: Fault) -> Result<Return> {
        // A primary that is asked to go goes when it is ready.
        self.servers()?.step_down().await;
        Ok(self.takes_effect(fault))
    }

    pub(in crate::chaos) async fn pause_primary(&self, fault: Fault) -> Result<Return> {
        let servers = self.servers()?;
        let primary = &servers.mongo[servers.primary().await];
        primary.signal(Signal::STOP);
        let noted = self.takes_effect(fault);
        sleep(fault.lasts).await;
        primary.signal(Signal::CONT);
        Ok(noted)
    }

    pub(in crate::chaos) async fn restart_set(&self, fault: Fault) -> Result<Return> {
        let members = &self.servers()?.mongo;
        try_join_all(members.iter().map(Server::stop)).await?;
        let noted = self.takes_effect(fault);
        sleep(fault.lasts).await;
        try_join_all(members.iter().map(Server::start)).await?;
        Ok(noted)
    }

    /// Kills members, counted from the primary on.
    async fn kill_members(&self, offsets: &[usize], fault: Fault) -> Result<Return> {
        let servers = self.servers()?;
        let primary = servers.primary().await;
        let count = servers.mongo.len();
        let members = || {
            let members = offsets.iter();
            members.map(|offset| &servers.mongo[(primary + offset) % count])
        };
        for member in members() {
            member.kill().await?;
        }
        let noted = self.takes_effect(fault);
        sleep(fault.lasts).await;
        try_join_all(members().map(Server::start)).await?;
        Ok(noted)
    }

    /// From now on a write that is acknowledged means that there is a primary again.
    fn takes_effect(&self, fault: Fault) -> Return {
        let now = self.record.now();
        let mut recovery = self.record.recovery.borrow_mut();
        recovery.takes_effect(fault.kind, now);
        Return::Noted
    }

    fn servers(&self) -> Result<&Servers> {
        let servers = self.servers.as_deref();
        servers.context("this fault needs servers of our own")
    }

    pub(super) fn broker(&self) -> Result<&Broker> {
        Ok(&self.servers()?.broker)
    }
}
