//! Standard output, written line by line, and the news that its reader has gone.

use std::{
    fs::File,
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    os::{fd::AsFd as _, unix::fs::FileTypeExt as _},
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::ioctl_fionread,
};
use tokio_util::sync::CancellationToken;

/// How often a pipe is looked at without a nap in between, since most readers are waiting already.
const QUICK_LOOKS: u32 = 100;
/// The nap between later looks.
const NAP: Duration = Duration::from_millis(1);

/// A line, line break included, and the message that it shows.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) delivery_tag: u64,
    /// Empty where the message is not to be shown.
    pub(super) text: Vec<u8>,
}

/// Standard output.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    is_pipe: bool,
    stop: CancellationToken,
}

impl Output {
    /// Takes standard output as it is; cancels `stop` when nobody reads any more what is written.
    ///
    /// # Errors
    /// It cannot be duplicated, or no thread started.
    pub(super) fn stdout(stop: CancellationToken) -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let (watched, closed) = (file.try_clone()?, stop.clone());
        let watch = move || {
            // Asks for nothing, and so only hears of the reader's end, which a file never has.
            while poll(&mut [PollFd::new(&watched, PollFlags::empty())], None).is_err() {}
            closed.cancel();
        };
        thread::Builder::new()
            .name("cdc-tail-output".to_owned())
            .spawn(watch)?;
        let is_pipe = file.metadata()?.file_type().is_fifo();
        Ok(Self {
            file,
            is_pipe,
            stop,
        })
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.file.is_terminal()
    }

    /// Columns of the terminal, if it is one that tells.
    pub(super) fn width(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(&self.file).ok()?;
        Some(usize::from(size.ws_col)).filter(|width| *width > 0)
    }

    /// Prints `lines` up to a stop; blocks where the reader is slow. Gives the tag of the last line that was printed,
    /// also where the next one met with an error.
    pub(super) fn print(&self, lines: &[Line]) -> (Option<u64>, io::Result<()>) {
        let mut printed = None;
        for line in lines {
            if self.stop.is_cancelled() {
                break;
            }
            match self.write(&line.text) {
                Ok(()) if self.was_taken() => printed = Some(line.delivery_tag),
                outcome => return (printed, outcome),
            }
        }
        (printed, Ok(()))
    }

    fn write(&self, mut text: &[u8]) -> io::Result<()> {
        while !text.is_empty() {
            match (&self.file).write(text) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => text = &text[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Whoever has the other end may have made it so.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let _ = poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], None);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until a pipe is empty; says whether it is. What is in a pipe when its reader ends is gone: without this,
    /// `head -n 3` would take more messages from the queue than anybody saw.
    fn was_taken(&self) -> bool {
        let mut looks = 0;
        while self.is_pipe && ioctl_fionread(&self.file).unwrap_or(0) > 0 {
            if self.stop.is_cancelled() {
                return false;
            }
            looks += 1;
            if looks < QUICK_LOOKS {
                thread::yield_now();
            } else {
                thread::sleep(NAP);
            }
        }
        true
    }
}
