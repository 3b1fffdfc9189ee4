//! The data path of UDP sessions in memory, on one thread: frames are sealed by one endpoint and
//! opened by another, acknowledged and handed out.
//!
//! `cargo bench --bench udp_path` prints the rates by the time of the thread, and fails below [`ENOUGH`]
//! for small frames under the suite that hardware helps. It needs Linux, which tells that time.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::{
    AgentId, Card, CardBody, CardHash, HybridSeeds, LiveKey, Newest, Root, Sequence, SigningPair,
    Validity,
};
use meshwork_protocols::lineage::{Incarnation, Lineage};
use meshwork_protocols::live::admission::{Admission, Limits};
use meshwork_protocols::live::udp::{SessionIndex, Transmit, UdpEndpoint, UdpEvent};
use meshwork_protocols::live::{Directory, Local, SessionEvent, Suite};
use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::time::{Timestamp, WallTime};

/// The rate that is asked for, in datagrams a second.
const ENOUGH: f64 = 1.0e6;

const ROUNDS: usize = 5;
const FRAMES: usize = 400_000;
/// What an application hands over at a time.
const AT_ONCE: usize = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let mut enough = true;
    for (suite, length) in [
        (Suite::AesGcm, 64),
        (Suite::AesGcm, 1_100),
        (Suite::ChaChaPoly, 64),
        (Suite::ChaChaPoly, 1_100),
    ] {
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            rates.push(Path::open(suite)?.rate(length)?);
        }
        rates.sort_by(f64::total_cmp);
        let median = rates.get(ROUNDS / 2).copied().ok_or("no round")?;
        println!("{suite:?}, {length} bytes: {:.2} M datagrams/s", median / 1.0e6);
        enough &= (suite, length) != (Suite::AesGcm, 64) || median >= ENOUGH;
    }
    if enough { Ok(()) } else { Err("the path carries too little".into()) }
}

/// Two endpoints with a session between them.
struct Path {
    now: Timestamp,
    ours: UdpEndpoint,
    theirs: UdpEndpoint,
    session: SessionIndex,
    arrived: usize,
}

const OURS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
const THEIRS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 2);

impl Path {
    fn open(suite: Suite) -> Result<Self, Box<dyn Error>> {
        let now = Timestamp {
            monotonic: Duration::from_secs(1),
            wall: WallTime::from_secs(1_800_000_000),
        };
        let (us, them) = (local(suite, now)?, local(suite, now)?);
        let card = Arc::clone(them.card());
        let mut ours = endpoint(us, now);
        let session = ours.dial(now, THEIRS, card)?;
        let mut path = Self { now, ours, theirs: endpoint(them, now), session, arrived: 0 };
        path.carry();
        path.arrived = 0;
        Ok(path)
    }

    fn rate(&mut self, length: usize) -> Result<f64, Box<dyn Error>> {
        let frame = vec![0x10; length];
        let start = worked()?;
        let mut sent = 0;
        while self.arrived < FRAMES {
            self.now = self.now + Duration::from_micros(20);
            for _ in 0..AT_ONCE {
                if self.ours.room(self.session) < 4 * length {
                    break;
                }
                self.ours.send(self.now, self.session, &frame)?;
                sent += 1;
            }
            self.carry();
            if self.ours.next_timeout().is_some_and(|at| at <= self.now) {
                self.ours.handle_timeout(self.now);
            }
            if self.theirs.next_timeout().is_some_and(|at| at <= self.now) {
                self.theirs.handle_timeout(self.now);
            }
            if sent > 2 * FRAMES {
                return Err("frames are lost".into());
            }
        }
        #[allow(clippy::cast_precision_loss, reason = "a figure to print")]
        Ok(self.arrived as f64 / (worked()? - start).as_secs_f64())
    }

    /// Carries datagrams both ways until there are none.
    fn carry(&mut self) {
        loop {
            let mut moved = false;
            while let Some(Transmit { mut datagram, .. }) = self.ours.poll_transmit() {
                self.theirs.receive(self.now, OURS, &mut datagram);
                moved = true;
            }
            while let Some(event) = self.theirs.poll_event() {
                self.arrived +=
                    usize::from(matches!(event, UdpEvent::Session(_, SessionEvent::Frame(_))));
            }
            while let Some(Transmit { mut datagram, .. }) = self.theirs.poll_transmit() {
                self.ours.receive(self.now, THEIRS, &mut datagram);
                moved = true;
            }
            while self.ours.poll_event().is_some() {}
            if !moved {
                return;
            }
        }
    }
}

/// How long this thread has had a processor: others run on this machine too.
fn worked() -> Result<Duration, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split(' ').next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn endpoint(local: Local, now: Timestamp) -> UdpEndpoint {
    let caps = Box::new(Admission::new(Limits::default()));
    UdpEndpoint::new(Arc::new(local), Arc::new(Nobody), caps, now, AwsLc.random())
}

fn local(suite: Suite, now: Timestamp) -> Result<Local, Box<dyn Error>> {
    let random = &mut *AwsLc.random();
    let root = Root::generate(&AwsLc, random)?;
    let pair = SigningPair::from_seeds(&AwsLc, HybridSeeds::random(random))?;
    let live = LiveKey::generate(&AwsLc, random);
    let validity = Validity::starting(now.wall, Validity::MAX);
    let mut body = CardBody::new(Sequence::new(1), validity, pair.public().clone(), *live.public());
    body.suites = vec![suite.byte()];
    let card: Card = root.sign_card(&AwsLc, body, random)?;
    Ok(Local::new(Arc::new(AwsLc), Arc::new(card), live, pair)?)
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
