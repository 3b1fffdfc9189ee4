//! Meshwork's sessions beside what others have: one process, one run, CPU time of one thread.
//!
//! ```text
//! cargo run --release --manifest-path compare/Cargo.toml [handshake] [records] ..
//! ```
//!
//! prints each figure with what is asked of it, and ends with an error where one was missed.

mod agents;
mod bar;
mod deferred;
mod fleet;
mod handshake;
mod mail;
mod noise;
mod olm;
mod quic;
mod records;
mod sessions;
mod stopwatch;
mod tls;

use std::error::Error;
use std::process::ExitCode;

use bar::Bar;

/// Why a comparison could not be made.
pub type Failure = Box<dyn Error>;

type Comparison = fn() -> Result<Vec<Bar>, Failure>;

const COMPARISONS: [(&str, Comparison); 5] = [
    ("handshake", handshake::compare),
    ("records", records::compare),
    ("quic", quic::compare),
    ("deferred", deferred::compare),
    ("fleet", fleet::compare),
];

fn main() -> ExitCode {
    let wanted: Vec<_> = std::env::args().skip(1).collect();
    let mut missed = 0;
    for (name, compare) in COMPARISONS {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        println!("== {name}");
        match compare() {
            Ok(bars) => missed += bars.iter().filter(|bar| !bar.print()).count(),
            Err(error) => {
                eprintln!("{name} failed: {error}");
                missed += 1;
            }
        }
    }
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
