//! Runs one case a given number of times and nothing else, for a tool that counts instructions.
//!
//! `cargo xtask bench --instructions` runs it under callgrind. Started as a bench, without a case, it does nothing.

mod documents;
mod traffic;

use std::{env, hint::black_box};

use cdc::{
    encode::{JsonMode, extended_json},
    pipeline::Window,
};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [case, times] = arguments.as_slice() else {
        return;
    };
    // Cargo's own option, behind a filter that is meant for the other benches.
    if times == "--bench" {
        return;
    }
    let times: u32 = times.parse().expect("the second argument is a number");
    match case.split_once('/') {
        Some(("writer", bytes)) => write(bytes.parse().expect("a size in bytes"), times),
        Some(("window", "in_order")) => pass(&traffic::in_order(), times),
        Some(("window", "shuffled")) => pass(&traffic::shuffled(), times),
        _ => panic!("`{case}` is no case"),
    }
}

fn write(bytes: usize, times: u32) {
    assert!(documents::SIZES.contains(&bytes), "{bytes} is no size");
    let document = documents::document(bytes);
    let mut out = Vec::new();
    for _ in 0..times {
        out.clear();
        extended_json::write_document(black_box(&document), JsonMode::Relaxed, &mut out)
            .expect("the document is BSON");
        black_box(&out);
    }
}

fn pass(order: &[u64], times: u32) {
    let mut window = Window::new(traffic::BOUNDS);
    for _ in 0..times {
        black_box(traffic::pass(&mut window, black_box(order)));
    }
}
