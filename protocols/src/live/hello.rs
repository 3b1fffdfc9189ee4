//! Hello: who is at the end of a Noise session.
//!
//! ```text
//! 0x01 || body (postcard) || hybrid signature (3373)
//! ```
//!
//! The signing pair signs, for [`Purpose::Hello`], `version || transport || suite || role || handshake
//! hash || own AgentId || peer's AgentId || SHA-256(body)`. So a Hello belongs to one session, one
//! direction and two agents, and nothing in it can be exchanged. Knows nothing of when a Hello is
//! due, nor of how it travels.

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::directory::Directory;
use super::handshake::{Established, Role, VERSION, transport_byte};
use super::local::Local;
use super::suite::Suite;
use crate::identity::card::MAX_CARD_LENGTH;
use crate::identity::{
    AgentId, Card, CardError, CardHash, CardMark, HybridSignature, LivePublic, Newest, Purpose,
    Sequence, Supersession, Transport, Unverified, supersede,
};
use crate::lineage::Lineage;
use crate::posture::Posture;
use crate::provider::{CryptoError, Provider};
use crate::random::Random;
use crate::time::WallTime;

/// The longest Hello, and so the longest frame before one was accepted.
pub const MAX_HELLO: usize = 32 * 1024;

/// The type byte of a Hello.
pub(super) const HELLO: u8 = 0x01;

/// The session that a Hello is about, as one side sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Channel {
    /// What carries it.
    pub transport: Transport,
    /// Its suite.
    pub suite: Suite,
    /// Which side this is.
    pub role: Role,
    /// The hash of its handshake.
    pub handshake_hash: [u8; 32],
    /// The static key that the peer showed.
    pub remote_static: LivePublic,
}

impl Channel {
    /// The channel that a handshake over `transport` made.
    pub fn new(transport: Transport, established: &Established) -> Self {
        Self {
            transport,
            suite: established.suite,
            role: established.role,
            handshake_hash: established.handshake_hash,
            remote_static: established.remote_static,
        }
    }

    /// What the side in `role` signs.
    fn statement(
        &self,
        provider: &dyn Provider,
        role: Role,
        parties: Parties<'_>,
        body: &[u8],
    ) -> Vec<u8> {
        let head = [VERSION, transport_byte(self.transport), self.suite.byte(), role.byte()];
        let body_hash = provider.digest(&[body]);
        [
            head.as_slice(),
            &self.handshake_hash,
            parties.from.as_bytes(),
            parties.to.as_bytes(),
            &body_hash,
        ]
        .concat()
    }
}

#[derive(Clone, Copy, Debug)]
struct Parties<'a> {
    from: &'a AgentId,
    to: &'a AgentId,
}

/// What a Hello says before its signature. The order of the fields is the wire format.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Body<'a> {
    /// Whom it is for.
    to: AgentId,
    /// Whose it is.
    #[serde(borrow)]
    card: OwnCard<'a>,
    /// The card of the receiver that the sender used.
    used: Sequence,
    /// Where the sender's state stands.
    lineage: Lineage,
    /// What the sender remembers of the receiver's state.
    remembered: Option<Lineage>,
}

/// The sender's card, or its hash where the receiver has shown that it holds it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
enum OwnCard<'a> {
    Whole(&'a [u8]),
    Hash(CardHash),
}

/// Whom a Hello goes to, and what of ours it holds.
#[derive(Clone, Copy, Debug)]
pub struct Addressee {
    /// The peer.
    pub agent: AgentId,
    /// The number of the peer's card in use.
    pub card: Sequence,
    /// Whether the peer has shown that it holds our current card.
    pub holds_ours: bool,
}

/// The bytes of our Hello.
pub fn compose(
    channel: &Channel,
    local: &Local,
    directory: &dyn Directory,
    addressee: Addressee,
    random: &mut dyn Random,
) -> Result<Vec<u8>, HelloError> {
    let own = local.card();
    let body = Body {
        to: addressee.agent,
        card: if addressee.holds_ours {
            OwnCard::Hash(own.hash())
        } else {
            OwnCard::Whole(own.as_bytes())
        },
        used: addressee.card,
        lineage: directory.lineage(),
        remembered: directory.remembered(&addressee.agent),
    };
    let body = postcard::to_allocvec(&body).map_err(|_| HelloError::Internal)?;
    let provider = local.provider().as_ref();
    let parties = Parties { from: &local.agent(), to: &addressee.agent };
    let statement = channel.statement(provider, channel.role, parties, &body);
    let signature = local.signing_pair().sign(Purpose::Hello, &statement, random)?;
    Ok([&[HELLO], body.as_slice(), signature.as_bytes()].concat())
}

