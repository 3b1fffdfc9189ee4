//! A session that stands, as those see it who use it: handles, handlers and the driver. Its line
//! carries it.

mod calls;

use std::future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::live::{PeerInfo, datagram};
use meshwork_protocols::time::Timestamp;
use meshwork_router::{Needs, PathId};

pub(crate) use self::calls::CallNotBegun;
use self::calls::Desk;
use super::carrier::{Carrier, Carries};
use super::outbound::{Lane, Outbound, Refused};
use crate::agent::DealingsTally;
use crate::streams::SessionStreams;

/// How often the driver hears that a session is used.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// A session that stands.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) peer: AgentId,
    pub(crate) path: PathId,
    pub(crate) carries: Carries,
    /// What waits to go out.
    pub(crate) outbound: Outbound,
    pub(crate) tally: Arc<DealingsTally>,
    /// Its streams, where the transport carries any.
    pub(crate) streams: Option<SessionStreams>,
    desk: Mutex<Desk>,
    used: AtomicBool,
    /// In which span of [`TELL_EVERY`] the driver heard that it is used, from one; zero for none.
    told: AtomicU64,
}

impl Session {
    pub(crate) fn new(
        peer: &PeerInfo,
        path: PathId,
        carrier: &Carrier,
        tally: Arc<DealingsTally>,
    ) -> Self {
        let carries = carrier.carries();
        Self {
            peer: peer.agent,
            path,
            carries,
            outbound: Outbound::default(),
            tally,
            streams: carrier.streams(peer.role),
            desk: Mutex::new(Desk::new(carries)),
            used: AtomicBool::new(false),
            told: AtomicU64::new(0),
        }
    }

    /// Whether it offers what is needed.
    pub(crate) fn meets(&self, needs: Needs) -> bool {
        needs.allow(self.carries.transport)
    }

    /// Sends a datagram, which may be lost: here too, where more wait than the path takes.
    pub(crate) fn send_datagram(&self, body: &[u8]) -> Result<(), DatagramNotSent> {
        let frame = datagram::encode(body).ok_or(DatagramNotSent::TooLarge)?;
        self.count_use();
        match self.outbound.push(Lane::Datagrams, vec![frame]) {
            Err(Refused::Ending) => Err(DatagramNotSent::Over),
            Ok(()) | Err(Refused::Overfull) => Ok(()),
        }
    }

    /// It is used once more, instead of a new one.
    pub(crate) fn count_use(&self) {
        if self.used.swap(true, Ordering::Relaxed) {
            self.tally.reused();
        }
    }

    /// Waits until streams have something to send.
    pub(super) async fn streams_changed(&self) {
        match &self.streams {
            Some(SessionStreams::Muxed(streams)) => streams.changed().await,
            _ => future::pending().await,
        }
    }

    /// Whether the driver is to hear that the session is used, and has not lately.
    pub(super) fn wants_telling(&self, now: Timestamp) -> bool {
        let span = now.monotonic.as_secs() / TELL_EVERY.as_secs() + 1;
        self.used.load(Ordering::Relaxed) && self.told.swap(span, Ordering::Relaxed) != span
    }
}

/// Why a datagram was not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DatagramNotSent {
    TooLarge,
    /// The session is over.
    Over,
}
