//! The images of `docker-compose.yaml`.

use std::time::Duration;

use anyhow::Result;
use xshell::cmd;

use super::ANSWER_LIMIT;
use crate::{child, failure::Failure, progress::Progress, project::Project};

/// Variables and defaults as in `docker-compose.yaml`.
const IMAGES: [(&str, &str); 2] = [
    ("MONGO_IMAGE", "mongo:8.0"),
    ("RABBITMQ_IMAGE", "rabbitmq:4-management"),
];

const REGISTRY_LIMIT: Duration = Duration::from_secs(20);
const PULL_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Why the images cannot be had; nothing if all are here in the end.
pub(super) fn why_not(
    project: &Project,
    progress: &Progress,
    offline: bool,
) -> Result<Option<String>> {
    for image in missing(project) {
        if !offline && !is_offered(project, progress, &image) {
            project.interrupt.check()?;
            let text = format!("the image {image} is not here and no registry offers it");
            return Ok(Some(text));
        }
        if let Some(why) = pull(project, progress, offline, &image)? {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// Pulls those that are not here.
pub(super) fn ensure(project: &Project, progress: &Progress, offline: bool) -> Result<()> {
    for image in missing(project) {
        if let Some(why) = pull(project, progress, offline, &image)? {
            return Err(Failure::new(why)
                .hint("name another with MONGO_IMAGE or RABBITMQ_IMAGE, or use `--backend native`")
                .into());
        }
    }
    Ok(())
}

/// Pulls `image`, with docker's own progress; says why it cannot.
fn pull(
    project: &Project,
    progress: &Progress,
    offline: bool,
    image: &str,
) -> Result<Option<String>> {
    if offline {
        let text = format!("the image {image} is not here and --offline forbids to pull it");
        return Ok(Some(text));
    }
    progress.say(&format!("pulling the image {image}"));
    let pull = project.command(cmd!(project.shell, "docker pull {image}"));
    let status = child::status(pull, &project.interrupt, PULL_LIMIT)?;
    let text = format!("the image {image} cannot be pulled");
    Ok((!status.success()).then_some(text))
}

fn missing(project: &Project) -> Vec<String> {
    let named = |(variable, default): &(&str, &str)| {
        project
            .setting(variable)
            .unwrap_or_else(|| (*default).to_owned())
    };
    let is_missing = |image: &String| {
        let inspect = cmd!(project.shell, "docker image inspect {image}");
        child::answer(project.command(inspect), &project.interrupt, ANSWER_LIMIT).is_none()
    };
    IMAGES.iter().map(named).filter(is_missing).collect()
}

/// Asks the registry, which takes seconds where a pull without a network would take minutes to fail.
fn is_offered(project: &Project, progress: &Progress, image: &str) -> bool {
    let _line = progress.busy("docker", &format!("asking a registry for {image}"));
    let manifest = cmd!(project.shell, "docker manifest inspect {image}");
    child::answer(
        project.command(manifest),
        &project.interrupt,
        REGISTRY_LIMIT,
    )
    .is_some()
}
