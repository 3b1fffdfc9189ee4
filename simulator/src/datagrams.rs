//! Sessions over datagrams, in place of live sessions over UDP until there are such.
//!
//! Two datagrams agree on keys, Hellos follow sealed, then each datagram carries one frame under a
//! counter of its own; a window of 2,048 takes each once. Nothing is repeated here but the opening:
//! a lost frame is the router's to send again, and is then sealed anew. Sans-IO like the sessions
//! over TCP. It proves who is at the other end by a key agreement of long-lived keys alone: enough
//! for a simulation, where nobody forges.

mod session;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::lineage::Lineage;
use meshwork_protocols::live::Directory;
use meshwork_protocols::provider::Provider;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;

use self::session::{Keys, Phase, Session};
use crate::network::Host;

/// What one agent brings to its sessions.
#[derive(Debug)]
pub struct Party {
    /// The primitives.
    pub provider: Arc<dyn Provider>,
    /// Who it is.
    pub own: AgentId,
    /// Its key agreement secret.
    pub secret: Secret<32>,
    /// The public keys of all agents.
    pub peers: Arc<BTreeMap<AgentId, [u8; 32]>>,
    /// What it knows of its own state and of its peers'.
    pub directory: Arc<dyn Directory>,
}

/// Names a session at this end.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionIndex(u32);

/// What happened in a session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DatagramEvent {
    /// Both Hellos came: frames may be sent.
    Opened {
        /// Who is at the other end.
        peer: AgentId,
        /// Whether we opened it.
        initiated: bool,
        /// Where the peer's state stands.
        lineage: Lineage,
        /// What the peer remembers of ours.
        remembered: Option<Lineage>,
    },
    /// The peer sent this frame.
    Frame(Vec<u8>),
    /// The session is gone; whether it ever stood.
    Closed {
        /// Whether [`DatagramEvent::Opened`] came before.
        stood: bool,
    },
}

/// All datagram sessions of one process.
#[derive(Debug)]
pub struct Datagrams {
    party: Party,
    sessions: BTreeMap<SessionIndex, Session>,
    next_index: u32,
    transmit: Vec<(Host, Vec<u8>)>,
    events: VecDeque<(SessionIndex, DatagramEvent)>,
}

