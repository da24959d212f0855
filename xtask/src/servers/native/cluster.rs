//! Waits until the nodes of a broker are one cluster.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::Result;

use super::{broker::Broker, rabbitmq};
use crate::{
    child::Running,
    failure::log_tail,
    progress::Progress,
    servers::{
        node::Node,
        ports,
        stack::Stack,
        wait::{Awaited, State},
    },
};

const LIMIT: Duration = Duration::from_secs(240);

/// Ready when the first node says that all nodes run in its cluster.
pub(super) fn awaited<'a>(stack: &Stack, progress: &Progress, broker: &Broker) -> Awaited<'a> {
    let nodes: Vec<Node> = stack.nodes().collect();
    let log = nodes[0].folder.join("cluster.log");
    let mut question = Question {
        stack: stack.clone(),
        broker: broker.clone(),
        log: log.clone(),
        nodes,
        asking: None,
    };
    Awaited {
        line: progress.line("cluster"),
        name: "cluster".to_owned(),
        evidence: Box::new(move || log_tail(&log)),
        limit: LIMIT,
        check: Box::new(move || question.check()),
    }
}

/// Asked again until the answer is yes.
struct Question {
    stack: Stack,
    broker: Broker,
    log: PathBuf,
    nodes: Vec<Node>,
    asking: Option<Running>,
}

impl Question {
    fn check(&mut self) -> Result<State> {
        let count = self.nodes.len();
        let waiting = State::Waiting("the nodes look for each other".to_owned());
        let Some(asking) = &mut self.asking else {
            if self
                .nodes
                .iter()
                .all(|node| ports::answers_amqp(node.amqp_port))
            {
                self.asking = Some(self.ask()?);
            }
            return Ok(waiting);
        };
        let Some(status) = asking.poll()? else {
            return Ok(waiting);
        };
        self.asking = None;
        if status.success() {
            return Ok(State::Ready(format!("has {count} nodes")));
        }
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        let said = said.lines().last().unwrap_or_default().to_owned();
        Ok(State::Waiting(format!("not all nodes are there: {said}")))
    }

    fn ask(&self) -> Result<Running> {
        let control = self.broker.beside("rabbitmqctl");
        let mut command = rabbitmq::command(&self.stack, &self.nodes[0], &self.broker, &control);
        let count = self.nodes.len().to_string();
        command.args(["await_online_nodes", &count, "--timeout", "10"]);
        Running::start_logged(&mut command, &self.log)
    }
}
