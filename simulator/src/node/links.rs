//! Live sessions over whatever carries them: how one stands, and how it ends.

use std::sync::Arc;

use meshwork_protocols::identity::Transport;
use meshwork_protocols::live::udp::MAX_UDP_CLEAR;
use meshwork_protocols::live::{PeerInfo, Role, SessionEvent};
use meshwork_protocols::wire::MAX_FRAME;
use meshwork_router::{Input, PathChange, PathId, PathKind};

use super::Crash;
use super::process::{Process, Search, Way};
use super::surroundings::Surroundings;
use crate::network::Host;
use crate::note::{Decision, Deed};

impl Way {
    /// What a session on it goes over.
    pub(super) const fn transport(self) -> Option<Transport> {
        match self {
            Self::Stream(_) => Some(Transport::Tcp),
            Self::Udp(_) => Some(Transport::Udp),
            Self::Quic(_) => Some(Transport::Quic),
            Self::Mail(_) => None,
        }
    }
}

impl Process {
    /// Looks for a live session with a peer, over one transport after the other.
    pub(super) fn dial(&mut self, around: &mut Surroundings<'_>, search: Search) {
        let (peer, needs) = search;
        if let Some(to) = around.mesh.host(&peer) {
            around.decided(&Decision::Dial(to, needs));
        }
        let mut transports = self.habits.transports(&mut self.random);
        transports.retain(|transport| needs.allow(*transport));
        self.dialling.insert(search, transports);
        self.dial_next(around, search);
    }

    /// The path on a way, if one stands.
    pub(super) fn path_on(&self, way: Way) -> Option<PathId> {
        let found = self.ways.iter().find(|(_, (of, _))| *of == way);
        found.map(|(path, _)| *path)
    }

    /// Something happened in the session on a way.
    pub(super) fn session_event(
        &mut self,
        around: &mut Surroundings<'_>,
        way: Way,
        event: SessionEvent,
    ) -> Result<(), Crash> {
        match event {
            SessionEvent::Established(peer) => self.established(around, way, *peer),
            // The router may have closed the path at an earlier frame of the same bytes.
            SessionEvent::Frame(frame) => match self.path_on(way) {
                Some(path) => self.received(around, path, &frame),
                None => Ok(()),
            },
            SessionEvent::CardWanted => self.dial_again(around, way),
            _ => self.way_ended(around, way),
        }
    }

    /// A way is of no more use: the router hears of it, or the search goes on.
    pub(super) fn way_ended(
        &mut self,
        around: &mut Surroundings<'_>,
        way: Way,
    ) -> Result<(), Crash> {
        let (path, dialled) = (self.path_on(way), self.dialled.remove(&way));
        self.let_go(around, way);
        match (path, dialled) {
            (Some(path), _) => self.close_path(around, path),
            (None, Some(search)) => self.dial_failed(around, search),
            (None, None) => Ok(()),
        }
    }

    fn established(
        &mut self,
        around: &mut Surroundings<'_>,
        way: Way,
        peer: PeerInfo,
    ) -> Result<(), Crash> {
        let Some(transport) = way.transport() else { return Ok(()) };
        if let Some(host) = around.mesh.host(&peer.agent) {
            around.did(&Deed::Stands(transport, host));
        }
        let ours = around.mesh.agent(around.host).map(|agent| agent.card().sequence());
        self.book.learn(Arc::clone(&peer.card));
        self.book.set_holder(peer.agent, Some(peer.used) == ours);
        self.dialled.remove(&way);
        // What it will do for is not looked for any more.
        self.dialling.retain(|(of, needs), _| *of != peer.agent || !needs.allow(transport));
        let kind = PathKind::Live {
            transport,
            largest_frame: if transport.is_reliable() { MAX_FRAME } else { MAX_UDP_CLEAR },
            initiated: peer.role == Role::Initiator,
            posture: peer.posture,
            card: peer.card,
            lineage: peer.lineage,
            remembered: peer.remembered,
        };
        let path = self.next_path();
        self.open_path(around, path, way, (peer.agent, kind))
    }

    /// The peer lacks our card: it gets it.
    fn dial_again(&mut self, around: &mut Surroundings<'_>, way: Way) -> Result<(), Crash> {
        let (dialled, transport) = (self.dialled.remove(&way), way.transport());
        self.let_go(around, way);
        if let (Some(search), Some(transport)) = (dialled, transport) {
            self.book.set_holder(search.0, false);
            if let Some(host) = around.mesh.host(&search.0) {
                self.dial_over(around, transport, host, search);
            }
        }
        self.settle(around)
    }

    /// What was tried last did not work.
    fn dial_failed(&mut self, around: &mut Surroundings<'_>, search: Search) -> Result<(), Crash> {
        if self.dialling.contains_key(&search) {
            self.dial_next(around, search);
        }
        self.settle(around)
    }

    fn dial_next(&mut self, around: &mut Surroundings<'_>, search: Search) {
        let (peer, needs) = search;
        let next = self.dialling.get_mut(&search).and_then(Vec::pop);
        if let (Some(transport), Some(host)) = (next, around.mesh.host(&peer)) {
            self.dial_over(around, transport, host, search);
            return;
        }
        self.dialling.remove(&search);
        let change = PathChange::DialFailed { peer, needs };
        self.router.handle(around.read_clock(), Input::PathChanged(change));
    }

    fn dial_over(
        &mut self,
        around: &mut Surroundings<'_>,
        transport: Transport,
        host: Host,
        search: Search,
    ) {
        around.did(&Deed::Tries(transport, host));
        let way = match transport {
            Transport::Tcp => Some(self.call(around, host)),
            Transport::Quic => self.dial_quic(around, host),
            _ => self.dial_udp(around, host),
        };
        match way {
            Some(way) => {
                self.dialled.insert(way, search);
            }
            None => self.dial_next(around, search),
        }
    }

    /// Lets go of what carries a way.
    fn let_go(&mut self, around: &mut Surroundings<'_>, way: Way) {
        match way {
            Way::Stream(stream) => self.forget_stream(around, stream),
            Way::Udp(_) | Way::Quic(_) => self.end_way(around, way),
            Way::Mail(_) => {}
        }
    }

    /// Ends what carries a way, in good order.
    pub(super) fn end_way(&mut self, around: &mut Surroundings<'_>, way: Way) {
        match way {
            Way::Stream(stream) => self.end_stream(around, stream),
            Way::Udp(session) => self.end_udp(around, session),
            Way::Quic(link) => self.end_quic(around, link),
            Way::Mail(_) => {}
        }
    }
}
