//! Looks at runs until they are over: one line that is drawn again on a terminal, a line a look elsewhere.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use cdc::{
    config::Config,
    operate::{
        Error,
        snapshot::{Look, Progress, Run, Standing},
    },
    retry::chain,
    snapshot::requests::{self, State},
};

use super::{super::say, Exit, exit, print, shown};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// Goes to the begin of a terminal's line, which it empties.
const CLEAR_LINE: &str = "\r\x1b[K";
/// Width of a terminal that does not tell it.
const COLUMNS: usize = 80;
/// Characters of the bar.
const BAR: usize = 20;

/// Watches until every run that waits or runs at first is over. One that failed is a failure.
pub(super) async fn run(
    standing: &Standing,
    config: &Config,
    name: Option<&str>,
    as_json: bool,
) -> Result<(), Exit> {
    let mut look = standing.look(name).await.map_err(|error| exit(&error))?;
    let open = look.runs.iter().filter(|run| is_open(run));
    let watched: BTreeSet<String> = open.map(|run| run.request.run.clone()).collect();
    let is_drawn = !as_json && io::stdout().is_terminal();
    loop {
        if !watched.is_empty() && !as_json {
            look.runs.retain(|run| watched.contains(&run.request.run));
        }
        let is_over = !look.runs.iter().any(is_open);
        if as_json || is_over {
            let clear = if is_drawn { CLEAR_LINE } else { "" };
            let text = if look.runs.is_empty() && !watched.is_empty() && !as_json {
                over(&watched)
            } else {
                shown::look(config, &look, as_json)
            };
            print(&format!("{clear}{text}"));
        } else if draw(&look, is_drawn).is_err() {
            return Ok(());
        }
        if is_over {
            return end(&look, &watched);
        }
        tokio::time::sleep(INTERVAL).await;
        match standing.look(name).await {
            Ok(found) => look = found,
            Err(Error::Requests(requests::Error::NotThere { .. })) => look = Look::default(),
            // The server may be back at the next look.
            Err(error) => say(&chain(&error)),
        }
    }
}

fn is_open(run: &Run) -> bool {
    !run.request.state.is_ended()
}

/// A run of the engine's own may leave nothing behind.
fn over(watched: &BTreeSet<String>) -> String {
    let names: Vec<String> = watched.iter().map(|name| format!("`{name}`")).collect();
    format!("over: {}", names.join(", "))
}

fn end(look: &Look, watched: &BTreeSet<String>) -> Result<(), Exit> {
    let mut runs = look.runs.iter().map(|run| &run.request);
    let failed = runs.find(|run| run.state == State::Failed && watched.contains(&run.run));
    match failed {
        None => Ok(()),
        Some(run) => Err(Exit::failure(
            match &run.reason {
                Some(reason) => format!("the snapshot `{}` failed: {reason}", run.run),
                None => format!("the snapshot `{}` failed", run.run),
            },
            None,
        )),
    }
}

/// # Errors
/// Nobody reads any more.
fn draw(look: &Look, is_drawn: bool) -> io::Result<()> {
    let text = line(&look.runs);
    let mut output = io::stdout();
    if !is_drawn {
        return writeln!(output, "{text}");
    }
    let size = rustix::termios::tcgetwinsize(&output).ok();
    let columns = size.map_or(COLUMNS, |size| usize::from(size.ws_col)).max(2);
    // A line that wraps cannot be drawn again.
    let text: String = text.chars().take(columns - 1).collect();
    write!(output, "{CLEAR_LINE}{text}")?;
    output.flush()
}

/// The run under way, or the first that waits.
fn line(runs: &[Run]) -> String {
    let mut open = runs.iter().filter(|run| is_open(run));
    let under_way = open.clone().find(|run| run.progress.is_some());
    let Some(run) = under_way.or_else(|| open.next()) else {
        return String::new();
    };
    let progress = run.progress.as_ref();
    let details = progress.map(|progress| {
        let left = shown::left(progress).map(|left| format!("{left} left"));
        let all = [
            Some(shown::rate(progress)),
            left,
            Some(shown::place(progress)),
        ];
        let all: Vec<String> = all
            .into_iter()
            .flatten()
            .filter(|text| !text.is_empty())
            .collect();
        all.join(", ")
    });
    let head = format!(
        "{}{}: {}, {}",
        progress.and_then(bar).unwrap_or_default(),
        run.request.run,
        shown::state(&run.request),
        shown::documents(&run.request, progress)
    );
    [Some(head), details]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share is from 0 to 1"
)]
fn bar(progress: &Progress) -> Option<String> {
    let full = (progress.share()? * BAR as f64) as usize;
    let (full, rest) = ("#".repeat(full), "-".repeat(BAR.saturating_sub(full)));
    Some(format!("[{full}{rest}] "))
}
