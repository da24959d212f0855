use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    bench: Bench,
}

fn options(flags: &[&str]) -> Vec<String> {
    let line = ["xtask"].iter().chain(flags);
    Line::parse_from(line).bench.options()
}

#[test]
fn a_short_run_is_small_unless_told_otherwise() {
    let short = ["--size=400", "--samples=1", "--count=20000", "--quick"];
    assert_eq!(options(&["--quick"]), short);
    let longer = ["--size=400", "--samples=2", "--count=7", "--quick"];
    assert_eq!(options(&["--quick", "--count=7", "--samples=2"]), longer);
    assert_eq!(options(&[]), ["--size=400", "--samples=5"]);
}

#[test]
fn snapshots_take_more_documents_and_hold_their_bars_themselves() {
    let long = ["--size=400", "--samples=5", "--count=300000", "--check"];
    assert_eq!(options(&["--snapshot", "--check"]), long);
    let short = ["--size=400", "--samples=1", "--count=20000", "--quick"];
    assert_eq!(options(&["--snapshot", "--quick"]), short);
}

#[test]
fn another_program_gets_as_many_documents_and_holds_its_bar_itself() {
    let peer = ["--peer", "debezium", "--check"];
    let long = ["--size=400", "--samples=5", "--count=300000", "--check"];
    assert_eq!(options(&peer), long);
    assert!(Line::try_parse_from(["xtask", "--peer", "unknown"]).is_err());
    assert!(Line::try_parse_from(["xtask", "--peer", "debezium", "--snapshot"]).is_err());
}
