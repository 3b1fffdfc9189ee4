//! The end that dials, until the peer is accepted.
//!
//! It says message 1 until an answer shows a key of the dialled card, then message 3 and its Hello
//! until the peer has heard them. An answer that another made costs one try: what the handshake drew
//! is kept, and each answer is tried on a state that is made from it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use super::super::dial::Dial;
use super::super::directory::Directory;
use super::super::exchange::Outcome;
use super::super::handshake::{HandshakeError, InitiatorKeys, MiddleKeys, Terms, prologue};
use super::super::hello::{Channel, PeerInfo};
use super::super::local::Local;
use super::super::patience::{MAX_OPENING, MAX_SILENCE};
use super::super::session::SessionError;
use super::super::suite::Suite;
use super::allowance::Allowance;
use super::content::Content;
use super::endpoint::SessionIndex;
use super::greeting::Greeting;
use super::keys::Keys;
use super::opening::Opening;
use super::out::Out;
use super::packet::{self, COOKIE, MAC};
use super::retry::Retry;
use super::tally::Ignored;
use crate::identity::Transport;
use crate::provider::Provider;
use crate::random::Random;
use crate::secret::Secret;
use crate::time::Timestamp;

/// How many answers, and how many cookies, are tried a second: what an injector can make of them is
/// bounded, and the true one comes again with each repetition of message 1.
const TRIES: u32 = 16;

/// Every so many repetitions of message 3, message 1 is said again too: a peer that has given the
/// handshake up answers it anew.
const START_OVER: u32 = 4;

/// The most answers that are ever taken for the peer's: it gives another only where it had to forget
/// the one before, which it keeps for five seconds of the minute that an opening may take.
const TAKEN: usize = 64;

/// A session that is being dialled, or given new keys.
pub(super) struct Dialling {
    /// What becomes of it.
    pub(super) session: SessionIndex,
    /// Where the session stands already: how the peer names the keys that are to be replaced.
    replaces: Option<u32>,
    dial: Dial,
    pub(super) local: Arc<Local>,
    directory: Arc<dyn Directory>,
    pub(super) index: u32,
    pub(super) to: SocketAddr,
    suite: Suite,
    cookie: [u8; COOKIE],
    /// Until the peer has answered under the keys that it leads to.
    drawn: Option<InitiatorKeys>,
    noise: Vec<u8>,
    retry: Retry,
    repeated: u32,
    tries: Allowance,
    cookies: Allowance,
    ends: Timestamp,
    /// What it fails with, if nothing better comes.
    suspicion: SessionError,
    answered: Option<Answered>,
    /// The hashes of the answers that ever were. One that comes again would lead to the keys that it
    /// led to before, under which something was sealed.
    taken: Vec<[u8; 32]>,
}

/// An answer that shows a key of the dialled card.
struct Answered {
    message3: Vec<u8>,
    opening: Opening,
}

/// Whom to dial for what.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) session: SessionIndex,
    pub(super) replaces: Option<u32>,
    pub(super) dial: Dial,
    pub(super) index: u32,
    pub(super) to: SocketAddr,
}

/// The peer is accepted.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) keys: Keys,
    pub(super) peer: Box<PeerInfo>,
    /// The parts of its Hello.
    pub(super) hello: u32,
}

impl Dialling {
    /// Begins, and says message 1.
    pub(super) fn begin(
        now: Timestamp,
        order: Order,
        local: Arc<Local>,
        directory: Arc<dyn Directory>,
        random: &mut dyn Random,
        out: &mut Out,
    ) -> Result<Self, SessionError> {
        let Order { session, replaces, dial, index, to } = order;
        let suite = dial.suite(&local)?;
        let drawn = InitiatorKeys::draw(local.provider().as_ref(), random)?;
        let mut dialling = Self {
            session,
            replaces,
            dial,
            local,
            directory,
            index,
            to,
            suite,
            cookie: [0; COOKIE],
            drawn: None,
            noise: Vec::new(),
            retry: Retry::new(now),
            repeated: 0,
            tries: Allowance::new(TRIES, TRIES),
            cookies: Allowance::new(TRIES, TRIES),
            ends: now + MAX_OPENING,
            suspicion: SessionError::TimedOut,
            answered: None,
            taken: Vec::new(),
        };
        (_, dialling.noise) = drawn.initiate(dialling.terms(&dialling.prologue()), &[])?;
        dialling.drawn = Some(drawn);
        dialling.say_message1(out);
        Ok(dialling)
    }

