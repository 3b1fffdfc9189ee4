//! A relay under load, over loopback, with the relay and its clients in processes of their own:
//!
//! - `deposits`: 64 connected agents leave mail of 1 KiB; how many are durable in a second, and how
//!   long each takes.
//! - `stored`: a million pieces in 100,000 mailboxes; how long a relay takes to start over them, and
//!   a fetch at its worker.
//! - `keys`: 1,000 connected agents ask at once for the last 200 one-time keys of one agent.
//! - `idle`: how much memory 10,000 connected agents take that wait for mail.
//!
//! ```text
//! cargo bench --bench relay [-- deposits|stored|keys|idle [COUNT]]
//! ```
//!
//! Each figure stands beside what is asked of it, and one that misses it fails the run.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it measured, or stops"
)]

mod clients;
mod deposits;
mod idle;
mod keys;
mod process;
mod stored;

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use meshwork::AgentId;
use meshwork::time::{Timestamp, WallTime};
use meshwork_protocols::relay::Deposit;

/// Bytes of a piece of mail.
const BODY: usize = 1_024;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let held = match process::role().as_deref() {
        Some("relay") => runtime.block_on(process::be_relay()),
        Some("deposits") => runtime.block_on(deposits::leave_mail()),
        Some("keys") => runtime.block_on(keys::ask_at_once()),
        Some("idle") => runtime.block_on(idle::wait_for_mail()),
        _ => measure(),
    };
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the parts that are asked for; whether all figures came out.
fn measure() -> bool {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let count = arguments.get(1).and_then(|it| it.parse().ok());
    let parts: [(&str, &dyn Fn() -> bool); 4] = [
        ("deposits", &|| deposits::measure(count)),
        ("stored", &stored::measure),
        ("keys", &keys::measure),
        ("idle", &|| idle::measure(count)),
    ];
    let wanted = |(name, _): &&(&str, _)| arguments.first().is_none_or(|only| only == name);
    // Each is measured, also where one before it missed.
    parts.iter().filter(wanted).fold(true, |held, (_, part)| part() && held)
}

fn deposit(recipient: AgentId, number: u64) -> Deposit {
    let mut packet = vec![0x5a; BODY];
    packet[..8].copy_from_slice(&number.to_be_bytes());
    let expires = now().wall + Duration::from_secs(24 * 60 * 60);
    Deposit { recipient, expires, packet: packet.into() }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp { monotonic: since, wall: WallTime::from_millis(since.as_millis() as u64) }
}

/// In milliseconds.
fn percentile(took: &mut [Duration], part: f64) -> f64 {
    took.sort_unstable();
    let place = ((took.len() as f64 * part) as usize).min(took.len() - 1);
    took[place].as_secs_f64() * 1_000.0
}
