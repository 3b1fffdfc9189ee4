//! What the sockets alone take for the same question and answer: bytes that come back, with nothing
//! of an agent's around them. Over QUIC it is quinn under our handshake, one stream.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meshwork::Transport;
use meshwork::identity::{CardBody, HybridSeeds, LiveKey, Root, Sequence, SigningPair, Validity};
use meshwork::live::quic::{NoiseClient, NoiseServer, QUIC_VERSION, Randomness};
use meshwork::live::{Dial, Local, Suite};
use meshwork::provider::Provider;
use meshwork::provider::aws::AwsLc;
use meshwork::time::WallTime;
use meshwork_transports::{Port, QuicEndpoint, QuicKeys, QuicReceiver, QuicSender};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::{Home, SMALL, ticks};

/// The times of round trips between the runtimes of two agents, one every 10 ms, in order of length.
pub(crate) fn times(alice: &Home, bob: &Home, transport: Transport, seconds: u64) -> Vec<Duration> {
    match transport {
        Transport::Udp => udp(alice, bob, seconds),
        Transport::Tcp => tcp(alice, bob, seconds),
        _ => quic(alice, bob, seconds),
    }
}

fn udp(alice: &Home, bob: &Home, seconds: u64) -> Vec<Duration> {
    let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    let there = bob.run(async move { bind().await.unwrap() });
    let to = there.local_addr().unwrap();
    let answering = bob.runtime.spawn(async move {
        let mut body = [0; SMALL];
        loop {
            let (_, from) = there.recv_from(&mut body).await.unwrap();
            there.send_to(&body, from).await.unwrap();
        }
    });
    let times = alice.run(async move {
        let (here, mut body) = (bind().await.unwrap(), [7; SMALL]);
        here.connect(to).await.unwrap();
        let mut times = ticks(seconds);
        while times.next().await {
            here.send(&body).await.unwrap();
            here.recv(&mut body).await.unwrap();
        }
        times.sorted()
    });
    answering.abort();
    times
}

fn tcp(alice: &Home, bob: &Home, seconds: u64) -> Vec<Duration> {
    let there = bob.run(async { TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap() });
    let to = there.local_addr().unwrap();
    bob.runtime.spawn(async move {
        let (stream, _) = there.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (receiver, sender) = stream.into_split();
        answer(sender, receiver).await;
    });
    alice.run(async move {
        let stream = TcpStream::connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (receiver, sender) = stream.into_split();
        ask(sender, receiver, seconds).await
    })
}

fn quic(alice: &Home, bob: &Home, seconds: u64) -> Vec<Duration> {
    let [ours, theirs] = [Arc::new(local()), Arc::new(local())];
    let card = Arc::clone(theirs.card());
    let server = Arc::new(NoiseServer::new(theirs, randomness()).unwrap());
    let keys = Arc::clone(&server);
    let there = bob.run(async move { endpoint(Some(keys)) });
    let to = there.address().unwrap();
    bob.runtime.spawn(async move {
        let incoming = there.accept().await.unwrap();
        let connection = incoming.answer(server).unwrap().finish().await.unwrap();
        let (sender, receiver): (QuicSender, QuicReceiver) =
            connection.accept_stream().await.unwrap();
        answer(sender, receiver).await;
    });
    alice.run(async move {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = WallTime::from_secs(since.as_secs());
        let client = NoiseClient::new(ours, Dial::Session(card), now, randomness()).unwrap();
        let here = [endpoint(None)];
        let to = to.try_into().unwrap();
        let connection = QuicEndpoint::dial(&here, &to, Arc::new(client)).await.unwrap();
        let (sender, receiver) = connection.open_stream().await.unwrap();
        ask(sender, receiver, seconds).await
    })
}

async fn ask(
    mut sender: impl AsyncWrite + Unpin,
    mut receiver: impl AsyncRead + Unpin,
    seconds: u64,
) -> Vec<Duration> {
    let (mut times, mut body) = (ticks(seconds), [7; SMALL]);
    while times.next().await {
        sender.write_all(&body).await.unwrap();
        receiver.read_exact(&mut body).await.unwrap();
    }
    times.sorted()
}

/// Until the other end has gone.
async fn answer(mut sender: impl AsyncWrite + Unpin, mut receiver: impl AsyncRead + Unpin) {
    let mut body = [0; SMALL];
    while receiver.read_exact(&mut body).await.is_ok() && sender.write_all(&body).await.is_ok() {}
}

fn endpoint(server: Option<Arc<NoiseServer>>) -> QuicEndpoint {
    let port = Port::open((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let server = server.map(|keys| keys as _);
    port.serve(QuicKeys { version: QUIC_VERSION, server, reset: [1; 32] }).unwrap().0
}

fn randomness() -> Randomness {
    Arc::new(|| AwsLc.random())
}

fn local() -> Local {
    let random = &mut *AwsLc.random();
    let root = Root::generate(&AwsLc, random).unwrap();
    let pair = SigningPair::from_seeds(&AwsLc, HybridSeeds::random(random)).unwrap();
    let live = LiveKey::generate(&AwsLc, random);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let validity = Validity::starting(WallTime::from_secs(since.as_secs()), Validity::MAX);
    let mut body = CardBody::new(Sequence::new(1), validity, pair.public().clone(), *live.public());
    body.suites = Suite::ALL.map(Suite::byte).to_vec();
    let card = root.sign_card(&AwsLc, body, random).unwrap();
    Local::new(Arc::new(AwsLc), Arc::new(card), live, pair).unwrap()
}
