//! All UDP sessions of one socket: the endpoint that they live in, and the task that moves its
//! datagrams, its time and its events.
//!
//! A datagram that the socket does not take is lost, as the network may lose it; what paces frames
//! notices. Knows nothing of what frames say.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use meshwork_protocols::identity::Card;
use meshwork_protocols::live::admission::{Admission, Admitted, Applicant, Limits};
use meshwork_protocols::live::udp::{Caps, SessionIndex, Transmit, UdpEndpoint, UdpEvent};
use meshwork_protocols::live::{Directory, Local, PeerInfo, SendError, SessionError, SessionEvent};
use meshwork_protocols::random::Random;
use meshwork_transports::{Datagram, DatagramReceiver, DatagramSender, Datagrams};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::carrier::{Carrier, UdpCarrier};
use super::gate::Gate;
use super::line::Line;
use super::lines::Lines;
use super::{Clock, Shared};
use crate::agent::Tally;

/// How many datagrams are taken before those that they lead to are sent.
const AT_ONCE: usize = 64;

/// The most bytes of frames that wait for a session's line. What comes then is lost, and sent again.
const UNTAKEN: usize = 4 << 20;

/// How long to wait where nothing is due.
const IDLE: Duration = Duration::from_secs(3_600);

/// All UDP sessions of one socket.
#[derive(Clone, Debug)]
pub(crate) struct UdpPort(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// It holds ports itself.
    shared: Weak<Shared>,
    clock: Clock,
    served: Mutex<Served>,
    stirred: Notify,
}

#[derive(Debug)]
struct Served {
    endpoint: UdpEndpoint,
    /// What its datagrams go out by, once it is served.
    out: Option<DatagramSender>,
    /// When the task that serves it comes by itself.
    comes: Instant,
    /// Whether something was taken since the last batch was dealt with: most batches of the socket
    /// are QUIC's alone.
    has_taken: bool,
    mailboxes: HashMap<SessionIndex, Mailbox>,
    /// Peers that have dialled and are not carried yet.
    arrived: VecDeque<(SessionIndex, Box<PeerInfo>)>,
    rejected: VecDeque<(SocketAddr, SessionError)>,
    /// Nobody else may come.
    closing: bool,
}

/// What has happened in a session and is not taken.
#[derive(Debug, Default)]
struct Mailbox {
    events: VecDeque<Result<SessionEvent, SessionError>>,
    bytes: usize,
    changed: Arc<Notify>,
    /// How much the line found that it may give; more is news.
    room: usize,
}

impl UdpPort {
    /// A port that answers who comes, under the caps of a gate.
    pub(crate) fn listening(shared: &Arc<Shared>, gate: &Arc<Gate>) -> Self {
        Self::new(shared, Box::new(GateCaps::new(Arc::clone(gate))))
    }

    /// A port to dial from. Who comes there is turned away.
    pub(crate) fn dialling(shared: &Arc<Shared>) -> Self {
        Self::new(shared, Box::new(Admission::new(Limits::default())))
    }

    fn new(shared: &Arc<Shared>, caps: Box<dyn Caps>) -> Self {
        let ours = shared.identity.local();
        let directory: Arc<dyn Directory> = Arc::clone(&shared.peers) as _;
        let (clock, random) = (shared.clock, ours.provider().random());
        let now = clock.now();
        let served = Served {
            endpoint: UdpEndpoint::new(ours, directory, caps, now, random),
            out: None,
            comes: Instant::now(),
            has_taken: false,
            mailboxes: HashMap::new(),
            arrived: VecDeque::new(),
            rejected: VecDeque::new(),
            closing: false,
        };
        let (shared, served, stirred) = (Arc::downgrade(shared), Mutex::new(served), Notify::new());
        Self(Arc::new(Inner { shared, clock, served, stirred }))
    }

    /// Dials the agent of a card at an address.
    pub(crate) fn dial(
        &self,
        to: SocketAddr,
        card: Arc<Card>,
    ) -> Result<(SessionIndex, Arc<Notify>), SessionError> {
        let now = self.0.clock.now();
        let mut served = self.lock();
        served.keep_fresh(self.0.shared.upgrade().as_deref());
        let session = served.endpoint.dial(now, to, card)?;
        let mailbox = Mailbox::default();
        let changed = Arc::clone(&mailbox.changed);
        served.mailboxes.insert(session, mailbox);
        drop(served);
        self.0.stirred.notify_one();
        Ok((session, changed))
    }

    /// The next event of a session.
    pub(crate) fn poll(&self, session: SessionIndex) -> Option<Result<SessionEvent, SessionError>> {
        let mut served = self.lock();
        let mailbox = served.mailboxes.get_mut(&session)?;
        let event = mailbox.events.pop_front()?;
        mailbox.bytes = mailbox.bytes.saturating_sub(cost(&event));
        Some(event)
    }