    fn prologue(&self) -> Vec<u8> {
        prologue(Transport::Udp, self.suite, &packet::message1_header(self.suite, self.index))
    }

    fn terms<'a>(&'a self, prologue: &'a [u8]) -> Terms<'a> {
        let (provider, local) = (self.local.provider(), self.local.live_key());
        Terms { provider, suite: self.suite, prologue, local }
    }

    fn say_message1(&self, out: &mut Out) {
        let message = packet::message1(self.suite, self.index, &self.cookie, &self.noise);
        out.transmit(self.to, message);
    }

    /// The peer wants to see a cookie.
    pub(super) fn receive_cookie(
        &mut self,
        now: Timestamp,
        cookie: [u8; COOKIE],
        out: &mut Out,
    ) -> Result<(), Ignored> {
        if self.answered.is_some() {
            return Err(Ignored::Unexpected);
        }
        if !self.cookies.take(now) {
            return Err(Ignored::TooMany);
        }
        self.cookie = cookie;
        self.say_message1(out);
        Ok(())
    }

    /// Tries an answer. Only the peer that was dialled can give one that counts.
    pub(super) fn receive_message2(
        &mut self,
        now: Timestamp,
        sender: u32,
        noise: &[u8],
        random: &mut dyn Random,
        out: &mut Out,
    ) -> Result<(), Ignored> {
        let provider = Arc::clone(self.local.provider());
        let answer = provider.digest(&[noise]);
        if self.taken.contains(&answer) {
            return Err(Ignored::Repeated);
        }
        if self.drawn.is_none() {
            return Err(Ignored::Unexpected);
        }
        if self.taken.len() >= TAKEN || !self.tries.take(now) {
            return Err(Ignored::TooMany);
        }
        let answered = self.try_answer(now, sender, noise, random).map_err(|error| {
            self.suspect(now, error);
            Ignored::NotAuthentic
        })?;
        self.answered = Some(answered);
        self.taken.push(answer);
        self.retry = Retry::new(now);
        self.say_message3(out);
        Ok(())
    }

    fn try_answer(
        &self,
        now: Timestamp,
        sender: u32,
        noise: &[u8],
        random: &mut dyn Random,
    ) -> Result<Answered, SessionError> {
        let prologue = self.prologue();
        let drawn = self.drawn.as_ref().ok_or(HandshakeError::Internal)?;
        let (state, _) = drawn.initiate(self.terms(&prologue), &[])?;
        let (mut read, payload) = state.read(noise)?;
        // The indices in front are those that the responder sealed.
        if payload != packet::indices(sender, self.index) {
            return Err(HandshakeError::NotAuthentic.into());
        }
        let middle = read.middle();
        let (established, message3) = self.dial.go_on(read, now.wall)?;
        let provider = self.local.provider().as_ref();
        let mac = message3_mac(provider, &middle, sender, &message3);
        let message3 = packet::message3(sender, &mac, &message3);
        let channel = Channel::new(Transport::Udp, &established);
        let (local, directory) = (Arc::clone(&self.local), Arc::clone(&self.directory));
        let (exchange, hello) = self.dial.clone().exchange(channel, local, directory, random)?;
        let keys = Keys::new(provider, &established, self.index, sender);
        let greeting = Greeting::new(now, hello, self.replaces.unwrap_or(0));
        let opening = Opening::new(keys, exchange, Some(greeting));
        Ok(Answered { message3, opening })
    }

