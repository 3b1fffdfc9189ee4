//! Which way a frame takes, and what comes in beside streams.

use meshwork_protocols::deferred::agent::{Envelope, Plaintext};
use meshwork_protocols::deferred::session::PacketKind;
use meshwork_protocols::deferred::wire::{FirstMessage, RatchetMessage};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::wire::{Frame, OfferedPrekeys, Payload};
use meshwork_router::{CloseReason, Input, PathChange, PathId, PathKind};

use super::Crash;
use super::process::{Process, Way};
use super::surroundings::Surroundings;
use crate::happening::Happening;
use crate::mesh::Agent;
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
            Way::Udp(session) => self.send_udp(around, session, frame),
            Way::Quic(link) => self.send_quic(around, link, frame),
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
                let inside = ciphertext(&packet)
                    .and_then(|ciphertext| around.mesh.watched.recorder.left(ciphertext))
                    .and_then(|plaintext| Plaintext::decode(&plaintext).ok());
                if let Some(inside) = inside
                    && let Ok(payload) = Payload::decode(inside.payload.expose())
                {
                    self.judge_payload(around, peer, &payload);
                }
            }
            _ => {}
        }
    }

    fn judge_payload(&self, around: &mut Surroundings<'_>, peer: &AgentId, payload: &Payload) {
        let (host, mesh) = (around.host, around.mesh);
        match payload {
            Payload::Receipts(receipts) => {
                around.checker.receipts_leave(host, mesh, &self.state, peer, receipts);
            }
            Payload::Prekeys(OfferedPrekeys { one_time: Some((_, key)), .. }) => {
                if let Some(own) = mesh.agent(host).map(Agent::id) {
                    around.checker.relays.key_leaves(own, key, *peer, None);
                }
            }
            _ => {}
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
        self.end_way(around, way);
        if let Way::Mail(_) = way {
            let opens = Happening::OpenMail(around.host, self.start, peer);
            around.later(MAIL_OPENS_AGAIN, opens);
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
        match self.path_on(Way::Mail(from)) {
            Some(path) => self.received(around, path, frame),
            None => Ok(()),
        }
    }

    /// A datagram came: QUIC sets a bit in the first byte of each packet that we never set.
    pub(super) fn datagram(
        &mut self,
        around: &mut Surroundings<'_>,
        from: Host,
        bytes: Vec<u8>,
    ) -> Result<(), Crash> {
        match bytes.first() {
            Some(first) if first & QUIC != 0 => self.quic_datagram(around, from, &bytes),
            _ => self.udp_datagram(around, from, bytes),
        }
    }
}

/// What the ratchet sealed, inside of a packet.
fn ciphertext(packet: &[u8]) -> Option<&[u8]> {
    let (envelope, inside) = Envelope::decode(packet).ok()?;
    let message = match envelope.kind() {
        PacketKind::First => FirstMessage::decode(inside).ok()?.message,
        PacketKind::Ratchet => RatchetMessage::decode(inside).ok()?,
    };
    Some(message.ciphertext)
}

/// The bit that is set in the first byte of each packet of QUIC's.
const QUIC: u8 = 0x40;

/// How long it takes until a way for mail that was closed opens again.
const MAIL_OPENS_AGAIN: std::time::Duration = std::time::Duration::from_secs(20);
