//! A peer whose process is killed, with a session that stands: nobody says that it is gone.

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use meshwork::identity::{Card, Unverified};
use meshwork::provider::aws::AwsLc;
use meshwork::time::WallTime;
use meshwork::{Agent, FirstContact, Level, Transport};
use tokio::time::{sleep, timeout};

use crate::common::{Home, PATIENCE, in_memory_over, start};

/// Says to a child of this test where it lives, where it listens, and over what.
const CHILD: &str = "MESHWORK_TEST_KILLED";

/// How long after the peer is back, or was missed, what waits may take: the silence that is needed to
/// miss it, a search that is begun again, and a machine that others use too.
const SECONDS: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_waits_for_a_killed_peer_arrives_within_seconds_over_tcp() {
    killed_and_back(Transport::Tcp).await;
}

#[tokio::test]
async fn what_waits_for_a_killed_peer_arrives_within_seconds_over_quic() {
    killed_and_back(Transport::Quic).await;
}

#[tokio::test]
async fn what_waits_for_a_killed_peer_arrives_within_seconds_over_udp() {
    killed_and_back(Transport::Udp).await;
}

#[allow(clippy::print_stdout, reason = "the figure is worth seeing")]
async fn killed_and_back(transport: Transport) {
    if let Some(place) = std::env::var_os(CHILD) {
        return live(&place.into_string().unwrap(), transport).await;
    }
    let (home, alice) = (Home::new(), in_memory_over(transport).await);
    let (peer, card) = Peer::start(home.path(), "127.0.0.1:0".parse().unwrap(), transport);
    let place = card.addresses()[0].endpoint.socket_addr().unwrap();
    let bob = alice.meet(card).await.unwrap();
    let before = alice.send(bob, "one").await.unwrap();
    let settled = timeout(PATIENCE, alice.settled(before)).await.unwrap().unwrap();
    assert_eq!(settled.level, Level::Processed);
    drop(peer);
    // Into a session that nobody is at the other end of.
    let waits = alice.send(bob, "two").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let (_peer, _) = Peer::start(home.path(), place, transport);
    let back = Instant::now();
    let delivered = timeout(SECONDS, alice.delivered(waits)).await;
    let level = delivered.expect("not within seconds").unwrap().level;
    assert!(matches!(level, Level::Delivered | Level::Processed), "{level:?}");
    println!("over {transport}: {:?} after it was back", back.elapsed());
}

/// What the child does until it is killed.
#[allow(clippy::print_stdout, reason = "it is how the child tells")]
async fn live(place: &str, transport: Transport) {
    let (address, folder) = place.split_once(' ').unwrap();
    let builder = || {
        let builder = crate::common::builder(Path::new(folder)).listen(address);
        builder.transports(&[transport]).first_contact(FirstContact::Accept)
    };
    let bob: Agent = start(builder).await;
    println!("\n{}", bob.card().to_text());
    let mut inbox = bob.inbox();
    while let Some(delivery) = inbox.next().await {
        delivery.processed().await.unwrap();
    }
}

/// A process of its own, killed when dropped.
struct Peer {
    process: Child,
    /// Left open, so that it may go on printing.
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn start(folder: &Path, at: SocketAddr, transport: Transport) -> (Self, Card) {
        let name =
            format!("killed::what_waits_for_a_killed_peer_arrives_within_seconds_over_{transport}");
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture"])
            .env(CHILD, format!("{at} {}", folder.display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut text = String::new();
        for line in &mut lines {
            let line = line.unwrap();
            if line.starts_with("-----BEGIN") || !text.is_empty() {
                text.push_str(&line);
                text.push('\n');
            }
            if line.starts_with("-----END") {
                break;
            }
        }
        let card = Unverified::<Card>::parse_text(&text).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let card = card.verify(&AwsLc, WallTime::from_secs(now.as_secs())).unwrap();
        (Self { process, _lines: lines }, card)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
