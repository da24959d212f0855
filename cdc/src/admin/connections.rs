//! The connections that are open: so many at most, and the one that has asked nothing for longest makes room.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::task::{AbortHandle, JoinSet};

/// The open connections, oldest first. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    tasks: JoinSet<()>,
    open: VecDeque<Connection>,
}

#[derive(Debug)]
struct Connection {
    task: AbortHandle,
    asked: Asked,
}

/// Whether the client has sent a whole request.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(Arc<AtomicBool>);

impl Asked {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Connections {
    /// At most `most` at once.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            tasks: JoinSet::new(),
            open: VecDeque::new(),
        }
    }

    /// Waits until there is room for one more, and makes it where there is none: a client that is silent or slow never keeps
    /// another one out. Where everybody has asked, whoever has not taken the answer for longest goes.
    pub(super) async fn room(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        while self.most <= self.tasks.len() {
            self.end_one();
            self.tasks.join_next().await;
        }
        self.open
            .retain(|connection| !connection.task.is_finished());
    }

    /// Lets `conversation` go on beside the others.
    pub(super) fn add(
        &mut self,
        asked: Asked,
        conversation: impl Future<Output = ()> + Send + 'static,
    ) {
        let task = self.tasks.spawn(conversation);
        self.open.push_back(Connection { task, asked });
    }

    fn end_one(&mut self) {
        let silent = self
            .open
            .iter()
            .position(|connection| !connection.asked.get());
        if let Some(connection) = self.open.remove(silent.unwrap_or(0)) {
            connection.task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    /// Connections that end only where they have to, with what becomes of each.
    struct Trial {
        connections: Connections,
        ended: Vec<Arc<()>>,
    }

    impl Trial {
        async fn add(&mut self, has_asked: bool) {
            let (asked, alive) = (Asked::default(), Arc::new(()));
            if has_asked {
                asked.set();
            }
            self.ended.push(Arc::clone(&alive));
            self.connections.room().await;
            self.connections.add(asked, async move {
                pending::<()>().await;
                drop(alive);
            });
        }

        /// Which are still open.
        fn open(&self) -> Vec<usize> {
            let all = self.ended.iter().enumerate();
            let open = all.filter(|(_, alive)| 1 < Arc::strong_count(alive));
            open.map(|(index, _)| index).collect()
        }
    }

    async fn trial(has_asked: &[bool]) -> Vec<usize> {
        let mut trial = Trial {
            connections: Connections::new(3),
            ended: Vec::new(),
        };
        for asked in has_asked {
            trial.add(*asked).await;
        }
        trial.open()
    }

    #[tokio::test]
    async fn the_oldest_that_has_asked_nothing_makes_room() {
        assert_eq!(trial(&[false; 3]).await, [0, 1, 2]);
        assert_eq!(trial(&[false; 5]).await, [2, 3, 4]);
        assert_eq!(trial(&[true, false, true, true]).await, [0, 2, 3]);
        assert_eq!(trial(&[true, true, false, false, false]).await, [0, 1, 4]);
    }

    #[tokio::test]
    async fn where_all_have_asked_the_oldest_makes_room() {
        assert_eq!(trial(&[true; 5]).await, [2, 3, 4]);
    }

    #[tokio::test]
    async fn what_has_ended_takes_no_room() {
        let mut connections = Connections::new(2);
        for _ in 0..1_000 {
            connections.room().await;
            connections.add(Asked::default(), async {});
            tokio::task::yield_now().await;
        }
        assert!(connections.open.len() <= 2 && connections.tasks.len() <= 2);
    }
}
