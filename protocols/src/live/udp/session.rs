//! A session that stands: its keys, past, present and to come, and what is said under them.
//!
//! Owns what happens after a peer is accepted: frames and their pace, acknowledgements, the peer's
//! place, whether it is there, new keys, the end. Knows nothing of handshakes but the keys that they
//! leave.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::super::handshake::Role;
use super::super::hello::PeerInfo;
use super::super::local::Local;
use super::super::record::RecordError;
use super::super::session::{FIRST_FRAME_TYPE, SendError, SessionError, SessionEvent};
use super::assembly::{self, Assembly, FRAME_CUT, MAX_UDP_FRAME};
use super::content::Content;
use super::endpoint::SessionIndex;
use super::greeting::Greeting;
use super::initiator::Accepted;
use super::keys::{Keys, RENEW_AFTER};
use super::liveness::{Due, Liveness, Said};
use super::out::{Out, UdpEvent};
use super::pace::Pace;
use super::packet::{MAC, MAX_CONTENT};
use super::responder::Proved;
use super::retry::Retry;
use super::route::Route;
use super::tally::Ignored;
use crate::identity::{AgentId, Card};
use crate::provider::{Provider, TAG_LENGTH};
use crate::random::Random;
use crate::time::Timestamp;

/// The most bytes that wait for their turn on the path: a few of the longest frames. What waits
/// longer waits where it can still be taken back.
pub const MAX_WAITING: usize = 256 << 10;

/// How long keys serve once something was said under them.
pub const RENEW_AFTER_TIME: Duration = Duration::from_secs(120);

/// How much longer the end waits that did not begin: it is the other's turn first.
const OTHERS_TURN: Duration = Duration::from_secs(30);

/// How long the keys before the present ones open what was still on its way.
const DRAIN: Duration = Duration::from_secs(5);

/// How long a session that is being closed says what waits, and then that it is over.
const FAREWELL: Duration = Duration::from_secs(5);

/// How often the end is said: what says it may be lost.
const FAREWELLS: u32 = 4;

/// A session that stands.
#[derive(Debug)]
pub(super) struct Session {
    index: SessionIndex,
    provider: Arc<dyn Provider>,
    pub(super) peer: AgentId,
    /// The peer's card, to dial it by when new keys are due.
    pub(super) card: Arc<Card>,
    pub(super) ours: Arc<Local>,
    previous: Option<(Standing, Timestamp)>,
    current: Option<Standing>,
    next: Option<Next>,
    renewal: Renewal,
    pub(super) route: Route,
    life: Liveness,
    pace: Pace,
    /// Frames and parts of frames, to be sealed when it is their turn.
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
    assembly: Assembly,
    farewell: Option<Farewell>,
    is_over: bool,
    /// Whether there may be something to say.
    pub(super) is_stirred: bool,
}

/// Keys in use, and what is left of the handshake that made them.
#[derive(Debug)]
struct Standing {
    keys: Keys,
    role: Role,
    /// The parts of the peer's Hello: one that it says again has not heard that it came.
    hello: u32,
    /// The MAC of message 3, on the responder's side: the initiator that says it again has not
    /// heard that it came.
    message3: Option<[u8; MAC]>,
}

/// Keys whose other end has not shown that it holds them and accepted our Hello.
#[derive(Debug)]
struct Next {
    standing: Standing,
    greeting: Greeting,
    peer: Box<PeerInfo>,
    ours: Arc<Local>,
    ends: Timestamp,
}

/// When keys are to be replaced.
#[derive(Clone, Copy, Debug)]
struct Renewal {
    since: Timestamp,
    /// Whether a frame was said or heard since.
    used: bool,
    /// Whether it is under way.
    begun: bool,
}

impl Renewal {
    const fn new(now: Timestamp) -> Self {
        Self { since: now, used: false, begun: false }
    }
}

#[derive(Debug)]
struct Farewell {
    ends: Timestamp,
    said: u32,
    retry: Retry,
}

/// A datagram under keys of this session.
#[derive(Debug)]
pub(super) struct Sealed<'a> {
    pub(super) from: SocketAddr,
    /// Names the keys.
    pub(super) receiver: u32,
    pub(super) counter: u64,
    pub(super) datagram: &'a mut [u8],
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Age {
    Previous,
    Current,
    Next,
}

