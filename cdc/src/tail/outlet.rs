//! Standard output, and the count of lines that have truly left.
//!
//! What is written into a pipe has not arrived: `head -3` ends while lines wait in the pipe, and those lines are gone.
//! So into a pipe goes one line at a time, and a line has left when the reader has taken it out of the pipe.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    os::{fd::AsFd as _, unix::fs::FileTypeExt as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::ioctl_fionread,
};
use tokio_util::sync::CancellationToken;

/// Looks for the reader without a nap in between, since most readers are waiting already.
const LOOKS: u32 = 100;
/// Shortest and longest nap after that.
const NAPS: (Duration, Duration) = (Duration::from_micros(20), Duration::from_millis(5));

/// Standard output.
#[derive(Debug)]
pub(super) struct Outlet {
    file: File,
    kind: Kind,
    /// Longest wait for a reader that takes nothing; after it lines are put into the pipe without waiting.
    patience: Option<Duration>,
    written: u64,
    /// Where each line that has not left yet ends.
    ends: VecDeque<u64>,
    left: Left,
    stop: CancellationToken,
}

/// How many lines have left; can be read during a write.
#[derive(Debug, Clone, Default)]
pub(super) struct Left(Arc<AtomicU64>);

/// Lines to be written.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) text: Vec<u8>,
    /// Where each ends in `text`.
    pub(super) ends: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Terminal,
    Pipe,
    Other,
}

impl Outlet {
    /// Takes standard output as it is.
    ///
    /// # Errors
    /// It cannot be duplicated.
    pub(super) fn stdout(patience: Option<Duration>, stop: CancellationToken) -> io::Result<Self> {
        let stdout = io::stdout();
        let file = File::from(stdout.as_fd().try_clone_to_owned()?);
        let kind = if stdout.is_terminal() {
            Kind::Terminal
        } else if file.metadata()?.file_type().is_fifo() {
            Kind::Pipe
        } else {
            Kind::Other
        };
        Ok(Self {
            file,
            kind,
            patience,
            written: 0,
            ends: VecDeque::new(),
            left: Left::default(),
            stop,
        })
    }

    /// Whether a person looks at it.
    pub(super) fn is_terminal(&self) -> bool {
        self.kind == Kind::Terminal
    }

    /// Columns of the terminal, if it is one that tells.
    pub(super) fn width(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(&self.file).ok()?;
        Some(usize::from(size.ws_col)).filter(|width| *width > 0)
    }

    /// The count of lines that have left.
    pub(super) fn left(&self) -> Left {
        self.left.clone()
    }

    /// What blocks until nobody reads any more what is written; forever for a file.
    ///
    /// # Errors
    /// Standard output cannot be duplicated.
    pub(super) fn closed(&self) -> io::Result<impl FnOnce() + Send + 'static> {
        let file = self.file.try_clone()?;
        Ok(move || while poll(&mut [watch(&file)], None).is_err() {})
    }

    /// Writes `lines` and waits until they have left, or for as long as there is patience; stops between two lines.
    ///
    /// # Errors
    /// Lines that have left before the error are counted.
    pub(super) fn write(&mut self, lines: &Lines) -> io::Result<()> {
        let outcome = if self.kind == Kind::Pipe {
            self.write_one_by_one(lines)
        } else {
            let begin = self.written;
            self.ends
                .extend(lines.ends.iter().map(|end| begin + *end as u64));
            self.write_all(&lines.text)
        };
        self.count();
        outcome
    }

    /// Waits until every line has left, or for as long as there is patience.
    ///
    /// # Errors
    /// The reader has gone.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        let mut since = Instant::now();
        let mut looks = 0;
        let mut nap = NAPS.0;
        loop {
            let gone = self.reader_gone();
            if self.count() > 0 {
                since = Instant::now();
            }
            if self.ends.is_empty() || self.stop.is_cancelled() {
                return Ok(());
            }
            if gone {
                return Err(ErrorKind::BrokenPipe.into());
            }
            if self
                .patience
                .is_some_and(|patience| since.elapsed() >= patience)
            {
                self.patience = Some(Duration::ZERO);
                return Ok(());
            }
            looks += 1;
            if looks > LOOKS {
                thread::sleep(nap);
                nap = (nap * 2).min(NAPS.1);
            } else {
                thread::yield_now();
            }
        }
    }

    fn write_one_by_one(&mut self, lines: &Lines) -> io::Result<()> {
        self.count();
        let mut in_step = self.ends.is_empty();
        let mut begin = 0;
        for end in &lines.ends {
            if self.stop.is_cancelled() {
                break;
            }
            let line = &lines.text[begin..*end];
            begin = *end;
            self.ends.push_back(self.written + line.len() as u64);
            self.write_all(line)?;
            if in_step {
                self.wait()?;
                in_step = self.ends.is_empty();
            }
        }
        Ok(())
    }

    fn write_all(&mut self, mut text: &[u8]) -> io::Result<()> {
        while !text.is_empty() {
            match self.file.write(text) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.written += count as u64;
                    text = &text[count..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut writable = [PollFd::new(&self.file, PollFlags::OUT)];
                    let _ = poll(&mut writable, None);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Counts the lines that have left, and says how many have just now.
    fn count(&mut self) -> usize {
        let unread = if self.kind == Kind::Pipe {
            ioctl_fionread(&self.file).unwrap_or(0)
        } else {
            0
        };
        let read = self.written.saturating_sub(unread);
        let left = self.ends.partition_point(|end| *end <= read);
        self.ends.drain(..left);
        self.left.0.fetch_add(left as u64, Ordering::Relaxed);
        left
    }

    fn reader_gone(&self) -> bool {
        let mut watched = [watch(&self.file)];
        poll(&mut watched, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}

impl Left {
    /// Lines that have left so far.
    pub(super) fn lines(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Asks for nothing, and so only hears of the reader's end.
fn watch(file: &File) -> PollFd<'_> {
    PollFd::new(file, PollFlags::empty())
}
