//! Which way a frame takes, and how a peer is looked for.

use std::sync::Arc;

use meshwork_protocols::identity::{AgentId, Transport};
use meshwork_protocols::posture::Posture;
use meshwork_protocols::wire::{Frame, Payload};
use meshwork_router::{CloseReason, Input, PathChange, PathId, PathKind};

use super::Crash;
use super::process::{Process, Search, Way};
use super::surroundings::Surroundings;
use crate::broken::Broken;
use crate::datagrams::{DatagramEvent, SessionIndex};
use crate::happening::Happening;
use crate::network::Host;
use crate::note::{Decision, FrameKind};

impl Process {
    /// Puts a frame on its path. One that is gone is no error.
    pub(super) fn transmit(&mut self, around: &mut Surroundings<'_>, path: PathId, frame: &[u8]) {
        let Some((way, peer)) = self.ways.get(&path).copied() else { return };
        if let Some(to) = around.mesh.host(&peer) {
            around.decided(&Decision::Transmit(FrameKind::of(frame), to));
        }
        self.judge_frame(around, &peer, frame);
        let changed = self.habits.mischief(around.is_calm, frame, &mut self.random);
        let frame = changed.as_deref().unwrap_or(frame);
        match way {
            Way::Stream(stream) => self.send_on_stream(around, stream, frame),
            Way::Datagrams(index) => self.send_datagram(around, index, frame),
            Way::Mail(host) => {
                around.trace.bytes(frame);
                around.network.send_mail(around.host, host, frame.to_vec(), around.queue);
            }
        }
    }

    /// What leaves is judged before it is sealed by its path.
    fn judge_frame(&self, around: &mut Surroundings<'_>, peer: &AgentId, frame: &[u8]) {
        match Frame::decode(frame) {
            Ok(Frame::Clear(payload)) => self.judge_payload(around, peer, &payload),
            Ok(Frame::Sealed(packet)) => {
                if let Some(plaintext) = around.mesh.watched.recorder.left(&packet)
                    && let Ok(payload) = Payload::decode(&plaintext)
                {
                    self.judge_payload(around, peer, &payload);
                }
            }
            _ => {}
        }
    }

    fn judge_payload(&self, around: &mut Surroundings<'_>, peer: &AgentId, payload: &Payload) {
        if let Payload::Receipts(receipts) = payload {
            let (host, mesh) = (around.host, around.mesh);
            around.checker.receipts_leave(host, mesh, &self.state, peer, receipts);
        }
    }

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

    /// What was tried last did not work.
    pub(super) fn dial_failed(
        &mut self,
        around: &mut Surroundings<'_>,
        search: Search,
    ) -> Result<(), Crash> {
        if self.dialling.contains_key(&search) {
            self.dial_next(around, search);
        }
        self.settle(around)
    }

    /// A session stands: what it will do for is not looked for any more.
    pub(super) fn dial_ended(&mut self, peer: AgentId, transport: Transport) {
        self.dialling.retain(|(of, needs), _| *of != peer || !needs.allow(transport));
    }

    fn dial_next(&mut self, around: &mut Surroundings<'_>, search: Search) {
        let (peer, needs) = search;
        let next = self.dialling.get_mut(&search).and_then(Vec::pop);
        match (next, around.mesh.host(&peer)) {
            (Some(Transport::Tcp), Some(host)) => self.call(around, host, search),
            (Some(_), Some(host)) => {
                let now = around.read_clock().monotonic;
                let index = self.datagrams.dial(now, host, peer, &mut self.random);
                self.datagram_dials.insert(index, search);
                self.flush_datagrams(around);
            }
            _ => {
                self.dialling.remove(&search);
                let change = PathChange::DialFailed { peer, needs };
                self.router.handle(around.read_clock(), Input::PathChanged(change));
            }
        }
    }

    /// The router gives a path up.
    pub(super) fn close(
        &mut self,
        around: &mut Surroundings<'_>,
        path: PathId,
        reason: CloseReason,
    ) {
        let Some((way, peer)) = self.ways.get(&path).copied() else { return };
        if let Some(to) = around.mesh.host(&peer) {
            around.decided(&Decision::Close(to, reason));
        }
        match way {
            Way::Stream(stream) => self.end_stream(around, stream),
            Way::Datagrams(index) => {
                self.datagrams.close(index);
                self.flush_datagrams(around);
            }
            Way::Mail(_) => {
                let opens = Happening::OpenMail(around.host, self.start, peer);
                around.later(MAIL_OPENS_AGAIN, opens);
            }
        }
        // The router may be in the middle of its outputs: what it makes of this comes behind them.
        self.ways.remove(&path);
        let change = PathChange::Closed(path);
        self.router.handle(around.read_clock(), Input::PathChanged(change));
    }

