//! All sessions of one socket. Datagrams, time and randomness come in; datagrams and events go out.
//!
//! Owns what finds a datagram its place, who is answered when too many ask, and the indices. What is
//! said under them is the business of [`initiator`](super::initiator), [`responder`](super::responder)
//! and [`session`](super::session).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use core::net::SocketAddr;

use super::super::dial::Dial;
use super::super::directory::Directory;
use super::super::exchange::Outcome;
use super::super::hello::PeerInfo;
use super::super::local::Local;
use super::super::session::{SendError, SessionError, SessionEvent};
use super::super::suite::Suite;
use super::allowance::Allowance;
use super::caps::Caps;
use super::cookie::{Bearer, Cookies};
use super::initiator::{Dialling, Order};
use super::lobby::Lobby;
use super::out::{Out, Transmit, UdpEvent};
use super::packet::{self, COOKIE, MAC, Packet};
use super::responder::{self, Answering, Knock, Proved, Step};
use super::session::{MAX_WAITING, Sealed, Session};
use super::tally::{Ignored, UdpTally};
use super::timers::Timers;
use crate::identity::Card;
use crate::random::Random;
use crate::time::Timestamp;

/// How many first messages a second are answered without a cookie: an answer costs a fifth of a
/// millisecond, so this is two percent of a processor at the most.
const WITHOUT_COOKIE: u32 = 100;

/// How many a second are answered with one: under half of a processor.
const WITH_COOKIE: u32 = 2_000;

/// From so many on who have not proved themselves, everybody shows a cookie.
const CROWD: usize = 1_024;

/// Names a session at its endpoint, for ever.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionIndex(u64);

/// What an index names.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Owner {
    Dial(u32),
    Applicant(u32),
    Session(SessionIndex),
}

/// All sessions of one socket.
#[derive(Debug)]
pub struct UdpEndpoint {
    local: Arc<Local>,
    directory: Arc<dyn Directory>,
    random: Box<dyn Random>,
    now: Timestamp,
    owners: BTreeMap<u32, Owner>,
    dials: BTreeMap<u32, Dialling>,
    lobby: Lobby,
    sessions: BTreeMap<SessionIndex, Session>,
    next_session: u64,
    cookies: Cookies,
    without_cookie: Allowance,
    with_cookie: Allowance,
    timers: Timers<Owner>,
    /// Sessions that may have something to say.
    stirred: VecDeque<SessionIndex>,
    out: Out,
}

impl UdpEndpoint {
    /// An endpoint of an agent, under caps of its own or shared ones.
    pub fn new(
        local: Arc<Local>,
        directory: Arc<dyn Directory>,
        caps: Box<dyn Caps>,
        now: Timestamp,
        mut random: Box<dyn Random>,
    ) -> Self {
        Self {
            local,
            directory,
            cookies: Cookies::new(now, random.as_mut()),
            random,
            now,
            owners: BTreeMap::new(),
            dials: BTreeMap::new(),
            lobby: Lobby::new(caps),
            sessions: BTreeMap::new(),
            next_session: 0,
            without_cookie: Allowance::new(WITHOUT_COOKIE, WITHOUT_COOKIE),
            with_cookie: Allowance::new(WITH_COOKIE / 4, WITH_COOKIE),
            timers: Timers::default(),
            stirred: VecDeque::new(),
            out: Out::default(),
        }
    }

    /// The agent has a new card. What is under way goes on with the old one.
    pub fn set_local(&mut self, local: Arc<Local>) {
        self.local = local;
    }

    /// Dials the agent of a card at an address. The session's first event says what became of it.
    pub fn dial(
        &mut self,
        now: Timestamp,
        to: SocketAddr,
        card: Arc<Card>,
    ) -> Result<SessionIndex, SessionError> {
        self.now = now;
        let session = self.new_session();
        self.begin(session, None, to, card)?;
        Ok(session)
    }

    fn begin(
        &mut self,
        session: SessionIndex,
        replaces: Option<u32>,
        to: SocketAddr,
        card: Arc<Card>,
    ) -> Result<(), SessionError> {
        let index = self.new_index();
        let order = Order { session, replaces, dial: Dial::Session(card), index, to };
        let (local, directory) = (Arc::clone(&self.local), Arc::clone(&self.directory));
        let (random, out) = (self.random.as_mut(), &mut self.out);
        let dialling = Dialling::begin(self.now, order, local, directory, random, out)?;
        self.timers.wake(Owner::Dial(index), dialling.next_timeout());
        self.owners.insert(index, Owner::Dial(index));
        self.dials.insert(index, dialling);
        Ok(())
    }

