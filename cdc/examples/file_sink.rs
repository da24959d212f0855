//! A sink: each change is a line of a file, written through to the disk. There is no RabbitMQ.
//!
//! ```console
//! $ MONGO_DATABASE_NAME=shop cargo run -p cdc --example file_sink
//! ```

use std::{
    error::Error,
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use cdc::{Engine, Message, Sink};

/// The file, once it is open. Whoever works on it has the lock, also where the engine no longer waits for the end of a write.
type Shared = Arc<Mutex<Option<File>>>;

struct Lines {
    path: PathBuf,
    file: Shared,
}

impl Sink for Lines {
    type Error = io::Error;

    /// Opens the file, and takes back what a crash left of a line.
    async fn connect(&mut self) -> io::Result<()> {
        let path = self.path.clone();
        on_a_thread(&self.file, move |file| {
            *file = Some(open(&path)?);
            Ok(())
        })
        .await
    }

    async fn write(&mut self, messages: &[Message]) -> io::Result<()> {
        let mut lines = Vec::new();
        for message in messages {
            lines.extend_from_slice(message.body());
            lines.push(b'\n');
        }
        on_a_thread(&self.file, move |file| {
            let file = file.as_mut().ok_or(io::ErrorKind::NotConnected)?;
            file.write_all(&lines)?;
            // Until this returns, the lines may be gone after a crash of the machine.
            file.sync_data()
        })
        .await
    }

    fn is_permanent(error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::PermissionDenied
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.create(true).read(true).append(true).open(path)?;
    let (mut reader, mut whole, mut line) = (BufReader::new(&file), 0, Vec::new());
    while 0 < reader.read_until(b'\n', &mut line)? {
        if line.ends_with(b"\n") {
            whole += line.len() as u64;
        }
        line.clear();
    }
    file.set_len(whole)?;
    Ok(file)
}

/// The engine's thread must not wait for a disk.
async fn on_a_thread(
    file: &Shared,
    work: impl FnOnce(&mut Option<File>) -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let file = Arc::clone(file);
    let work = move || work(&mut file.lock().unwrap_or_else(PoisonError::into_inner));
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)?
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let lines = Lines {
        path: "changes.jsonl".into(),
        file: Shared::default(),
    };
    // A pipeline of its own: its checkpoint is about this file.
    let engine = Engine::builder()
        .from_env()
        .set("CDC_PIPELINE", "to_file")
        .sink(lines)
        .build()?;
    let handle = engine.handle();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        handle.stop();
    });
    Ok(engine.run().await?)
}
