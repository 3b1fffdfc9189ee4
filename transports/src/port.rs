//! One UDP socket for two protocols, so that one port is all that an agent needs.
//!
//! A QUIC packet always has bit 0x40 of its first byte set (RFC 9000, section 17; we do not grease
//! it), and a packet of Meshwork's own begins with a byte below 0x10. What begins otherwise is
//! nobody's. Knows nothing of what stands behind that byte.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
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
        let address = self.address()?;
        let socket = watch(self.0)?;
        let (others, incoming) = mpsc::channel(WAITING_DATAGRAMS);
        let out = DatagramSender { socket: Arc::clone(&socket), address };
        let receiver = Arc::default();
        let sorted = Arc::new(Sorted::new(socket, others, Arc::clone(&receiver)));
        let endpoint = QuicEndpoint::new(sorted, keys)?;
        // The endpoint reads the socket for both.
        let datagrams = Datagrams { out, receiver, incoming, _reads: endpoint.clone() };
        Ok((endpoint, datagrams))
    }
}

#[cfg(unix)]
fn watch(socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
    Ok(Arc::new(crate::socket::Socket::new(socket)?))
}

#[cfg(not(unix))]
fn watch(socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
    quinn::Runtime::wrap_udp_socket(&quinn::TokioRuntime, socket)
}

/// What takes datagrams of our own where they are read, so that none waits for a task to be run.
pub trait DatagramReceiver: Send + Sync {
    /// Takes a datagram, unless it is one that can wait.
    fn take(&self, from: SocketAddr, datagram: &mut [u8]) -> bool;

    /// Those that were read together are all taken.
    fn taken(&self);
}

/// The datagrams of a socket that are our own.
pub struct Datagrams {
    out: DatagramSender,
    receiver: Arc<OnceLock<Arc<dyn DatagramReceiver>>>,
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
    pub fn address(&self) -> SocketAddr {
        self.out.address
    }

    /// From now on the receiver is asked first. There can be one.
    pub fn receive_by(&self, receiver: Arc<dyn DatagramReceiver>) {
        // Whoever asked first goes on.
        let _ = self.receiver.set(receiver);
    }

    /// What sends from it.
    pub fn sender(&self) -> &DatagramSender {
        &self.out
    }

    /// Waits for a datagram; `None` once the endpoint has gone. Dropping the future loses nothing.
    pub async fn receive(&mut self) -> Option<Datagram> {
        self.incoming.recv().await
    }

    /// The next one, if it is here already.
    pub fn try_receive(&mut self) -> Option<Datagram> {
        self.incoming.try_recv().ok()
    }
}

impl fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagrams").field("out", &self.out).finish_non_exhaustive()
    }
}

/// Sends datagrams of our own from a socket.
#[derive(Clone)]
pub struct DatagramSender {
    socket: Arc<dyn AsyncUdpSocket>,
    /// Where the socket is, once for all: a system call at each datagram would cost as much as the
    /// sending of a short one.
    address: SocketAddr,
}

impl DatagramSender {
    /// Sends a datagram, if the socket takes it now: `WouldBlock` where it does not.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let to = match (to.ip(), self.address.is_ipv6()) {
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

impl fmt::Debug for DatagramSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramSender").field("address", &self.address).finish_non_exhaustive()
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
    receiver: Arc<OnceLock<Arc<dyn DatagramReceiver>>>,
    /// For what is not taken at once.
    others: mpsc::Sender<Datagram>,
    /// Whether the last batch that was read was likely all that was there.
    is_drained: AtomicBool,
}

impl Sorted {
    fn new(
        socket: Arc<dyn AsyncUdpSocket>,
        others: mpsc::Sender<Datagram>,
        receiver: Arc<OnceLock<Arc<dyn DatagramReceiver>>>,
    ) -> Self {
        Self { socket, receiver, others, is_drained: AtomicBool::new(false) }
    }

    /// Leaves QUIC's datagrams in the buffer, which holds some of one size from one sender.
    fn sort(&self, buffer: &mut [u8], meta: &mut RecvMeta) {
        let (mut at, mut kept) = (0, 0);
        while at < meta.len {
            let end = meta.len.min(at + meta.stride.max(1));
            let Some(datagram) = buffer.get_mut(at..end) else { break };
            match Owner::of(datagram) {
                Owner::Quic => {
                    buffer.copy_within(at..end, kept);
                    kept += end - at;
                }
                Owner::Ours => self.take(canonical(meta.addr), datagram),
                Owner::Nobody => {}
            }
            at = end;
        }
        meta.len = kept;
    }

