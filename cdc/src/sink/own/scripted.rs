//! A program's sink for tests: it takes, fails in the middle of a batch and hangs, at random.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{Message, Sink};
use crate::sink::scripted::{Odds, World};

/// Longest time that a message takes.
const PAUSE_MS: u64 = 20;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Faulty {
    world: Arc<Mutex<World>>,
    random: StdRng,
    odds: Odds,
    is_connected: bool,
}

impl Faulty {
    pub(crate) fn new(world: Arc<Mutex<World>>, odds: Odds, seed: u64) -> Self {
        Self {
            world,
            random: StdRng::seed_from_u64(seed),
            odds,
            is_connected: false,
        }
    }

    /// Waits, then fails or hangs as the odds say.
    async fn pause(&mut self) -> Result<(), String> {
        let pause = self.random.random_range(0..PAUSE_MS);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if !self.happens(self.odds.lose) {
            return Ok(());
        }
        self.is_connected = false;
        if self.random.random_bool(0.2) {
            std::future::pending::<()>().await;
        }
        Err("the script says so".to_owned())
    }

    fn happens(&mut self, odds: u32) -> bool {
        let happens = self.random.random_range(0..100) < odds;
        let mut world = self.world.lock().unwrap();
        if !happens || world.faults_left == 0 {
            return false;
        }
        world.faults_left -= 1;
        true
    }
}

impl Sink for Faulty {
    type Error = String;

    async fn connect(&mut self) -> Result<(), String> {
        self.pause().await?;
        self.is_connected = true;
        Ok(())
    }

    async fn write(&mut self, messages: &[Message]) -> Result<(), String> {
        assert!(!messages.is_empty());
        if !self.is_connected {
            self.world.lock().unwrap().sent_while_down += messages.len();
        }
        self.world.lock().unwrap().sent += messages.len();
        // An answer that is lost, or a future that is dropped, leaves any part of the batch taken.
        for message in messages {
            self.pause().await?;
            let took = (message.partition(), message.id());
            self.world.lock().unwrap().queue.push(took);
        }
        self.pause().await
    }
}