    /// Whether there is something new for the line of a session: an event, where it takes one, or
    /// more room.
    pub(crate) fn has_news(&self, session: SessionIndex, takes_events: bool) -> bool {
        let served = self.lock();
        served.mailboxes.get(&session).is_none_or(|mailbox| {
            let has_event = takes_events && !mailbox.events.is_empty();
            has_event || served.endpoint.room(session) > mailbox.room
        })
    }

    /// Gives a frame to a session. Before its line waits, it [`rest`](Self::rest)s.
    pub(crate) fn send(&self, session: SessionIndex, frame: &[u8]) -> Result<(), SendError> {
        let now = self.0.clock.now();
        let mut served = self.lock();
        served.endpoint.send(now, session, frame)?;
        served.transmit();
        Ok(())
    }

    /// A line is about to wait: what it did may be due before the task that serves the port comes by
    /// itself. Said last, so that this task does not go before those who have something to do.
    pub(crate) fn rest(&self) {
        let served = self.lock();
        if self.wake(&served) < served.comes || !served.arrived.is_empty() {
            self.0.stirred.notify_one();
        }
    }

    /// How many bytes of frames a session takes now.
    pub(crate) fn room(&self, session: SessionIndex) -> usize {
        let mut served = self.lock();
        let room = served.endpoint.room(session);
        if let Some(mailbox) = served.mailboxes.get_mut(&session) {
            mailbox.room = room;
        }
        room
    }

    /// Where the peer of a session is.
    pub(crate) fn remote(&self, session: SessionIndex) -> Option<SocketAddr> {
        self.lock().endpoint.remote(session)
    }

    /// Ends a session, behind what waits.
    pub(crate) fn close(&self, session: SessionIndex) {
        let now = self.0.clock.now();
        let mut served = self.lock();
        served.mailboxes.remove(&session);
        served.endpoint.close(now, session);
        drop(served);
        self.0.stirred.notify_one();
    }

    /// Nobody else may come. [`serve`](Self::serve) ends with the last session.
    pub(crate) fn stop(&self) {
        self.lock().closing = true;
        self.0.stirred.notify_one();
    }

    /// Moves datagrams until the port is stopped and the last session is over. Who comes is carried
    /// on `lines`; without them nobody may come.
    pub(crate) async fn serve(self, mut datagrams: Datagrams, lines: Option<Lines>) {
        self.lock().out = Some(datagrams.sender().clone());
        datagrams.receive_by(Arc::new(self.clone()));
        let mut sessions = JoinSet::new();
        let mut closing = false;
        loop {
            let wake = self.move_on();
            self.welcome(lines.as_ref(), &mut sessions);
            if self.is_over() && sessions.is_empty() {
                return;
            }
            tokio::select! {
                datagram = datagrams.receive() => match datagram {
                    Some(datagram) => self.receive(datagram, &mut datagrams),
                    None => return,
                },
                () = self.0.stirred.notified() => {}
                () = sleep_until(wake) => {
                    let now = self.0.clock.now();
                    self.lock().endpoint.handle_timeout(now);
                }
                Some(_) = sessions.join_next() => {}
                () = closed(lines.as_ref()), if !closing => {
                    closing = true;
                    self.stop();
                }
            }
        }
    }

    fn receive(&self, first: Datagram, others: &mut Datagrams) {
        let now = self.0.clock.now();
        let mut served = self.lock();
        served.keep_fresh(self.0.shared.upgrade().as_deref());
        let mut next = Some(first);
        for _ in 0..AT_ONCE {
            let Some(Datagram { from, mut bytes }) = next else { break };
            served.endpoint.receive(now, from, &mut bytes);
            next = others.try_receive();
        }
        if let Some(Datagram { from, mut bytes }) = next {
            served.endpoint.receive(now, from, &mut bytes);
        }
    }

    /// Sends what there is to send and deals the events out; when to come again.
    fn move_on(&self) -> Instant {
        let mut served = self.lock();
        served.transmit();
        served.deal_out();
        served.comes = self.wake(&served);
        served.comes
    }

    /// When something is due.
    fn wake(&self, served: &Served) -> Instant {
        let due = served.endpoint.next_timeout();
        due.map_or_else(|| Instant::now() + IDLE, |at| self.0.clock.instant(at))
    }

    /// Carries those who have dialled, or turns them away.
    fn welcome(&self, lines: Option<&Lines>, sessions: &mut JoinSet<()>) {
        let (arrived, rejected) = {
            let mut served = self.lock();
            (mem::take(&mut served.arrived), mem::take(&mut served.rejected))
        };
        let is_closing = self.lock().closing;
        let Some(lines) = lines.filter(|_| !is_closing) else {
            arrived.into_iter().for_each(|(session, _)| self.close(session));
            return;
        };
        for (session, peer) in arrived {
            let tally = &lines.shared.tally;
            Tally::count(&tally.accepted);
            let Some((carrier, ours)) = self.carrier(session) else { continue };
            sessions.spawn(Line::carry(lines.clone(), Carrier::Udp(carrier), peer, ours));
        }
        for (from, why) in rejected {
            let lines = lines.clone();
            sessions.spawn(async move { lines.rejected(from, why).await });
        }
    }

