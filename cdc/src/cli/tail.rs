//! `cdc tail`.
use super::Exit;
#[derive(Debug, clap::Args)]
pub(super) struct TailArgs {}
pub(super) fn run(_args: &TailArgs) -> Result<(), Exit> {
    Err(Exit::failure("not here yet", None))
}
