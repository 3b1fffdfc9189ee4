//! The paths that stand, and which of several sessions with one peer is used.
//!
//! Two sessions over one transport are one too many: one of them drains and is closed. Sessions
//! over different transports stand beside each other, since the later one was asked for: a frame
//! did not fit, or somebody named the transport. The best of them is used first, and one that
//! nothing goes over any more is closed by the end that opened it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use meshwork_protocols::identity::{AgentId, Transport};
use meshwork_protocols::lineage::Incarnation;
use meshwork_protocols::posture::Posture;

use crate::needs::Needs;
use crate::output::{CloseReason, PathId};
use crate::timers::Timers;

/// How long a session that another replaced still takes what is on its way.
const DRAIN: Duration = Duration::from_secs(5);

/// Two sessions opened within this span count as opened at once. Both ends measure it on their
/// own; where they disagree both sessions drain and a third is opened.
const AT_ONCE: Duration = Duration::from_secs(10);

/// How long a session stays beside a better one after something last went over it.
const UNUSED: Duration = Duration::from_secs(60);

/// How old a session that carried data may be before a new one replaces it: a copy of its keys
/// opens nothing after that. UDP sessions do so by themselves, and more often.
const LIFE: Duration = Duration::from_secs(60 * 60);

/// How long the end that did not open a session leaves its replacement to the one that did.
const GRACE: Duration = Duration::from_secs(10 * 60);

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
    pub(crate) transport: Transport,
    /// The most bytes of a frame on it.
    pub(crate) largest_frame: usize,
    /// Whether we opened it.
    pub(crate) initiated: bool,
    pub(crate) initiator: AgentId,
    pub(crate) incarnation: Incarnation,
    pub(crate) posture: Posture,
    /// When something last went over it, if anything did.
    pub(crate) used: Option<Duration>,
}

/// How a session that stands and a new one with the same peer get along.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Together {
    BothStay,
    OldStays,
    NewStays,
}

/// What became of a session that was opened.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Opened {
    /// Whether it is used; else it drains.
    pub(crate) is_used: bool,
    /// The sessions that it replaces, which drain.
    pub(crate) replaced: Vec<PathId>,
}

/// All paths.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    paths: BTreeMap<PathId, Path>,
    /// The sessions that are used, the best of each peer first; at most one a transport.
    live: BTreeMap<AgentId, Vec<PathId>>,
    mail: BTreeMap<AgentId, PathId>,
    /// When each replaced session is closed.
    drained: Timers<PathId>,
    /// When each session that we opened beside a better one is looked at again.
    unused: Timers<PathId>,
    /// When each session has lived for as long as it may.
    aged: Timers<PathId>,
}

impl Paths {
    /// Adds a session.
    pub(crate) fn open_live(
        &mut self,
        path: PathId,
        peer: AgentId,
        live: Live,
        now: Duration,
    ) -> Opened {
        let before = self.live.remove(&peer).unwrap_or_default();
        let together = |before: &PathId| self.together(*before, &live, now);
        let is_used = before.iter().all(|before| together(before) != Together::OldStays);
        let (replaced, mut used): (Vec<_>, Vec<_>) = before
            .iter()
            .copied()
            .partition(|before| is_used && together(before) == Together::NewStays);
        if live.transport != Transport::Udp {
            let grace = if live.initiated { Duration::ZERO } else { GRACE };
            self.aged.set(path, now + LIFE + grace);
        }
        self.paths.insert(path, Path { peer, kind: Kind::Live(live), opened: now });
        used.extend(is_used.then_some(path));
        used.sort_by_key(|path| Reverse(self.rank(*path)));
        for path in used.iter().skip(1).copied() {
            if self.is_ours(path) {
                self.unused.set_if_none(path, now + UNUSED);
            }
        }
        self.live.insert(peer, used);
        for path in replaced.iter().chain((!is_used).then_some(&path)) {
            self.drained.set(*path, now + DRAIN);
        }
        Opened { is_used, replaced }
    }

    /// A session has new keys: what it goes over, where it stands.
    pub(crate) fn renewed(&mut self, path: PathId, incarnation: Incarnation) -> Option<Transport> {
        let Some(Path { kind: Kind::Live(live), .. }) = self.paths.get_mut(&path) else {
            return None;
        };
        live.incarnation = incarnation;
        Some(live.transport)
    }

