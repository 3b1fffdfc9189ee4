//! What a relay keeps for agents that sleep, and to whom it gives what.
//!
//! It takes who asks, the bytes of the request and the time, and gives answers once what they say
//! is durable. It knows no socket, no session and no router: [`Relay::serve`] is a function of a
//! batch of requests, and [`Worker`] a thread that calls it.
//!
//! - [`storage`]: logs by subject and values by key, as a trait; redb and memory.
//! - [`Limits`]: quotas and rates, each with its reason.
//! - [`Metrics`]: what was done, refused and is stored.
#![doc(test(attr(deny(warnings))))]

mod blobs;
mod cards;
mod decision;
mod entry;
mod fair;
mod folds;
mod limits;
mod log;
mod mailbox;
mod metrics;
mod nudges;
mod past;
mod pools;
mod rates;
mod relay;
pub mod storage;
mod sweep;
mod worker;

pub use limits::Limits;
pub use metrics::Metrics;
pub use relay::{Asked, Outcome, Relay, Waiting};
pub use worker::{Reply, Surroundings, Worker, WorkerError};
