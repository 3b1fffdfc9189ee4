//! TCP, as it is set up for sessions.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::Connection;
use crate::connection::{Reader, ReaderKind, Writer, WriterKind};

/// How long a connection may be silent before the other end is asked whether it is there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);

/// How long it has to answer before it is asked again.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);

/// How often it is asked before the connection counts as dead.
const KEEPALIVE_RETRIES: u32 = 3;

/// How long sent bytes may stay without an acknowledgement before the connection counts as dead.
/// What was on it is sent again on the next one.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Opens a connection.
pub(crate) async fn connect(address: SocketAddr) -> io::Result<Connection> {
    connection(TcpStream::connect(address).await?, address)
}

/// Sets a stream up.
pub(crate) fn connection(stream: TcpStream, remote: SocketAddr) -> io::Result<Connection> {
    // What is written together is handed over together; nothing is to wait for more.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    #[cfg(not(windows))]
    let keepalive = keepalive.with_retries(KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    let (reader, writer) = stream.into_split();
    Ok(Connection::new(Reader(ReaderKind::Tcp(reader)), Writer(WriterKind::Tcp(writer)), remote))
}
