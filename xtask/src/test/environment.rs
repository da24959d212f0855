//! What the integration tests are told of the servers, in the environment.

use std::ffi::OsString;

use anyhow::Result;

use crate::{
    progress::Progress,
    project::Project,
    python,
    servers::native::{Native, broker::Broker, programs, splitting},
};

/// The variables and their values. What a machine lacks is got before.
pub(crate) fn environment(
    project: &Project,
    progress: &Progress,
    servers: &Native,
) -> Result<Vec<(&'static str, OsString)>> {
    let (stack, offline) = (&servers.stack, servers.offline);
    let python = python::packages(project, progress, offline)?;
    let mongod = programs::mongod(project, progress, offline)?;
    let splitting = splitting::mongod(project, progress, offline, &mongod)?;
    let broker = Broker::find(project, progress, offline)?;
    let streams = broker.has_streams();
    let streams = streams.then(|| ("CDC_TEST_STREAM_ADDRESS", stack.stream_address().into()));
    let variables = [
        ("CDC_TEST_MONGO_URI", stack.mongo_uri().into()),
        ("CDC_TEST_AMQP_URI", stack.amqp_uri().into()),
        (
            "CDC_TEST_RABBITMQ_MANAGEMENT",
            stack.management_uri().into(),
        ),
        ("CDC_TEST_MONGOD", mongod.into_os_string()),
        ("CDC_TEST_MONGOD_SPLIT", splitting.into_os_string()),
        ("CDC_TEST_RABBITMQ_SERVER", broker.server.into_os_string()),
        ("CDC_TEST_PYTHONPATH", python.into_os_string()),
    ];
    Ok(variables.into_iter().chain(streams).collect())
}
