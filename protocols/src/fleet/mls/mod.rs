//! What openmls is given: primitives, randomness and storage of ours.
//!
//! The only module tree beside `group` that sees a type of openmls. A [`Mls`] lives for one
//! operation: its randomness was drawn from the caller's before the operation began, and what it
//! wrote comes out as one list of row changes, or is dropped whole.

mod crypto;
mod drawn;
mod overlay;
mod signer;
mod storage;

pub(super) use overlay::{Label, Place};

use alloc::vec::Vec;
use core::fmt;

use openmls_traits::OpenMlsProvider;

use self::crypto::Crypto;
use self::drawn::Drawn;
use self::overlay::Overlay;
use super::rows::{RowChange, Rows, StoreError};
use super::suite::Suite;
use crate::provider::FleetProvider;
use crate::random::Random;
use crate::secret::Secret;

/// One operation's view of the world.
pub(super) struct Mls<'a> {
    crypto: Crypto<'a>,
    drawn: Drawn<'a>,
    overlay: Overlay<'a>,
}

impl<'a> Mls<'a> {
    /// Draws the operation's randomness.
    pub(super) fn new(
        provider: &'a dyn FleetProvider,
        rows: &'a dyn Rows,
        random: &mut dyn Random,
        suite: Suite,
    ) -> Self {
        Self {
            crypto: Crypto::new(provider, Secret::random(random), suite),
            drawn: Drawn::new(provider, Secret::random(random)),
            overlay: Overlay::new(rows),
        }
    }

    /// The same operation, on the rows of another place.
    pub(super) fn at(mut self, place: Place) -> Self {
        self.overlay.stand_at(place);
        self
    }

    pub(super) fn provider(&self) -> &'a dyn FleetProvider {
        self.crypto.provider()
    }

    pub(super) fn overlay(&self) -> &Overlay<'a> {
        &self.overlay
    }

    /// What is to be made durable in one transaction.
    pub(super) fn into_changes(self) -> Result<Vec<RowChange>, StoreError> {
        self.overlay.into_changes()
    }
}

impl<'a> OpenMlsProvider for Mls<'a> {
    type CryptoProvider = Crypto<'a>;
    type RandProvider = Drawn<'a>;
    type StorageProvider = Overlay<'a>;

    fn storage(&self) -> &Overlay<'a> {
        &self.overlay
    }

    fn crypto(&self) -> &Crypto<'a> {
        &self.crypto
    }

    fn rand(&self) -> &Drawn<'a> {
        &self.drawn
    }
}

impl fmt::Debug for Mls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mls(..)")
    }
}