impl Session {
    /// One that this end dialled.
    pub(super) fn dialled(
        now: Timestamp,
        index: SessionIndex,
        ours: Arc<Local>,
        to: SocketAddr,
        accepted: Accepted,
        out: &mut Out,
    ) -> Self {
        let Accepted { keys, peer, hello } = accepted;
        let mut session = Self::new(now, index, ours, to, &peer);
        session.current = Some(Standing { keys, role: Role::Initiator, hello, message3: None });
        session.say_hello_came(now, Age::Current, out);
        out.event(index, SessionEvent::Established(peer));
        session
    }

    /// One that the other end dialled. It stands when that end has heard our Hello.
    pub(super) fn answered(
        now: Timestamp,
        index: SessionIndex,
        proved: Proved,
        out: &mut Out,
    ) -> Self {
        let ours = Arc::clone(&proved.ours);
        let mut session = Self::new(now, index, ours, proved.from, &proved.peer);
        session.offer(now, proved, out);
        session
    }

    fn new(
        now: Timestamp,
        index: SessionIndex,
        ours: Arc<Local>,
        at: SocketAddr,
        peer: &PeerInfo,
    ) -> Self {
        Self {
            index,
            provider: Arc::clone(ours.provider()),
            peer: peer.agent,
            card: Arc::clone(&peer.card),
            ours,
            previous: None,
            current: None,
            next: None,
            renewal: Renewal::new(now),
            route: Route::proved(at),
            life: Liveness::new(now, peer.role),
            pace: Pace::default(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            assembly: Assembly::default(),
            farewell: None,
            is_over: false,
            is_stirred: false,
        }
    }

    /// The other end offers new keys.
    pub(super) fn offer(&mut self, now: Timestamp, proved: Proved, out: &mut Out) {
        let Proved { keys, peer, greeting, hello, message3, ours, ends, .. } = proved;
        let standing = Standing { keys, role: Role::Responder, hello, message3: Some(message3) };
        let next = Next { standing, greeting, peer, ours, ends };
        if let Some(given_up) = self.next.replace(next) {
            out.retired.push(given_up.standing.keys.local);
        }
        self.say_hello_came(now, Age::Next, out);
    }

    /// This end has made new keys.
    pub(super) fn renewed(
        &mut self,
        now: Timestamp,
        ours: Arc<Local>,
        accepted: Accepted,
        out: &mut Out,
    ) {
        let Accepted { keys, peer, hello } = accepted;
        let standing = Standing { keys, role: Role::Initiator, hello, message3: None };
        self.adopt(now, standing, peer, ours, out);
        self.say_hello_came(now, Age::Current, out);
    }

    /// New keys were not made.
    pub(super) fn not_renewed(&mut self, out: &mut Out) {
        self.end(SessionError::NotRenewed, out);
    }

    /// From now on these keys seal.
    fn adopt(
        &mut self,
        now: Timestamp,
        standing: Standing,
        peer: Box<PeerInfo>,
        ours: Arc<Local>,
        out: &mut Out,
    ) {
        self.card = Arc::clone(&peer.card);
        self.ours = ours;
        self.renewal = Renewal::new(now);
        self.pace.forget();
        let Some(before) = self.current.replace(standing) else {
            out.event(self.index, SessionEvent::Established(peer));
            return;
        };
        if let Some((given_up, _)) = self.previous.replace((before, now + DRAIN)) {
            out.retired.push(given_up.keys.local);
        }
        out.tally.renewed += 1;
        out.event(self.index, SessionEvent::Renewed(peer));
    }

    /// The other end holds the next keys, and has accepted our Hello.
    fn confirm(&mut self, now: Timestamp, out: &mut Out) {
        if let Some(Next { standing, peer, ours, .. }) = self.next.take() {
            self.adopt(now, standing, peer, ours, out);
        }
    }

    /// How the peer names the present keys.
    pub(super) fn remote(&self) -> Option<u32> {
        self.current.as_ref().map(|standing| standing.keys.remote)
    }

    /// Whether these are the present keys.
    pub(super) fn is_current(&self, local: u32) -> bool {
        self.current.as_ref().is_some_and(|standing| standing.keys.local == local)
    }

    /// Whether there is nothing more to it.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What names any of its keys here.
    pub(super) fn indices(&self) -> impl Iterator<Item = u32> {
        let standing = [
            self.previous.as_ref().map(|(standing, _)| standing),
            self.current.as_ref(),
            self.next.as_ref().map(|next| &next.standing),
        ];
        standing.into_iter().flatten().map(|standing| standing.keys.local)
    }

    /// Whether new keys are due; from then on they count as under way.
    pub(super) fn begins_renewal(&mut self, now: Timestamp) -> bool {
        let due = self.renewal_due().is_some_and(|at| at.monotonic <= now.monotonic);
        let spent =
            self.current.as_ref().is_some_and(|standing| standing.keys.sealed() >= RENEW_AFTER);
        let begins = (due || spent) && self.may_renew();
        self.renewal.begun |= begins;
        begins
    }

    #[cfg(test)]
    pub(super) fn make_due(&mut self, now: Timestamp) {
        self.renewal.used = true;
        let long = RENEW_AFTER_TIME + OTHERS_TURN;
        self.renewal.since.monotonic = now.monotonic.saturating_sub(long);
    }

    fn may_renew(&self) -> bool {
        !self.renewal.begun
            && self.next.is_none()
            && self.farewell.is_none()
            && self.current.is_some()
    }

    fn renewal_due(&self) -> Option<Timestamp> {
        let role = self.current.as_ref()?.role;
        let patience = match role {
            Role::Initiator => RENEW_AFTER_TIME,
            Role::Responder => RENEW_AFTER_TIME + OTHERS_TURN,
        };
        (self.renewal.used && self.may_renew()).then(|| self.renewal.since + patience)
    }

    /// Whether this end is making new keys itself.
    pub(super) fn is_renewing(&self) -> bool {
        self.renewal.begun
    }

    /// The other end's new keys are taken in place of those that this end was making.
    pub(super) fn yield_renewal(&mut self) {
        self.renewal.begun = false;
    }

    /// Takes a frame, to be sealed when it is its turn.
    pub(super) fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        if self.current.is_none() || self.farewell.is_some() || self.is_over {
            return Err(SendError::NotOpen);
        }
        if frame.first().is_none_or(|kind| *kind < FIRST_FRAME_TYPE) {
            return Err(SendError::ReservedFrame);
        }
        if frame.len() > MAX_UDP_FRAME {
            return Err(SendError::TooLongForPath);
        }
        if self.waiting_bytes > 0 && self.waiting_bytes + frame.len() > MAX_WAITING {
            return Err(SendError::Busy);
        }
        if frame.len() <= MAX_CONTENT {
            self.wait(Content::Frame(frame).draft());
        } else {
            let name = assembly::name(self.provider.as_ref(), frame);
            for part in FRAME_CUT.cut(frame) {
                self.wait(Content::Fragment { name, part }.draft());
            }
        }
        Ok(())
    }

