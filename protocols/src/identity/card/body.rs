//! What a card says, before and beside its signature.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Address, Capabilities, CardError, CardPart, Region, Sequence, Validity};
use crate::identity::{AgentId, Endorsement, HybridPublic, LivePublic, RootPublic, Unverified};

/// What a card says. Its field order is the wire format.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CardBody {
    /// The number of this card.
    pub sequence: Sequence,
    /// When it counts.
    pub validity: Validity,
    /// The agent's signing pair.
    pub signing_pair: HybridPublic,
    /// The key of its live sessions.
    pub live_key: LivePublic,
    /// The key that comes after that one, accepted from now on.
    pub next_live_key: Option<LivePublic>,
    /// Its identity key in deferred sessions, in their encoding.
    pub deferred_identity: Option<Vec<u8>>,
    /// Its signature key in fleets, in their encoding.
    pub fleet_key: Option<Vec<u8>>,
    /// Where it listens, best first.
    pub addresses: Vec<Address>,
    /// Who keeps mail for it, best first.
    pub relays: Vec<Relay>,
    /// The live suites it accepts by their codes, best first.
    pub suites: Vec<u8>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Where it says that its data stays.
    pub region: Option<Region>,
    /// What authorities say of it, each still to be verified.
    pub endorsements: Vec<Unverified<Endorsement>>,
    /// What later versions say of it, by the number of the field.
    pub extensions: BTreeMap<u16, Vec<u8>>,
}

/// An agent that keeps mail for another.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Relay {
    /// Who it is.
    pub agent: AgentId,
    /// Where it listens, best first.
    pub addresses: Vec<Address>,
}

impl CardBody {
    /// A body with the keys that each card has, and nothing else in it.
    pub fn new(
        sequence: Sequence,
        validity: Validity,
        signing_pair: HybridPublic,
        live_key: LivePublic,
    ) -> Self {
        Self {
            sequence,
            validity,
            signing_pair,
            live_key,
            next_live_key: None,
            deferred_identity: None,
            fleet_key: None,
            addresses: Vec::new(),
            relays: Vec::new(),
            suites: Vec::new(),
            capabilities: Capabilities::default(),
            region: None,
            endorsements: Vec::new(),
            extensions: BTreeMap::new(),
        }
    }

    /// The rules that writer and reader hold each body to.
    pub(super) fn check(&self, root: &RootPublic) -> Result<(), CardError> {
        // A root kept off line stays there only if nothing on line is asked of its keys.
        if root.keys().shares_a_key_with(&self.signing_pair) {
            return Err(CardError::RootAsSigningPair);
        }
        self.check_validity_span()?;
        for (part, count, limit) in self.counts() {
            if count > limit {
                return Err(CardError::OverLimit { part, limit });
            }
        }
        for (part, repeats) in self.repeats() {
            if repeats {
                return Err(CardError::Repeated(part));
            }
        }
        Ok(())
    }

    fn check_validity_span(&self) -> Result<(), CardError> {
        let Validity { not_before, not_after } = self.validity;
        if not_after < not_before {
            return Err(CardError::ValidityEndsBeforeItStarts);
        }
        if not_after.saturating_since(not_before) > Validity::MAX {
            return Err(CardError::ValidityTooLong);
        }
        Ok(())
    }

    /// How much there is of each part, and how much there may be.
    fn counts(&self) -> [(CardPart, usize, usize); 9] {
        let key_length = |key: &Option<Vec<u8>>| key.as_ref().map_or(0, Vec::len);
        let most = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
        [
            (CardPart::DeferredIdentity, key_length(&self.deferred_identity), MAX_KEY_LENGTH),
            (CardPart::FleetKey, key_length(&self.fleet_key), MAX_KEY_LENGTH),
            (CardPart::Addresses, self.addresses.len(), MAX_ADDRESSES),
            (CardPart::Relays, self.relays.len(), MAX_RELAYS),
            (
                CardPart::RelayAddresses,
                most(&mut self.relays.iter().map(|relay| relay.addresses.len())),
                MAX_ADDRESSES,
            ),
            (CardPart::Suites, self.suites.len(), MAX_SUITES),
            (CardPart::Services, self.capabilities.services.len(), MAX_SERVICES),
            (CardPart::Endorsements, self.endorsements.len(), MAX_ENDORSEMENTS),
            (CardPart::Extensions, self.extensions.len(), MAX_EXTENSIONS),
        ]
    }

    /// Whether each of the ordered lists names something twice.
    fn repeats(&self) -> [(CardPart, bool); 4] {
        let relay_repeats = self.relays.iter().any(|relay| repeats(&relay.addresses));
        [
            (CardPart::Addresses, repeats(&self.addresses)),
            (CardPart::Relays, repeats(self.relays.iter().map(|relay| relay.agent))),
            (CardPart::RelayAddresses, relay_repeats),
            (CardPart::Suites, repeats(&self.suites)),
        ]
    }
}

/// Whether something is named more than once.
fn repeats<T: Ord>(items: impl IntoIterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    !items.into_iter().all(|item| seen.insert(item))
}

/// Three transports on a handful of interfaces; a dialler races them and stops long before.
pub const MAX_ADDRESSES: usize = 16;

/// An agent spreads its mail over a few relays; each one more is asked at each send.
pub const MAX_RELAYS: usize = 8;

/// Suites come and go by ones; a list longer than this is a mistake.
pub const MAX_SUITES: usize = 16;

/// What a peer looks through to find one; who offers more offers a directory as a service.
pub const MAX_SERVICES: usize = 64;

/// As many as fit: each has at least a public pair and a signature of 5.3 KiB.
pub const MAX_ENDORSEMENTS: usize = 3;

/// Enough for the additions of years; each is found in one look-up.
pub const MAX_EXTENSIONS: usize = 32;

/// An encoded ML-DSA-65 public key fits, with room for a header.
pub const MAX_KEY_LENGTH: usize = 2_048;
