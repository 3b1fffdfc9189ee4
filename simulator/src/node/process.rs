//! One start of an agent: the real router over a real state, real sessions, and between them what
//! the product's driver does. It dies with everything in it.
//!
//! The order is the driver's whole duty: every batch that is ready goes into one durable commit;
//! only then the router hears of it, and only then what it releases is performed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::{AgentId, Transport};
use meshwork_protocols::live::Directory;
use meshwork_protocols::live::admission::{Admission, Limits};
use meshwork_protocols::live::udp::{SessionIndex, UdpEndpoint};
use meshwork_protocols::provider::DeferredProvider;
use meshwork_protocols::time::Timestamp;
use meshwork_router::{
    Config, Input, Needs, Output, PathChange, PathId, PathKind, PathOpened, Router, Stored,
};
use meshwork_state::State;

use super::application::Application;
use super::book::Book;
use super::disk_work::DiskWork;
use super::relays::AtRelays;
use super::surroundings::Surroundings;
use super::tcp::TcpLink;
use super::{Crash, Habits};
use crate::broken::Broken;
use crate::happening::{Happening, Start};
use crate::network::{Host, StreamId};
use crate::note::{Decision, FrameKind};
use crate::quic::{Party, QuicIndex, QuicPort};
use crate::seeded::Seeded;

/// What each frame was sealed as on each session, and where the datagrams went.
pub(super) type Echoes = BTreeMap<(SessionIndex, Vec<u8>), Vec<(Host, Vec<u8>)>>;

/// One start of an agent.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) start: Start,
    pub(super) state: Arc<State>,
    pub(super) book: Arc<Book>,
    pub(super) router: Router,
    pub(super) disk_work: DiskWork,
    pub(super) links: BTreeMap<StreamId, TcpLink>,
    pub(super) udp: UdpEndpoint,
    pub(super) quic: QuicPort,
    /// What carries each path, and to whom.
    pub(super) ways: BTreeMap<PathId, (Way, AgentId)>,
    /// The searches for sessions, with the transports that are left to try.
    pub(super) dialling: BTreeMap<Search, Vec<Transport>>,
    /// What each way was dialled for, until a session stands on it.
    pub(super) dialled: BTreeMap<Way, Search>,
    /// What each frame was sealed as, for the one variant that sends it again like that.
    pub(super) echoes: Echoes,
    pub(super) random: Seeded,
    pub(super) habits: Habits,
    pub(super) application: Application,
    pub(super) at_relays: AtRelays,
    next_path: u64,
    /// After how many more outputs the process dies, where that was drawn.
    dies_after: Option<u64>,
}

/// What carries a path.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Way {
    Stream(StreamId),
    Udp(SessionIndex),
    Quic(QuicIndex),
    Mail(Host),
}

/// Who is looked for, and what a session with it must offer.
pub(super) type Search = (AgentId, Needs);

/// What a process begins with.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) start: Start,
    pub(super) state: State,
    pub(super) stored: Stored,
    pub(super) habits: Habits,
    pub(super) random: Seeded,
}

impl Process {
    /// Starts on a state that is open. What the router releases is performed by
    /// [`Process::settle`], which is to follow.
    pub(super) fn begin(beginning: Beginning, around: &Surroundings<'_>) -> Option<Self> {
        let Beginning { start, state, stored, habits, random } = beginning;
        let agent = around.mesh.agent(around.host)?;
        let state = Arc::new(state);
        let book = Arc::new(Book::new(Arc::clone(&state)));
        let opening = state.opening();
        let config = Config {
            own: agent.id(),
            lineage: opening.lineage,
            restored: opening.restored.is_some(),
            policy: habits.policy,
            provider: Arc::<dyn DeferredProvider>::clone(&around.mesh.watched.provider),
            stored,
            fleet: agent.fleet(&around.mesh.watched).map(Box::new),
        };
        let routers = match habits.broken {
            Some(Broken::RandomnessRepeats) => random.fork("router", 0),
            _ => random.fork("router", u64::from(start.0)),
        };
        let rows = Box::new(Arc::clone(&state));
        let router = Router::restore(rows, config, Box::new(routers), around.read_clock()).ok()?;
        let (local, directory) = (&agent.local, || Arc::<Book>::clone(&book) as Arc<dyn Directory>);
        let reset = random.fork("quic reset", 0).bytes();
        let random = random.fork("process", u64::from(start.0));
        let udp = UdpEndpoint::new(
            Arc::clone(local),
            directory(),
            Box::new(Admission::new(Limits::default())),
            around.read_clock(),
            Box::new(random.fork("udp", 0)),
        );
        let party = Party { local: Arc::clone(local), directory: directory() };
        let quic = QuicPort::new(party, reset, &random.fork("quic", 0)).ok()?;
        Some(Self {
            start,
            disk_work: DiskWork::new(opening.restored.is_some()),
            state,
            book,
            router,
            links: BTreeMap::new(),
            udp,
            quic,
            ways: BTreeMap::new(),
            dialling: BTreeMap::new(),
            dialled: BTreeMap::new(),
            echoes: BTreeMap::new(),
            random,
            habits,
            application: Application::default(),
            at_relays: AtRelays::default(),
            next_path: 0,
            dies_after: None,
        })
    }

