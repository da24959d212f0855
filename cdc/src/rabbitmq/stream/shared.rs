//! What a connection and its tasks share: the socket's writing end, and the questions without an answer.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rabbitmq_stream_protocol::{Request, Response, commands::heart_beat::HeartBeatCommand};
use tokio::sync::{Mutex as AsyncMutex, oneshot};

use super::wire::Writer;

pub(super) struct Shared {
    writer: AsyncMutex<Writer>,
    questions: Mutex<Option<HashMap<u32, oneshot::Sender<Response>>>>,
    last: AtomicU32,
}

impl Shared {
    pub(super) fn new(writer: Writer) -> Self {
        Self {
            writer: AsyncMutex::new(writer),
            questions: Mutex::new(Some(HashMap::new())),
            last: AtomicU32::new(0),
        }
    }

    pub(super) async fn write(&self, request: &Request) -> io::Result<()> {
        self.writer.lock().await.write(request).await
    }

    /// The same for a frame that is made already.
    pub(super) async fn write_bytes(&self, frame: &[u8]) -> io::Result<()> {
        self.writer.lock().await.write_bytes(frame).await
    }

    pub(super) async fn close(&self) {
        self.writer.lock().await.close().await;
    }

    /// An id for a question, and where its answer comes; none where no answer comes any more.
    pub(super) fn expect_answer(&self) -> Option<(u32, oneshot::Receiver<Response>)> {
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        let mut questions = self
            .questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        questions.as_mut()?.insert(id, sender);
        Some((id, answer))
    }

    /// Gives the answer to whoever waits for it.
    pub(super) fn answer(&self, id: u32, response: Response) {
        let mut questions = self
            .questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = questions.as_mut().and_then(|waiting| waiting.remove(&id)) {
            let _ = sender.send(response);
        }
    }

    /// No answer comes any more.
    pub(super) fn end(&self) {
        let mut questions = self
            .questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *questions = None;
    }
}

/// Says regularly that we are there.
pub(super) async fn beat(shared: Arc<Shared>, heartbeat: Duration) {
    if heartbeat.is_zero() {
        return;
    }
    loop {
        tokio::time::sleep(heartbeat / 2).await;
        // Whoever reads notices that the connection is lost.
        if shared
            .write(&HeartBeatCommand::default().into())
            .await
            .is_err()
        {
            return;
        }
    }
}