    /// Adds a way for sealed packets; the newest is used.
    pub(crate) fn open_mail(&mut self, path: PathId, peer: AgentId, now: Duration) {
        self.mail.insert(peer, path);
        self.paths.insert(path, Path { peer, kind: Kind::Mail, opened: now });
    }

    /// Removes a path that is gone; says whether it was in use, and did not drain.
    pub(crate) fn close(&mut self, path: PathId) -> Option<(Path, bool)> {
        let closed = self.paths.remove(&path)?;
        let was_used = self.live.get(&closed.peer).is_some_and(|used| used.contains(&path));
        for timers in [&mut self.drained, &mut self.unused, &mut self.aged] {
            timers.clear(&path);
        }
        if let Some(used) = self.live.get_mut(&closed.peer) {
            used.retain(|used| *used != path);
            if used.is_empty() {
                self.live.remove(&closed.peer);
            }
        }
        if self.mail.get(&closed.peer) == Some(&path) {
            self.mail.remove(&closed.peer);
        }
        Some((closed, was_used))
    }

    pub(crate) fn get(&self, path: PathId) -> Option<&Path> {
        self.paths.get(&path)
    }

    /// The session with this peer that is used first.
    pub(crate) fn live(&self, peer: &AgentId) -> Option<PathId> {
        self.live.get(peer)?.first().copied()
    }

    /// The best session with this peer that carries a frame of this many bytes.
    pub(crate) fn carrying(&self, peer: &AgentId, frame: usize) -> Option<PathId> {
        self.find(peer, |live| live.largest_frame >= frame)
    }

    /// The best session with this peer that offers what is needed.
    pub(crate) fn meeting(&self, peer: &AgentId, needs: Needs) -> Option<PathId> {
        self.find(peer, |live| needs.allow(live.transport))
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
    pub(crate) fn connected(&self) -> impl ExactSizeIterator<Item = &AgentId> {
        self.live.keys()
    }

    /// The most bytes of a frame that any session with this peer carries; `None` without one.
    pub(crate) fn largest_frame(&self, peer: &AgentId) -> Option<usize> {
        let sizes = self.live.get(peer)?.iter().filter_map(|path| match self.paths.get(path) {
            Some(Path { kind: Kind::Live(live), .. }) => Some(live.largest_frame),
            _ => None,
        });
        sizes.max()
    }

    /// Something goes over a path; its peer, if it is the first.
    pub(crate) fn used(&mut self, path: PathId, now: Duration) -> Option<AgentId> {
        let Some(Path { kind: Kind::Live(live), peer, .. }) = self.paths.get_mut(&path) else {
            return None;
        };
        let first = live.used.replace(now).is_none();
        first.then_some(*peer)
    }

    /// Whether the session with this peer that offers what is needed carried data and has lived for
    /// as long as it may.
    pub(crate) fn is_aged(&self, peer: &AgentId, needs: Needs, now: Duration) -> bool {
        let aged = |path: PathId| {
            let Some(Path { kind: Kind::Live(live), opened, .. }) = self.paths.get(&path) else {
                return false;
            };
            let grace = if live.initiated { Duration::ZERO } else { GRACE };
            live.transport != Transport::Udp && live.used.is_some() && now >= *opened + LIFE + grace
        };
        self.meeting(peer, needs).is_some_and(aged)
    }

    /// Peers of sessions that just came to the end of their life.
    pub(crate) fn take_aged(&mut self, now: Duration) -> Vec<AgentId> {
        let aged = core::iter::from_fn(|| self.aged.pop_due(now));
        aged.filter_map(|path| self.paths.get(&path)).map(|path| path.peer).collect()
    }

    /// Sessions to close now, each named once: the replaced ones whose time is over, and those
    /// beside a better one that nothing went over for a while.
    pub(crate) fn take_ended(&mut self, now: Duration) -> Vec<(PathId, CloseReason)> {
        let mut ended = Vec::new();
        while let Some(path) = self.drained.pop_due(now) {
            ended.push((path, CloseReason::Replaced));
        }
        while let Some(path) = self.unused.pop_due(now) {
            match self.unused_until(path) {
                Some(at) if at <= now => ended.push((path, CloseReason::Unused)),
                Some(at) => self.unused.set(path, at),
                None => {}
            }
        }
        ended
    }

    /// When something may be to be done about a path.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        [self.drained.next(), self.unused.next(), self.aged.next()].into_iter().flatten().min()
    }

