//! Messages on their way through the window, and the orders in which a broker confirms them.

use cdc::{
    pipeline::{Bounds, Window},
    sink::Verdict,
};

/// The engine's default bounds.
pub(crate) const BOUNDS: Bounds = Bounds {
    events: 2048,
    bytes: 8 << 20,
};
/// Bytes of every message.
const BYTES: usize = 400;

/// One message after the other.
pub(crate) fn in_order() -> Vec<u64> {
    (0..BOUNDS.events as u64).collect()
}

/// Any message next, the same one in every run.
pub(crate) fn shuffled() -> Vec<u64> {
    let mut order = in_order();
    let mut state = 1_u64;
    for place in (1..order.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        order.swap(place, (state >> 33) as usize % (place + 1));
    }
    order
}

/// Fills the window, sends everything, takes the confirms in `order`, and takes out what has left.
///
/// Returns the sum of the messages, so that none of it is optimised away.
pub(crate) fn pass(window: &mut Window<u64>, order: &[u64]) -> u64 {
    for item in 0..window.room() as u64 {
        window.push(item, BYTES);
    }
    let mut first = None;
    while let Some(next) = window.send_next() {
        first.get_or_insert(next.sequence);
    }
    let first = first.expect("something was sent");
    let mut sum = 0;
    for place in order {
        window.on_verdict(first + place, Verdict::Confirmed);
        while let Some(item) = window.pop() {
            sum += item;
        }
    }
    sum
}
