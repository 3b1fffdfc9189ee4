//! The card: what an agent's root says of the agent.
//!
//! A [`Card`] is verified; bytes of somebody else become one through [`Unverified`]. It keeps the
//! bytes it came in and hands on those, so that an extension field which this version does not
//! know reaches the next reader unchanged. Knows nothing of which of two cards counts
//! ([`supersede`](super::supersede)), nor whether it was revoked.

mod address;
mod body;
mod capability;
mod error;
mod region;
mod sequence;
mod validity;

pub use address::{Address, AddressError, Transport};
pub use body::{
    CardBody, MAX_ADDRESSES, MAX_ENDORSEMENTS, MAX_EXTENSIONS, MAX_KEY_LENGTH, MAX_RELAYS,
    MAX_SERVICES, MAX_SUITES, Relay,
};
pub use capability::{Capabilities, Protocol, Service};
pub use error::{CardError, CardPart};
pub use region::{Region, RegionError};
pub use sequence::Sequence;
pub use validity::Validity;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::armour::Armour;
use super::statement::Statement;
use super::unverified::{Unverified, Verifiable};
use super::{AgentId, Endorsement, HybridPublic, LivePublic, Purpose, Root, RootPublic, canonical};
use crate::provider::Provider;
use crate::random::Random;
use crate::time::WallTime;

/// The most bytes of a card: with its hash, signature and fields around it, a Hello stays below
/// 32 KiB.
pub const MAX_CARD_LENGTH: usize = 28 * 1024;

/// A verified card.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Card {
    claim: CardClaim,
    hash: CardHash,
}

impl Card {
    pub(super) fn sign(
        provider: &dyn Provider,
        root: &Root,
        body: CardBody,
        random: &mut dyn Random,
    ) -> Result<Self, CardError> {
        body.check(root.public())?;
        let encoded = canonical::encode(&body)?;
        check_length(Statement::OVERHEAD + encoded.len())?;
        let statement = Statement::sign(root, Purpose::Card, &encoded, random)?;
        Ok(CardClaim { statement, body }.adopt(provider))
    }

    /// Every byte of it, as it came.
    pub fn as_bytes(&self) -> &[u8] {
        self.claim.statement.as_bytes()
    }

    /// The bytes as text, for a file or a mail.
    pub fn to_text(&self) -> String {
        Armour::Card.encode(self.as_bytes())
    }

    /// The hash of every byte of it.
    pub fn hash(&self) -> CardHash {
        self.hash
    }

    /// Whose it is.
    pub fn agent(&self) -> AgentId {
        self.claim.statement.agent()
    }

    /// The keys that signed it.
    pub fn root(&self) -> &RootPublic {
        self.claim.statement.root()
    }

    /// All that it says, as a start for the next one.
    pub fn body(&self) -> &CardBody {
        &self.claim.body
    }

    /// Its number among the cards of its agent.
    pub fn sequence(&self) -> Sequence {
        self.body().sequence
    }

    /// When it counts.
    pub fn validity(&self) -> Validity {
        self.body().validity
    }

    /// Whether it counts `now`, with the tolerance that clocks are given. One that was verified
    /// long ago may not any more.
    pub fn check_validity(&self, now: WallTime) -> Result<(), CardError> {
        self.claim.check_validity(now)
    }

    /// The public keys of the agent's signing pair.
    pub fn signing_pair(&self) -> &HybridPublic {
        &self.body().signing_pair
    }

    /// The key of its live sessions.
    pub fn live_key(&self) -> &LivePublic {
        &self.body().live_key
    }

    /// The key that comes after that one.
    pub fn next_live_key(&self) -> Option<&LivePublic> {
        self.body().next_live_key.as_ref()
    }

    /// Whether `key` is the current or the next live key.
    pub fn names_live_key(&self, key: &LivePublic) -> bool {
        self.live_key() == key || self.next_live_key() == Some(key)
    }

    /// Its identity key in deferred sessions, in their encoding.
    pub fn deferred_identity(&self) -> Option<&[u8]> {
        self.body().deferred_identity.as_deref()
    }

    /// Its signature key in fleets, in their encoding.
    pub fn fleet_key(&self) -> Option<&[u8]> {
        self.body().fleet_key.as_deref()
    }