    /// When a session that stands beside a better one may go; `None` for one that stays.
    fn unused_until(&self, path: PathId) -> Option<Duration> {
        let Path { peer, kind: Kind::Live(live), opened } = self.paths.get(&path)? else {
            return None;
        };
        let used = self.live.get(peer)?;
        let beside = used.contains(&path) && used.first() != Some(&path);
        beside.then(|| live.used.unwrap_or(*opened) + UNUSED)
    }

    fn find(&self, peer: &AgentId, fits: impl Fn(&Live) -> bool) -> Option<PathId> {
        self.live.get(peer)?.iter().copied().find(|path| match self.paths.get(path) {
            Some(Path { kind: Kind::Live(live), .. }) => fits(live),
            _ => false,
        })
    }

    fn is_ours(&self, path: PathId) -> bool {
        matches!(self.paths.get(&path), Some(Path { kind: Kind::Live(live), .. }) if live.initiated)
    }

    /// Of sessions over different transports the higher is better, at both ends.
    fn rank(&self, path: PathId) -> u8 {
        match self.paths.get(&path).map(|path| &path.kind) {
            Some(Kind::Live(live)) => match live.transport {
                Transport::Quic => 3,
                Transport::Tcp => 2,
                _ => 1,
            },
            Some(Kind::Mail) | None => 0,
        }
    }

