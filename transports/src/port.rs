//! One UDP socket for two protocols, so that one port is all that an agent needs.
//!
//! A QUIC packet always has bit 0x40 of its first byte set (RFC 9000, section 17; we do not grease
//! it), and a packet of Meshwork's own begins with a byte below 0x10. What begins otherwise is
//! nobody's. Knows nothing of what stands behind that byte.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};
use tokio::sync::mpsc;

use crate::quic::{QuicEndpoint, QuicKeys};

/// How many datagrams may wait to be taken: with 1,232 bytes each 1.2 MiB. What comes then is lost,
/// as a datagram may be.
const WAITING_DATAGRAMS: usize = 1_024;

/// How many buffers are given to the kernel at a time, of the 32 that QUIC reserves. Each holds up to
/// 64 datagrams of one sender (94 KB), so that a flood fills less than a mebibyte of them, and who
/// sends much is still read hundreds of datagrams at a time.
const BUFFERS: usize = 8;

/// A UDP socket that is open and not yet read.
#[derive(Debug)]
pub struct Port(std::net::UdpSocket);

impl Port {
    /// Opens one; port 0 takes a free one.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        std::net::UdpSocket::bind(address).map(Self)
    }

    /// Where it is.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Reads it, for QUIC and for datagrams of our own. Needs a runtime around it.
    pub fn serve(self, keys: QuicKeys) -> io::Result<(QuicEndpoint, Datagrams)> {
        let socket = TokioRuntime.wrap_udp_socket(self.0)?;
        let (others, incoming) = mpsc::channel(WAITING_DATAGRAMS);
        let sorted = Arc::new(Sorted { socket: Arc::clone(&socket), others });
        let endpoint = QuicEndpoint::new(sorted, keys)?;
        // The endpoint reads the socket for both.
        let datagrams = Datagrams { socket, incoming, _reads: endpoint.clone() };
        Ok((endpoint, datagrams))
    }
}

/// The datagrams of a socket that are our own.
pub struct Datagrams {
    socket: Arc<dyn AsyncUdpSocket>,
    incoming: mpsc::Receiver<Datagram>,
    _reads: QuicEndpoint,
}

/// One that came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Datagram {
    /// Who sent it, or says so.
    pub from: SocketAddr,
    /// Its first byte is below 0x10.
    pub bytes: Vec<u8>,
}

impl Datagrams {
    /// Where the socket is.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for a datagram; `None` once the endpoint has gone. Dropping the future loses nothing.
    pub async fn receive(&mut self) -> Option<Datagram> {
        self.incoming.recv().await
    }

    /// The next one, if it is here already.
    pub fn try_receive(&mut self) -> Option<Datagram> {
        self.incoming.try_recv().ok()
    }

    /// Sends a datagram, if the socket takes it now: `WouldBlock` where it does not.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let to = match (to.ip(), self.socket.local_addr()?.is_ipv6()) {
            (IpAddr::V4(ip), true) => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
            _ => to,
        };
        self.socket.try_send(&Transmit {
            destination: to,
            ecn: None,
            contents: bytes,
            segment_size: None,
            src_ip: None,
        })
    }
}

impl fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagrams").field("socket", &self.socket).finish_non_exhaustive()
    }
}

/// The address without the form in which an IPv6 socket shows IPv4 ones.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whose a datagram is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Owner {
    Quic,
    Ours,
    Nobody,
}

impl Owner {
    fn of(datagram: &[u8]) -> Self {
        match datagram.first() {
            Some(0x00..0x10) => Self::Ours,
            Some(first) if first & 0x40 != 0 => Self::Quic,
            _ => Self::Nobody,
        }
    }
}

/// A socket that shows QUIC what is QUIC's.
struct Sorted {
    socket: Arc<dyn AsyncUdpSocket>,
    others: mpsc::Sender<Datagram>,
}