    /// Where it listens, best first.
    pub fn addresses(&self) -> &[Address] {
        &self.body().addresses
    }

    /// Who keeps mail for it, best first.
    pub fn relays(&self) -> &[Relay] {
        &self.body().relays
    }

    /// The live suites it accepts by their codes, best first.
    pub fn suites(&self) -> &[u8] {
        &self.body().suites
    }

    /// What it can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.body().capabilities
    }

    /// Where it says that its data stays.
    pub fn region(&self) -> Option<Region> {
        self.body().region
    }

    /// What authorities say of it, each still to be verified.
    pub fn endorsements(&self) -> &[Unverified<Endorsement>] {
        &self.body().endorsements
    }

    /// What later versions say of it.
    pub fn extensions(&self) -> &BTreeMap<u16, Vec<u8>> {
        &self.body().extensions
    }
}

impl Verifiable for Card {
    type Claim = CardClaim;
}

impl Unverified<Card> {
    /// Reads a card without believing it.
    pub fn parse(bytes: &[u8]) -> Result<Self, CardError> {
        // 1. The length, before anything is copied.
        check_length(bytes.len())?;
        // 2. The format version and the parts that each card has.
        let statement = Statement::parse(bytes)?;
        // 3. The body, in its one encoding.
        let body: CardBody = canonical::decode(statement.body())?;
        // 4. The rules and limits of each part.
        body.check(statement.root())?;
        Ok(Self(CardClaim { statement, body }))
    }

    /// Reads the text of a card without believing it.
    pub fn parse_text(text: &str) -> Result<Self, CardError> {
        Self::parse(Armour::Card.decode(text, MAX_CARD_LENGTH)?.expose())
    }

    /// Believes it, if its agent's root signed it and it counts `now`.
    pub fn verify(self, provider: &dyn Provider, now: WallTime) -> Result<Card, CardError> {
        // 5. The id is the hash of the root keys, and 6. both halves of the signature verify.
        self.0.statement.verify(provider, Purpose::Card)?;
        // 7. It counts now.
        self.0.check_validity(now)?;
        Ok(self.0.adopt(provider))
    }

    /// Whose card it says it is.
    pub fn claimed_agent(&self) -> AgentId {
        self.0.statement.agent()
    }

    /// When it says that it counts: for who verified it when it came, and keeps it since.
    pub fn claimed_validity(&self) -> Validity {
        self.0.body.validity
    }

    /// Who it says keeps mail for its agent, best first.
    pub fn claimed_relays(&self) -> &[Relay] {
        &self.0.body.relays
    }

    /// The hash of every byte, by which a card that was verified before is known again.
    pub fn hash(&self, provider: &dyn Provider) -> CardHash {
        CardHash::of(provider, self.0.statement.as_bytes())
    }
}

/// What parsing a card yields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CardClaim {
    statement: Statement,
    body: CardBody,
}

impl CardClaim {
    fn adopt(self, provider: &dyn Provider) -> Card {
        let hash = CardHash::of(provider, self.statement.as_bytes());
        Card { claim: self, hash }
    }

    fn check_validity(&self, now: WallTime) -> Result<(), CardError> {
        let validity = self.body.validity;
        if validity.is_early(now) {
            return Err(CardError::NotYetValid(validity.not_before));
        }
        if validity.is_over(now) {
            return Err(CardError::Expired(validity.not_after));
        }
        Ok(())
    }
}

/// SHA-256 over every byte of a card, signature included.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct CardHash([u8; CardHash::LENGTH]);

impl CardHash {
    /// Bytes of a hash.
    pub const LENGTH: usize = 32;

    /// The hash of a card's bytes.
    pub fn of(provider: &dyn Provider, card: &[u8]) -> Self {
        Self(provider.digest(&[card]))
    }

    /// The hash with these bytes.
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl fmt::Debug for CardHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardHash(")?;
        for byte in &self.0 {
            write!(f, "{byte:02x}")?;
        }
        write!(f, ")")
    }
}

fn check_length(length: usize) -> Result<(), CardError> {
    if length > MAX_CARD_LENGTH { Err(CardError::TooLong { length }) } else { Ok(()) }
}

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests;
