//! A UDP socket that wakes its agent for what comes, and not for what has gone.
//!
//! The kernel tells who watches a socket for room each time a datagram leaves its buffer, though
//! there was room all along. Over loopback that is one wake more for each datagram, at the sender,
//! while its peer deals with it. So room is watched only after the socket took no more.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A socket that is read.
#[derive(Debug)]
pub(crate) struct Socket {
    io: AsyncFd<UdpSocket>,
    state: UdpSocketState,
    /// It took no more, and nobody saw yet that it does again.
    is_full: AtomicBool,
}

impl Socket {
    /// Needs a runtime around it.
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        // Makes it one that does not block, too.
        let state = UdpSocketState::new((&socket).into())?;
        let io = watch(socket, Interest::READABLE)?;
        Ok(Self { io, state, is_full: AtomicBool::new(false) })
    }
}

#[expect(
    deprecated,
    reason = "what replaces it is unsafe, and asks that the socket keep its descriptor while it is \
              watched: the standard library's does, for as long as it lives"
)]
fn watch(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
    AsyncFd::with_interest(socket, interest)
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Room { socket: self, watched: None })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let sent = self.state.send(self.io.get_ref().into(), transmit);
        if matches!(&sent, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            self.is_full.store(true, Ordering::Relaxed);
        }
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut readable = ready!(self.io.poll_read_ready(cx))?;
            let received = readable.try_io(|io| self.state.recv(io.get_ref().into(), bufs, meta));
            // Else it was not: it is waited for.
            if let Ok(received) = received {
                return Poll::Ready(received);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.state.gro_segments()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }
}

/// Waits for room in a socket that took no more.
#[derive(Debug)]
struct Room {
    socket: Arc<Socket>,
    /// The same socket under a name of its own, watched for room as long as there is none.
    watched: Option<AsyncFd<UdpSocket>>,
}

impl UdpPoller for Room {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, watched } = &mut *self;
        if socket.is_full.load(Ordering::Relaxed) {
            let watched = match watched {
                Some(watched) => watched,
                None => {
                    let named = socket.io.get_ref().try_clone()?;
                    watched.insert(watch(named, Interest::WRITABLE)?)
                }
            };
            // What stands when the watch begins is told as what comes.
            let _room = ready!(watched.poll_write_ready(cx))?;
            socket.is_full.store(false, Ordering::Relaxed);
        }
        *watched = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn socket() -> Arc<Socket> {
        Arc::new(Socket::new(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap())
    }

    fn send(from: &Socket, to: &Socket, contents: &[u8]) {
        let destination = to.local_addr().unwrap();
        let transmit =
            Transmit { destination, ecn: None, contents, segment_size: None, src_ip: None };
        from.try_send(&transmit).unwrap();
    }

    async fn receive(socket: &Socket) -> Vec<u8> {
        let (mut buffer, mut metas) = ([0; 100], [RecvMeta::default()]);
        let mut bufs = [IoSliceMut::new(&mut buffer)];
        let receiving = poll_fn(|cx| socket.poll_recv(cx, &mut bufs, &mut metas));
        let count = timeout(PATIENCE, receiving).await.expect("nothing came").unwrap();
        assert_eq!(count, 1);
        buffer[..metas[0].len].to_vec()
    }

    #[tokio::test]
    async fn what_comes_wakes_each_time() {
        let (one, other) = (socket(), socket());
        for number in 0..20 {
            send(&one, &other, &[number]);
            assert_eq!(receive(&other).await, [number]);
        }
    }

    #[tokio::test]
    async fn room_is_watched_after_the_socket_was_full_and_until_there_is_some() {
        let socket = socket();
        let mut room = Room { socket: Arc::clone(&socket), watched: None };
        let writable = |room: &mut Room, cx: &mut Context<'_>| Pin::new(room).poll_writable(cx);
        poll_fn(|cx| {
            assert!(writable(&mut room, cx).is_ready(), "no wait where it was not full");
            Poll::Ready(())
        })
        .await;
        socket.is_full.store(true, Ordering::Relaxed);
        timeout(PATIENCE, poll_fn(|cx| writable(&mut room, cx))).await.unwrap().unwrap();
        assert!(!socket.is_full.load(Ordering::Relaxed) && room.watched.is_none());
    }
}
