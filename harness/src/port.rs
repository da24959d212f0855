//! Ports of loopback.

use std::{
    net::TcpListener,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// First port to give out. Below those that the system gives to outgoing connections, since a server must find its
/// port free again when it is started once more.
const FIRST: u16 = 20_000;
const COUNT: u16 = 5_000;

/// A port of loopback that nobody listens on. No two calls in one process give the same one, until all have been given.
pub fn free() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = process::id()
            .wrapping_mul(101)
            .wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let offset = u16::try_from(number % u32::from(COUNT)).unwrap_or_default();
        let port = FIRST + offset;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_given() {
        let first = free();
        let _listener = TcpListener::bind(("127.0.0.1", first + 1));
        let next = free();
        assert!((FIRST..FIRST + COUNT).contains(&next));
        assert!(next != first && next != first + 1, "{first}, {next}");
    }
}