    fn wait(&mut self, draft: Vec<u8>) {
        self.waiting_bytes += draft.len();
        self.waiting.push_back(draft);
    }

    /// How many bytes wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.waiting_bytes
    }

    /// Begins to end, behind what waits.
    pub(super) fn close(&mut self, now: Timestamp) {
        if self.current.is_none() {
            self.is_over = true;
        }
        let retry = Retry::new(now);
        self.farewell.get_or_insert(Farewell { ends: now + FAREWELL, said: 0, retry });
    }

    /// Message 3 came again.
    pub(super) fn receive_message3(
        &mut self,
        now: Timestamp,
        receiver: u32,
        mac: &[u8; MAC],
        out: &mut Out,
    ) -> Result<(), Ignored> {
        let (age, standing) = self.standing(receiver).ok_or(Ignored::Unknown)?;
        if standing.message3.as_ref() != Some(mac) {
            return Err(Ignored::NotAuthentic);
        }
        self.say_hello_came(now, age, out);
        Ok(())
    }

    /// Takes something sealed. What does not open changes nothing.
    pub(super) fn receive(
        &mut self,
        now: Timestamp,
        sealed: Sealed<'_>,
        random: &mut dyn Random,
        out: &mut Out,
    ) -> Result<(), Ignored> {
        let Sealed { from, receiver, counter, datagram } = sealed;
        let bytes = datagram.len();
        let (age, standing) = self.standing(receiver).ok_or(Ignored::Unknown)?;
        let opened = standing.keys.open(counter, datagram)?;
        let is_newest = opened.is_newest && age != Age::Previous;
        let content = Content::decode(opened.content).ok_or(Ignored::Unexpected)?;
        if matches!(content, Content::Frame(_) | Content::Fragment { .. }) {
            standing.keys.received.note(now, counter);
        }
        self.life.heard();
        self.follow(now, (from, bytes, is_newest), random, out);
        self.take(now, (from, age), content, out);
        Ok(())
    }

    /// The peer is where its newest datagram comes from.
    fn follow(
        &mut self,
        now: Timestamp,
        (from, bytes, is_newest): (SocketAddr, usize, bool),
        random: &mut dyn Random,
        out: &mut Out,
    ) {
        let before = self.route.address();
        let token = self.route.received(now, from, bytes, is_newest, || random.array());
        if self.route.address() != before {
            // Another path: nothing is known of it.
            self.pace = Pace::default();
            out.tally.moved += 1;
        }
        if let Some(token) = token {
            self.say(now, Age::Current, &Content::Challenge(token), out);
        }
    }

    fn take(
        &mut self,
        now: Timestamp,
        (from, age): (SocketAddr, Age),
        content: Content<'_>,
        out: &mut Out,
    ) {
        match content {
            Content::Frame(frame) => self.take_frame(now, age, frame.to_vec(), out),
            Content::Fragment { name, part } => {
                let frame = self.assembly.take(now, self.provider.as_ref(), name, &part);
                if let Some(frame) = frame {
                    self.take_frame(now, age, frame, out);
                }
            }
            Content::Received { highest, before } if age == Age::Current => {
                self.pace.heard(now, highest, before);
            }
            Content::HelloReceived(parts) if age == Age::Next => {
                let next = self.next.as_mut();
                if next.is_some_and(|next| {
                    next.greeting.heard(now, parts);
                    next.greeting.is_heard()
                }) {
                    self.confirm(now, out);
                }
            }
            Content::Hello { .. } => self.say_hello_came(now, age, out),
            Content::Ping => self.say(now, age, &Content::Pong, out),
            Content::Challenge(token) => self.say_to(from, age, &Content::Response(token), out),
            Content::Response(token) => self.route.answered(from, token),
            Content::Close => {
                self.is_over = true;
                if self.current.is_some() {
                    out.event(self.index, SessionEvent::Closed);
                }
            }
            Content::Received { .. } | Content::HelloReceived(_) | Content::Pong => {}
        }
    }

    fn take_frame(&mut self, now: Timestamp, age: Age, frame: Vec<u8>, out: &mut Out) {
        // Who sends frames under them has accepted our Hello.
        if age == Age::Next {
            self.confirm(now, out);
        }
        if frame.first().is_none_or(|kind| *kind < FIRST_FRAME_TYPE) {
            self.end(SessionError::ReservedFrame, out);
            return;
        }
        self.renewal.used = true;
        out.event(self.index, SessionEvent::Frame(frame));
    }

    fn standing(&mut self, local: u32) -> Option<(Age, &mut Standing)> {
        let current = self.current.as_mut().map(|standing| (Age::Current, standing));
        let next = self.next.as_mut().map(|next| (Age::Next, &mut next.standing));
        let previous = self.previous.as_mut().map(|(standing, _)| (Age::Previous, standing));
        [current, next, previous]
            .into_iter()
            .flatten()
            .find(|(_, standing)| standing.keys.local == local)
    }

    fn of_age(&mut self, age: Age) -> Option<&mut Standing> {
        match age {
            Age::Previous => self.previous.as_mut().map(|(standing, _)| standing),
            Age::Current => self.current.as_mut(),
            Age::Next => self.next.as_mut().map(|next| &mut next.standing),
        }
    }

    fn say_hello_came(&mut self, now: Timestamp, age: Age, out: &mut Out) {
        if let Some(hello) = self.of_age(age).map(|standing| standing.hello) {
            self.say(now, age, &Content::HelloReceived(hello), out);
        }
    }

    /// Says something of the session's own, where the peer may be told so much.
    fn say(&mut self, now: Timestamp, age: Age, content: &Content<'_>, out: &mut Out) {
        let said = match content {
            Content::Ping | Content::Challenge(_) | Content::Hello { .. } => Said::Asked,
            _ => Said::Told,
        };
        let Some(standing) = self.of_age(age) else { return };
        match standing.keys.seal(content) {
            Ok(datagram) if self.route.allows(datagram.len()) => {
                self.route.sent(datagram.len());
                self.life.said(now, said);
                out.transmit(self.route.address(), datagram);
            }
            Ok(_) => {}
            Err(error) => self.end(error.into(), out),
        }
    }

    /// Answers to where a question came from, which is no longer than the answer.
    fn say_to(&mut self, to: SocketAddr, age: Age, content: &Content<'_>, out: &mut Out) {
        if let Some(Ok(datagram)) = self.of_age(age).map(|standing| standing.keys.seal(content)) {
            out.transmit(to, datagram);
        }
    }

    /// Says what is due.
    pub(super) fn flush(&mut self, now: Timestamp, out: &mut Out) {
        for age in [Age::Current, Age::Previous] {
            let told = self.of_age(age).and_then(|standing| standing.keys.received.tell(now));
            if let Some(received) = told {
                self.say(now, age, &received, out);
            }
        }
        if let Err(error) = self.say_waiting(now, out) {
            self.end(error.into(), out);
        }
        self.say_farewell(now, out);
    }

    fn say_waiting(&mut self, now: Timestamp, out: &mut Out) -> Result<(), RecordError> {
        let Self { current: Some(standing), waiting, route, pace, .. } = self else {
            return Ok(());
        };
        while let Some(draft) = waiting.front()
            && pace.has_room()
            && route.allows(draft.len() + TAG_LENGTH)
        {
            let Some(draft) = waiting.pop_front() else { break };
            self.waiting_bytes -= draft.len();
            let counter = standing.keys.sealed();
            let datagram = standing.keys.seal_draft(draft)?;
            route.sent(datagram.len());
            pace.sent(now, counter, datagram.len());
            self.life.said(now, Said::Frame);
            self.renewal.used = true;
            out.transmit(route.address(), datagram);
        }
        Ok(())
    }

    fn say_farewell(&mut self, now: Timestamp, out: &mut Out) {
        let has_said_all = self.waiting.is_empty();
        let Some(farewell) = &mut self.farewell else { return };
        let is_due = farewell.retry.is_due(now) || farewell.said == 0;
        if has_said_all && is_due && farewell.said < FAREWELLS {
            farewell.said += 1;
            self.say(now, Age::Current, &Content::Close, out);
        }
    }

    fn end(&mut self, why: SessionError, out: &mut Out) {
        if !self.is_over {
            self.is_over = true;
            // Of one that never stood nobody was told.
            if self.current.is_some() {
                out.events.push_back(UdpEvent::Ended(self.index, why));
            }
        }
    }

    /// When something is due.
    pub(super) fn next_timeout(&self) -> Timestamp {
        let acknowledgements =
            [self.current.as_ref(), self.previous.as_ref().map(|(standing, _)| standing)];
        let acknowledgements =
            acknowledgements.into_iter().flatten().filter_map(|at| at.keys.received.due());
        let next = self.next.as_ref().map(|next| next.greeting.due().min(next.ends));
        let farewell = self.farewell.as_ref().map(|farewell| match farewell.said {
            FAREWELLS => farewell.ends,
            _ => farewell.retry.at().min(farewell.ends),
        });
        [
            next,
            farewell,
            self.previous.as_ref().map(|(_, ends)| *ends),
            self.renewal_due(),
            self.route.timeout(),
            self.pace.timeout(),
        ]
        .into_iter()
        .flatten()
        .chain(acknowledgements)
        .fold(self.life.timeout(), Ord::min)
    }

    /// Time has passed.
    pub(super) fn handle_timeout(&mut self, now: Timestamp, out: &mut Out) {
        let is_past = |at: &Timestamp| at.monotonic <= now.monotonic;
        if self.previous.as_ref().is_some_and(|(_, ends)| is_past(ends)) {
            out.retired.extend(self.previous.take().map(|(standing, _)| standing.keys.local));
        }
        self.handle_next(now, out);
        self.pace.handle_timeout(now);
        self.assembly.forget(now);
        if let Some(token) = self.route.handle_timeout(now) {
            self.say(now, Age::Current, &Content::Challenge(token), out);
        }
        if self.farewell.as_ref().is_some_and(|farewell| is_past(&farewell.ends)) {
            self.is_over = true;
        }
        match self.life.due(now) {
            Due::Nothing => {}
            Due::Ask => {
                // Also where the path allows no question, or our Hello asks.
                self.life.said(now, Said::Asked);
                self.say(now, Age::Current, &Content::Ping, out);
            }
            Due::Gone => self.end(SessionError::Silent, out),
        }
        self.flush(now, out);
    }

    /// Says our Hello under the next keys again, or gives them up.
    fn handle_next(&mut self, now: Timestamp, out: &mut Out) {
        let Self { next: Some(next), route, .. } = self else { return };
        let Next { standing, greeting, ends, .. } = next;
        if ends.monotonic <= now.monotonic {
            out.retired.push(standing.keys.local);
            self.next = None;
            self.is_over |= self.current.is_none();
            return;
        }
        if greeting.is_due(now) {
            for content in greeting.unheard() {
                if let Ok(datagram) = standing.keys.seal(&content)
                    && route.allows(datagram.len())
                {
                    route.sent(datagram.len());
                    out.transmit(route.address(), datagram);
                }
            }
        }
    }
}
