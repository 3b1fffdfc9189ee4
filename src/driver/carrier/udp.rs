//! UDP: a session in the endpoint of its port.

use std::net::SocketAddr;
use std::sync::Arc;

use meshwork_protocols::identity::{Address, Transport};
use meshwork_protocols::live::udp::SessionIndex;
use meshwork_protocols::live::{Dial, SendError, SessionError, SessionEvent};
use meshwork_transports::{DialError, resolve};
use tokio::sync::Notify;

use super::CarrierError;
use crate::agent::FetchError;
use crate::driver::Shared;
use crate::driver::udp_port::UdpPort;

/// A session over UDP. Dropped, it ends, in good order.
#[derive(Debug)]
pub(crate) struct UdpCarrier {
    port: UdpPort,
    session: SessionIndex,
    changed: Arc<Notify>,
    /// Where the peer was at first.
    remote: SocketAddr,
    /// Why it is over, once that was told.
    broken: Option<SessionError>,
}

impl UdpCarrier {
    pub(super) async fn dial(
        shared: &Arc<Shared>,
        dial: Dial,
        address: &Address,
    ) -> Result<Self, FetchError> {
        // Cards are fetched over QUIC and TCP.
        let Dial::Session(card) = dial else {
            return Err(DialError::Unsupported(Transport::Udp).into());
        };
        let to = resolve(&address.endpoint).await?;
        let to = *to.first().ok_or(DialError::UnknownHost)?;
        let port = shared.sockets.udp(shared)?;
        let (session, changed) = port.dial(to, card).map_err(FetchError::Session)?;
        Ok(Self::new(port, session, changed, to))
    }

    pub(crate) fn new(
        port: UdpPort,
        session: SessionIndex,
        changed: Arc<Notify>,
        remote: SocketAddr,
    ) -> Self {
        Self { port, session, changed, remote, broken: None }
    }

    pub(super) fn remote(&self) -> SocketAddr {
        self.port.remote(self.session).unwrap_or(self.remote)
    }

    pub(super) async fn open(&mut self) -> Result<SessionEvent, CarrierError> {
        loop {
            if let Some(event) = self.port.poll(self.session) {
                return event.map_err(CarrierError::Session);
            }
            self.port.rest();
            self.changed.notified().await;
        }
    }

    pub(super) async fn progress(&mut self, may_read: bool) -> Result<(), CarrierError> {
        if let Some(error) = self.broken {
            return Err(error.into());
        }
        while !self.port.has_news(self.session, may_read) {
            self.port.rest();
            self.changed.notified().await;
        }
        Ok(())
    }

    pub(super) fn room(&self) -> usize {
        self.port.room(self.session)
    }

    pub(super) fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        self.port.send(self.session, frame)
    }

    pub(super) fn poll(&mut self) -> Option<SessionEvent> {
        match self.port.poll(self.session)? {
            Ok(event) => Some(event),
            Err(error) => {
                self.broken = Some(error);
                None
            }
        }
    }
}

impl Drop for UdpCarrier {
    fn drop(&mut self) {
        self.port.close(self.session);
    }
}
