//! All that is kept of deferred mail with one agent, and its two steps: sealing and opening a packet
//! with everything that our own agents put around the ratchet.
//!
//! Knows nothing of where packets come from and whether the sender may write: it says who wrote.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::bundle::{Bundle, BundleError, BundleMark};
use super::envelope::{Envelope, EnvelopeError};
use super::introduction::{Beginning, Introduction, IntroductionError, handshake_context};
use super::plaintext::{Plaintext, PlaintextError, hash_around, outer_hash};
use super::replay::UsedPrekeys;
use crate::deferred::curve_key::{CurveKey, CurvePublic};
use crate::deferred::prekey_id::PrekeyId;
use crate::deferred::session::{
    BeginError, MAX_RECEIVER_CHAINS, OpenError, Opener, PacketKind, SealError, Session, Terms,
};
use crate::deferred::session_list::{Opened, PrekeySource, Responder, SessionList};
use crate::deferred::stored::{self, RecordError};
use crate::deferred::wire::{FirstMessage, RatchetMessage};
use crate::identity::{AgentId, Card, SigningPair};
use crate::provider::{CryptoError, DeferredProvider};
use crate::random::Random;
use crate::secret::SecretBytes;
use crate::time::WallTime;

/// One's own side.
#[derive(Clone, Copy, Debug)]
pub struct Local<'a> {
    /// One's deferred identity, which the card names.
    pub identity: &'a CurveKey,
    /// One's current card.
    pub card: &'a Card,
    /// The signing pair that the card names.
    pub pair: &'a SigningPair,
}

/// What each step takes from outside.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The primitives.
    pub provider: &'a dyn DeferredProvider,
    /// Randomness.
    pub random: &'a mut dyn Random,
    /// The time of day.
    pub now: WallTime,
}

/// The keys to which others wrote, and the bundles that offered them.
pub trait ReplyKeys: PrekeySource {
    /// Whether this was one of one's own bundles, and its keys are still kept.
    fn published(&self, bundle: &BundleMark) -> bool;
}

/// What is kept of the mail with one agent: one record of the store.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Correspondence {
    sessions: SessionList,
    /// Of the current session, until the peer answers it.
    begun: Option<Begun>,
    /// How often what seals has turned.
    turns: u64,
}

/// How the current session began.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Begun {
    bundle: BundleMark,
    introduction: Introduction,
}

/// A packet, and the correspondence after it.
#[derive(Debug)]
pub struct Sealed {
    /// The envelope and what is in it.
    pub packet: Vec<u8>,
    /// What replaces the record.
    pub next: Correspondence,
}

/// A payload, and the correspondence after it.
#[derive(Debug)]
pub struct Arrived {
    /// What the peer sealed.
    pub payload: SecretBytes,
    /// What replaces the record.
    pub next: Correspondence,
    /// Of a packet that began a session: who introduced itself, and the keys that it used. The
    /// one-time key is to be deleted and the use to be remembered in the batch that adopts `next`.
    pub began: Option<(Card, UsedPrekeys)>,
}

impl Correspondence {
    /// The sessions.
    pub fn sessions(&self) -> &SessionList {
        &self.sessions
    }

    /// Whether a packet can be sealed `now`, or a bundle is needed first.
    pub fn can_seal(&self, now: WallTime) -> bool {
        self.sessions.current().is_some_and(|session| {
            session.pending.as_ref().is_none_or(|pending| !pending.is_over(now))
        })
    }

    /// Whether the peer has shown that it has the current session.
    pub fn is_answered(&self) -> bool {
        self.sessions.current().is_some_and(|session| session.pending.is_none())
    }

    /// How often the chain that seals was replaced by the next. A session that replaces another
    /// counts as [`SESSION_TURNS`], for the peer may have given up all of that one's chains.
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// Begins a session to the keys of `bundle`, with a one-time key of the agent's pool if one is
    /// at hand.
    pub fn begin(
        &self,
        around: &mut Surroundings<'_>,
        local: &Local<'_>,
        bundle: &Bundle,
        one_time: Option<(PrekeyId, CurvePublic)>,
    ) -> Result<Self, CorrespondenceError> {
        let Surroundings { provider, random, now } = around;
        let (provider, now) = (*provider, *now);
        bundle.check_validity(now)?;
        let mark = bundle.mark();
        let ends = [local.card.agent(), bundle.body().agent];
        let context = handshake_context(&mark, ends);
        let terms = Terms { context: &context, addresses: None };
        let opener = Opener { registration: 0, until: bundle.body().not_after };
        let offer = bundle.offer(one_time);
        let session = Session::initiate(provider, local.identity, &offer, &terms, opener, *random)?;
        let fields = session.pending.as_ref().map(|pending| &pending.fields);
        let identity = local.identity.public();
        let beginning = fields
            .map(|fields| Beginning::of_fields(provider, ends, &mark, identity, fields))
            .ok_or(SealError::NoSession)?;
        let introduction = Introduction::sign(local.card, local.pair, &beginning, *random)?;
        let begun = Some(Begun { bundle: mark, introduction });
        Ok(Self { begun, ..self.followed_by(self.sessions.begin(session)) })
    }

