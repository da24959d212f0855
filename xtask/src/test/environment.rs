//! What the integration tests are told of the servers, in the environment.

use std::ffi::OsString;

use anyhow::Result;

use crate::{
    progress::Progress,
    project::Project,
    python,
    servers::native::{Native, broker::Broker, programs, splitting},
};

/// Variables and their values.
pub(crate) type Environment = Vec<(&'static str, OsString)>;

/// What every test may need. What a machine lacks is got before.
pub(super) fn whole(
    project: &Project,
    progress: &Progress,
    servers: &Native,
) -> Result<Environment> {
    let offline = servers.offline;
    let python = python::packages(project, progress, offline)?;
    let mongod = programs::mongod(project, progress, offline)?;
    let splitting = splitting::mongod(project, progress, offline, &mongod)?;
    let mut environment = small(project, progress, servers)?;
    environment.extend([
        ("CDC_TEST_MONGOD_SPLIT", splitting.into_os_string()),
        ("CDC_TEST_PYTHONPATH", python.into_os_string()),
    ]);
    Ok(environment)
}

/// Where the servers are, and the programs of servers that a test breaks.
pub(crate) fn small(
    project: &Project,
    progress: &Progress,
    servers: &Native,
) -> Result<Environment> {
    let stack = &servers.stack;
    let mongod = programs::mongod(project, progress, servers.offline)?;
    let broker = Broker::find(project, progress, servers.offline)?;
    let mut environment: Environment = vec![
        ("CDC_TEST_MONGO_URI", stack.mongo_uri().into()),
        ("CDC_TEST_AMQP_URI", stack.amqp_uri().into()),
        (
            "CDC_TEST_RABBITMQ_MANAGEMENT",
            stack.management_uri().into(),
        ),
    ];
    if broker.has_streams() {
        environment.push(("CDC_TEST_STREAM_ADDRESS", stack.stream_address().into()));
    }
    environment.extend([
        ("CDC_TEST_MONGOD", mongod.into_os_string()),
        ("CDC_TEST_RABBITMQ_SERVER", broker.server.into_os_string()),
    ]);
    Ok(environment)
}
