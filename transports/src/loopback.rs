//! Two ends in one process, for tests: no socket, and as slow as the other end reads.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{DuplexStream, duplex, split};

use crate::Connection;
use crate::connection::{Reader, ReaderKind, Writer, WriterKind};

/// Two ends of one stream, with at most `buffered` bytes on the way in each direction.
pub fn pair(buffered: usize) -> (Connection, Connection) {
    let (one, other) = duplex(buffered);
    (connection(one, 1), connection(other, 2))
}

/// Each end sees the other at a port of its own.
fn connection(stream: DuplexStream, port: u16) -> Connection {
    let (reader, writer) = split(stream);
    let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Connection::new(
        Reader(ReaderKind::Loopback(reader)),
        Writer(WriterKind::Loopback(writer)),
        remote,
    )
}
