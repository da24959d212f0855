//! `cargo xtask local-start`: the servers that one works with.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::{
    cargo::{self, Profile},
    progress::Progress,
    project::Project,
    servers::{
        self,
        choice::{self, Choice},
        ports,
        stack::Stack,
    },
};

const VARIABLES: &str = "\
Variables, from the environment or `.env`:
  MONGO_PORT_1, MONGO_PORT_2, MONGO_PORT_3
                ports of the members [default: 30001, 30002, 30003]
  RABBITMQ_PORT, RABBITMQ_MANAGEMENT_PORT, RABBITMQ_STREAM_PORT
                ports of the broker [default: 5673, 15673, 5552]
  RABBITMQ_DEFAULT_USERNAME, RABBITMQ_DEFAULT_PASSWORD, RABBITMQ_VHOST
                what the broker is to accept [default: guest, guest, /]
  MONGO_IMAGE, RABBITMQ_IMAGE
                images of the docker backend
  MONGOD, RABBITMQ_SERVER
                programs of the native backend

Data, logs and downloads are below target/, in `local` and `servers`.";

/// Options of `local-start`.
#[derive(Debug, Args)]
#[command(after_help = VARIABLES)]
pub(crate) struct LocalStart {
    #[command(flatten)]
    choice: Choice,
    /// Nodes of the broker, 1 or 3, which the native backend runs as one cluster on ports that follow each other
    /// [default: as many as it had, else 1]
    #[arg(long, value_parser = brokers)]
    brokers: Option<u16>,
}

impl LocalStart {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        let stack = start(project, &self.choice, self.brokers, Profile::Dev)?;
        println!("MongoDB     {}", stack.mongo_uri());
        println!("RabbitMQ    {}", stack.amqp_uri_shown());
        if 1 < stack.brokers {
            println!("cluster     RABBITMQ_HOST={}", stack.amqp_hosts());
        }
        // An older broker has none.
        if ports::accepts(stack.stream_port) {
            println!("streams     {}", stack.stream_uri_shown());
        }
        println!("management  {}", stack.management_uri());
        Ok(ExitCode::SUCCESS)
    }
}

/// Starts the local stack, compiles the programs, and returns when both are ready.
pub(crate) fn start(
    project: &Project,
    choice: &Choice,
    brokers: Option<u16>,
    profile: Profile,
) -> Result<Stack> {
    let progress = Progress::new();
    let servers = choice.to_start(project, &progress, brokers)?;
    let builds = cargo::build(project, &progress, profile)?;
    servers::start(project, &progress, servers.as_ref(), builds)?;
    choice::record(project, servers.stack())?;
    Ok(servers.stack().clone())
}

/// A cluster of two stands still when either node is away.
pub(crate) fn brokers(text: &str) -> Result<u16, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("1 or 3".to_owned()),
    }
}
