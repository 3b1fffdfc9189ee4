//! What surrounds the ratchet between our own agents: who may begin a session, what a packet is
//! bound to, and which keys are offered.
//!
//! The official client's format leaves the sender's name, the bundle used and some outer bytes
//! unauthenticated. Here a signing pair answers for each new session ([`introduction`]), every outer
//! byte stands as a hash inside ([`plaintext`]), and bundles are signed whole ([`bundle`]). Knows no
//! clock and no store, and not who may write to whom.

pub mod bundle;
pub mod correspondence;
pub mod envelope;
#[cfg(feature = "pure")]
#[cfg(test)]
mod fixture;
pub mod introduction;
pub mod open_budget;
pub mod plaintext;
pub mod pool;
pub mod prekey_store;
pub mod repair;
pub mod replay;

pub use bundle::{Bundle, BundleBody, BundleError, BundleMark, BundleNumber};
pub use correspondence::{
    Arrived, Correspondence, CorrespondenceError, Local, MailError, ReplyKeys, SESSION_TURNS,
    Sealed, Surroundings,
};
pub use envelope::{Envelope, EnvelopeError};
pub use introduction::{Introduction, IntroductionError};
pub use plaintext::{Plaintext, PlaintextError};
pub use pool::{Pool, PoolBody, PoolError, PoolKey};
pub use prekey_store::PrekeyStore;
pub use replay::ReplayKey;
