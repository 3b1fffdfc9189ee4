//! Live sessions over QUIC, on the same port as those over datagrams of our own.

use std::sync::Arc;

use super::Crash;
use super::process::{Process, Way};
use super::surroundings::Surroundings;
use super::udp::put_on_the_wire;
use crate::network::Host;
use crate::quic::{QuicEvent, QuicIndex};

impl Process {
    /// Dials the agent at `host`; nothing where it cannot be dialled.
    pub(super) fn dial_quic(&mut self, around: &mut Surroundings<'_>, host: Host) -> Option<Way> {
        let card = Arc::clone(around.mesh.agent(host)?.card());
        let link = self.quic.dial(around.read_clock(), host, card).ok()?;
        self.flush_quic(around);
        Some(Way::Quic(link))
    }

    /// A packet of QUIC's came.
    pub(super) fn quic_datagram(
        &mut self,
        around: &mut Surroundings<'_>,
        from: Host,
        bytes: &[u8],
    ) -> Result<(), Crash> {
        self.quic.receive(around.read_clock(), from, bytes);
        self.after_quic(around)
    }

    /// Does what the connections want.
    pub(super) fn after_quic(&mut self, around: &mut Surroundings<'_>) -> Result<(), Crash> {
        self.flush_quic(around);
        while let Some((link, event)) = self.quic.poll() {
            match event {
                QuicEvent::Session(event) => self.session_event(around, Way::Quic(link), event)?,
                QuicEvent::Lost => self.way_ended(around, Way::Quic(link))?,
            }
        }
        self.flush_quic(around);
        Ok(())
    }

    pub(super) fn send_quic(
        &mut self,
        around: &mut Surroundings<'_>,
        link: QuicIndex,
        frame: &[u8],
    ) {
        self.quic.send(around.read_clock(), link, frame);
        self.flush_quic(around);
    }

    pub(super) fn end_quic(&mut self, around: &mut Surroundings<'_>, link: QuicIndex) {
        self.quic.close(around.read_clock(), link);
        self.flush_quic(around);
    }

    fn flush_quic(&mut self, around: &mut Surroundings<'_>) {
        for (to, bytes) in self.quic.take_transmits() {
            put_on_the_wire(around, to, bytes);
        }
    }
}
