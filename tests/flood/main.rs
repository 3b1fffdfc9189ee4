//! Ten thousand strangers, or as many as come in ten seconds, at the port of an agent of its own
//! process: a peer's session goes on meanwhile, and the memory stays bounded.
//!
//! They come from addresses all over 127.0.0.0/8, so that the cap of one prefix is not all that is
//! tried. A quarter each says nothing, says garbage, opens a handshake with random keys, and proves
//! an identity that nobody knows and writes.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it set it up, and says what it measured"
)]

mod quic;
mod udp;

use std::io::{BufRead, BufReader, Lines};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use meshwork::identity::{
    Card, CardBody, CardHash, HybridSeeds, LiveKey, Newest, Root, Sequence, SigningPair, Transport,
    Unverified, Validity,
};
use meshwork::live::{Dial, Directory, Local, SessionEvent, Suite, TcpSession};
use meshwork::provider::Provider;
use meshwork::provider::aws::AwsLc;
use meshwork::secret::SecretBytes;
use meshwork::time::{Timestamp, WallTime};
use meshwork::{Agent, AgentId, Event, Level};
use meshwork_protocols::lineage::{Incarnation, Lineage};
use meshwork_protocols::wire::{Frame, Message, MessageId, Payload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Says to a child of this test whom it knows.
const CHILD: &str = "MESHWORK_TEST_FLOOD_KNOWN";

/// The test that a child runs to be the agent that is flooded, over whichever transport.
const TO_BE_FLOODED: &str = "a_flood_of_strangers_harms_no_session_and_takes_no_memory";

const STRANGERS: u32 = 10_000;
const TIME: Duration = Duration::from_secs(10);

/// How many strangers are there at once, with a socket each at both ends.
const AT_ONCE: usize = 400;

/// How long each stays at most.
const STAY: Duration = Duration::from_millis(300);

/// How much the memory may grow: 16 MiB that the caps allow, as much again around it, what the
/// sessions of known strangers hold, and what an allocator keeps.
const GROWTH_KIB: u64 = 96 << 10;

/// How much the memory may grow for who has the addresses of one prefix.
const OF_ONE_KIB: u64 = 3 << 10;

/// How much it may for all together.
const OF_ALL_KIB: u64 = 24 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_strangers_harms_no_session_and_takes_no_memory() {
    if let Some(known) = std::env::var_os(CHILD) {
        return be_flooded(&known.into_string().unwrap()).await;
    }
    let alice = Agent::builder().in_memory().start().await.unwrap();
    let (child, card) = spawn(&alice.card(), TO_BE_FLOODED);
    let card = Arc::new(card);
    alice.meet(Arc::clone(&card)).await.unwrap();
    send(&alice, card.agent()).await;
    let before = resident_kib(&child.process);

    let place = card.addresses().first().unwrap().endpoint.socket_addr().unwrap();
    let came = Arc::new(AtomicU32::new(0));
    let flood = tokio::spawn(flood(place, Arc::clone(&card), Arc::clone(&came)));
    let (mut delivered, mut most) = (0_u32, before);
    while !flood.is_finished() {
        send(&alice, card.agent()).await;
        delivered += 1;
        most = most.max(resident_kib(&child.process));
    }
    flood.await.unwrap();
    send(&alice, card.agent()).await;
    println!(
        "{} strangers came; {delivered} messages were delivered meanwhile; resident memory went \
         from {before} KiB to at most {most} KiB",
        came.load(Ordering::Relaxed)
    );
    assert!(came.load(Ordering::Relaxed) >= 500, "too few to tell anything");
    assert!(delivered >= 5, "the session went on");
    assert!(most < before + GROWTH_KIB, "{before} KiB became {most} KiB");
    let counters = alice.counters();
    assert_eq!((counters.established, counters.broken), (1, 0), "the session is the first one");
}

async fn send(alice: &Agent, to: AgentId) {
    let id = alice.send(to, "still there?").await.unwrap();
    let status = timeout(Duration::from_secs(30), alice.settled(id)).await;
    let status = status.expect("it was not processed in time").unwrap();
    assert_eq!(status.level, Level::Processed);
}

/// An agent that listens on every transport.
fn flooded() -> meshwork::Builder {
    let all = [Transport::Quic, Transport::Udp, Transport::Tcp];
    Agent::builder().in_memory().listen("127.0.0.1:0").transports(&all)
}

/// Runs the agent that is flooded until the parent is gone.
async fn be_flooded(known: &str) {
    let bob = flooded().start().await.unwrap();
    let card = Unverified::<Card>::parse_text(known).unwrap();
    bob.meet(card.verify(&AwsLc, now().wall).unwrap()).await.unwrap();
    let mut watch = bob.watch();
    tokio::spawn(async move {
        while let Some(event) = watch.next().await {
            assert!(!matches!(event, Event::Stopped(_)));
        }
    });
    println!("\n{}", bob.card().to_text());
    let mut inbox = bob.inbox();
    while let Some(delivery) = inbox.next().await {
        delivery.processed().await.unwrap();
    }
}

async fn flood(place: SocketAddr, card: Arc<Card>, came: Arc<AtomicU32>) {
    let (start, mut there) = (Instant::now(), JoinSet::new());
    for number in 0..STRANGERS {
        if start.elapsed() > TIME {
            break;
        }
        if there.len() >= AT_ONCE {
            there.join_next().await;
        }
        let (card, came) = (Arc::clone(&card), Arc::clone(&came));
        there.spawn(async move {
            if let Ok(stream) = connect(number, place).await {
                came.fetch_add(1, Ordering::Relaxed);
                // What becomes of it is the other end's to say.
                let _ = timeout(STAY, stranger(number, stream, &card)).await;
            }
        });
    }
}

async fn connect(number: u32, place: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let [_, high, middle, low] = number.wrapping_mul(2_654_435_761).to_be_bytes();
    socket.bind((Ipv4Addr::new(127, high, middle, low.max(1)), 0).into())?;
    socket.connect(place).await
}

async fn stranger(number: u32, mut stream: TcpStream, card: &Arc<Card>) -> std::io::Result<()> {
    let random = &mut *AwsLc.random();
    let mut answer = Vec::new();
    match number % 4 {
        0 => {}
        1 => stream.write_all(&random.array::<4_096>()).await?,
        2 => {
            // X25519 and ML-KEM-768 keys, behind their length and a suite that exists.
            let length = 1 + 32 + 1_184_u16;
            stream.write_all(&length.to_be_bytes()).await?;
            stream.write_all(&[Suite::ALL[0].byte()]).await?;
            stream.write_all(&random.array::<{ 32 + 1_184 }>()).await?;
        }
        _ => return write_to(stream, card).await,
    }
    stream.read_to_end(&mut answer).await?;
    assert!(answer.is_empty() || number % 4 == 2, "an answer to who said nothing");
    Ok(())
}

/// Proves an identity of its own, and writes.
async fn write_to(mut stream: TcpStream, card: &Arc<Card>) -> std::io::Result<()> {
    let dial = Dial::Session(Arc::clone(card));
    let directory = Arc::new(Nobody);
    let random = AwsLc.random();
    let mut session = TcpSession::initiate(Arc::new(local()), directory, dial, now(), random)
        .expect("the card is good");
    let mut buffer = vec![0; 16 << 10];
    loop {
        let mut out = Vec::new();
        session.take_transmit(&mut out);
        stream.write_all(&out).await?;
        let read = stream.read(&mut buffer).await?;
        if read == 0 || session.receive(now(), buffer.get(..read).unwrap_or_default()).is_err() {
            return Ok(());
        }
        while let Some(event) = session.poll() {
            if let SessionEvent::Established(_) = event {
                let frame = Frame::Clear(Payload::message(0, &letter()));
                session.send(&frame.encode()).expect("it was just opened");
            }
        }
    }
}

fn letter() -> SecretBytes {
    let created = now().wall;
    let expires = created + Duration::from_secs(3_600);
    let id = MessageId::random(&mut *AwsLc.random());
    let body = b"let me in".to_vec();
    Message { id, created, expires, order: None, content_type: Default::default(), body }.encode()
}

fn local() -> Local {
    let random = &mut *AwsLc.random();
    let root = Root::generate(&AwsLc, random).unwrap();
    let pair = SigningPair::from_seeds(&AwsLc, HybridSeeds::random(random)).unwrap();
    let live = LiveKey::generate(&AwsLc, random);
    let validity = Validity::starting(now().wall, Validity::MAX);
    let mut body = CardBody::new(Sequence::new(1), validity, pair.public().clone(), *live.public());
    body.suites = Suite::ALL.map(Suite::byte).to_vec();
    let card = root.sign_card(&AwsLc, body, random).unwrap();
    Local::new(Arc::new(AwsLc), Arc::new(card), live, pair).unwrap()
}

/// A node that knows nothing.
#[derive(Debug)]
struct Nobody;

impl Directory for Nobody {
    fn card(&self, _: &CardHash) -> Option<Arc<Card>> {
        None
    }

    fn newest(&self, _: &AgentId) -> Option<Newest> {
        None
    }

    fn holds_ours(&self, _: &AgentId, _: &CardHash) -> bool {
        false
    }

    fn lineage(&self) -> Lineage {
        Lineage { incarnation: Incarnation::NONE, parent: Incarnation::NONE, number: 0 }
    }

    fn remembered(&self, _: &AgentId) -> Option<Lineage> {
        None
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp { monotonic: since, wall: WallTime::from_secs(since.as_secs()) }
}

/// Starts the agent that is flooded, which knows one card, and reads its own.
fn spawn(known: &Card, test: &str) -> (Flooded, Card) {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, known.to_text())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut text = String::new();
    loop {
        let line = lines.next().expect("the child died by itself").unwrap();
        if line.starts_with("-----BEGIN") || !text.is_empty() {
            text.push_str(&line);
            text.push('\n');
        }
        if line.starts_with("-----END") {
            break;
        }
    }
    let card = Unverified::<Card>::parse_text(&text).unwrap();
    (Flooded { process, _lines: lines }, card.verify(&AwsLc, now().wall).unwrap())
}

fn resident_kib(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The process that is flooded, which ends whatever becomes of the test.
struct Flooded {
    process: Child,
    /// Left open, so that the child may go on printing.
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Flooded {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