    fn carrier(&self, session: SessionIndex) -> Option<(UdpCarrier, Arc<Local>)> {
        let served = self.lock();
        let ours = Arc::clone(served.endpoint.ours(session)?);
        let changed = Arc::clone(&served.mailboxes.get(&session)?.changed);
        let remote = served.endpoint.remote(session)?;
        drop(served);
        Some((UdpCarrier::new(self.clone(), session, changed, remote), ours))
    }

    fn is_over(&self) -> bool {
        let served = self.lock();
        served.closing && served.mailboxes.is_empty() && served.endpoint.waiting() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Served> {
        // Each change under the lock is whole.
        self.0.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What sessions say is taken where it is read; handshakes wait for the task that serves the port, so
/// that a flood of them holds up nothing else.
impl DatagramReceiver for UdpPort {
    fn take(&self, from: SocketAddr, datagram: &mut [u8]) -> bool {
        let now = self.0.clock.now();
        let mut served = self.lock();
        let is_of_session = served.endpoint.is_of_session(datagram);
        if is_of_session {
            served.endpoint.receive(now, from, datagram);
            served.has_taken = true;
        }
        is_of_session
    }

    fn taken(&self) {
        let mut served = self.lock();
        if mem::take(&mut served.has_taken) {
            served.transmit();
            let woken = served.deal_out();
            drop(served);
            // A line that was woken rests by itself.
            if !woken {
                self.rest();
            }
        }
    }
}

impl Served {
    /// The agent may have a new card.
    fn keep_fresh(&mut self, shared: Option<&Shared>) {
        if let Some(shared) = shared {
            self.endpoint.set_local(shared.identity.local());
        }
    }

    fn transmit(&mut self) {
        let Some(out) = &self.out else { return };
        while let Some(Transmit { to, datagram }) = self.endpoint.poll_transmit() {
            // One that is not taken is lost.
            let _ = out.send(to, &datagram);
        }
    }

    /// Gives each line what is for it; whether one was woken.
    fn deal_out(&mut self) -> bool {
        let mut woken = false;
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                UdpEvent::Session(session, event) => woken |= self.deal(session, Ok(event)),
                UdpEvent::Ended(session, why) => woken |= self.deal(session, Err(why)),
                UdpEvent::Rejected { from, why } => self.rejected.push_back((from, why)),
                // A kind that a later endpoint tells.
                _ => {}
            }
        }
        for (session, mailbox) in &self.mailboxes {
            if self.endpoint.room(*session) > mailbox.room {
                mailbox.changed.notify_one();
                woken = true;
            }
        }
        woken
    }

    fn deal(&mut self, session: SessionIndex, event: Result<SessionEvent, SessionError>) -> bool {
        if let Some(mailbox) = self.mailboxes.get_mut(&session) {
            if mailbox.bytes <= UNTAKEN || !matches!(event, Ok(SessionEvent::Frame(_))) {
                mailbox.bytes += cost(&event);
                mailbox.events.push_back(event);
                mailbox.changed.notify_one();
                return true;
            }
        } else if let Ok(SessionEvent::Established(peer)) = event {
            self.mailboxes.insert(session, Mailbox::default());
            self.arrived.push_back((session, peer));
        }
        false
    }
}

/// What an event costs, of those that wait.
fn cost(event: &Result<SessionEvent, SessionError>) -> usize {
    match event {
        Ok(SessionEvent::Frame(frame)) => frame.len() + 64,
        _ => 0,
    }
}

async fn closed(lines: Option<&Lines>) {
    match lines {
        Some(lines) => lines.closing().await,
        None => std::future::pending().await,
    }
}

/// The gate of all listeners, as the endpoint sees it.
#[derive(Debug)]
struct GateCaps {
    gate: Arc<Gate>,
    turn_out: mpsc::UnboundedSender<Applicant>,
    turned_out: mpsc::UnboundedReceiver<Applicant>,
}

impl GateCaps {
    fn new(gate: Arc<Gate>) -> Self {
        // No more can wait than were let in.
        let (turn_out, turned_out) = mpsc::unbounded_channel();
        Self { gate, turn_out, turned_out }
    }
}

impl Caps for GateCaps {
    fn admit(&mut self, from: std::net::IpAddr, _: &mut dyn Random) -> Admitted {
        let applicant = self.gate.admit_told(from, self.turn_out.clone());
        // Who has to go is told as if somebody had come elsewhere.
        Admitted { applicant, evicted: None }
    }

    fn buffered(
        &mut self,
        applicant: Applicant,
        bytes: usize,
        _: &mut dyn Random,
    ) -> Vec<Applicant> {
        self.gate.buffered(applicant, bytes);
        Vec::new()
    }

    fn leave(&mut self, applicant: Applicant) {
        self.gate.leave(applicant);
    }

    fn turned_out(&mut self) -> Option<Applicant> {
        self.turned_out.try_recv().ok()
    }
}
