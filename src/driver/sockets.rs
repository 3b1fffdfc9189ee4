//! The UDP sockets that sessions are dialled from: those that listen, and one of no fixed port for
//! where these do not reach, opened when it is first needed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use meshwork_protocols::live::quic::QUIC_VERSION;
use meshwork_protocols::random::Random;
use meshwork_transports::{Datagrams, DialError, Port, QuicEndpoint, QuicKeys};
use tokio::time::timeout;

/// How long the last packets get.
const REST: Duration = Duration::from_secs(1);

/// The sockets to dial from.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    /// A peer that comes back to one of these finds whoever starts there next, and learns so that
    /// the session is over.
    listening: Vec<QuicEndpoint>,
    other: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    endpoint: QuicEndpoint,
    _datagrams: Datagrams,
}

impl Sockets {
    pub(crate) fn new(listening: Vec<QuicEndpoint>) -> Self {
        Self { listening, other: Mutex::default() }
    }

    /// All of them, the best first.
    pub(crate) fn diallers(&self, random: &mut dyn Random) -> Result<Vec<QuicEndpoint>, DialError> {
        let mut other = self.other.lock().unwrap_or_else(PoisonError::into_inner);
        let endpoint = match &*other {
            Some(open) => open.endpoint.clone(),
            None => {
                let opened = open_any(random.array());
                let opened = opened.map_err(|error| DialError::Unreachable(error.kind()))?;
                other.insert(opened).endpoint.clone()
            }
        };
        Ok(self.listening.iter().cloned().chain([endpoint]).collect())
    }

    /// Waits until the connections that were closed have said so: a peer that hears nothing takes
    /// a while to notice.
    pub(crate) async fn rest(&self) {
        let mut endpoints = self.listening.clone();
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

/// Of both kinds where the system has IPv6.
fn open_any(reset: [u8; 32]) -> io::Result<Open> {
    let open = |ip: IpAddr| {
        let keys = QuicKeys { version: QUIC_VERSION, server: None, reset };
        let (endpoint, _datagrams) = Port::open(SocketAddr::new(ip, 0))?.serve(keys)?;
        Ok(Open { endpoint, _datagrams })
    };
    open(Ipv6Addr::UNSPECIFIED.into()).or_else(|_: io::Error| open(Ipv4Addr::UNSPECIFIED.into()))
}