    fn take(&self, from: SocketAddr, datagram: &mut [u8]) {
        let is_taken = self.receiver.get().is_some_and(|receiver| receiver.take(from, datagram));
        if !is_taken {
            // Full: as if the network had lost it.
            let _ = self.others.try_send(Datagram { from, bytes: datagram.to_vec() });
        }
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
        // What came is dealt with before the kernel is asked whether there is more.
        if self.is_drained.swap(false, Ordering::Relaxed) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let few = bufs.len().min(BUFFERS);
        let bufs = bufs.get_mut(..few).unwrap_or_default();
        let count = ready!(self.socket.poll_recv(cx, bufs, meta))?;
        self.is_drained.store(count < few, Ordering::Relaxed);
        for (buffer, meta) in bufs.iter_mut().zip(meta).take(count) {
            self.sort(buffer, meta);
        }
        if let Some(receiver) = self.receiver.get() {
            receiver.taken();
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
    use std::future::poll_fn;
    use std::net::Ipv4Addr;
    use std::sync::atomic::AtomicUsize;
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
        let socket = watch(socket).unwrap();
        let (others, incoming) = mpsc::channel(2);
        (Sorted::new(socket, others, Arc::default()), incoming)
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

    /// Takes datagrams that begin with 1, and counts.
    #[derive(Default)]
    struct Ones(AtomicUsize);

    impl DatagramReceiver for Ones {
        fn take(&self, _: SocketAddr, datagram: &mut [u8]) -> bool {
            datagram.starts_with(&[1])
        }

        fn taken(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn what_a_receiver_takes_does_not_wait_and_what_it_leaves_does() {
        let (sorted, mut incoming) = sorted();
        assert!(sorted.receiver.set(Arc::new(Ones::default())).is_ok());
        let mut buffer = *b"\x01\x02\x01\x41";
        let mut meta = meta(4, 1);
        sorted.sort(&mut buffer, &mut meta);
        assert_eq!((meta.len, buffer[0]), (1, 0x41));
        assert_eq!(incoming.try_recv().unwrap().bytes, [2]);
        assert!(incoming.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_short_batch_is_dealt_with_before_more_is_read_and_nothing_is_forgotten() {
        let (sorted, mut incoming) = sorted();
        let ones = Arc::new(Ones::default());
        assert!(sorted.receiver.set(Arc::clone(&ones) as _).is_ok());
        let (there, other) = (sorted.local_addr().unwrap(), UdpSocket::bind(LOCAL).await.unwrap());
        let reading = tokio::spawn(async move {
            let mut buffers = vec![vec![0; 2_000]; BUFFERS];
            loop {
                let mut metas = [RecvMeta::default(); BUFFERS];
                let mut bufs: Vec<_> = buffers.iter_mut().map(|it| IoSliceMut::new(it)).collect();
                poll_fn(|cx| sorted.poll_recv(cx, &mut bufs, &mut metas)).await.unwrap();
            }
        });
        for number in 0..50 {
            other.send_to(&[2, number], there).await.unwrap();
            let came = timeout(Duration::from_secs(5), incoming.recv()).await.unwrap().unwrap();
            assert_eq!(came.bytes, [2, number]);
        }
        assert!(ones.0.load(Ordering::Relaxed) > 0, "told that a batch is through");
        reading.abort();
    }

    #[tokio::test]
    async fn a_datagram_of_ours_goes_out_and_comes_in_beside_quic() {
        let port = Port::open(LOCAL).unwrap();
        let (_, mut datagrams) =
            port.serve(QuicKeys { version: 0x4d57_0001, server: None, reset: [7; 32] }).unwrap();
        let other = UdpSocket::bind(LOCAL).await.unwrap();
        let (here, there) = (datagrams.address(), other.local_addr().unwrap());
        // A long QUIC packet of a version that nobody has is not ours.
        other.send_to(&[0xc0; 1_200], here).await.unwrap();
        other.send_to(b"\x01to you", here).await.unwrap();
        let came = timeout(Duration::from_secs(5), datagrams.receive()).await.unwrap().unwrap();
        assert_eq!(came, Datagram { from: there, bytes: b"\x01to you".to_vec() });
        datagrams.sender().send(there, b"\x02and back").unwrap();
        let mut buffer = [0; 100];
        let (length, from) = other.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..length], from), (b"\x02and back".as_slice(), here));
    }
}