    /// Seals `payload` from `sender`, oneself, to `recipient`, the peer.
    pub fn seal(
        &self,
        around: &mut Surroundings<'_>,
        [sender, recipient]: [AgentId; 2],
        payload: &[u8],
    ) -> Result<Sealed, CorrespondenceError> {
        let Surroundings { provider, random, now } = around;
        let (provider, now) = (*provider, *now);
        let begun = if self.is_answered() { None } else { self.begun.as_ref() };
        let envelope = Envelope { sender, recipient, bundle: begun.map(|begun| begun.bundle) };
        let envelope = envelope.encode();
        let mut plaintext = Plaintext {
            outer: [0; 32],
            sender,
            recipient,
            introduction: begun.map(|begun| begun.introduction.clone()),
            payload: SecretBytes::new(payload.to_vec()),
        };
        let length = plaintext.encode()?.len();
        let draft = self.sessions.draft(provider, length, now, *random)?;
        plaintext.outer = outer_hash(provider, &envelope, draft.outer());
        let (packet, session) = draft.seal(provider, plaintext.encode()?.expose())?;
        let next = Self { sessions: self.sessions.with_current(session), ..self.clone() };
        Ok(Sealed { packet: [envelope, packet.bytes].concat(), next })
    }

    /// Opens a packet of `peer`. An error leaves everything as it was.
    pub fn open(
        &self,
        around: &mut Surroundings<'_>,
        local: &Local<'_>,
        peer: &AgentId,
        packet: &[u8],
        keys: &dyn ReplyKeys,
    ) -> Result<Arrived, MailError> {
        let Surroundings { provider, random, now } = around;
        let (provider, now) = (*provider, *now);
        // 1. It is between these two.
        let (envelope, inside) = Envelope::decode(packet)?;
        let header = packet.get(..packet.len().saturating_sub(inside.len())).unwrap_or_default();
        if envelope.recipient != local.card.agent() {
            return Err(MailError::WrongRecipient);
        }
        if envelope.sender != *peer {
            return Err(MailError::WrongSender);
        }
        let Some(bundle) = envelope.bundle else {
            let message = RatchetMessage::decode(inside).map_err(OpenError::from)?;
            let opened = self.sessions.open(provider, &message, *random)?;
            let outer = hash_around(provider, header, &[], &[]);
            let payload = check(&opened, &outer, &envelope)?.payload;
            return Ok(Arrived { payload, next: self.followed_by(opened.next), began: None });
        };
        // 2. A first message was sealed to keys that are still kept.
        if !keys.published(&bundle) {
            return Err(MailError::UnknownBundle);
        }
        // 3. The ratchet opens it, in the session that it began or in a new one.
        let first = FirstMessage::decode(inside).map_err(OpenError::from)?;
        let ends = [envelope.sender, envelope.recipient];
        let context = handshake_context(&bundle, ends);
        let terms = Terms { context: &context, addresses: None };
        let responder = Responder { identity: local.identity, prekeys: keys, terms };
        let opened = self.sessions.open_first(provider, &responder, &first, *random)?;
        // 4. It binds what stood around it, and who sent it to whom.
        let outer = hash_around(provider, &[header, first.before].concat(), &[], first.after);
        let plaintext = check(&opened, &outer, &envelope)?;
        // 5. Who begins a session says who it is.
        let began = if opened.began {
            let introduction = plaintext.introduction.as_ref().ok_or(MailError::NotIntroduced)?;
            let beginning = Beginning::of_first(provider, ends, &bundle, &first);
            let card = introduction.verify(provider, &beginning, now)?;
            Some((card, UsedPrekeys::of(&first)))
        } else {
            None
        };
        let next = self.followed_by(opened.next);
        Ok(Arrived { payload: plaintext.payload, next, began })
    }

    /// The correspondence with every sending key given up, because an older copy of it may have used
    /// them.
    #[must_use]
    pub fn archive(&self) -> Self {
        self.followed_by(self.sessions.spend())
    }