impl Datagrams {
    /// No session. Indexes begin at random, so that none means something to a peer that remembers
    /// the process before.
    pub fn new(party: Party, random: &mut dyn Random) -> Self {
        Self {
            party,
            sessions: BTreeMap::new(),
            next_index: u32::from_le_bytes(random.array()),
            transmit: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// Opens a session with `peer` at `host`.
    pub fn dial(
        &mut self,
        now: Duration,
        host: Host,
        peer: AgentId,
        random: &mut dyn Random,
    ) -> SessionIndex {
        let index = self.draw_index();
        let ephemeral = Secret::random(random);
        let public = self.party.provider.x25519_public(&ephemeral);
        let mut initiation = vec![INITIATION];
        initiation.extend_from_slice(&index.0.to_be_bytes());
        initiation.extend_from_slice(self.party.own.as_bytes());
        initiation.extend_from_slice(&public);
        let phase = Phase::Initiating { ephemeral, initiation };
        self.sessions.insert(index, Session::new(host, peer, true, phase, now));
        self.handle_timeout(now);
        index
    }

    /// Takes a datagram.
    pub fn receive(&mut self, now: Duration, from: Host, bytes: &[u8], random: &mut dyn Random) {
        // Whatever makes no sense, or is for nobody here, is met with silence.
        let _ = match bytes.split_first() {
            Some((&INITIATION, rest)) => self.receive_initiation(now, from, bytes, rest, random),
            Some((&ANSWER, rest)) => self.receive_answer(now, bytes, rest),
            Some((&SEALED, rest)) => self.receive_sealed(from, rest),
            _ => None,
        };
        self.handle_timeout(now);
    }

    /// Seals a frame and sends it; nothing where the session is gone.
    pub fn send(&mut self, now: Duration, index: SessionIndex, frame: &[u8]) {
        self.say(index, FRAME, frame);
        if let Some(session) = self.sessions.get_mut(&index) {
            session.sent_frame(now);
        }
    }

    /// Ends a session; the peer is told once.
    pub fn close(&mut self, index: SessionIndex) {
        self.say(index, BYE, &[]);
        self.sessions.remove(&index);
    }

    /// When [`Datagrams::handle_timeout`] has something to do.
    pub fn next_timeout(&self) -> Option<Duration> {
        self.sessions.values().map(Session::next_timeout).min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        let due: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.next_timeout() <= now)
            .map(|(index, _)| *index)
            .collect();
        for index in due {
            self.session_timeout(index, now);
        }
    }

    /// Datagrams to send.
    pub fn take_transmit(&mut self) -> Vec<(Host, Vec<u8>)> {
        std::mem::take(&mut self.transmit)
    }

    /// The next event.
    pub fn poll(&mut self) -> Option<(SessionIndex, DatagramEvent)> {
        self.events.pop_front()
    }

    fn receive_initiation(
        &mut self,
        now: Duration,
        from: Host,
        bytes: &[u8],
        rest: &[u8],
        random: &mut dyn Random,
    ) -> Option<()> {
        let (theirs, rest) = rest.split_first_chunk::<4>()?;
        let (peer, public) = rest.split_first_chunk::<32>()?;
        let peer = AgentId::from_bytes(*peer);
        let public: &[u8; 32] = public.try_into().ok()?;
        // A repeated initiation is answered as the first was.
        let known = self.sessions.values().find_map(|session| session.answer_to(bytes));
        if let Some(answer) = known {
            self.transmit.push((from, answer.to_vec()));
            return None;
        }
        if self.sessions.len() >= MAX_SESSIONS {
            return None;
        }
        let index = self.draw_index();
        let ephemeral = Secret::random(random);
        let mut answer = vec![ANSWER];
        answer.extend_from_slice(theirs);
        answer.extend_from_slice(&index.0.to_be_bytes());
        answer.extend_from_slice(&self.party.provider.x25519_public(&ephemeral));
        let theirs = SessionIndex(u32::from_be_bytes(*theirs));
        let transcript = (bytes, answer.as_slice());
        let keys = self.keys(&peer, &ephemeral, public, transcript, (false, index))?;
        let initiation = Some((bytes.to_vec(), answer.clone()));
        let phase = Phase::Answered { theirs, keys: Box::new(keys), answered: initiation };
        self.sessions.insert(index, Session::new(from, peer, false, phase, now));
        self.transmit.push((from, answer));
        None
    }

    fn receive_answer(&mut self, now: Duration, bytes: &[u8], rest: &[u8]) -> Option<()> {
        let (ours, rest) = rest.split_first_chunk::<4>()?;
        let (theirs, public) = rest.split_first_chunk::<4>()?;
        let ours = SessionIndex(u32::from_be_bytes(*ours));
        let session = self.sessions.get(&ours)?;
        let Phase::Initiating { ephemeral, initiation } = &session.phase else { return None };
        let transcript = (initiation.as_slice(), bytes);
        let keys =
            self.keys(&session.peer, ephemeral, public.try_into().ok()?, transcript, (true, ours))?;
        let theirs = SessionIndex(u32::from_be_bytes(*theirs));
        let session = self.sessions.get_mut(&ours)?;
        session.phase = Phase::Answered { theirs, keys: Box::new(keys), answered: None };
        session.repeat_at(now);
        None
    }

    fn receive_sealed(&mut self, from: Host, rest: &[u8]) -> Option<()> {
        let (index, rest) = rest.split_first_chunk::<4>()?;
        let (counter, sealed) = rest.split_first_chunk::<8>()?;
        let index = SessionIndex(u32::from_be_bytes(*index));
        let session = self.sessions.get_mut(&index)?;
        let plaintext = session.open(u64::from_be_bytes(*counter), sealed)?;
        session.heard(from);
        let (kind, content) = plaintext.expose().split_first()?;
        match *kind {
            HELLO => self.receive_hello(index, content)?,
            FRAME if session.stands() => {
                self.events.push_back((index, DatagramEvent::Frame(content.to_vec())));
            }
            PING => self.say(index, PONG, &[]),
            BYE => self.gone(index),
            _ => {}
        }
        None
    }

    /// The responder answers each Hello; the initiator's repeats until one answer comes.
    fn receive_hello(&mut self, index: SessionIndex, content: &[u8]) -> Option<()> {
        let (lineage, remembered) = postcard::from_bytes(content).ok()?;
        let session = self.sessions.get_mut(&index)?;
        let (peer, initiated) = (session.peer, session.initiated);
        let first = session.stand();
        if !initiated {
            self.say_hello(index);
        }
        if first {
            let opened = DatagramEvent::Opened { peer, initiated, lineage, remembered };
            self.events.push_back((index, opened));
        }
        None
    }

    fn session_timeout(&mut self, index: SessionIndex, now: Duration) {
        let Some(session) = self.sessions.get_mut(&index) else { return };
        if session.is_over(now) {
            self.gone(index);
            return;
        }
        session.repeat_at(now + REPEAT);
        match &session.phase {
            Phase::Initiating { initiation, .. } => {
                self.transmit.push((session.host, initiation.clone()));
            }
            Phase::Answered { .. } if session.initiated && !session.stands() => {
                self.say_hello(index);
            }
            Phase::Answered { .. } if session.stands() => self.say(index, PING, &[]),
            Phase::Answered { .. } => {}
        }
    }

    fn say_hello(&mut self, index: SessionIndex) {
        let Some(peer) = self.sessions.get(&index).map(|session| session.peer) else { return };
        let directory = &self.party.directory;
        let said: (Lineage, Option<Lineage>) = (directory.lineage(), directory.remembered(&peer));
        self.say(index, HELLO, &postcard::to_allocvec(&said).unwrap_or_default());
    }

    fn say(&mut self, index: SessionIndex, kind: u8, content: &[u8]) {
        let Some(session) = self.sessions.get_mut(&index) else { return };
        let mut plaintext = vec![kind];
        plaintext.extend_from_slice(content);
        if let Some(datagram) = session.seal(&plaintext) {
            self.transmit.push((session.host, datagram));
        }
    }

    fn gone(&mut self, index: SessionIndex) {
        if let Some(session) = self.sessions.remove(&index) {
            let stood = session.stands();
            self.events.push_back((index, DatagramEvent::Closed { stood }));
        }
    }

    fn draw_index(&mut self) -> SessionIndex {
        self.next_index = self.next_index.wrapping_add(1);
        SessionIndex(self.next_index)
    }

    /// Three agreements, over everything that was said in clear.
    fn keys(
        &self,
        peer: &AgentId,
        ephemeral: &Secret<32>,
        public: &[u8; 32],
        (initiation, answer): (&[u8], &[u8]),
        (initiated, ours): (bool, SessionIndex),
    ) -> Option<Keys> {
        let provider = &*self.party.provider;
        let lasting = self.party.peers.get(peer)?;
        let agree = |secret, public| provider.x25519(secret, public).ok();
        let fresh = agree(ephemeral, public)?;
        let theirs = agree(ephemeral, lasting)?;
        let own = agree(&self.party.secret, public)?;
        let (first, second) = if initiated { (own, theirs) } else { (theirs, own) };
        let input = [fresh.expose().as_slice(), first.expose(), second.expose()].concat();
        let mut out = [0; 64];
        provider
            .hkdf_sha256(&[initiation, answer].concat(), &input, b"datagrams", &mut out)
            .ok()?;
        Keys::new(provider, &out, initiated, ours)
    }
}

const INITIATION: u8 = 1;
const ANSWER: u8 = 2;
const SEALED: u8 = 3;

// What stands first in a sealed datagram.
const HELLO: u8 = 0;
const FRAME: u8 = 1;
const PING: u8 = 2;
const PONG: u8 = 3;
const BYE: u8 = 4;

/// How often an opening, or the question whether the peer is there, is repeated.
const REPEAT: Duration = Duration::from_millis(700);

/// The most sessions of one process: far more than a simulated mesh opens.
const MAX_SESSIONS: usize = 256;

#[cfg(test)]
mod tests;
