//! One relay, as this agent calls it: a session that is opened when it is needed, and requests over
//! it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meshwork_protocols::identity::{AgentId, Card, Relay, ServiceName};
use meshwork_protocols::relay::{Answer, Depth, MAIL_SERVICE, Nudge, Request, SERVICE};
use meshwork_router::{Needs, RelayFailure};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};

use crate::driver::dial::dial_relay;
use crate::driver::line::Line;
use crate::driver::lines::Lines;
use crate::driver::session::Session;

/// How long a relay has to answer, beyond what it was asked to wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a session that stands has to be seen by the driver.
const SEEN: Duration = Duration::from_secs(5);

/// How old a session becomes before a new one replaces it, as with peers.
const LIFE: Duration = Duration::from_secs(60 * 60);

/// What a session with a relay has to offer: requests and answers are of every size. One over UDP
/// may stand with the same agent for other reasons.
const NEEDS: Needs = Needs::Bulk;

/// How many nudges of one relay may wait: there are few kinds.
const NUDGES: usize = 4;

/// A relay.
#[derive(Debug)]
pub(crate) struct Client {
    /// Where it is.
    place: Mutex<Relay>,
    /// Its card, once it was fetched.
    card: Mutex<Option<Arc<Card>>>,
    /// Held while a session is opened: its two tasks need one.
    opening: tokio::sync::Mutex<Option<Instant>>,
    /// Whether it keeps our mail, so that a session with it always stands.
    is_ours: AtomicBool,
}

impl Client {
    pub(super) fn new(relay: Relay) -> Self {
        Self {
            place: Mutex::new(relay),
            card: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            is_ours: AtomicBool::new(false),
        }
    }

    /// It keeps our mail.
    pub(super) fn is_ours(&self) {
        self.is_ours.store(true, Ordering::Relaxed);
    }

    /// Ends a session that was opened for errands alone and has none: another's relay has many whom
    /// it serves.
    pub(super) async fn part(&self, lines: &Lines) {
        let (shared, agent) = (&lines.shared, self.agent());
        if self.is_ours.load(Ordering::Relaxed) || shared.peers.is_heard(&agent) {
            return;
        }
        if self.opening.lock().await.take().is_some()
            && let Some(session) = shared.sessions.current(&agent, NEEDS)
        {
            session.outbound.end();
        }
    }

    pub(super) fn agent(&self) -> AgentId {
        lock(&self.place).agent
    }

    /// It was named with these addresses.
    pub(super) fn is_at(&self, relay: Relay) {
        if !relay.addresses.is_empty() {
            *lock(&self.place) = relay;
        }
    }

    /// Asks the relay. What it refuses has failed.
    pub(super) async fn ask(
        &self,
        lines: &Lines,
        request: &Request,
    ) -> Result<Answer, RelayFailure> {
        match self.exchange(lines, request).await? {
            Answer::Refused(refusal) => Err(refusal.into()),
            answer => Ok(answer),
        }
    }

    /// The same, with its refusals as answers.
    pub(super) async fn exchange(
        &self,
        lines: &Lines,
        request: &Request,
    ) -> Result<Answer, RelayFailure> {
        let session = self.session(lines).await.ok_or(RelayFailure::Gone)?;
        let service = SERVICE.parse().map_err(|_| RelayFailure::Refused)?;
        let now = lines.shared.clock.now();
        let call = session.call(now, service, &request.encode(), request.wait() + PATIENCE);
        let answer = call.map_err(|_| RelayFailure::Gone)?.await.map_err(|_| RelayFailure::Gone)?;
        match Answer::decode(&answer) {
            Ok(answer) => {
                if let Answer::Refused(refusal) = &answer {
                    tracing::debug!(relay = %self.agent().short(), %refusal, "a relay refuses");
                }
                Ok(answer)
            }
            Err(error) => {
                tracing::debug!(relay = %self.agent().short(), %error, "a relay's answer is none");
                Err(RelayFailure::Refused)
            }
        }
    }