    /// A way for mail to a peer opens.
    pub(super) fn open_mail(
        &mut self,
        around: &mut Surroundings<'_>,
        peer: AgentId,
    ) -> Result<(), Crash> {
        let Some(host) = around.mesh.host(&peer) else { return Ok(()) };
        let path = self.next_path();
        self.open_path(around, path, Way::Mail(host), (peer, PathKind::Mail))
    }

    /// A piece of mail came.
    pub(super) fn mail(
        &mut self,
        around: &mut Surroundings<'_>,
        from: Host,
        frame: &[u8],
    ) -> Result<(), Crash> {
        let path = self.ways.iter().find(|(_, (way, _))| *way == Way::Mail(from));
        match path.map(|(path, _)| *path) {
            Some(path) => self.received(around, path, frame),
            None => Ok(()),
        }
    }

    /// A datagram came.
    pub(super) fn datagram(
        &mut self,
        around: &mut Surroundings<'_>,
        from: Host,
        bytes: &[u8],
    ) -> Result<(), Crash> {
        let now = around.read_clock().monotonic;
        self.datagrams.receive(now, from, bytes, &mut self.random);
        self.after_datagrams(around)
    }

    /// Does what the datagram sessions want.
    pub(super) fn after_datagrams(&mut self, around: &mut Surroundings<'_>) -> Result<(), Crash> {
        self.flush_datagrams(around);
        while let Some((index, event)) = self.datagrams.poll() {
            self.datagram_event(around, index, event)?;
        }
        self.flush_datagrams(around);
        Ok(())
    }

    fn datagram_event(
        &mut self,
        around: &mut Surroundings<'_>,
        index: SessionIndex,
        event: DatagramEvent,
    ) -> Result<(), Crash> {
        let path = self.ways.iter().find(|(_, (way, _))| *way == Way::Datagrams(index));
        let path = path.map(|(path, _)| *path);
        match event {
            DatagramEvent::Opened { peer, initiated, lineage, remembered } => {
                self.datagram_dials.remove(&index);
                self.dial_ended(peer, Transport::Udp);
                let host = around.mesh.host(&peer);
                let Some(agent) = host.and_then(|host| around.mesh.agent(host)) else {
                    return Ok(());
                };
                let kind = PathKind::Live {
                    transport: Transport::Udp,
                    largest_frame: LARGEST_DATAGRAM,
                    initiated,
                    posture: Posture::HYBRID,
                    card: Arc::clone(agent.card()),
                    lineage,
                    remembered,
                };
                let path = self.next_path();
                self.open_path(around, path, Way::Datagrams(index), (peer, kind))
            }
            DatagramEvent::Frame(frame) => match path {
                Some(path) => self.received(around, path, &frame),
                None => Ok(()),
            },
            DatagramEvent::Closed { .. } => match (path, self.datagram_dials.remove(&index)) {
                (Some(path), _) => self.close_path(around, path),
                (None, Some(search)) => self.dial_failed(around, search),
                (None, None) => Ok(()),
            },
        }
    }

    fn send_datagram(&mut self, around: &mut Surroundings<'_>, index: SessionIndex, frame: &[u8]) {
        let echoes = self.habits.broken == Some(Broken::EchoesDatagrams);
        if let Some((to, bytes)) = self.echoes.get(&(index, frame.to_vec())) {
            around.network.send_datagram(around.host, *to, bytes.clone(), around.queue);
            return;
        }
        self.datagrams.send(around.read_clock().monotonic, index, frame);
        for (to, bytes) in self.datagrams.take_transmit() {
            if echoes {
                self.echoes.insert((index, frame.to_vec()), (to, bytes.clone()));
            }
            put_on_the_wire(around, to, bytes);
        }
    }

    fn flush_datagrams(&mut self, around: &mut Surroundings<'_>) {
        for (to, bytes) in self.datagrams.take_transmit() {
            put_on_the_wire(around, to, bytes);
        }
    }
}

fn put_on_the_wire(around: &mut Surroundings<'_>, to: Host, bytes: Vec<u8>) {
    around.trace.bytes(&bytes);
    around.network.send_datagram(around.host, to, bytes, around.queue);
}

/// The most bytes of a frame in a datagram.
const LARGEST_DATAGRAM: usize = 64 << 10;

/// How long it takes until a way for mail that was closed opens again.
const MAIL_OPENS_AGAIN: std::time::Duration = std::time::Duration::from_secs(20);