/// A Hello as it came: nothing in it is believed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnverifiedHello<'a> {
    body: Body<'a>,
    body_bytes: &'a [u8],
    signature: HybridSignature,
}

impl<'a> UnverifiedHello<'a> {
    /// Reads a Hello.
    pub fn decode(frame: &'a [u8]) -> Result<Self, HelloError> {
        if frame.len() > MAX_HELLO {
            return Err(HelloError::TooLong);
        }
        let (&HELLO, rest) = frame.split_first().ok_or(HelloError::Malformed)? else {
            return Err(HelloError::Malformed);
        };
        let (body_bytes, signature) = rest.split_last_chunk().ok_or(HelloError::Malformed)?;
        let body: Body<'a> = postcard::from_bytes(body_bytes).map_err(|_| HelloError::Malformed)?;
        // One encoding for each body: nothing behind it, no overlong number.
        if postcard::to_allocvec(&body).ok().as_deref() != Some(body_bytes) {
            return Err(HelloError::Malformed);
        }
        Ok(Self { body, body_bytes, signature: HybridSignature::from_bytes(signature) })
    }
}

/// Who judges a Hello, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    /// The session.
    pub channel: &'a Channel,
    /// Oneself.
    pub local: &'a Local,
    /// What the node knows.
    pub directory: &'a dyn Directory,
    /// The card that was dialled, on the initiator's side.
    pub dialled: Option<&'a Arc<Card>>,
    /// The time of day.
    pub now: WallTime,
}

impl Judge<'_> {
    /// Accepts a Hello, if all of it holds.
    pub fn accept(&self, hello: &UnverifiedHello<'_>) -> Result<PeerInfo, HelloError> {
        let body = &hello.body;
        // 1. It is for this agent.
        if body.to != self.local.agent() {
            return Err(HelloError::ForAnother);
        }
        // 2. Its card is verified, and counts now.
        let card = self.card(body.card)?;
        card.check_validity(self.now).map_err(HelloError::Card)?;
        // 3. It is the card of the agent that was dialled, and none that a newer one replaced,
        //    another of the same number contradicts, or a revocation took back.
        self.check_agent(&card)?;
        self.check_supersession(&card)?;
        // 4. The key of the Noise session is a live key of that card.
        if !card.names_live_key(&self.channel.remote_static) {
            return Err(HelloError::KeyNotInCard);
        }
        // 5. Both halves of the signature are by that card's signing pair, over this session, the
        //    peer's role, both agents and everything above.
        let provider = self.local.provider().as_ref();
        let parties = Parties { from: &card.agent(), to: &body.to };
        let statement =
            self.channel.statement(provider, self.channel.role.peer(), parties, hello.body_bytes);
        card.signing_pair()
            .verify(provider, Purpose::Hello, &statement, &hello.signature)
            .map_err(|_| HelloError::BadSignature)?;
        Ok(PeerInfo {
            agent: card.agent(),
            card,
            role: self.channel.role,
            transport: self.channel.transport,
            suite: self.channel.suite,
            posture: Posture::HYBRID,
            lineage: body.lineage,
            remembered: body.remembered,
            used: body.used,
        })
    }

    fn card(&self, card: OwnCard<'_>) -> Result<Arc<Card>, HelloError> {
        match card {
            OwnCard::Whole(bytes) => self.whole_card(bytes),
            // A known card counts only for who shows its key: the answer to a hash then tells a
            // stranger nothing of whose cards are known here.
            OwnCard::Hash(hash) => self
                .known(&hash)
                .filter(|card| card.names_live_key(&self.channel.remote_static))
                .ok_or(HelloError::CardUnknown),
        }
    }

    fn whole_card(&self, bytes: &[u8]) -> Result<Arc<Card>, HelloError> {
        let provider = self.local.provider().as_ref();
        let unverified = Unverified::<Card>::parse(bytes).map_err(HelloError::Card)?;
        if let Some(known) = self.known(&unverified.hash(provider)) {
            return Ok(known);
        }
        unverified.verify(provider, self.now).map(Arc::new).map_err(HelloError::Card)
    }

    fn known(&self, hash: &CardHash) -> Option<Arc<Card>> {
        self.dialled
            .filter(|card| card.hash() == *hash)
            .cloned()
            .or_else(|| self.directory.card(hash))
    }

    fn check_agent(&self, card: &Card) -> Result<(), HelloError> {
        match self.dialled {
            Some(dialled) if dialled.agent() != card.agent() => Err(HelloError::AnotherAgent),
            _ => Ok(()),
        }
    }

    fn check_supersession(&self, card: &Card) -> Result<(), HelloError> {
        let dialled = self.dialled.map(|card| Newest::Card(CardMark::from(card.as_ref())));
        for newest in [self.directory.newest(&card.agent()), dialled].into_iter().flatten() {
            match supersede(newest, CardMark::from(card)) {
                Supersession::Replaces | Supersession::Unchanged => {}
                Supersession::Stale => return Err(HelloError::Stale),
                Supersession::Refused => return Err(HelloError::Refused),
                Supersession::Equivocation => {
                    return Err(HelloError::Equivocation {
                        agent: card.agent(),
                        sequence: card.sequence(),
                    });
                }
            }
        }
        Ok(())
    }
}

