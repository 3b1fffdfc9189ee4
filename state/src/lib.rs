//! What must survive a restart, a crash and a power loss.
//!
//! - [`Store`] is what a backend offers: namespaced rows, ordered scans, and batches that are
//!   durable, whole, when `commit` returns. [`MemoryStore`] and [`RedbStore`] implement it; the
//!   suites tell whether another does.
//! - [`State`] stands on a store: every value is sealed, bound to its place, numbered and
//!   versioned; a restored or copied state is recognised by its [`Witness`].
//!
//! It knows nothing of what the rows mean beyond their [`Namespace`], and reads no clock.

mod batch;
mod commit_number;
mod creation;
mod folder;
pub mod key_file;
mod keyring;
mod lineage;
mod memory;
mod meta;
mod migration;
mod namespace;
mod opening;
mod passphrase;
mod record;
#[cfg(feature = "redb")]
pub mod redb_store;
mod sealing;
mod state;
#[cfg(feature = "redb")]
mod state_folder;
mod store;
mod store_id;
#[cfg(feature = "suites")]
pub mod suites;
mod unlock;
mod view;
mod witness;

pub use batch::{Batch, Change};
pub use commit_number::CommitNumber;
pub use creation::CreateError;
pub use key_file::KeyFileError;
pub use lineage::RestoreEvidence;
pub use memory::MemoryStore;
pub use namespace::Namespace;
pub use opening::OpenError;
pub use record::Cipher;
#[cfg(feature = "redb")]
pub use redb_store::RedbStore;
pub use sealing::Sealing;
pub use state::{AcceptError, Opened, SESSION_KEY_LIFETIME, State};
#[cfg(feature = "redb")]
pub use state_folder::STORE_FILE;
pub use store::{Row, Rows, Store, StoreError};
pub use store_id::StoreId;
pub use unlock::{Unlock, UnlockError, UnlockKind};
pub use witness::{FileWitness, Testimony, Witness, WitnessError};
