//! `cargo xtask browser-test`: the status page in Chromium, in each state of an engine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Args;
use xshell::cmd;

use crate::{
    child,
    failure::Failure,
    progress::Progress,
    project::Project,
    servers::{
        self,
        native::{Native, apt},
        stack::Stack,
    },
    test::environment,
    turn::Turn,
};

/// Programs, and the Debian packages that have them.
const PROGRAMS: [(&str, &str); 3] = [("chromium", "chromium"), ("node", "nodejs"), ("npm", "npm")];
/// What drives the browser, below the project's root.
const DRIVER: &str = "cdc/tests/browser";
const FILES: [&str; 3] = ["browser.mjs", "package.json", "package-lock.json"];
const SHORT_LIMIT: Duration = Duration::from_secs(30);
const NPM_LIMIT: Duration = Duration::from_secs(5 * 60);
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Options of `browser-test`.
#[derive(Debug, Args)]
pub(crate) struct BrowserTest {
    /// Download and install nothing; fail with what is missing
    #[arg(long)]
    offline: bool,
    /// Part of the names of the tests to run
    #[arg(default_value = "page::")]
    name: String,
}

impl BrowserTest {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        let progress = Progress::new();
        let _turn = Turn::take(project, "test")?;
        let driver = self.driver(project, &progress)?;
        let pictures = project.target.join("status-page");
        // There may be none.
        let _ = fs::remove_dir_all(&pictures);
        let servers = Native::for_run(|| Stack::test(project), self.offline)?;
        let outcome = self.test(project, &progress, &servers, (&driver, &pictures));
        servers.discard()?;
        eprintln!("the pictures are in {}", project.relative(&pictures));
        outcome
    }

    fn test(
        &self,
        project: &Project,
        progress: &Progress,
        servers: &Native,
        (driver, pictures): (&Path, &Path),
    ) -> Result<ExitCode> {
        let environment = environment::small(project, progress, servers)?;
        servers::start(project, progress, servers, Vec::new())?;
        let mut command = project.cargo();
        command
            .args(["test", "-p", "cdc", "--test", "it", &self.name])
            .args(["--", "--ignored", "--test-threads", "2"])
            .envs(environment)
            .env("CDC_TEST_BROWSER", driver)
            .env("CDC_TEST_PICTURES", pictures);
        child::exit_code(command, &project.interrupt, LIMIT)
    }

    /// The folder with what drives the browser, with the packages that its lock file names.
    fn driver(&self, project: &Project, progress: &Progress) -> Result<PathBuf> {
        for (program, package) in PROGRAMS {
            self.have(project, progress, program, package)?;
        }
        let (from, folder) = (project.root.join(DRIVER), project.target.join("browser"));
        fs::create_dir_all(&folder).context("make the folder of the browser's driver")?;
        let lock = "package-lock.json";
        let read = |folder: &Path| fs::read(folder.join(lock)).ok();
        let is_installed = read(&from) == read(&folder) && folder.join("node_modules").is_dir();
        for file in FILES {
            fs::copy(from.join(file), folder.join(file)).with_context(|| format!("copy {file}"))?;
        }
        if is_installed {
            return Ok(folder);
        }
        if self.offline {
            let text = format!("the packages that {DRIVER}/{lock} names are not installed");
            return Err(Failure::new(text).hint("leave --offline out").into());
        }
        progress.say("downloading playwright-core and axe-core from npm: 4 MB, 13 MB on disk");
        let npm = cmd!(
            project.shell,
            "npm ci --no-audit --no-fund --ignore-scripts --prefix {folder}"
        );
        let log = folder.join("npm.log");
        child::logged(project.command(npm), &log, &project.interrupt, NPM_LIMIT)?;
        Ok(folder)
    }

    fn have(
        &self,
        project: &Project,
        progress: &Progress,
        program: &str,
        package: &str,
    ) -> Result<()> {
        let asked = project.command(cmd!(project.shell, "{program} --version"));
        if child::answer(asked, &project.interrupt, SHORT_LIMIT).is_some() {
            return Ok(());
        }
        if self.offline {
            let hint = format!("install the package {package}");
            return Err(Failure::new(format!("there is no {program} on PATH"))
                .hint(hint)
                .into());
        }
        apt::install(project, progress, package, "for the browser test")
    }
}
