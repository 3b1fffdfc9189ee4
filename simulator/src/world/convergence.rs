//! Whether all has come to rest: nothing waits to be sent, read, put in order, or told.

use meshwork_state::{Namespace, Rows, State};

use super::World;
use crate::network::Host;

impl World {
    /// What is left to do, and at which host; nothing where all is at rest.
    pub(super) fn left(&self) -> Option<(Host, String)> {
        self.nodes.iter().enumerate().find_map(|(at, node)| {
            let host = Host(at);
            let left = match node.inside() {
                Some((_, state)) => left_in(state),
                None => Some("no process runs".to_owned()),
            };
            left.map(|left| (host, left))
        })
    }

    /// What is left at a relay: mail that its owner did not fetch or acknowledge, a pool without keys.
    pub(super) fn left_at_relays(&mut self) -> Option<(Host, String)> {
        let now = self.queue.now();
        for relay in &mut self.relays {
            let host = self.mesh.relay_host(&relay.id())?;
            if !self.network.is_reachable(host) {
                return Some((host, "a relay is away".to_owned()));
            }
            for agent in self.mesh.hosts().filter_map(|agent| self.mesh.agent(agent)) {
                let names = agent.card().relays().iter().any(|named| named.agent == relay.id());
                match relay.keeps(now, agent.id()).filter(|_| names) {
                    Some((0, 1..)) | None => {}
                    Some((0, 0)) => return Some((host, "a pool without keys".to_owned())),
                    Some((count, _)) => return Some((host, format!("{count} piece(s) of mail"))),
                }
            }
        }
        None
    }
}

fn left_in(state: &State) -> Option<String> {
    WAITING.into_iter().find_map(|Waiting(namespace, name, waits)| {
        let rows = state.scan(namespace, &[], None, usize::MAX).ok()?;
        let count = rows.iter().filter(|(key, _)| waits(key)).count();
        (count > 0).then(|| format!("{count} row(s) {name}"))
    })
}

/// Rows of a namespace that something still has to become of, what they are called, and how their
/// keys tell them from others there.
struct Waiting(Namespace, &'static str, fn(&[u8]) -> bool);

const WAITING: [Waiting; 5] = [
    // The others are conversations, by the peer's id.
    Waiting(Namespace::Outbox, "in the outbox", |key| key.len() == 16),
    // The other is the counters'.
    Waiting(Namespace::Inbox, "in the inbox", |key| key.len() == 8),
    // The others are how far each conversation got.
    Waiting(Namespace::Gap, "waiting for a gap", |key| key.len() > 32),
    Waiting(Namespace::Owed, "of receipts owed", |_| true),
    Waiting(Namespace::Held, "of strangers held", |_| true),
];