    /// The session that stands, or a new one.
    async fn session(&self, lines: &Lines) -> Option<Arc<Session>> {
        let (shared, agent) = (&lines.shared, self.agent());
        let mut opened = self.opening.lock().await;
        let standing = shared.sessions.current(&agent, NEEDS);
        let is_old = opened.is_some_and(|at| at.elapsed() > LIFE);
        match standing {
            Some(session) if is_old => session.outbound.end(),
            Some(session) => return Some(session),
            None => {}
        }
        let (relay, known) = (lock(&self.place).clone(), lock(&self.card).clone());
        match dial_relay(&relay, known, NEEDS, lines).await {
            Ok((found, card)) => {
                *lock(&self.card) = Some(card);
                *opened = Some(Instant::now());
                // It is carried as long as it stands, whatever becomes of this task.
                let carried = Line::carry(lines.clone(), found.carrier, found.peer, found.ours);
                shared.runtime.spawn(carried);
            }
            Err(error) => {
                tracing::debug!(relay = %agent.short(), %error, "a relay does not answer");
                return None;
            }
        }
        timeout(SEEN, shared.sessions.until_current(&agent, NEEDS)).await.ok()
    }
}

/// What is known of a relay of one's own.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RelayState {
    /// Whether it answered when it was last asked.
    pub answers: bool,
    /// How many one-time keys nobody has taken there, when it last said so.
    pub prekeys: Option<u32>,
    /// How often it gave the last resort since the keys were published.
    pub last_resorts: u32,
    /// How many pieces of mail were fetched there since the start.
    pub fetched: u64,
    /// Of how many it was told that they need not be kept.
    pub acknowledged: u64,
    /// Whether it was asked since the start, and its mailbox read to the end if it answered.
    pub looked: bool,
}

impl RelayState {
    /// It said what is left of our pools.
    pub(super) const fn has(&mut self, depth: &Depth) {
        self.prekeys = Some(depth.prekeys);
        self.last_resorts = depth.last_resorts;
    }

    /// Whether nothing is known to be there that is not dealt with.
    fn is_dealt_with(&self) -> bool {
        self.looked && (!self.answers || self.acknowledged >= self.fetched)
    }
}

/// The relays in use, by their ids.
#[derive(Debug, Default)]
pub(crate) struct RelayBook {
    states: Mutex<BTreeMap<AgentId, RelayState>>,
    changed: Notify,
    /// Where nudges go of those that keep our mail.
    nudged: Mutex<BTreeMap<AgentId, mpsc::Sender<Nudge>>>,
}

impl RelayBook {
    /// A relay is used from now on.
    pub(super) fn uses(&self, relay: AgentId) {
        lock(&self.states).entry(relay).or_default();
    }

    /// Whether this agent calls it: then its answers are heard.
    pub(crate) fn is_used(&self, agent: &AgentId) -> bool {
        lock(&self.states).contains_key(agent)
    }

    /// What is known of one.
    pub(crate) fn state(&self, relay: &AgentId) -> RelayState {
        lock(&self.states).get(relay).copied().unwrap_or_default()
    }

    pub(super) fn learn(&self, relay: AgentId, learn: impl FnOnce(&mut RelayState)) {
        learn(lock(&self.states).entry(relay).or_default());
        self.changed.notify_waiters();
    }

    /// What comes of the nudges of a relay that keeps our mail.
    pub(super) fn nudges_of(&self, relay: AgentId) -> mpsc::Receiver<Nudge> {
        let (nudged, nudges) = mpsc::channel(NUDGES);
        lock(&self.nudged).insert(relay, nudged);
        nudges
    }

    /// Takes a call that is a nudge by a relay that keeps our mail; `false` for any other call.
    pub(crate) fn take_nudge(&self, caller: &AgentId, service: &ServiceName, body: &[u8]) -> bool {
        if service.as_str() != MAIL_SERVICE {
            return false;
        }
        let Some(nudged) = lock(&self.nudged).get(caller).cloned() else { return false };
        if let Ok(nudge) = Nudge::decode(body) {
            // Where there is no room, some wait that say the same.
            let _ = nudged.try_send(nudge);
        }
        true
    }

    /// Waits until what these relays had is dealt with, as far as they answer. Dropping the future
    /// loses nothing.
    pub(crate) async fn until_dealt_with(&self, relays: &[AgentId]) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From now on no change is missed.
            changed.as_mut().enable();
            if relays.iter().all(|relay| self.state(relay).is_dealt_with()) {
                return;
            }
            changed.await;
        }
    }
}

/// Each change under these locks is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
