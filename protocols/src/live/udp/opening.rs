//! What follows a handshake, until the peer is accepted: each side hears the other's one frame, in
//! parts, and says its own. Owns that; knows nothing of addresses, timeouts and caps.

use alloc::vec::Vec;
use core::time::Duration;

use super::super::exchange::{Exchange, ExchangeError, Outcome};
use super::content::Content;
use super::greeting::{Greeting, HELLO_CUT};
use super::keys::Keys;
use super::parts::Parts;
use super::tally::Ignored;
use crate::random::Random;
use crate::time::{Timestamp, WallTime};

/// How long a peer that has said a part waits to hear that it came: the others are on their way.
const DELAY: Duration = Duration::from_millis(20);

/// One side of it.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) keys: Keys,
    /// Until the peer's frame has come.
    exchange: Option<Exchange>,
    /// What this side says, once it has something to say.
    pub(super) greeting: Option<Greeting>,
    incoming: Option<Parts>,
    /// The keys here that the peer wants to replace, or none.
    replaces: u32,
    /// When the peer is to hear what came.
    owed: Option<Timestamp>,
}

impl Opening {
    pub(super) fn new(keys: Keys, exchange: Exchange, greeting: Option<Greeting>) -> Self {
        Self { keys, exchange: Some(exchange), greeting, incoming: None, replaces: 0, owed: None }
    }

    /// Takes what the peer sealed; the peer's whole frame, if this was the last part of it.
    pub(super) fn hear(
        &mut self,
        now: Timestamp,
        content: &Content<'_>,
    ) -> Result<Option<Vec<u8>>, Ignored> {
        match content {
            Content::HelloReceived(parts) => {
                if let Some(greeting) = &mut self.greeting {
                    greeting.heard(now, *parts);
                }
                Ok(None)
            }
            Content::Hello { replaces, part } => {
                let incoming = match &mut self.incoming {
                    Some(incoming) => incoming,
                    none => {
                        let parts = Parts::of(HELLO_CUT, part).ok_or(Ignored::Unexpected)?;
                        self.replaces = *replaces;
                        none.insert(parts)
                    }
                };
                if self.replaces != *replaces || !incoming.take(part) {
                    return Err(Ignored::Unexpected);
                }
                let whole = self.exchange.as_ref().and_then(|_| incoming.whole());
                self.owed = Some(if whole.is_some() { now } else { now + DELAY });
                Ok(whole)
            }
            _ => Err(Ignored::Unexpected),
        }
    }

    /// Judges the peer's frame. It has only one.
    pub(super) fn judge(
        &mut self,
        now: WallTime,
        frame: &[u8],
        random: &mut dyn Random,
    ) -> Result<Outcome, ExchangeError> {
        let exchange = self.exchange.take().ok_or(ExchangeError::Unexpected)?;
        exchange.receive(now, frame, random)
    }

    /// The parts of the peer's frame that came.
    pub(super) fn received(&self) -> u32 {
        let came = self.incoming.as_ref().map_or(0, Parts::came);
        u32::try_from(came).unwrap_or(u32::MAX)
    }

    /// How many bytes of the peer's frame are held.
    pub(super) fn held(&self) -> usize {
        self.incoming.as_ref().map_or(0, Parts::bytes)
    }

    /// The keys here that the peer wants to replace, or zero.
    pub(super) fn replaces(&self) -> u32 {
        self.replaces
    }

    /// When there is something to say.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let greeting = self.greeting.as_ref().filter(|greeting| !greeting.is_heard());
        [self.owed, greeting.map(Greeting::due)].into_iter().flatten().min()
    }

    /// What there is to say now, sealed.
    pub(super) fn say(&mut self, now: Timestamp) -> Vec<Vec<u8>> {
        let mut said = Vec::new();
        if self.owed.is_some_and(|owed| owed.monotonic <= now.monotonic) {
            self.owed = None;
            said.extend(self.keys.seal(&Content::HelloReceived(self.received())));
        }
        if self.greeting.as_mut().is_some_and(|greeting| greeting.is_due(now)) {
            said.extend(self.say_unheard());
        }
        said
    }

    /// The parts of this side's frame that were not heard, sealed.
    pub(super) fn say_unheard(&mut self) -> Vec<Vec<u8>> {
        let Self { keys, greeting, .. } = self;
        let unheard = greeting.iter().flat_map(Greeting::unheard);
        unheard.filter_map(|content| keys.seal(&content).ok()).collect()
    }
}