    /// The record.
    pub fn encode(&self) -> Result<SecretBytes, RecordError> {
        stored::encode(&[FORMAT], self).map_err(|_| RecordError::Malformed)
    }

    /// Reads a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let read: Self = stored::decode_format(FORMAT, bytes)?;
        if read.sessions.is_sound() { Ok(read) } else { Err(RecordError::Malformed) }
    }

    fn followed_by(&self, sessions: SessionList) -> Self {
        // What was begun goes as soon as the session that it began is another or is answered.
        let waits = sessions.current().is_some_and(|session| session.pending.is_some());
        let turns = self.turns.saturating_add(turned(&self.sessions, &sessions));
        Self { sessions, begun: self.begun.clone().filter(|_| waits), turns }
    }
}

/// How many turns lie between what seals before and after a step.
fn turned(before: &SessionList, after: &SessionList) -> u64 {
    match (before.current(), after.current()) {
        (None, None) => 0,
        (Some(before), Some(after)) if before.base_key == after.base_key => {
            let key = |session: &Session| *session.chains.sender.ratchet_key.public();
            u64::from(key(before) != key(after))
        }
        _ => SESSION_TURNS,
    }
}

/// What was opened, if it binds what stood around it and is between the two of the envelope.
fn check(opened: &Opened, outer: &[u8; 32], envelope: &Envelope) -> Result<Plaintext, MailError> {
    let plaintext = Plaintext::decode(opened.plaintext.expose())?;
    if plaintext.outer != *outer {
        return Err(MailError::ChangedOutside);
    }
    if plaintext.recipient != envelope.recipient {
        return Err(MailError::WrongRecipient);
    }
    if plaintext.sender != envelope.sender {
        return Err(MailError::WrongSender);
    }
    Ok(plaintext)
}

/// Why no session begins, or nothing is sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CorrespondenceError {
    /// The bundle counts no more.
    #[error("the bundle cannot be used: {0}")]
    Bundle(#[from] BundleError),
    /// The session does not begin.
    #[error("no session begins: {0}")]
    Begin(#[from] BeginError),
    /// The session does not seal.
    #[error("nothing is sealed: {0}")]
    Seal(#[from] SealError),
    /// The payload cannot be encoded.
    #[error("the payload cannot be sealed: {0}")]
    Plaintext(#[from] PlaintextError),
    /// The provider failed.
    #[error("the provider failed: {0}")]
    Crypto(#[from] CryptoError),
}

/// Why a packet is not opened. Nothing has changed then.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The envelope is none.
    #[error("the packet is in no envelope: {0}")]
    Envelope(#[from] EnvelopeError),
    /// It is for another agent.
    #[error("the packet is for another agent")]
    WrongRecipient,
    /// It is from another agent than it says, or than it was taken for.
    #[error("the packet is from another agent than it says")]
    WrongSender,
    /// It was sealed to a bundle that is not known here, or whose keys are gone.
    #[error("the packet was sealed to a bundle that is not kept here")]
    UnknownBundle,
    /// The ratchet does not open it.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// What the ratchet opened is no plaintext.
    #[error("{0}")]
    Plaintext(#[from] PlaintextError),
    /// A byte outside the MAC is not as it was sent.
    #[error("what stands around the message was changed on its way")]
    ChangedOutside,
    /// It begins a session and does not say who begins it.
    #[error("the sender did not introduce itself")]
    NotIntroduced,
    /// The introduction introduces nobody.
    #[error("{0}")]
    Introduction(#[from] IntroductionError),
}

impl MailError {
    /// Whether the packet may have been honest mail for a session that is lost here, which a repair
    /// can bring again. A duplicate, or what somebody changed, is not.
    pub fn asks_for_repair(&self) -> bool {
        matches!(
            self,
            Self::UnknownBundle
                | Self::Open(
                    OpenError::NoSession
                        | OpenError::DoesNotOpen
                        | OpenError::Braid(_)
                        | OpenError::UnknownSignedPrekey
                        | OpenError::UnknownKemPrekey
                        | OpenError::UnknownOneTimePrekey
                )
        )
    }
}

/// The kind of a packet's envelope, for who only counts them.
pub fn kind_of(packet: &[u8]) -> Result<PacketKind, EnvelopeError> {
    Envelope::decode(packet).map(|(envelope, _)| envelope.kind())
}

/// As many turns as a session keeps chains: of what came before them it opens nothing.
pub const SESSION_TURNS: u64 = 5;

const _: () = assert!(MAX_RECEIVER_CHAINS == 5);

const FORMAT: u8 = 1;

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests;
