//! The UDP sockets that sessions are dialled from: those that listen, and one of no fixed port for
//! where these do not reach, opened when it is first needed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meshwork_protocols::live::quic::QUIC_VERSION;
use meshwork_protocols::random::Random;
use meshwork_transports::{Datagrams, DialError, Port, QuicEndpoint, QuicKeys};
use tokio::time::timeout;

use super::Shared;
use super::udp_port::UdpPort;

/// How long the last packets get.
const REST: Duration = Duration::from_secs(1);

/// The sockets to dial from.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    /// A peer that comes back to one of these finds whoever starts there next, and learns so that
    /// the session is over.
    listening: Vec<QuicEndpoint>,
    other: Mutex<Option<Open>>,
    /// UDP from the latter.
    udp: Mutex<Option<UdpPort>>,
}

#[derive(Debug)]
struct Open {
    endpoint: QuicEndpoint,
    /// Until somebody is dialled over UDP.
    datagrams: Option<Datagrams>,
}

impl Sockets {
    pub(crate) fn new(listening: Vec<QuicEndpoint>) -> Self {
        Self { listening, other: Mutex::default(), udp: Mutex::default() }
    }

    /// All of them, the best first.
    pub(crate) fn diallers(&self, random: &mut dyn Random) -> Result<Vec<QuicEndpoint>, DialError> {
        let endpoint = self.with_other(random, |open| open.endpoint.clone())?;
        Ok(self.listening.iter().cloned().chain([endpoint]).collect())
    }

    /// The port to dial from over UDP, served from then on. One that listens may be bound to where
    /// no peer is.
    pub(crate) fn udp(&self, shared: &Arc<Shared>) -> Result<UdpPort, DialError> {
        let mut udp = self.udp.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = &*udp {
            return Ok(port.clone());
        }
        let random = &mut *shared.provider().random();
        let datagrams = self.with_other(random, |open| open.datagrams.take())?;
        let datagrams = datagrams.ok_or(DialError::Unreachable(io::ErrorKind::AddrNotAvailable))?;
        let port = UdpPort::dialling(shared);
        shared.runtime.spawn(port.clone().serve(datagrams, None));
        Ok(udp.insert(port).clone())
    }

    /// Does something with the socket of no fixed port.
    fn with_other<T>(
        &self,
        random: &mut dyn Random,
        work: impl FnOnce(&mut Open) -> T,
    ) -> Result<T, DialError> {
        let mut other = self.other.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &mut *other {
            return Ok(work(open));
        }
        let opened = open_any(random.array());
        let opened = opened.map_err(|error| DialError::Unreachable(error.kind()))?;
        Ok(work(other.insert(opened)))
    }

    /// Waits until the connections that were closed have said so: a peer that hears nothing takes
    /// a while to notice.
    pub(crate) async fn rest(&self) {
        let mut endpoints = self.listening.clone();
        if let Some(port) = self.udp.lock().unwrap_or_else(PoisonError::into_inner).take() {
            port.stop();
        }
        let other = self.other.lock().unwrap_or_else(PoisonError::into_inner).take();
        endpoints.extend(other.map(|open| open.endpoint));
        let _ = timeout(REST, async {
            for endpoint in endpoints {
                endpoint.wait_idle().await;
            }
        })
        .await;
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        if let Some(port) = self.udp.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            port.stop();
        }
    }
}

/// Of both kinds where the system has IPv6.
fn open_any(reset: [u8; 32]) -> io::Result<Open> {
    let open = |ip: IpAddr| {
        let keys = QuicKeys { version: QUIC_VERSION, server: None, reset };
        let (endpoint, datagrams) = Port::open(SocketAddr::new(ip, 0))?.serve(keys)?;
        Ok(Open { endpoint, datagrams: Some(datagrams) })
    };
    open(Ipv6Addr::UNSPECIFIED.into()).or_else(|_: io::Error| open(Ipv4Addr::UNSPECIFIED.into()))
}
