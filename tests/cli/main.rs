//! `meshctl`, run as a person or a program runs it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be, and says what it drew"
)]

mod calls;
mod commands;
mod control;
mod demo;
mod errors_page;
mod faults;
mod files;
mod front_page;
mod group_kills;
mod groups;
mod home;
mod kills;
mod mistakes;
mod prekeys;
mod relay;
mod relays;
mod root_apart;
mod terminal;
mod two_agents;
