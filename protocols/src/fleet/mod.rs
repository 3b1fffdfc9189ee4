//! Fleets: groups of agents that share one encrypted channel, whose keys change whenever somebody
//! comes, goes or is renewed.
//!
//! MLS (RFC 9420) through openmls, with one suite ([`Suite`]), behind an interface without a type
//! of openmls. A [`Group`] is driven by one owner, in steps: each takes entries of the group's log
//! or wishes of its member and gives what may leave and the rows to be made durable first, in one
//! transaction. Who comes in is proved by hybrid keys: an [`Offer`] carries its signing pair's
//! signature, and so does the commit of a member that comes back.
//!
//! Whether a commit is accepted hangs on its bytes, on what they name by hash, and on the group's
//! state. Knows no clock but the one that it is given, no store, no relay, and not who should be a
//! member.

pub mod charter;
pub mod credential;
pub mod entry;
mod entry_proofs;
mod error;
mod evidence;
#[cfg(all(feature = "aws-lc-rs", feature = "pure"))]
#[cfg(test)]
mod fixture;
mod group;
pub mod hpke;
mod id;
mod invitation;
mod judgement;
mod key;
pub mod log_moved;
pub mod log_seen;
mod mls;
mod offer;
pub mod payload;
mod posting;
mod roster;
mod rows;
mod suite;
pub mod summons;
#[cfg(all(feature = "aws-lc-rs", feature = "pure"))]
#[cfg(test)]
mod tests;
pub mod upkeep;
pub mod way_back;
mod welcome;
pub mod x_wing;

pub use charter::{Charter, CharterError, MovedLog};
pub use credential::Credential;
pub use entry::{LogEntry, Statement, Verdict};
pub use error::{Fault, GroupError, OfferError, Refusal};
pub use evidence::{Evidence, KnownCards};
pub use group::{
    Commit, Group, MAX_ADDED, MAX_INFO_LENGTH, MAX_PAST, MAX_PAYLOAD_LENGTH, Member, PAST_LIFETIME,
    Plan, Received, Rejoined, View,
};
pub use id::{GroupId, NoGroupId};
pub use invitation::{Invitation, MAX_TREE_LENGTH};
pub use judgement::Change;
pub use key::FleetKey;
pub use log_seen::LogSeen;
pub use offer::{EntryProof, MAX_KEY_PACKAGE_LENGTH, MAX_OFFER_VALIDITY, Offer};
pub use payload::{Asks, MAX_RECEIPT_SPAN, Payload, Receipt, Said};
pub use posting::{MAX_ADDED_AT_ONCE, Posting};
pub use roster::{MAX_ROSTER_LENGTH, Roster};
pub use rows::{CHUNK_LENGTH, MemoryRows, RowChange, Rows, StoreError};
pub use suite::Suite;
pub use summons::Summons;
pub use welcome::{MAX_WELCOME_LENGTH, Welcome};

use alloc::vec::Vec;

use self::mls::Mls;
use crate::identity::{Card, SigningPair};
use crate::provider::{FleetProvider, Provider};
use crate::random::Random;
use crate::time::WallTime;

/// What each operation takes from outside.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The primitives.
    pub provider: &'a dyn FleetProvider,
    /// What was stored.
    pub rows: &'a dyn Rows,
    /// Randomness: everything that an operation draws follows from it.
    pub random: &'a mut dyn Random,
    /// The time of day.
    pub now: WallTime,
    /// The suite: the default one, outside of tests.
    pub suite: Suite,
}

impl<'a> Surroundings<'a> {
    fn mls(&mut self) -> Mls<'a> {
        Mls::new(self.provider, self.rows, self.random, self.suite)
    }

    fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let provider: &dyn Provider = self.provider;
        provider.digest(parts)
    }
}

/// One's own side.
#[derive(Clone, Copy, Debug)]
pub struct Local<'a> {
    /// One's current card.
    pub card: &'a Card,
    /// The fleet key that it names.
    pub key: &'a FleetKey,
    /// The signing pair that it names.
    pub pair: &'a SigningPair,
}

/// What an operation gives.
#[derive(Debug)]
#[must_use = "the rows go into the transaction that lets the output leave"]
pub struct Step<T> {
    /// What happened, or may leave once `changes` are durable.
    pub output: T,
    /// What is made durable in one transaction.
    pub changes: Vec<RowChange>,
}