    /// Of two opened at once over one transport the one whose initiator has the lower id stays, so
    /// that both ends decide alike; else the new one is there for a reason: the peer restarted, or
    /// saw the old one die.
    fn together(&self, before: PathId, new: &Live, now: Duration) -> Together {
        let Some(Path { kind: Kind::Live(before), opened, .. }) = self.paths.get(&before) else {
            return Together::NewStays;
        };
        let restarted = before.incarnation != new.incarnation;
        if !restarted && before.transport != new.transport {
            return Together::BothStay;
        }
        let at_once = now.saturating_sub(*opened) < AT_ONCE;
        if !restarted && at_once && before.initiator < new.initiator {
            return Together::OldStays;
        }
        Together::NewStays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: AgentId = AgentId::from_bytes([1; 32]);
    const PEER: AgentId = AgentId::from_bytes([2; 32]);
    const A_MOMENT: Duration = Duration::from_millis(1);

    fn live(initiator: AgentId, incarnation: u8) -> Live {
        over(Transport::Tcp, initiator, incarnation)
    }

    fn over(transport: Transport, initiator: AgentId, incarnation: u8) -> Live {
        Live {
            transport,
            largest_frame: if transport == Transport::Udp { 100 } else { 1_000 },
            initiated: initiator == US,
            initiator,
            incarnation: Incarnation::from_bytes([incarnation; 16]),
            posture: Posture::HYBRID,
            used: None,
        }
    }

    fn replaced(paths: &mut Paths, now: Duration) -> Vec<PathId> {
        paths.take_ended(now).into_iter().map(|(path, _)| path).collect()
    }

    fn second(first: Live, second: Live, later: Duration) -> (Option<PathId>, Vec<PathId>) {
        let mut paths = Paths::default();
        paths.open_live(PathId(1), PEER, first, Duration::ZERO);
        paths.open_live(PathId(2), PEER, second, later);
        (paths.live(&PEER), replaced(&mut paths, later + DRAIN))
    }

    #[test]
    fn of_two_sessions_opened_at_once_the_lower_initiators_stays() {
        let at_once = AT_ONCE - A_MOMENT;
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
        let other_transport = over(Transport::Udp, PEER, 2);
        let after_a_restart = second(live(US, 1), other_transport, Duration::ZERO);
        assert_eq!(after_a_restart, (Some(PathId(2)), [PathId(1)].into()));
    }

    #[test]
    fn a_replaced_session_drains_for_five_seconds_and_is_named_once() {
        let mut paths = Paths::default();
        paths.open_live(PathId(1), PEER, live(US, 1), Duration::ZERO);
        let opened = paths.open_live(PathId(2), PEER, live(US, 1), Duration::ZERO);
        assert_eq!(opened, Opened { is_used: true, replaced: [PathId(1)].into() });
        assert_eq!(paths.next_timeout(), Some(DRAIN));
        assert_eq!(replaced(&mut paths, DRAIN - A_MOMENT), []);
        assert_eq!(paths.take_ended(DRAIN), [(PathId(1), CloseReason::Replaced)]);
        assert_eq!(paths.take_ended(DRAIN), []);
    }

    #[test]
    fn over_other_transports_sessions_stand_beside_each_other_and_the_best_is_used_first() {
        let transports = [Transport::Udp, Transport::Quic, Transport::Tcp];
        let mut paths = Paths::default();
        for (number, transport) in (1..).zip(transports) {
            let opened =
                paths.open_live(PathId(number), PEER, over(transport, US, 1), Duration::ZERO);
            assert_eq!(opened, Opened { is_used: true, replaced: Vec::new() });
        }
        assert_eq!(paths.live(&PEER), Some(PathId(2)));
        assert_eq!(paths.meeting(&PEER, Needs::Via(Transport::Udp)), Some(PathId(1)));
        assert_eq!(paths.meeting(&PEER, Needs::Bulk), Some(PathId(2)));
        paths.close(PathId(2));
        assert_eq!(paths.live(&PEER), Some(PathId(3)));
        paths.close(PathId(3));
        assert_eq!(paths.live(&PEER), Some(PathId(1)));
        assert_eq!(paths.meeting(&PEER, Needs::Bulk), None);
        assert_eq!(paths.carrying(&PEER, 100), Some(PathId(1)));
        assert_eq!(paths.carrying(&PEER, 101), None);
        paths.close(PathId(1));
        assert!(!paths.reaches(&PEER));
    }

    #[test]
    fn who_opened_a_session_closes_it_when_a_better_one_has_made_it_needless() {
        let mut paths = Paths::default();
        let udp = |initiator| over(Transport::Udp, initiator, 1);
        paths.open_live(PathId(1), PEER, udp(US), Duration::ZERO);
        paths.open_live(PathId(2), PEER, live(US, 1), Duration::ZERO);
        paths.used(PathId(1), UNUSED - A_MOMENT);
        assert_eq!(paths.take_ended(UNUSED), []);
        assert_eq!(paths.take_ended(UNUSED * 2 - A_MOMENT * 2), []);
        let ended = paths.take_ended(UNUSED * 2 - A_MOMENT);
        assert_eq!(ended, [(PathId(1), CloseReason::Unused)]);

        let mut paths = Paths::default();
        paths.open_live(PathId(1), PEER, udp(PEER), Duration::ZERO);
        paths.open_live(PathId(2), PEER, live(US, 1), Duration::ZERO);
        assert_eq!(paths.take_ended(UNUSED), [], "the peer opened it");
    }

    #[test]
    fn a_session_that_became_the_best_again_stays() {
        let mut paths = Paths::default();
        paths.open_live(PathId(1), PEER, over(Transport::Udp, US, 1), Duration::ZERO);
        paths.open_live(PathId(2), PEER, live(US, 1), Duration::ZERO);
        paths.close(PathId(2));
        assert_eq!(paths.take_ended(UNUSED), []);
    }

    #[test]
    fn a_session_ages_if_it_carried_data_first_for_who_opened_it_and_never_over_udp() {
        let rows = [
            (Transport::Tcp, US, Some(LIFE)),
            (Transport::Quic, PEER, Some(LIFE + GRACE)),
            (Transport::Udp, US, None),
        ];
        for (transport, initiator, life) in rows {
            let mut paths = Paths::default();
            let needs = Needs::Via(transport);
            paths.open_live(PathId(1), PEER, over(transport, initiator, 1), Duration::ZERO);
            let end = life.unwrap_or(LIFE * 10);
            assert!(!paths.is_aged(&PEER, needs, end), "nothing went over it");
            paths.used(PathId(1), Duration::ZERO);
            assert!(!paths.is_aged(&PEER, needs, end - A_MOMENT));
            assert_eq!(paths.take_aged(end - A_MOMENT), []);
            assert_eq!(paths.is_aged(&PEER, needs, end), life.is_some());
            assert_eq!(paths.take_aged(end).len(), usize::from(life.is_some()));
            assert_eq!(paths.take_aged(end), []);
        }
    }
}
