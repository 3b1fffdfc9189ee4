//! What two ends of a fresh Noise session say before anything else, on every transport.
//!
//! Each side says at most one thing and hears one: Hello answers Hello, a card answers its request,
//! or one side closes. Until then no other frame is sent or accepted. Owns that order; knows
//! nothing of records, datagrams or timers, nor of what a Hello contains.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::card_fetch::{self, CardFetchError};
use super::directory::Directory;
use super::hello::{self, Addressee, Channel, HelloError, Judge, PeerInfo, UnverifiedHello};
use super::local::Local;
use crate::identity::{AgentId, Card};
use crate::random::Random;
use crate::time::WallTime;

/// One side that waits for the peer's frame.
#[derive(Debug)]
pub struct Exchange {
    channel: Channel,
    local: Arc<Local>,
    directory: Arc<dyn Directory>,
    awaits: Awaits,
}

#[derive(Debug)]
enum Awaits {
    /// The responder's Hello, after ours.
    HelloOf(Arc<Card>),
    /// The card of this agent.
    CardOf(AgentId),
    /// The initiator's Hello, or its request for our card.
    Initiator,
}

impl Exchange {
    /// The initiator's side of a session with the agent of `card`, and its Hello to send.
    pub fn open(
        channel: Channel,
        local: Arc<Local>,
        directory: Arc<dyn Directory>,
        card: Arc<Card>,
        random: &mut dyn Random,
    ) -> Result<(Self, Vec<u8>), ExchangeError> {
        let agent = card.agent();
        let addressee = Addressee {
            agent,
            card: card.sequence(),
            holds_ours: directory.holds_ours(&agent, &local.card().hash()),
        };
        let hello = hello::compose(&channel, &local, directory.as_ref(), addressee, random)?;
        Ok((Self { channel, local, directory, awaits: Awaits::HelloOf(card) }, hello))
    }

    /// The initiator's side of a fetch of the card of `agent`, and its request to send.
    pub fn fetch(
        channel: Channel,
        local: Arc<Local>,
        directory: Arc<dyn Directory>,
        agent: AgentId,
    ) -> (Self, Vec<u8>) {
        let request = card_fetch::encode_request(&agent);
        (Self { channel, local, directory, awaits: Awaits::CardOf(agent) }, request)
    }

    /// The responder's side.
    pub fn answer(channel: Channel, local: Arc<Local>, directory: Arc<dyn Directory>) -> Self {
        Self { channel, local, directory, awaits: Awaits::Initiator }
    }

    /// Takes the peer's frame, which decides. After an error nothing is to be sent.
    pub fn receive(
        self,
        now: WallTime,
        frame: &[u8],
        random: &mut dyn Random,
    ) -> Result<Outcome, ExchangeError> {
        let kind = frame.first().copied().ok_or(ExchangeError::Unexpected)?;
        match (&self.awaits, kind) {
            (Awaits::HelloOf(card), hello::HELLO) => self.receive_hello(now, frame, Some(card)),
            (Awaits::Initiator, hello::HELLO) => {
                let outcome = self.receive_hello(now, frame, None)?;
                self.answer_hello(outcome, random)
            }
            (Awaits::CardOf(agent), card_fetch::ANSWER) => {
                let provider = self.local.provider().as_ref();
                let card = card_fetch::accept_answer(frame, agent, provider, now)?;
                Ok(Outcome::CardFetched(Arc::new(card)))
            }
            (Awaits::Initiator, card_fetch::REQUEST) => self.serve_card(frame),
            (Awaits::HelloOf(_) | Awaits::Initiator, CLOSE) => match frame {
                [CLOSE, CARD_WANTED] => Ok(Outcome::CardWanted),
                _ => Err(ExchangeError::Unexpected),
            },
            _ => Err(ExchangeError::Unexpected),
        }
    }

    fn receive_hello(
        &self,
        now: WallTime,
        frame: &[u8],
        dialled: Option<&Arc<Card>>,
    ) -> Result<Outcome, ExchangeError> {
        let judge = Judge {
            channel: &self.channel,
            local: &self.local,
            directory: self.directory.as_ref(),
            dialled,
            now,
        };
        match judge.accept(&UnverifiedHello::decode(frame)?) {
            Ok(peer) => Ok(Outcome::Opened { peer: Box::new(peer), reply: None }),
            Err(HelloError::CardUnknown) => {
                Ok(Outcome::CardUnknown { reply: [CLOSE, CARD_WANTED].to_vec() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The responder's Hello. The initiator has shown that it holds our current card if it used it.
    fn answer_hello(
        &self,
        outcome: Outcome,
        random: &mut dyn Random,
    ) -> Result<Outcome, ExchangeError> {
        let Outcome::Opened { peer, .. } = outcome else { return Ok(outcome) };
        let addressee = Addressee {
            agent: peer.agent,
            card: peer.card.sequence(),
            holds_ours: peer.used == self.local.card().sequence(),
        };
        let directory = self.directory.as_ref();
        let hello = hello::compose(&self.channel, &self.local, directory, addressee, random)?;
        Ok(Outcome::Opened { peer, reply: Some(hello) })
    }

    fn serve_card(&self, frame: &[u8]) -> Result<Outcome, ExchangeError> {
        if card_fetch::decode_request(frame)? != self.local.agent() {
            return Err(CardFetchError::AnotherWanted.into());
        }
        Ok(Outcome::CardServed { reply: card_fetch::encode_answer(self.local.card()) })
    }
}

/// What an exchange ended in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The session stands.
    Opened {
        /// Who is at the other end.
        peer: Box<PeerInfo>,
        /// The responder's Hello, to send.
        reply: Option<Vec<u8>>,
    },
    /// The card that was asked for. The session ends.
    CardFetched(Arc<Card>),
    /// The peer asked for our card. The session ends behind the answer.
    CardServed {
        /// The answer, to send.
        reply: Vec<u8>,
    },
    /// The peer named a card that we no longer hold. The session ends behind the request to send
    /// the whole next time.
    CardUnknown {
        /// The request, to send.
        reply: Vec<u8>,
    },
    /// The peer no longer holds our card: the next Hello must carry it. The session ends.
    CardWanted,
}

/// Why an exchange failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The peer sent a frame that is not due.
    #[error("the peer sent a frame that is not due before its Hello was accepted")]
    Unexpected,
    /// There was no Hello to send, or none to accept.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// A request or an answer of a card fetch did not hold.
    #[error(transparent)]
    CardFetch(#[from] CardFetchError),
}

/// The type byte of a close with a reason.
const CLOSE: u8 = 0x04;

/// The reason: the receiver of a Hello does not hold the card that it names.
const CARD_WANTED: u8 = 0x01;