    /// Seals a frame, when it is its turn.
    pub fn send(
        &mut self,
        now: Timestamp,
        session: SessionIndex,
        frame: &[u8],
    ) -> Result<(), SendError> {
        self.now = now;
        self.sessions.get_mut(&session).ok_or(SendError::NotOpen)?.send(frame)?;
        self.stir(session);
        Ok(())
    }

    /// How many bytes of frames a session takes now.
    pub fn room(&self, session: SessionIndex) -> usize {
        let waiting = self.sessions.get(&session).map(Session::waiting);
        waiting.map_or(0, |waiting| MAX_WAITING.saturating_sub(waiting))
    }

    /// How many bytes of frames wait for their turn, of all sessions.
    pub fn waiting(&self) -> usize {
        self.sessions.values().map(Session::waiting).sum()
    }

    /// Ends a session in good order, behind what waits; or gives up dialling it. No event follows.
    pub fn close(&mut self, now: Timestamp, session: SessionIndex) {
        self.now = now;
        if let Some(standing) = self.sessions.get_mut(&session) {
            standing.close(now);
            self.stir(session);
            self.settle(session);
        }
        self.give_up_dial(session);
    }

    /// As if the time for new keys had come.
    #[cfg(test)]
    pub(super) fn renew_now(&mut self, now: Timestamp, session: SessionIndex) {
        self.now = now;
        if let Some(standing) = self.sessions.get_mut(&session) {
            standing.make_due(now);
        }
        self.settle(session);
    }

    /// Where the peer of a session is.
    pub fn remote(&self, session: SessionIndex) -> Option<SocketAddr> {
        self.sessions.get(&session).map(|session| session.route.address())
    }

    /// What a session was opened with here.
    pub fn ours(&self, session: SessionIndex) -> Option<&Arc<Local>> {
        self.sessions.get(&session).map(|session| &session.ours)
    }

    /// What was ignored, and what else happened.
    pub fn tally(&self) -> UdpTally {
        self.out.tally
    }