impl Sorted {
    /// Leaves QUIC's datagrams in the buffer, which holds some of one size from one sender.
    fn sort(&self, buffer: &mut [u8], meta: &mut RecvMeta) {
        let (mut at, mut kept) = (0, 0);
        while at < meta.len {
            let end = meta.len.min(at + meta.stride.max(1));
            let Some(datagram) = buffer.get(at..end) else { break };
            match Owner::of(datagram) {
                Owner::Quic => {
                    buffer.copy_within(at..end, kept);
                    kept += end - at;
                }
                Owner::Ours => {
                    let (from, bytes) = (canonical(meta.addr), datagram.to_vec());
                    // Full: as if the network had lost it.
                    let _ = self.others.try_send(Datagram { from, bytes });
                }
                Owner::Nobody => {}
            }
            at = end;
        }
        meta.len = kept;
    }
}

impl AsyncUdpSocket for Sorted {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.socket).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let few = bufs.len().min(BUFFERS);
        let bufs = bufs.get_mut(..few).unwrap_or_default();
        let count = ready!(self.socket.poll_recv(cx, bufs, meta))?;
        for (buffer, meta) in bufs.iter_mut().zip(meta).take(count) {
            self.sort(buffer, meta);
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

impl fmt::Debug for Sorted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sorted").field("socket", &self.socket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::net::UdpSocket;
    use tokio::time::timeout;

    use super::*;

    const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn each_first_byte_has_one_owner() {
        for first in 0..=u8::MAX {
            let expected = match first {
                0x00..0x10 => Owner::Ours,
                0x40..0x80 | 0xc0.. => Owner::Quic,
                _ => Owner::Nobody,
            };
            assert_eq!(Owner::of(&[first, 0]), expected, "{first:#x}");
        }
        assert_eq!(Owner::of(&[]), Owner::Nobody);
    }

    fn sorted() -> (Sorted, mpsc::Receiver<Datagram>) {
        let socket = std::net::UdpSocket::bind(LOCAL).unwrap();
        let socket = TokioRuntime.wrap_udp_socket(socket).unwrap();
        let (others, incoming) = mpsc::channel(2);
        (Sorted { socket, others }, incoming)
    }

    fn meta(len: usize, stride: usize) -> RecvMeta {
        RecvMeta { addr: LOCAL, len, stride, ecn: None, dst_ip: None }
    }

    #[tokio::test]
    async fn datagrams_that_came_together_are_told_apart() {
        let (sorted, mut incoming) = sorted();
        // QUIC, ours, nobody's, QUIC, and a short one of ours at the end.
        let mut buffer = *b"\x41aa\x01bb\x80cc\xc1dd\x02e";
        let mut meta = meta(buffer.len(), 3);
        sorted.sort(&mut buffer, &mut meta);
        assert_eq!(&buffer[..meta.len], b"\x41aa\xc1dd");
        assert_eq!(incoming.try_recv().unwrap().bytes, b"\x01bb");
        assert_eq!(incoming.try_recv().unwrap().bytes, b"\x02e");
        assert!(incoming.try_recv().is_err());
    }

    #[tokio::test]
    async fn what_nobody_takes_is_lost_at_the_bound_and_quic_goes_on() {
        let (sorted, mut incoming) = sorted();
        let mut buffer = *b"\x01\x01\x01\x41";
        let mut meta = meta(4, 1);
        sorted.sort(&mut buffer, &mut meta);
        assert_eq!((meta.len, buffer[0]), (1, 0x41));
        assert!(incoming.try_recv().is_ok() && incoming.try_recv().is_ok());
        assert!(incoming.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_datagram_of_ours_goes_out_and_comes_in_beside_quic() {
        let port = Port::open(LOCAL).unwrap();
        let (_, mut datagrams) =
            port.serve(QuicKeys { version: 0x4d57_0001, server: None, reset: [7; 32] }).unwrap();
        let other = UdpSocket::bind(LOCAL).await.unwrap();
        let (here, there) = (datagrams.address().unwrap(), other.local_addr().unwrap());
        // A long QUIC packet of a version that nobody has is not ours.
        other.send_to(&[0xc0; 1_200], here).await.unwrap();
        other.send_to(b"\x01to you", here).await.unwrap();
        let came = timeout(Duration::from_secs(5), datagrams.receive()).await.unwrap().unwrap();
        assert_eq!(came, Datagram { from: there, bytes: b"\x01to you".to_vec() });
        datagrams.send(there, b"\x02and back").unwrap();
        let mut buffer = [0; 100];
        let (length, from) = other.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..length], from), (b"\x02and back".as_slice(), here));
    }
}