    /// An answer shows a key that the dialled card does not name. An injector's does; so does that
    /// of a peer whose keys have moved on, and then nothing better comes.
    fn suspect(&mut self, now: Timestamp, error: SessionError) {
        match error {
            SessionError::Handshake(HandshakeError::KeyNotInCard) => {
                if self.suspicion == SessionError::TimedOut && self.answered.is_none() {
                    self.ends = self.ends.min(now + MAX_SILENCE);
                }
                self.suspicion = error;
            }
            SessionError::DialledCard(_) => (self.suspicion, self.ends) = (error, now),
            _ => {}
        }
    }

    fn say_message3(&mut self, out: &mut Out) {
        let Some(answered) = &mut self.answered else { return };
        out.transmit(self.to, answered.message3.clone());
        for datagram in answered.opening.say_unheard() {
            out.transmit(self.to, datagram);
        }
    }

    /// Takes something sealed; who the peer is, if that is now known.
    pub(super) fn receive_data(
        &mut self,
        now: Timestamp,
        counter: u64,
        datagram: &mut [u8],
        random: &mut dyn Random,
        out: &mut Out,
    ) -> Result<Option<Outcome>, Ignored> {
        let Some(Answered { opening, .. }) = &mut self.answered else {
            return Err(Ignored::Unknown);
        };
        let opened = opening.keys.open(counter, datagram)?;
        // The peer holds the keys that message 3 led to: there is no other way to go.
        self.drawn = None;
        let content = Content::decode(opened.content).ok_or(Ignored::Unexpected)?;
        let whole = opening.hear(now, &content)?;
        for datagram in opening.say(now) {
            out.transmit(self.to, datagram);
        }
        let Some(frame) = whole else { return Ok(None) };
        match opening.judge(now.wall, &frame, random) {
            Ok(outcome) => Ok(Some(outcome)),
            Err(error) => {
                (self.suspicion, self.ends) = (error.into(), now);
                Ok(None)
            }
        }
    }

    /// What is left when the peer was accepted.
    pub(super) fn finish(self, peer: Box<PeerInfo>) -> Option<Accepted> {
        let opening = self.answered?.opening;
        Some(Accepted { hello: opening.received(), keys: opening.keys, peer })
    }

    /// Whether this gives new keys to a session.
    pub(super) fn renews(&self) -> bool {
        self.replaces.is_some()
    }

    /// When something is due.
    pub(super) fn next_timeout(&self) -> Timestamp {
        let said = self.drawn.is_some().then(|| self.retry.at());
        let due = self.answered.as_ref().and_then(|answered| answered.opening.due());
        [said, due].into_iter().flatten().fold(self.ends, Ord::min)
    }

    /// Time has passed.
    pub(super) fn handle_timeout(
        &mut self,
        now: Timestamp,
        out: &mut Out,
    ) -> Result<(), SessionError> {
        if now.monotonic >= self.ends.monotonic {
            return Err(self.suspicion);
        }
        if self.drawn.is_some() && self.retry.is_due(now) {
            self.repeated += 1;
            match &self.answered {
                Some(answered) => {
                    out.transmit(self.to, answered.message3.clone());
                    if self.repeated.is_multiple_of(START_OVER) {
                        self.say_message1(out);
                    }
                }
                None => self.say_message1(out),
            }
        }
        if let Some(answered) = &mut self.answered {
            for datagram in answered.opening.say(now) {
                out.transmit(self.to, datagram);
            }
        }
        Ok(())
    }
}

/// The MAC in front of the Noise message 3, over it and its header. `snow` would be spent by a
/// message 3 that somebody changed; this is checked before.
pub(super) fn message3_mac(
    provider: &dyn Provider,
    middle: &MiddleKeys,
    receiver: u32,
    noise: &[u8],
) -> [u8; MAC] {
    let parts = [packet::message3_header(receiver).as_slice(), noise].concat();
    let mac: Secret<32> = provider.hmac_sha256(middle.by_initiator.expose(), &[&parts]);
    mac.expose().first_chunk().copied().unwrap_or_default()
}

impl fmt::Debug for Dialling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialling").field("to", &self.to).finish_non_exhaustive()
    }
}
