//! What a measured program owes the bench: a line when its work is done, and its patience until it was looked at.

use std::io::{self, Read, Write};

/// The line.
pub(super) const DONE: &str = "done";

/// Says that the work is done, and waits until the bench has read what the process has used.
pub(super) fn done() {
    // Whoever does not listen does not measure.
    let _ = writeln!(io::stdout(), "{DONE}");
    let _ = io::stdout().flush();
    let _ = io::stdin().read(&mut [0]);
}
