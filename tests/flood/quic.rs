//! The same over QUIC: first messages behind which nothing follows, handshakes that end under random
//! keys and then nothing, Hellos that never end or are none, and packets that nobody can read.

use std::future::pending;

use meshwork::live::quic::{NoiseClient, QUIC_VERSION, Randomness};
use meshwork_transports::{Datagrams, Port, QuicConnection, QuicEndpoint, QuicKeys};
use tokio::net::UdpSocket;

use super::*;

/// From how many sockets they come.
const SOCKETS: u32 = 64;

/// How long a handshake is begun for its first message alone.
const BEGUN: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_over_quic_from_one_prefix_takes_three_mebibytes() {
    flooded_from(|number| [127, 0, 0, u8::try_from(2 + number).unwrap()].into(), OF_ONE_KIB).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_over_quic_from_everywhere_takes_24_mebibytes() {
    let anywhere = |number: u32| [127, 1, u8::try_from(number).unwrap(), 1].into();
    flooded_from(anywhere, OF_ALL_KIB).await;
}

async fn flooded_from(address: fn(u32) -> Ipv4Addr, growth_kib: u64) {
    let alice = Agent::builder().in_memory().transports(&[Transport::Quic]).start().await.unwrap();
    let (child, card) = spawn(&alice.card(), TO_BE_FLOODED);
    let card = Arc::new(card);
    alice.meet(Arc::clone(&card)).await.unwrap();
    // Until all that a first message takes is there.
    for _ in 0..20 {
        send(&alice, card.agent()).await;
    }
    let before = resident_kib(&child.process);

    let came = Arc::new(Came::default());
    let flood = tokio::spawn(flood(Arc::clone(&card), address, Arc::clone(&came)));
    let (mut delivered, mut most) = (0_u32, before);
    while !flood.is_finished() {
        send(&alice, card.agent()).await;
        delivered += 1;
        most = most.max(resident_kib(&child.process));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    flood.await.unwrap();
    send(&alice, card.agent()).await;
    let [begun, finished] = [&came.begun, &came.finished].map(|of| of.load(Ordering::Relaxed));
    println!(
        "{begun} handshakes were begun over QUIC and {finished} ended; {delivered} messages were \
         delivered meanwhile; resident memory went from {before} KiB to at most {most} KiB"
    );
    assert!(begun >= 100 && finished >= 10, "too few to tell anything");
    assert!(delivered >= 5, "the session went on");
    assert!(most < before + growth_kib, "{before} KiB became {most} KiB");
    let counters = alice.counters();
    assert_eq!((counters.established, counters.broken), (1, 0), "the session is the first one");
}

/// How many strangers came.
#[derive(Debug, Default)]
struct Came {
    /// Nothing behind the first message.
    begun: AtomicU32,
    finished: AtomicU32,
}

/// One end from which strangers come.
struct Source {
    quic: QuicEndpoint,
    raw: Datagrams,
    address: Ipv4Addr,
}

async fn flood(card: Arc<Card>, address: fn(u32) -> Ipv4Addr, came: Arc<Came>) {
    let (start, mut there) = (Instant::now(), JoinSet::new());
    let strangers: Vec<_> = (0..8).map(|_| Arc::new(local())).collect();
    let sources: Vec<_> =
        (0..SOCKETS).map(|number| Arc::new(Source::new(address(number)))).collect();
    for number in (0..STRANGERS as usize).cycle() {
        if start.elapsed() > TIME {
            break;
        }
        if there.len() >= AT_ONCE {
            there.join_next().await;
        }
        let stranger = Arc::clone(&strangers[number % strangers.len()]);
        let source = Arc::clone(&sources[number % sources.len()]);
        source.say_garbage(&card);
        let (card, came) = (Arc::clone(&card), Arc::clone(&came));
        there.spawn(async move {
            // What becomes of it is the other end's to say.
            let _ = timeout(STAY, source.come(number / 3, stranger, card, &came)).await;
        });
    }
}

impl Source {
    fn new(address: Ipv4Addr) -> Self {
        let port = Port::open((address, 0).into()).unwrap();
        let keys = QuicKeys { version: QUIC_VERSION, server: None, reset: [1; 32] };
        let (quic, raw) = port.serve(keys).unwrap();
        Self { quic, raw, address }
    }

    fn say_garbage(&self, card: &Card) {
        let mut garbage = AwsLc.random().array::<1_200>();
        garbage[..5].copy_from_slice(&[0xc0, 0x4d, 0x57, 0, 1]);
        let _ = self.raw.sender().send(place(card), &garbage);
    }

    async fn come(&self, kind: usize, stranger: Arc<Local>, card: Arc<Card>, came: &Came) {
        if kind.is_multiple_of(4) {
            came.begun.fetch_add(1, Ordering::Relaxed);
            return self.say_first_message(stranger, card).await;
        }
        let Some(connection) = self.dial(place(&card), stranger, card).await else { return };
        came.finished.fetch_add(1, Ordering::Relaxed);
        go_on(&connection, kind % 4).await;
    }

    async fn dial(
        &self,
        to: SocketAddr,
        stranger: Arc<Local>,
        card: Arc<Card>,
    ) -> Option<QuicConnection> {
        let random: Randomness = Arc::new(|| AwsLc.random());
        let dial = Dial::Session(card);
        let keys = NoiseClient::new(stranger, dial, now().wall, random).unwrap();
        let quic = std::slice::from_ref(&self.quic);
        QuicEndpoint::dial(quic, &to.try_into().unwrap(), Arc::new(keys)).await.ok()
    }

    /// Begins a handshake with a socket that only listens, and says what came there.
    async fn say_first_message(&self, stranger: Arc<Local>, card: Arc<Card>) {
        let sink = UdpSocket::bind((self.address, 0)).await.unwrap();
        let place = place(&card);
        let begun = self.dial(sink.local_addr().unwrap(), stranger, card);
        let _ = timeout(BEGUN, begun).await;
        let mut buffer = [0; 2_048];
        while let Ok(length) = sink.try_recv(&mut buffer) {
            let _ = sink.send_to(&buffer[..length], place).await;
        }
    }
}

/// Says nothing more, all but the end of a Hello, or what is none.
async fn go_on(connection: &QuicConnection, kind: usize) {
    let Ok((mut sender, _receiver)) = connection.open_stream().await else { return };
    let said = match kind {
        1 => Ok(()),
        2 => sender.write_all(&[[0x80, 0, 0x80, 0].as_slice(), &[1; 32_000]].concat()).await,
        _ => sender.write_all(&[[0x41, 0].as_slice(), &[1; 256]].concat()).await,
    };
    if said.is_ok() {
        pending::<()>().await;
    }
}

fn place(card: &Card) -> SocketAddr {
    let mut quic = card.addresses().iter().filter(|address| address.transport == Transport::Quic);
    quic.next().unwrap().endpoint.socket_addr().unwrap()
}
