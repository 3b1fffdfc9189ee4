//! What must survive a restart, a crash and a power loss.
//!
//! - [`Store`] is what a backend offers: namespaced rows, ordered scans, and batches that are
//!   durable, whole, when `commit` returns. [`memory`] and redb implement it; [`suites`] tell
//!   whether another does.
//! - A sealed state stands on a store: every value is encrypted, bound to its place, numbered and
//!   versioned; a restored or copied one is recognised.
//!
//! It knows nothing of what the rows mean beyond their [`Namespace`].

mod batch;
mod namespace;
mod store;

pub use batch::{Batch, Change};
pub use namespace::Namespace;
pub use store::{Row, Rows, Store, StoreError};