/// Who is at the other end, proved.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The peer.
    pub agent: AgentId,
    /// The card by which it proved itself. It may be newer than the one that was dialled.
    pub card: Arc<Card>,
    /// Which side we are.
    pub role: Role,
    /// What carries the session.
    pub transport: Transport,
    /// The suite.
    pub suite: Suite,
    /// How the session protects.
    pub posture: Posture,
    /// Where the peer's state stands.
    pub lineage: Lineage,
    /// What the peer remembers of ours.
    pub remembered: Option<Lineage>,
    /// Which of our cards the peer used.
    pub used: Sequence,
}

/// Why there was no Hello to send, or none to accept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HelloError {
    /// It is longer than [`MAX_HELLO`].
    #[error("the peer's Hello is longer than {MAX_HELLO} bytes")]
    TooLong,
    /// It is not encoded as one is.
    #[error("the peer's Hello is malformed")]
    Malformed,
    /// It names another agent than this one as its receiver.
    #[error("the peer's Hello is for another agent")]
    ForAnother,
    /// It names its card by a hash that is not known here: the peer is asked for the whole.
    #[error("the peer named a card that is not known here")]
    CardUnknown,
    /// Its card does not hold, or does not count now.
    #[error("the card in the peer's Hello is refused: {0}")]
    Card(CardError),
    /// It comes from another agent than was dialled.
    #[error("the peer is another agent than the one that was dialled")]
    AnotherAgent,
    /// A newer card of that agent is known.
    #[error("the card in the peer's Hello was replaced by a newer one")]
    Stale,
    /// The card was revoked, or contradicted another of its number.
    #[error("the card in the peer's Hello was revoked or contradicted")]
    Refused,
    /// The agent has signed two cards of one number: both are refused from now on.
    #[error("{agent} has two different cards of number {sequence}")]
    Equivocation {
        /// Whose cards they are.
        agent: AgentId,
        /// Their number.
        sequence: Sequence,
    },
    /// The key of the Noise session is not one of the card's live keys.
    #[error("the peer's key is not in its card")]
    KeyNotInCard,
    /// A half of the signature does not hold for this session.
    #[error("the signature of the peer's Hello does not hold for this session")]
    BadSignature,
    /// The provider made no signature.
    #[error("the Hello could not be signed: {0}")]
    Signing(#[from] CryptoError),
    /// A bug here.
    #[error("the Hello could not be encoded")]
    Internal,
}

// The largest card, its length, the type, both ids' worth of fields and the signature fit.
const _: () = assert!(MAX_CARD_LENGTH + 256 + HybridSignature::LENGTH <= MAX_HELLO);

#[cfg(all(feature = "aws-lc-rs", feature = "pure"))]
#[cfg(test)]
mod tests;
