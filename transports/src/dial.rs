//! Opening a connection to an address of a card.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use meshwork_protocols::identity::{Address, Endpoint, Host, Transport};
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::{Connection, race, tcp};

/// How long a host may take to answer: over any distance on earth a connection stands within a
/// second or two, or after a lost packet within four.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);

/// How long the addresses of one name get until the next is tried too (RFC 8305, section 5).
pub(crate) const STAGGER: Duration = Duration::from_millis(250);

/// The most addresses of one name that are tried.
const ADDRESSES: usize = 8;

/// Opens a connection to an address. Dropping the future gives it up.
pub async fn dial(address: &Address) -> Result<Connection, DialError> {
    match address.transport {
        Transport::Tcp => timeout(CONNECT, dial_tcp(&address.endpoint))
            .await
            .unwrap_or(Err(DialError::Unreachable(io::ErrorKind::TimedOut))),
        other => Err(DialError::Unsupported(other)),
    }
}

/// Whether this build can dial over a transport.
pub const fn can_dial(transport: Transport) -> bool {
    match transport {
        Transport::Tcp => true,
        _ => cfg!(feature = "quic"),
    }
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// This build does not speak the transport.
    #[error("this build does not dial over {0}")]
    Unsupported(Transport),
    /// The host's name leads nowhere.
    #[error("the host is not known")]
    UnknownHost,
    /// Nothing answers there.
    #[error("nothing answers there: {0}")]
    Unreachable(io::ErrorKind),
}

async fn dial_tcp(endpoint: &Endpoint) -> Result<Connection, DialError> {
    let ways = resolve(endpoint).await?.into_iter().map(tcp::connect);
    race(ways, STAGGER).await.map_err(|errors: Vec<io::Error>| match errors.last() {
        Some(error) => DialError::Unreachable(error.kind()),
        None => DialError::UnknownHost,
    })
}

/// Where a name or an address leads.
pub async fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, DialError> {
    if let Some(address) = endpoint.socket_addr() {
        return Ok(vec![address]);
    }
    let Host::Name(name) = endpoint.host() else { return Err(DialError::UnknownHost) };
    let found = lookup_host((name.as_str(), endpoint.port())).await;
    Ok(found.map_err(|_| DialError::UnknownHost)?.take(ADDRESSES).collect())
}
