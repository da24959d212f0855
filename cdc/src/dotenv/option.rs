//! `--env-file FILE` on the command line. The file is read before the command line is, so this has to be found by itself.

use std::ffi::OsString;

/// The flag.
pub(crate) const ENV_FILE: &str = "env-file";

/// Takes the flag, in both of its forms and wherever it stands, out of `arguments`; gives its values and the rest. One
/// without a value stays, and the command line's reader complains of it.
pub(super) fn take(arguments: impl Iterator<Item = OsString>) -> (Vec<String>, Vec<OsString>) {
    let mut arguments = arguments.peekable();
    let (mut files, mut rest) = (Vec::new(), Vec::new());
    while let Some(argument) = arguments.next() {
        let option = argument.to_str().and_then(|text| text.strip_prefix("--"));
        let tail = option.and_then(|text| text.strip_prefix(ENV_FILE));
        let file = match tail {
            Some("") => arguments
                .next_if(|next| next.to_str().is_some_and(|text| !text.starts_with('-')))
                .and_then(|next| next.into_string().ok()),
            Some(tail) => tail.strip_prefix('=').map(str::to_owned),
            None => None,
        };
        let is_end = option == Some("");
        match file {
            Some(file) => files.push(file),
            None => rest.push(argument),
        }
        if is_end {
            rest.extend(arguments.by_ref());
        }
    }
    (files, rest)
}
