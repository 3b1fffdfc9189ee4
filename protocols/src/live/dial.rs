//! What an initiator wants of the agent it dials, on every transport.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::directory::Directory;
use super::exchange::{Exchange, ExchangeError};
use super::handshake::{AwaitMessage2, Established, ExpectedKeys, HandshakeError, ReadMessage2};
use super::hello::Channel;
use super::local::{Local, known_suites};
use super::session::SessionError;
use super::suite::Suite;
use crate::identity::{AgentId, Card, LiveKey, LivePublic};
use crate::random::Random;
use crate::time::WallTime;

/// What to dial for.
#[derive(Clone, Debug)]
pub enum Dial {
    /// A session with the agent of this card.
    Session(Arc<Card>),
    /// Only the card of this agent, of which an id and an address are known.
    CardFetch {
        /// The agent.
        agent: AgentId,
        /// The suite to try: which ones the agent takes, only its card will tell.
        suite: Suite,
    },
}

impl Dial {
    pub(super) fn suite(&self, local: &Local) -> Result<Suite, SessionError> {
        match self {
            Self::Session(card) => {
                let own: Vec<_> = local.suites().collect();
                let theirs: Vec<_> = known_suites(card).collect();
                Suite::choose(&own, &theirs).ok_or(SessionError::NoCommonSuite)
            }
            Self::CardFetch { suite, .. } => Ok(*suite),
        }
    }

    /// Our live key, or for a fetch one that is used this once: the agent there learns nothing of
    /// who asked.
    pub(super) fn static_key(&self, local: &Local, random: &mut dyn Random) -> LiveKey {
        match self {
            Self::Session(_) => local.live_key().clone(),
            Self::CardFetch { .. } => LiveKey::generate(local.provider().as_ref(), random),
        }
    }

    /// Takes a message 2 without a payload, and goes on.
    pub(super) fn receive_message2(
        &self,
        noise: AwaitMessage2,
        message2: &[u8],
        now: WallTime,
    ) -> Result<(Established, Vec<u8>), SessionError> {
        match noise.read(message2)? {
            (read, payload) if payload.is_empty() => self.go_on(read, now),
            _ => Err(HandshakeError::WrongLength.into()),
        }
    }

    /// Goes on behind message 2. A session does so only with a key that the dialled card names,
    /// while that card counts.
    pub(super) fn go_on(
        &self,
        noise: ReadMessage2,
        now: WallTime,
    ) -> Result<(Established, Vec<u8>), SessionError> {
        Ok(match self {
            Self::Session(card) => {
                card.check_validity(now).map_err(SessionError::DialledCard)?;
                let keys: Vec<LivePublic> = [Some(card.live_key()), card.next_live_key()]
                    .into_iter()
                    .flatten()
                    .copied()
                    .collect();
                noise.go_on(ExpectedKeys::Named(&keys))?
            }
            Self::CardFetch { .. } => noise.go_on(ExpectedKeys::Any)?,
        })
    }

    /// The exchange that follows the handshake, and its first frame.
    pub(super) fn exchange(
        self,
        channel: Channel,
        local: Arc<Local>,
        directory: Arc<dyn Directory>,
        random: &mut dyn Random,
    ) -> Result<(Exchange, Vec<u8>), ExchangeError> {
        match self {
            Self::Session(card) => Exchange::open(channel, local, directory, card, random),
            Self::CardFetch { agent, .. } => Ok(Exchange::fetch(channel, local, directory, agent)),
        }
    }
}
