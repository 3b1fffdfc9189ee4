//! The paths that stand, and which of two sessions with one peer stays.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::lineage::Incarnation;
use meshwork_protocols::posture::Posture;

use crate::output::PathId;
use crate::timers::Timers;

/// How long a session that another replaced still takes what is on its way.
const DRAIN: Duration = Duration::from_secs(5);

/// Two sessions opened within this span count as opened at once. Both ends measure it on their
/// own; where they disagree both sessions drain and a third is opened.
const AT_ONCE: Duration = Duration::from_secs(10);

/// A path that stands.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) peer: AgentId,
    pub(crate) kind: Kind,
    pub(crate) opened: Duration,
}

/// What a path is.
#[derive(Debug)]
pub(crate) enum Kind {
    Live(Live),
    Mail,
}

/// A session.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) reliable: bool,
    pub(crate) initiator: AgentId,
    pub(crate) incarnation: Incarnation,
    pub(crate) posture: Posture,
}

/// All paths.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    paths: BTreeMap<PathId, Path>,
    live: BTreeMap<AgentId, PathId>,
    mail: BTreeMap<AgentId, PathId>,
    /// When each replaced session is closed.
    drained: Timers<PathId>,
}

impl Paths {
    /// Adds a session. `true` if it is the one to use, `false` if the one before it stays.
    pub(crate) fn open_live(
        &mut self,
        path: PathId,
        peer: AgentId,
        live: Live,
        now: Duration,
    ) -> bool {
        let before = self.live.get(&peer).copied();
        let stays = before.is_some_and(|before| self.outlives(before, &live, now));
        let replaced = if stays { Some(path) } else { self.live.insert(peer, path) };
        if let Some(replaced) = replaced {
            self.drained.set(replaced, now + DRAIN);
        }
        self.paths.insert(path, Path { peer, kind: Kind::Live(live), opened: now });
        !stays
    }

    /// Adds a way for sealed packets; the newest is used.
    pub(crate) fn open_mail(&mut self, path: PathId, peer: AgentId, now: Duration) {
        self.mail.insert(peer, path);
        self.paths.insert(path, Path { peer, kind: Kind::Mail, opened: now });
    }

    /// Removes a path that is gone.
    pub(crate) fn close(&mut self, path: PathId) -> Option<Path> {
        let closed = self.paths.remove(&path)?;
        self.drained.clear(&path);
        for current in [&mut self.live, &mut self.mail] {
            if current.get(&closed.peer) == Some(&path) {
                current.remove(&closed.peer);
            }
        }
        Some(closed)
    }

    pub(crate) fn get(&self, path: PathId) -> Option<&Path> {
        self.paths.get(&path)
    }

    /// The session with this peer that is to be used.
    pub(crate) fn live(&self, peer: &AgentId) -> Option<PathId> {
        self.live.get(peer).copied()
    }

    /// The way for sealed packets to this peer.
    pub(crate) fn mail(&self, peer: &AgentId) -> Option<PathId> {
        self.mail.get(peer).copied()
    }

    /// All paths to this peer.
    pub(crate) fn to(&self, peer: &AgentId) -> Vec<PathId> {
        self.paths.iter().filter(|(_, path)| path.peer == *peer).map(|(id, _)| *id).collect()
    }

    /// Whether anything can be said to this peer now.
    pub(crate) fn reaches(&self, peer: &AgentId) -> bool {
        self.live.contains_key(peer) || self.mail.contains_key(peer)
    }

    /// Peers with a session that is to be used.
    pub(crate) fn connected(&self) -> impl Iterator<Item = &AgentId> {
        self.live.keys()
    }

    /// Replaced sessions whose time is over, each named once.
    pub(crate) fn take_drained(&mut self, now: Duration) -> Vec<PathId> {
        core::iter::from_fn(|| self.drained.pop_due(now)).collect()
    }

    /// When the next replaced session is to be closed.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.drained.next()
    }

    /// Whether the session that stood stays, and the new one goes. Of two opened at once it is the
    /// one whose initiator has the lower id, so that both ends decide alike; else the new one is
    /// there for a reason: the peer restarted, or saw the old one die.
    fn outlives(&self, before: PathId, new: &Live, now: Duration) -> bool {
        let Some(Path { kind: Kind::Live(before), opened, .. }) = self.paths.get(&before) else {
            return false;
        };
        before.incarnation == new.incarnation
            && now.saturating_sub(*opened) < AT_ONCE
            && before.initiator < new.initiator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: AgentId = AgentId::from_bytes([1; 32]);
    const PEER: AgentId = AgentId::from_bytes([2; 32]);

    fn live(initiator: AgentId, incarnation: u8) -> Live {
        Live {
            reliable: true,
            initiator,
            incarnation: Incarnation::from_bytes([incarnation; 16]),
            posture: Posture::HYBRID,
        }
    }

    fn second(first: Live, second: Live, later: Duration) -> (Option<PathId>, Vec<PathId>) {
        let mut paths = Paths::default();
        paths.open_live(PathId(1), PEER, first, Duration::ZERO);
        paths.open_live(PathId(2), PEER, second, later);
        (paths.live(&PEER), paths.take_drained(later + DRAIN))
    }

    #[test]
    fn of_two_sessions_opened_at_once_the_lower_initiators_stays() {
        let at_once = AT_ONCE - Duration::from_millis(1);
        assert_eq!(
            second(live(US, 1), live(PEER, 1), at_once),
            (Some(PathId(1)), [PathId(2)].into())
        );
        assert_eq!(
            second(live(PEER, 1), live(US, 1), at_once),
            (Some(PathId(2)), [PathId(1)].into())
        );
        assert_eq!(
            second(live(US, 1), live(US, 1), at_once),
            (Some(PathId(2)), [PathId(1)].into())
        );
    }

    #[test]
    fn a_later_session_or_one_after_a_restart_replaces_the_old() {
        assert_eq!(second(live(US, 1), live(PEER, 1), AT_ONCE).0, Some(PathId(2)));
        assert_eq!(second(live(US, 1), live(PEER, 2), Duration::ZERO).0, Some(PathId(2)));
    }

    #[test]
    fn a_replaced_session_drains_for_five_seconds_and_is_named_once() {
        let mut paths = Paths::default();
        paths.open_live(PathId(1), PEER, live(US, 1), Duration::ZERO);
        paths.open_live(PathId(2), PEER, live(US, 1), Duration::ZERO);
        assert_eq!(paths.next_timeout(), Some(DRAIN));
        assert_eq!(paths.take_drained(DRAIN - Duration::from_millis(1)), []);
        assert_eq!(paths.take_drained(DRAIN), [PathId(1)]);
        assert_eq!(paths.take_drained(DRAIN), []);
        assert_eq!(paths.next_timeout(), None);
    }
}
