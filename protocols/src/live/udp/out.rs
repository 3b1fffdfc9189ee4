//! What comes out of an endpoint: datagrams, events, and what is to be counted.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::super::record::RecordError;
use super::super::session::{SessionError, SessionEvent};
use super::endpoint::SessionIndex;
use super::tally::UdpTally;

/// A datagram to send.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// What.
    pub datagram: Vec<u8>,
}

/// What happened at an endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum UdpEvent {
    /// Something happened in a session. One that others opened begins with `Established`.
    Session(SessionIndex, SessionEvent),
    /// A session broke, or one that was dialled did not come to be. Nothing follows.
    Ended(SessionIndex, SessionError),
    /// Somebody ended a handshake and then did not prove who it is.
    Rejected {
        /// Where it is.
        from: SocketAddr,
        /// Why.
        why: SessionError,
    },
}

/// What has not been taken out.
#[derive(Debug, Default)]
pub(super) struct Out {
    pub(super) transmits: VecDeque<Transmit>,
    pub(super) events: VecDeque<UdpEvent>,
    pub(super) tally: UdpTally,
    /// Indices that name nothing any more.
    pub(super) retired: Vec<u32>,
}

impl Out {
    pub(super) fn transmit(&mut self, to: SocketAddr, datagram: Vec<u8>) {
        self.transmits.push_back(Transmit { to, datagram });
    }

    /// What was not sealed is not sent: that is all that can be done before a peer is accepted.
    pub(super) fn transmit_sealed(
        &mut self,
        to: SocketAddr,
        datagram: Result<Vec<u8>, RecordError>,
    ) {
        if let Ok(datagram) = datagram {
            self.transmit(to, datagram);
        }
    }

    pub(super) fn event(&mut self, session: SessionIndex, event: SessionEvent) {
        self.events.push_back(UdpEvent::Session(session, event));
    }
}