    /// How many have been answered and have not proved themselves.
    pub fn applicants(&self) -> usize {
        self.lobby.len()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<UdpEvent> {
        self.out.events.pop_front()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        loop {
            if let Some(transmit) = self.out.transmits.pop_front() {
                return Some(transmit);
            }
            let index = self.stirred.pop_front()?;
            if let Some(session) = self.sessions.get_mut(&index) {
                session.is_stirred = false;
                session.flush(self.now, &mut self.out);
                self.settle(index);
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing happens before.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = now;
        self.turn_out();
        while let Some(owner) = self.timers.due(now) {
            match owner {
                Owner::Dial(index) => self.wake_dial(index),
                Owner::Applicant(index) => self.wake_applicant(index),
                Owner::Session(index) => {
                    if let Some(session) = self.sessions.get_mut(&index) {
                        session.handle_timeout(now, &mut self.out);
                        self.settle(index);
                    }
                }
            }
        }
    }

    /// Takes a datagram; it is opened in place. What is wrong with it is counted, and changes
    /// nothing else.
    pub fn receive(&mut self, now: Timestamp, from: SocketAddr, datagram: &mut [u8]) {
        self.now = now;
        let taken = match Packet::decode(datagram) {
            Some(Packet::Data { receiver, counter }) => {
                self.receive_data(from, receiver, counter, datagram)
            }
            Some(Packet::Message1 { suite, sender, cookie, noise }) => {
                self.receive_message1(from, suite, sender, cookie, noise)
            }
            Some(Packet::Message2 { sender, receiver, noise }) => {
                self.receive_message2(from, sender, receiver, noise)
            }
            Some(Packet::Message3 { receiver, mac, noise }) => {
                self.receive_message3(receiver, mac, noise)
            }
            Some(Packet::Cookie { receiver, cookie }) => self.receive_cookie(receiver, cookie),
            None => Err(Ignored::Malformed),
        };
        if let Err(why) = taken {
            self.out.tally.count(why);
        }
    }

    /// Whether a datagram says that it is of a session that stands: it then costs little, whoever
    /// made it, while a handshake costs a hundred times as much.
    pub fn is_of_session(&self, datagram: &[u8]) -> bool {
        match Packet::decode(datagram) {
            Some(Packet::Data { receiver, .. }) => {
                matches!(self.owners.get(&receiver), Some(Owner::Session(_)))
            }
            _ => false,
        }
    }

    fn receive_message1(
        &mut self,
        from: SocketAddr,
        suite: Suite,
        sender: u32,
        cookie: [u8; COOKIE],
        noise: &[u8],
    ) -> Result<(), Ignored> {
        self.turn_out();
        if !self.local.suites().any(|listed| listed == suite) {
            return Err(Ignored::Refused);
        }
        let header = packet::message1_header(suite, sender);
        let hash = self.local.provider().digest(&[&header, noise]);
        // 1. One that is known is answered as before.
        if let Some(answering) = self.lobby.who_said(&hash) {
            let message2 = answering.message2(from).ok_or(Ignored::Repeated)?;
            self.out.transmit(from, message2.to_vec());
            return Ok(());
        }
        if self.lobby.has_served(&hash) {
            return Err(Ignored::Repeated);
        }
        // 2. One that may have no answer gets a cookie at most.
        let knock = Knock { from, suite, sender, noise, hash };
        self.let_in(knock, cookie)?;
        // 3. The answer.
        let index = self.new_index();
        let local = Arc::clone(&self.local);
        let answer = responder::answer(&local, knock, index, self.random.as_mut())
            .map_err(|_| Ignored::Refused)?;
        self.out.transmit(from, answer.1.clone());
        self.out.tally.answered += 1;
        let (applicant, evicted) = self.lobby.admit(from.ip(), self.random.as_mut());
        self.abandon(evicted);
        self.turn_out();
        let answering = Answering::new(self.now, applicant, local, knock, index, answer);
        self.timers.wake(Owner::Applicant(index), answering.next_timeout());
        self.owners.insert(index, Owner::Applicant(index));
        self.lobby.enter(index, answering);
        self.weigh(index);
        Ok(())
    }

    /// Whether a new message 1 may have an answer.
    fn let_in(&mut self, knock: Knock<'_>, cookie: [u8; COOKIE]) -> Result<(), Ignored> {
        let now = self.now;
        if self.lobby.len() < CROWD && self.without_cookie.take(now) {
            return Ok(());
        }
        let provider = self.local.provider().as_ref();
        let random = self.random.as_mut();
        let bearer = Bearer { from: knock.from, sender: knock.sender, message: &knock.hash };
        if self.cookies.holds(now, provider, bearer, &cookie, random) {
            return if self.with_cookie.take(now) { Ok(()) } else { Err(Ignored::Unwelcome) };
        }
        let cookie = self.cookies.make(now, provider, bearer, random);
        self.out.transmit(knock.from, packet::cookie(knock.sender, &cookie));
        self.out.tally.cookies += 1;
        Err(Ignored::Unwelcome)
    }

    fn receive_message2(
        &mut self,
        from: SocketAddr,
        sender: u32,
        receiver: u32,
        noise: &[u8],
    ) -> Result<(), Ignored> {
        let dialling = self.dials.get_mut(&receiver).ok_or(Ignored::Unknown)?;
        // Who is at another address than was dialled has not been asked.
        if dialling.to != from {
            return Err(Ignored::Unexpected);
        }
        let (random, out) = (self.random.as_mut(), &mut self.out);
        let taken = dialling.receive_message2(self.now, sender, noise, random, out);
        self.timers.wake(Owner::Dial(receiver), dialling.next_timeout());
        taken
    }

    fn receive_cookie(&mut self, receiver: u32, cookie: [u8; COOKIE]) -> Result<(), Ignored> {
        let dialling = self.dials.get_mut(&receiver).ok_or(Ignored::Unknown)?;
        dialling.receive_cookie(self.now, cookie, &mut self.out)
    }

    fn receive_message3(
        &mut self,
        receiver: u32,
        mac: [u8; MAC],
        noise: &[u8],
    ) -> Result<(), Ignored> {
        let (now, out) = (self.now, &mut self.out);
        match self.owners.get(&receiver) {
            Some(Owner::Applicant(index)) => {
                let index = *index;
                let answering = self.lobby.get(index).ok_or(Ignored::Unknown)?;
                let message = (&mac, noise);
                answering.receive_message3(now, message, &self.directory, out)?;
                self.timers.wake(Owner::Applicant(index), answering.next_timeout());
                self.weigh(index);
                Ok(())
            }
            Some(Owner::Session(index)) => {
                let session = self.sessions.get_mut(index).ok_or(Ignored::Unknown)?;
                session.receive_message3(now, receiver, &mac, out)
            }
            _ => Err(Ignored::Unknown),
        }
    }

    fn receive_data(
        &mut self,
        from: SocketAddr,
        receiver: u32,
        counter: u64,
        datagram: &mut [u8],
    ) -> Result<(), Ignored> {
        match self.owners.get(&receiver) {
            Some(Owner::Session(index)) => {
                let index = *index;
                let session = self.sessions.get_mut(&index).ok_or(Ignored::Unknown)?;
                let sealed = Sealed { from, receiver, counter, datagram };
                let random = self.random.as_mut();
                let taken = session.receive(self.now, sealed, random, &mut self.out);
                if taken.is_ok() {
                    self.stir(index);
                    self.settle(index);
                }
                taken
            }
            Some(Owner::Applicant(index)) => self.receive_from_applicant(*index, counter, datagram),
            Some(Owner::Dial(index)) => self.receive_from_dialled(*index, counter, datagram),
            None => Err(Ignored::Unknown),
        }
    }

    fn receive_from_dialled(
        &mut self,
        index: u32,
        counter: u64,
        datagram: &mut [u8],
    ) -> Result<(), Ignored> {
        let dialling = self.dials.get_mut(&index).ok_or(Ignored::Unknown)?;
        let (random, out) = (self.random.as_mut(), &mut self.out);
        let outcome = dialling.receive_data(self.now, counter, datagram, random, out)?;
        self.timers.wake(Owner::Dial(index), dialling.next_timeout());
        let Some(outcome) = outcome else { return Ok(()) };
        self.timers.forget(Owner::Dial(index));
        let Some(dialling) = self.dials.remove(&index) else { return Ok(()) };
        match outcome {
            Outcome::Opened { peer, .. } => self.accept_dialled(index, dialling, peer),
            _ => {
                self.owners.remove(&index);
                self.fail(&dialling, None);
            }
        }
        Ok(())
    }

    fn accept_dialled(&mut self, index: u32, dialling: Dialling, peer: Box<PeerInfo>) {
        let (session, to, ours) = (dialling.session, dialling.to, Arc::clone(&dialling.local));
        let renews = dialling.renews();
        let Some(accepted) = dialling.finish(peer) else { return };
        self.owners.insert(index, Owner::Session(session));
        if !renews {
            let standing = Session::dialled(self.now, session, ours, to, accepted, &mut self.out);
            self.sessions.insert(session, standing);
        } else if let Some(standing) = self.sessions.get_mut(&session) {
            standing.renewed(self.now, ours, accepted, &mut self.out);
        } else {
            self.owners.remove(&index);
        }
        self.stir(session);
        self.settle(session);
    }

    fn receive_from_applicant(
        &mut self,
        index: u32,
        counter: u64,
        datagram: &mut [u8],
    ) -> Result<(), Ignored> {
        let answering = self.lobby.get(index).ok_or(Ignored::Unknown)?;
        let (random, out) = (self.random.as_mut(), &mut self.out);
        let step = answering.receive_data(self.now, (counter, datagram), random, out)?;
        match step {
            Step::On => {
                self.timers.wake(Owner::Applicant(index), answering.next_timeout());
                self.weigh(index);
            }
            Step::Over(why) => {
                let from = answering.from;
                self.abandon(Some(index));
                if let Some(why) = why {
                    self.out.events.push_back(UdpEvent::Rejected { from, why });
                }
            }
            Step::Proved(proved) => {
                let message1 = answering.message1;
                self.lobby.leave(index);
                self.lobby.remember(self.now, message1);
                self.timers.forget(Owner::Applicant(index));
                self.accept_applicant(index, *proved);
            }
        }
        Ok(())
    }

    fn accept_applicant(&mut self, index: u32, proved: Proved) {
        let session = match self.replaced_by(&proved) {
            Replaced::None => self.new_session(),
            Replaced::Session(session) => session,
            // Ours goes on.
            Replaced::Yields => {
                self.owners.remove(&index);
                return;
            }
        };
        self.owners.insert(index, Owner::Session(session));
        match self.sessions.get_mut(&session) {
            Some(standing) => standing.offer(self.now, proved, &mut self.out),
            None => {
                let standing = Session::answered(self.now, session, proved, &mut self.out);
                self.sessions.insert(session, standing);
            }
        }
        self.settle(session);
    }

    /// The session whose keys a peer's new ones replace.
    fn replaced_by(&mut self, proved: &Proved) -> Replaced {
        let Some(Owner::Session(index)) = self.owners.get(&proved.replaces) else {
            return Replaced::None;
        };
        let index = *index;
        let Some(session) = self.sessions.get_mut(&index) else { return Replaced::None };
        if session.peer != proved.peer.agent {
            return Replaced::None;
        }
        // Both began at once: the one goes on whose initiator has the lower id. Those keys were
        // replaced already: so has the peer's other end been told.
        if session.is_renewing() {
            if self.local.agent() < session.peer {
                return Replaced::Yields;
            }
            session.yield_renewal();
            self.give_up_dial(index);
        } else if !session.is_current(proved.replaces) {
            return Replaced::Yields;
        }
        Replaced::Session(index)
    }

    fn give_up_dial(&mut self, session: SessionIndex) {
        let found = self.dials.iter().find(|(_, dialling)| dialling.session == session);
        if let Some(index) = found.map(|(index, _)| *index) {
            self.dials.remove(&index);
            self.owners.remove(&index);
            self.timers.forget(Owner::Dial(index));
        }
    }

    fn wake_dial(&mut self, index: u32) {
        let Some(dialling) = self.dials.get_mut(&index) else { return };
        match dialling.handle_timeout(self.now, &mut self.out) {
            Ok(()) => self.timers.wake(Owner::Dial(index), dialling.next_timeout()),
            Err(why) => {
                self.owners.remove(&index);
                if let Some(dialling) = self.dials.remove(&index) {
                    self.fail(&dialling, Some(why));
                }
            }
        }
    }

    /// Tells what became of a dial that led to no session, or to no new keys.
    fn fail(&mut self, dialling: &Dialling, why: Option<SessionError>) {
        let session = dialling.session;
        if dialling.renews() {
            if let Some(standing) = self.sessions.get_mut(&session) {
                standing.not_renewed(&mut self.out);
                self.settle(session);
            }
            return;
        }
        match why {
            Some(why) => self.out.events.push_back(UdpEvent::Ended(session, why)),
            None => self.out.event(session, SessionEvent::CardWanted),
        }
    }

    fn wake_applicant(&mut self, index: u32) {
        let Some(answering) = self.lobby.get(index) else { return };
        if answering.handle_timeout(self.now, &mut self.out) {
            let at = answering.next_timeout();
            self.timers.wake(Owner::Applicant(index), at);
        } else {
            self.abandon(Some(index));
        }
    }

    /// Turns out whom the caps chose for somebody who came elsewhere.
    fn turn_out(&mut self) {
        while let Some(index) = self.lobby.turned_out() {
            self.abandon(Some(index));
        }
    }

    fn weigh(&mut self, index: u32) {
        for evicted in self.lobby.weigh(index, self.random.as_mut()) {
            self.abandon(Some(evicted));
        }
        self.turn_out();
    }

    fn abandon(&mut self, index: Option<u32>) {
        let Some(index) = index else { return };
        self.owners.remove(&index);
        self.timers.forget(Owner::Applicant(index));
        if self.lobby.leave(index).is_some() {
            self.out.tally.abandoned += 1;
        }
    }

    fn stir(&mut self, index: SessionIndex) {
        if let Some(session) = self.sessions.get_mut(&index)
            && !session.is_stirred
        {
            session.is_stirred = true;
            self.stirred.push_back(index);
        }
    }

    /// Follows up on what a session did: its end, new keys that are due, its next wish.
    fn settle(&mut self, index: SessionIndex) {
        for retired in self.out.retired.drain(..) {
            self.owners.remove(&retired);
        }
        let Some(session) = self.sessions.get_mut(&index) else { return };
        if session.is_over() {
            self.timers.forget(Owner::Session(index));
            if let Some(session) = self.sessions.remove(&index) {
                for local in session.indices() {
                    self.owners.remove(&local);
                }
                self.give_up_dial(index);
            }
            return;
        }
        if session.begins_renewal(self.now)
            && let Some(remote) = session.remote()
        {
            let (to, card) = (session.route.address(), Arc::clone(&session.card));
            if self.begin(index, Some(remote), to, card).is_err()
                && let Some(session) = self.sessions.get_mut(&index)
            {
                session.not_renewed(&mut self.out);
            }
        }
        if let Some(session) = self.sessions.get(&index) {
            self.timers.wake(Owner::Session(index), session.next_timeout());
        }
    }

    fn new_session(&mut self) -> SessionIndex {
        let session = SessionIndex(self.next_session);
        self.next_session += 1;
        session
    }

    /// An index that names nothing, and that nobody can guess. Zero stands for none.
    fn new_index(&mut self) -> u32 {
        loop {
            let index = u32::from_be_bytes(self.random.as_mut().array());
            if index != 0 && !self.owners.contains_key(&index) {
                return index;
            }
        }
    }
}

/// What a peer's new keys are for.
enum Replaced {
    /// A session of their own.
    None,
    /// This one.
    Session(SessionIndex),
    /// Nothing: they are dropped.
    Yields,
}
