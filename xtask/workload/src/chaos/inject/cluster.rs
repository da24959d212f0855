//! Faults of a broker of several nodes.

use anyhow::{Result, ensure};
use harness::Signal;
use tokio::time::sleep;

use super::{Injector, Return};
use crate::chaos::{schedule::Fault, servers::Broker};

/// What the nodes do about a divided cluster unless a fault says otherwise; as the toolkit configures them.
const USUAL: &str = "pause_minority";

impl Injector {
    /// Kills the node that leads the queue, the first one where there are several, or a classic queue's only one.
    pub(in crate::chaos) async fn kill_queue_node(&self, fault: Fault) -> Result<Return> {
        let node = self.broker()?.node_of(&self.queue.of(0)).await?;
        self.kill_node(node, fault).await
    }

    /// SIGSTOP: the others notice after a while, and it finds itself left out when it goes on.
    pub(in crate::chaos) async fn pause_broker(&self, fault: Fault) -> Result<Return> {
        let broker = self.broker()?;
        let node = self.connected_node().await;
        broker.nodes[node].signal(Signal::STOP);
        sleep(fault.lasts).await;
        broker.nodes[node].signal(Signal::CONT);
        let healed = wait_until_whole(broker, node).await;
        self.bring_together(node, healed).await?;
        Ok(self.back_now())
    }

    /// Each node in turn is stopped and started.
    pub(in crate::chaos) async fn roll_broker(&self, fault: Fault) -> Result<Return> {
        for node in &self.broker()?.nodes {
            node.stop().await?;
            sleep(fault.lasts).await;
            node.start().await?;
        }
        Ok(self.back_now())
    }

    /// A node loses its connections to the others, and neither side can make new ones for a while: what the nodes do
    /// then is `handling`.
    pub(in crate::chaos) async fn split(&self, fault: Fault, handling: &str) -> Result<Return> {
        let broker = self.broker()?;
        let node = usize::from(fault.pick) % broker.nodes.len();
        let others = broker.names_without(node);
        let set_handling = |handling: &str| {
            format!(
                "rpc:multicall([node() | {others}], application, set_env, \
                 [rabbit, cluster_partition_handling, {handling}])"
            )
        };
        // A wrong cookie has both sides refuse the other one.
        let cut = format!(
            "{}, [begin erlang:set_cookie(N, cut), erlang:disconnect_node(N) end || N <- {others}].",
            set_handling(handling)
        );
        let mend = format!(
            "[begin erlang:set_cookie(N, erlang:get_cookie()), net_adm:ping(N) end || N <- {others}]."
        );
        let healing = async {
            broker.evaluate(node, &cut).await?;
            sleep(fault.lasts).await;
            broker.evaluate(node, &mend).await?;
            // Nothing else brings the two sides together after that.
            ensure!(handling != "ignore", "no node ends the division");
            wait_until_whole(broker, node).await
        };
        self.bring_together(node, healing.await).await?;
        let usual = format!("{}.", set_handling(USUAL));
        broker.evaluate(node, &usual).await?;
        Ok(self.back_now())
    }

    /// Starts a node again where the nodes did not come together by themselves, as an operator would.
    async fn bring_together(&self, node: usize, healed: Result<()>) -> Result<()> {
        let Err(error) = healed else {
            return Ok(());
        };
        self.record
            .tell(&format!("    node {node} is started again: {error:#}"));
        let broker = self.broker()?;
        broker.nodes[node].kill().await?;
        broker.nodes[node].start().await?;
        wait_until_whole(broker, node).await
    }
}

/// Returns when every node serves, and none sees the cluster divided, three times in a row: a node that has just come
/// back may be about to stop itself.
async fn wait_until_whole(broker: &Broker, node: usize) -> Result<()> {
    let others = broker.names_without(node);
    let all = |module: &str, function: &str| {
        format!(
            "element(1, rpc:multicall([node() | {others}], {module}, {function}, [], 5000)) =:= [V || _ <- [node() | {others}]]"
        )
    };
    let running = all("rabbit", "is_running").replace("[V ||", "[true ||");
    let undivided = all("rabbit_node_monitor", "partitions").replace("[V ||", "[[] ||");
    let expression = format!(
        "Wait = fun Wait(0, _) -> whole; Wait(_, 0) -> throw(divided); \
         Wait(Left, Looks) -> timer:sleep(500), \
         case {running} andalso {undivided} of true -> Wait(Left - 1, Looks - 1); _ -> Wait(3, Looks - 1) end end, \
         Wait(3, 60)."
    );
    broker.evaluate(node, &expression).await.map(drop)
}
