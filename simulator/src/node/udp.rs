//! Live sessions over the virtual network's datagrams: the product's UDP sessions, unchanged.

use std::sync::Arc;

use meshwork_protocols::live::udp::{SessionIndex, UdpEvent};

use super::Crash;
use super::process::{Process, Way};
use super::surroundings::Surroundings;
use crate::broken::Broken;
use crate::network::Host;

impl Process {
    /// Dials the agent at `host`; nothing where it cannot be dialled.
    pub(super) fn dial_udp(&mut self, around: &mut Surroundings<'_>, host: Host) -> Option<Way> {
        let card = Arc::clone(around.mesh.agent(host)?.card());
        let session = self.udp.dial(around.read_clock(), host.address(), card).ok()?;
        self.flush_udp(around);
        Some(Way::Udp(session))
    }

    /// A datagram came that is none of QUIC's.
    pub(super) fn udp_datagram(
        &mut self,
        around: &mut Surroundings<'_>,
        from: Host,
        mut bytes: Vec<u8>,
    ) -> Result<(), Crash> {
        self.udp.receive(around.read_clock(), from.address(), &mut bytes);
        self.after_udp(around)
    }

    /// Does what the sessions want.
    pub(super) fn after_udp(&mut self, around: &mut Surroundings<'_>) -> Result<(), Crash> {
        self.flush_udp(around);
        while let Some(event) = self.udp.poll_event() {
            match event {
                UdpEvent::Session(session, event) => {
                    self.session_event(around, Way::Udp(session), event)?;
                }
                UdpEvent::Ended(session, _) => self.way_ended(around, Way::Udp(session))?,
                // Somebody who did not prove who it is.
                _ => {}
            }
        }
        self.flush_udp(around);
        Ok(())
    }

    /// Seals a frame and sends it.
    pub(super) fn send_udp(
        &mut self,
        around: &mut Surroundings<'_>,
        session: SessionIndex,
        frame: &[u8],
    ) {
        let echoes = self.habits.broken == Some(Broken::EchoesDatagrams);
        if let Some(datagrams) = self.echoes.get(&(session, frame.to_vec())) {
            for (to, bytes) in datagrams.clone() {
                put_on_the_wire(around, to, bytes);
            }
            return;
        }
        self.flush_udp(around);
        // What a session does not take, the router sends again.
        let _ = self.udp.send(around.read_clock(), session, frame);
        let sent = self.flush_udp(around);
        if echoes {
            self.echoes.insert((session, frame.to_vec()), sent);
        }
    }

    pub(super) fn end_udp(&mut self, around: &mut Surroundings<'_>, session: SessionIndex) {
        self.udp.close(around.read_clock(), session);
        self.flush_udp(around);
    }

    /// Sends what is to be sent, and returns it.
    fn flush_udp(&mut self, around: &mut Surroundings<'_>) -> Vec<(Host, Vec<u8>)> {
        let mut sent = Vec::new();
        while let Some(transmit) = self.udp.poll_transmit() {
            if let Some(to) = Host::at(transmit.to) {
                sent.push((to, transmit.datagram.clone()));
                put_on_the_wire(around, to, transmit.datagram);
            }
        }
        sent
    }
}

/// Sends a datagram.
pub(super) fn put_on_the_wire(around: &mut Surroundings<'_>, to: Host, bytes: Vec<u8>) {
    around.trace.bytes(&bytes);
    around.checker.datagram_leaves(around.host, &bytes);
    around.network.send_datagram(around.host, to, bytes, around.queue);
}
