//! What the router wants done.

use std::collections::HashMap;

use meshwork_router::{Event as Told, Output, PathId};
use meshwork_state::StoreError;

use super::Driver;
use super::commits::Finished;
use super::dial::dial;
use super::outbound::{Lane, Refused};
use super::session::Session;
use crate::agent::{Event, Tally};

impl Driver {
    /// Does what the router wants done by now. Frames that were released together are written
    /// together.
    pub(super) fn carry_out(&mut self) {
        let mut writes: HashMap<PathId, Vec<Vec<u8>>> = HashMap::new();
        while let Some(output) = self.router.poll() {
            match output {
                Output::Commit(id, batch) => self.commits.gather(id, batch),
                Output::Transmit { path, frame } => writes.entry(path).or_default().push(frame),
                Output::Dial { peer, needs } => {
                    if self.dialling.insert((peer, needs)) {
                        self.tasks.spawn(dial(peer, needs, self.lines.clone()));
                    }
                }
                Output::Close { path, reason } => {
                    tracing::debug!(path = path.0, ?reason, "a session is given up");
                    // What was said before goes out before the end.
                    self.write(path, writes.remove(&path).unwrap_or_default());
                    if let Some(session) = self.paths.get(&path) {
                        session.outbound.end();
                    }
                }
                Output::Event(event) => self.tell(event),
                Output::AskRelay { ask, relay, request } => self.ask_relay(ask, relay, *request),
                errand => self.run_errand(errand),
            }
        }
        for (path, frames) in writes {
            self.write(path, frames);
        }
    }

    /// A transaction came to its end. Where it failed, `recover` is to follow.
    pub(super) fn committed(&mut self, finished: &Finished) -> Result<(), StoreError> {
        let tally = &self.shared.tally;
        let batch = finished.group.batch();
        let followed = finished.result.and_then(|()| self.shared.peers.follow(batch));
        let told = self.commits.ended(followed.is_ok());
        if let Err(error) = followed {
            Tally::count(&tally.failed_commits);
            self.recovery.commit_failed(error);
            return Err(error);
        }
        Tally::count(&tally.commits);
        self.recovery.succeeded();
        self.upkeep.committed();
        if finished.group.has_own() {
            self.adopt_card();
        }
        if let Some(told) = told {
            self.router.handle(self.shared.clock.now(), told);
        }
        Ok(())
    }

    fn write(&mut self, path: PathId, frames: Vec<Vec<u8>>) {
        let Some(session) = self.paths.get(&path).filter(|_| !frames.is_empty()) else { return };
        let Session { peer, outbound, .. } = &**session;
        session.count_use();
        if outbound.push(Lane::Router, frames) == Err(Refused::Overfull) {
            tracing::debug!(peer = %peer.short(), "a peer does not take what it is sent");
            Tally::count(&self.shared.tally.too_slow);
            outbound.cut();
        }
    }

    /// Tells whoever wants to know.
    fn tell(&mut self, told: Told) {
        let event = match told {
            Told::Answered { ticket, answer } => {
                if let Some(waiting) = self.answers.remove(&ticket) {
                    // Whoever asked may have gone meanwhile.
                    let _ = waiting.send(answer);
                }
                return;
            }
            Told::StoreFailed { lost_from, error } => {
                self.commits.lose_from(lost_from);
                self.recovery.read_failed(error);
                return;
            }
            Told::Arrived { arrival, sender, id, repeat } => {
                self.arrivals.send_modify(|arrivals| arrivals.announce(arrival, repeat));
                Event::Arrived { sender, id }
            }
            Told::Moved { id, to, level, choice } => Event::Moved { id, to, level, choice },
            Told::FirstContact(peer) => Event::FirstContact(peer),
            Told::Connected(peer) => Event::Connected(peer),
            Told::Disconnected(peer) => Event::Disconnected(peer),
            Told::Lineage { peer, suspicion } => Event::Lineage { peer, suspicion },
            Told::Equivocation(peer) => Event::Equivocation(peer),
            Told::Misbehaved { peer, how } => Event::Misbehaved { peer, how },
            Told::Group { group, what } => Event::Group { group, what },
            Told::PrekeysNotMade(error) => Event::PrekeysNotMade(error),
            // A kind that a later router tells and this driver does not know yet.
            _ => return,
        };
        self.shared.notices.tell(event);
    }
}
