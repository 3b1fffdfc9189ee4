//! Who stands in the middle: a proxy of the demo's own that carries everything between two agents,
//! and flips bytes, repeats and forges as it does.
//!
//! It binds loopback only, carries for a handful of connections, and knows nothing of what it
//! carries.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The most that carries on at once, of either kind.
const CARRIED: usize = 32;

/// The longest piece that is carried at once.
const PIECE: usize = 64 << 10;

/// How many pieces of a stream open a session: who tampers with those ends a try, and no session.
const OPENING: usize = 4;

/// A proxy. Dropped, it carries no more.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    pub(super) tried: Arc<Tried>,
    target: watch::Sender<Option<SocketAddr>>,
    _carrying: JoinSet<()>,
}

/// What the proxy did.
#[derive(Debug, Default)]
pub(super) struct Tried {
    tampers: AtomicBool,
    pieces: AtomicU64,
    streams: AtomicU64,
    pub(super) flipped: AtomicU64,
    pub(super) repeated: AtomicU64,
    pub(super) forged: AtomicU64,
}

/// What is done to a piece.
#[derive(Clone, Copy)]
enum Trick {
    Flip,
    Repeat,
    Forge,
}

impl Proxy {
    /// A proxy on a free port of 127.0.0.1, for TCP and UDP alike, that does nothing to what it
    /// carries as yet.
    pub(super) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let socket = UdpSocket::bind(address).await?;
        let (target, toward) = watch::channel(None);
        let tried = Arc::new(Tried::default());
        let mut carrying = JoinSet::new();
        carrying.spawn(carry_streams(listener, toward.clone(), Arc::clone(&tried)));
        carrying.spawn(carry_packets(socket, toward, Arc::clone(&tried)));
        Ok(Self { address, tried, target, _carrying: carrying })
    }

    /// Who is at the other side.
    pub(super) fn lead_to(&self, target: SocketAddr) {
        self.target.send_replace(Some(target));
    }

    /// From now on it tampers.
    pub(super) fn tamper(&self) {
        self.tried.tampers.store(true, Ordering::Relaxed);
    }

    /// It has done enough.
    pub(super) fn rest(&self) {
        self.tried.tampers.store(false, Ordering::Relaxed);
    }
}

impl Tried {
    /// Every third packet, one trick after the other.
    fn trick(&self) -> Option<Trick> {
        if !self.tampers.load(Ordering::Relaxed) {
            return None;
        }
        match self.pieces.fetch_add(1, Ordering::Relaxed) % 9 {
            0 => Some(Trick::Flip),
            3 => Some(Trick::Repeat),
            6 => Some(Trick::Forge),
            _ => None,
        }
    }

    /// One trick a stream, of which it dies, and each trick once.
    fn trick_on_stream(&self, played: &AtomicBool) -> Option<Trick> {
        if !self.tampers.load(Ordering::Relaxed) || played.swap(true, Ordering::Relaxed) {
            return None;
        }
        match self.streams.fetch_add(1, Ordering::Relaxed) {
            0 => Some(Trick::Flip),
            1 => Some(Trick::Repeat),
            2 => Some(Trick::Forge),
            _ => None,
        }
    }

    /// What is put on the way beside a piece.
    fn beside(&self, piece: &[u8], trick: Trick) -> Vec<u8> {
        let counter = match trick {
            Trick::Flip => &self.flipped,
            Trick::Repeat => &self.repeated,
            Trick::Forge => &self.forged,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let mut beside = piece.to_vec();
        match trick {
            Trick::Repeat => {}
            Trick::Flip => {
                let middle = beside.len() / 2;
                beside.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 1);
            }
            // It begins as a true one does, and goes on as it likes.
            Trick::Forge => {
                beside.iter_mut().skip(1).for_each(|byte| *byte = byte.wrapping_add(77));
            }
        }
        beside
    }
}

/// Packets: the true ones all go on, and what is forged goes with them.
async fn carry_packets(
    front: UdpSocket,
    target: watch::Receiver<Option<SocketAddr>>,
    tried: Arc<Tried>,
) {
    let front = Arc::new(front);
    let mut behind: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut answering = JoinSet::new();
    let mut piece = vec![0; PIECE];
    loop {
        let Ok((length, from)) = front.recv_from(&mut piece).await else { continue };
        let Some(target) = *target.borrow() else { continue };
        let back = match behind.get(&from) {
            Some(back) => Arc::clone(back),
            None if behind.len() < CARRIED => {
                let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await else { continue };
                let (back, front, tried) =
                    (Arc::new(socket), Arc::clone(&front), Arc::clone(&tried));
                behind.insert(from, Arc::clone(&back));
                answering.spawn(answer_packets(Arc::clone(&back), front, from, tried));
                back
            }
            None => continue,
        };
        let piece = piece.get(..length).unwrap_or_default();
        if let Some(trick) = tried.trick() {
            // Ahead of the true one: who injects is quick.
            let _ = back.send_to(&tried.beside(piece, trick), target).await;
        }
        // What cannot be sent is lost, as packets may be.
        let _ = back.send_to(piece, target).await;
    }
}

async fn answer_packets(
    back: Arc<UdpSocket>,
    front: Arc<UdpSocket>,
    to: SocketAddr,
    tried: Arc<Tried>,
) {
    let mut piece = vec![0; PIECE];
    loop {
        let Ok((length, _)) = back.recv_from(&mut piece).await else { continue };
        let piece = piece.get(..length).unwrap_or_default();
        if let Some(trick) = tried.trick() {
            let _ = front.send_to(&tried.beside(piece, trick), to).await;
        }
        let _ = front.send_to(piece, to).await;
    }
}

/// Streams: what is flipped takes the place of the true bytes, the rest is put between them.
async fn carry_streams(
    listener: TcpListener,
    target: watch::Receiver<Option<SocketAddr>>,
    tried: Arc<Tried>,
) {
    let mut carrying = JoinSet::new();
    loop {
        let Ok((near, _)) = listener.accept().await else { continue };
        while carrying.try_join_next().is_some() {}
        let Some(target) = *target.borrow() else { continue };
        if carrying.len() >= CARRIED {
            continue;
        }
        let tried = Arc::clone(&tried);
        carrying.spawn(async move {
            let Ok(far) = TcpStream::connect(target).await else { return };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            let played = AtomicBool::new(false);
            // Where one direction ends, so does the other.
            tokio::select! {
                _ = carry_stream(near_in, far_out, &tried, &played) => {}
                _ = carry_stream(far_in, near_out, &tried, &played) => {}
            }
        });
    }
}

async fn carry_stream(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    tried: &Tried,
    played: &AtomicBool,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut carried = 0;
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        let piece = piece.get(..length).unwrap_or_default();
        carried += 1;
        let trick = if carried > OPENING { tried.trick_on_stream(played) } else { None };
        match trick {
            None => to.write_all(piece).await?,
            Some(trick @ Trick::Flip) => to.write_all(&tried.beside(piece, trick)).await?,
            Some(trick) => {
                to.write_all(piece).await?;
                to.write_all(&tried.beside(piece, trick)).await?;
            }
        }
    }
}