    /// The first steps after a start: what the router releases, and the ways for mail.
    pub(super) fn settle_in(
        &mut self,
        around: &mut Surroundings<'_>,
        is_lost: bool,
    ) -> Result<(), Crash> {
        for host in around.mesh.around(around.host) {
            let Some(agent) = around.mesh.agent(host) else { continue };
            if is_lost {
                self.ask(around, super::meet(agent.card()))?;
            }
            // A card that a process forgot has to be shown to it again.
            if self.book.facts(&agent.id()).is_some() && self.random.chance(700) {
                self.book.learn(Arc::clone(agent.card()));
            }
            if self.habits.ways.mail {
                let delay = self.random.span(Duration::ZERO, A_SECOND);
                around.later(delay, Happening::OpenMail(around.host, self.start, agent.id()));
            }
        }
        self.testify(around.read_clock());
        self.begin_at_relays(around);
        if self.habits.in_groups {
            self.resume_group(around);
        }
        self.settle(around)?;
        self.accept_restore()
    }

    /// Something happened: the router hears of it, and what it wants is done.
    pub(super) fn handle(
        &mut self,
        around: &mut Surroundings<'_>,
        input: Input<'_>,
    ) -> Result<(), Crash> {
        self.router.handle(around.read_clock(), input);
        self.settle(around)
    }

    /// Does everything that the router wants, until it wants nothing.
    pub(super) fn settle(&mut self, around: &mut Surroundings<'_>) -> Result<(), Crash> {
        loop {
            while let Some(output) = self.router.poll() {
                self.count_down()?;
                self.perform(around, output);
            }
            if !self.repair(around)? {
                break;
            }
        }
        self.begin_commit(around);
        Ok(())
    }

    /// The process dies after `outputs` more have been performed.
    pub(super) const fn die_after(&mut self, outputs: u64) {
        self.dies_after = Some(outputs);
    }

    /// When time alone matters next, on the monotonic clock.
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        let router = self.router.next_timeout().map(|at| at.monotonic);
        let links = self.links.values().filter_map(TcpLink::next_timeout).min();
        let udp = self.udp.next_timeout().map(|at| at.monotonic);
        let (quic, disk) = (self.quic.next_timeout(), self.disk_work.next_timeout());
        [router, links, udp, quic, disk, self.at_relays.next_timeout()].into_iter().flatten().min()
    }

    /// Time has passed.
    pub(super) fn wake(&mut self, around: &mut Surroundings<'_>) -> Result<(), Crash> {
        let now = around.read_clock();
        self.testify(now);
        self.links_timeout(around, now)?;
        self.udp.handle_timeout(now);
        self.after_udp(around)?;
        self.quic.handle_timeout(now);
        self.after_quic(around)?;
        self.relays_timeout(around)?;
        if is_due(self.router.next_timeout(), now) {
            self.handle(around, Input::Tick)?;
        }
        Ok(())
    }

    /// Whether nothing is on its way to the disk.
    pub(super) const fn is_at_rest(&self) -> bool {
        !self.disk_work.group.is_under_way()
    }

    /// A name for a path.
    pub(super) const fn next_path(&mut self) -> PathId {
        let path = PathId(self.next_path);
        self.next_path += 1;
        path
    }

    /// Tells the router of a way.
    pub(super) fn open_path(
        &mut self,
        around: &mut Surroundings<'_>,
        path: PathId,
        way: Way,
        (peer, kind): (AgentId, PathKind),
    ) -> Result<(), Crash> {
        self.ways.insert(path, (way, peer));
        let opened = PathOpened { path, peer, kind };
        self.handle(around, Input::PathChanged(PathChange::Opened(opened)))
    }

    /// A stream of randomness of its own.
    pub(super) fn fork_random(&mut self, name: &str) -> Seeded {
        let number = self.random.draw();
        self.random.fork(name, number)
    }

    /// A way is gone: the router hears of it, if it knew.
    pub(super) fn close_path(
        &mut self,
        around: &mut Surroundings<'_>,
        path: PathId,
    ) -> Result<(), Crash> {
        if self.ways.remove(&path).is_some() {
            self.handle(around, Input::PathChanged(PathChange::Closed(path)))?;
        }
        Ok(())
    }

    /// A frame came out of a path.
    pub(super) fn received(
        &mut self,
        around: &mut Surroundings<'_>,
        path: PathId,
        frame: &[u8],
    ) -> Result<(), Crash> {
        if let Some((_, peer)) = self.ways.get(&path) {
            around.note_received(FrameKind::of(frame), peer);
        }
        self.handle(around, Input::Received { path, frame })
    }

    const fn count_down(&mut self) -> Result<(), Crash> {
        match &mut self.dies_after {
            Some(0) => Err(Crash::InTheMiddle),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn perform(&mut self, around: &mut Surroundings<'_>, output: Output) {
        match output {
            Output::Commit(id, batch) => {
                around.decided(&Decision::Commit(batch.len()));
                self.at_relays.batch_comes_out(id);
                self.disk_work.add(id, batch);
                if self.habits.broken == Some(Broken::ReleasesBeforeTheCommit) {
                    self.router.handle(around.read_clock(), Input::Committed(id));
                }
            }
            Output::Transmit { path, frame } => self.transmit(around, path, &frame),
            Output::Dial { peer, needs } => self.dial(around, (peer, needs)),
            Output::Close { path, reason } => self.close(around, path, reason),
            Output::Event(event) => self.told(around, event),
            errand => self.run_errand(around, errand),
        }
    }
}

fn is_due(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| at.monotonic <= now.monotonic)
}

const A_SECOND: Duration = Duration::from_secs(1);
