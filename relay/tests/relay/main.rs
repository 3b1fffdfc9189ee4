//! What a relay promises, and what bad input gets.
#![allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it set it up"
)]

mod bad_input;
mod common;
mod logs;
mod mailboxes;
mod pools;
mod power_loss;
mod shelves;
mod worker;
