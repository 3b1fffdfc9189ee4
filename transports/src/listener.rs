//! What others dial.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::Connection;
use crate::tcp;

/// A socket that takes connections.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Listens for TCP on this address; port 0 takes a free one.
    pub async fn tcp(address: SocketAddr) -> io::Result<Self> {
        Ok(Self(TcpListener::bind(address).await?))
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Waits for somebody. An error is that of one connection, or says that the process has no
    /// more sockets: another may come. Dropping the future loses nothing.
    pub async fn accept(&self) -> io::Result<Connection> {
        let (stream, remote) = self.0.accept().await?;
        tcp::connection(stream, remote)
    }
}
