//! One machine with one agent: its disk, witness and clocks outlive each process that runs on it.

mod application;
mod book;
mod disk_work;
mod groups;
mod habits;
mod links;
mod overtaken;
mod process;
mod quic;
mod relays;
mod surroundings;
mod tcp;
mod udp;
mod ways;

use std::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::secret::Secret;
use meshwork_router::{GroupSummary, Input, Meeting, PrekeySettings, Request, Standing, Stored};
use meshwork_state::{Sealing, State, Store, Unlock, Witness};

pub use self::habits::{DiskFaults, Habits, Ways};
pub(crate) use self::surroundings::Surroundings;

use self::process::{Beginning, Process};
use crate::broken::{Broken, Forgetful, Hasty, Unarchived};
use crate::checker::{Memory, Violation};
use crate::clock::Clock;
use crate::disk::{Backend, Disk, Image, MachineWitness};
use crate::happening::{Ending, GroupAct, Happening, Sending, Start, Weather};
use crate::network::{Arrival, Host};
use crate::note::Deed;
use crate::seeded::Seeded;

/// One machine with one agent.
#[derive(Debug)]
pub struct Node {
    host: Host,
    clock: Clock,
    disk: Disk,
    witness: MachineWitness,
    key: Unlock,
    habits: Habits,
    random: Seeded,
    /// What every process draws from, each its own stream.
    processes: Seeded,
    starts: Start,
    process: Option<Process>,
    copy: Option<Copy>,
    /// Whether the disk was put back and no start has said so to the end.
    put_back: bool,
    /// Whether the disk broke, so that the owner names all contacts before anything else happens.
    is_lost: bool,
    /// When it is to be woken, as far as the queue knows.
    wakes: Option<Duration>,
}

/// A copy of the disk, and what the checker knew of the host then.
#[derive(Debug)]
struct Copy {
    image: Image,
    /// The last commit on it.
    number: u64,
    memory: Memory,
}

/// Why a process ends before its work is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Crash {
    /// The power goes.
    PowerLost,
    /// It dies between two things that it was to do.
    InTheMiddle,
    /// Its store does not open again.
    Stopped,
}

/// What the disk does with one commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DiskFate {
    /// It is durable, and the driver hears so.
    Works,
    /// There is no room for it.
    IsFull,
    /// The sync fails, and what it leaves is not known before the store is opened again.
    Fails,
    /// The power goes before anything is written.
    DiesBefore,
    /// The power goes while it is written.
    DiesWithin,
    /// The power goes when it is durable, and the driver does not hear of it.
    DiesAfter,
    /// The driver hears of it, and dies before or while it does what was released.
    DiesUntold,
}

impl Node {
    /// A machine on which no process has run yet.
    pub fn new(host: Host, backend: Backend, habits: Habits, mut random: Seeded) -> Self {
        Self {
            host,
            clock: Clock::new(&mut random),
            disk: Disk::new(backend, random.fork("disk", 0)),
            witness: MachineWitness::default(),
            key: Unlock::Key(Secret::random(&mut random)),
            habits,
            processes: random.fork("processes", 0),
            random,
            starts: Start::default(),
            process: None,
            copy: None,
            put_back: false,
            is_lost: false,
            wakes: None,
        }
    }

    /// Its clocks.
    pub(crate) const fn clock(&self) -> Clock {
        self.clock
    }

    /// The router and the state of the process that runs.
    pub(crate) fn inside(&self) -> Option<(&meshwork_router::Router, &State)> {
        self.process.as_ref().map(|process| (&process.router, &*process.state))
    }

    /// Reads fail in a storm alone.
    pub(crate) fn set_failing_reads(&self, is_calm: bool) {
        self.disk.set_failing_reads(if is_calm { 0 } else { self.habits.disk.failing_reads });
    }

    /// When it next wants to be woken, if the queue does not know yet.
    pub(crate) fn take_wake(&mut self, now: Duration) -> Option<Duration> {
        let at = self.clock.when(self.process.as_ref()?.next_timeout()?);
        // What is due now and was not done waits at least a moment: wall clocks jump.
        let at = at.max(now + Duration::from_millis(1));
        if self.wakes.is_some_and(|known| known <= at) {
            return None;
        }
        self.wakes = Some(at);
        Some(at)
    }

    /// The process starts.
    pub(crate) fn start(&mut self, around: &mut Surroundings<'_>) {
        if self.process.is_some() {
            return;
        }
        self.clock.restart(around.queue.now());
        around.clock = self.clock;
        self.starts.0 += 1;
        self.set_failing_reads(around.is_calm);
        let began = self.open(around);
        match began {
            Some(process) => {
                around.network.turn_on(self.host, around.queue);
                self.process = Some(process);
                let is_lost = std::mem::take(&mut self.is_lost);
                self.act(around, |process, around| process.settle_in(around, is_lost));
            }
            None => {
                around.did(&Deed::DidNotBegin);
                if around.is_calm || self.habits.disk.failing_reads == 0 {
                    around.checker.violated(Violation::DoesNotOpen { host: self.host });
                }
                self.disk.power_cycle();
                around.later(STARTS_AGAIN, Happening::Weather(Weather::Start(self.host)));
            }
        }
    }

    /// The process ends.
    pub(crate) fn end(&mut self, around: &mut Surroundings<'_>, ending: Ending) {
        let Some(process) = self.process.take() else { return };
        // Pages of a failed sync look written until the store rewrites them or the power goes.
        let ending = if process.has_unrepaired_disk() { Ending::PowerLost } else { ending };
        drop(process);
        around.did(&Deed::Ended(ending));
        around.checker.ended();
        around.network.turn_off(self.host, ending == Ending::Killed, around.queue);
        if ending != Ending::Killed {
            self.disk.power_cycle();
        }
        self.wakes = None;
        let away = self.random.span(Duration::from_millis(100), self.habits.longest_absence);
        around.later(away, Happening::Weather(Weather::Start(self.host)));
    }

    /// Something arrives.
    pub(crate) fn arrive(&mut self, around: &mut Surroundings<'_>, arrival: Arrival) {
        self.act(around, |process, around| match arrival {
            Arrival::Call { stream, .. } => {
                process.called(around, stream);
                Ok(())
            }
            Arrival::Answered(stream) => process.answered(around, stream),
            Arrival::Bytes { stream, bytes } => process.stream_bytes(around, stream, &bytes),
            Arrival::Ended(stream) => process.stream_ended(around, stream),
            Arrival::Datagram { from, bytes } => process.datagram(around, from, bytes),
            Arrival::Letter { from, letter } => process.letter(around, from, letter),
            Arrival::Mail { from, bytes } => process.mail(around, from, &bytes),
        });
    }

    /// Time alone has passed.
    pub(crate) fn wake(&mut self, around: &mut Surroundings<'_>) {
        if self.wakes.take_if(|at| *at <= around.queue.now()).is_some() {
            self.act(around, |process, around| process.wake(around));
        }
    }

    /// The disk is done with a commit.
    pub(crate) fn disk_done(&mut self, around: &mut Surroundings<'_>, start: Start) {
        let fate = self.habits.disk.fate(around.is_calm, &mut self.random);
        let disk = &mut self.disk;
        if let Some(process) = self.process.as_mut().filter(|process| process.start == start) {
            let done = process.disk_done(around, disk, fate);
            self.after(around, done);
        }
    }

    /// The driver hears of a commit.
    pub(crate) fn disk_heard(&mut self, around: &mut Surroundings<'_>, start: Start) {
        if self.starts == start {
            self.act(around, |process, around| process.disk_heard(around));
        }
    }

    /// The application sends. Where no process runs it tries again later.
    pub(crate) fn send(&mut self, around: &mut Surroundings<'_>, sending: Sending) {
        if self.process.is_none() {
            around.later(STARTS_AGAIN, Happening::Send(sending));
            return;
        }
        self.act(around, |process, around| process.send(around, sending));
    }

    /// The owner does something in the group. Where no process runs it tries again later.
    pub(crate) fn act_in_group(&mut self, around: &mut Surroundings<'_>, act: GroupAct) {
        if self.process.is_none() {
            around.later(STARTS_AGAIN, Happening::Group(self.host, act));
            return;
        }
        self.act(around, |process, around| process.act_in_group(around, act));
    }

    /// The owner follows an invitation that waits.
    pub(crate) fn answer_invitation(&mut self, around: &mut Surroundings<'_>) {
        self.act(around, |process, around| {
            process.answer_invitation(around);
            Ok(())
        });
    }

    /// The group, as the router sees it now, and whether an invitation waits.
    pub(crate) fn group(&mut self) -> (Option<GroupSummary>, bool) {
        match &mut self.process {
            Some(process) => (process.group(), process.is_invited()),
            None => (None, false),
        }
    }

    /// The owner or the application asks for something.
    pub(crate) fn ask(&mut self, around: &mut Surroundings<'_>, request: Request) {
        self.act(around, |process, around| process.ask(around, request));
    }

    /// A way for mail opens.
    pub(crate) fn open_mail(&mut self, around: &mut Surroundings<'_>, start: Start, peer: AgentId) {
        if self.starts == start {
            self.act(around, |process, around| process.open_mail(around, peer));
        }
    }

    /// What the application knows of and has not dealt with.
    pub(crate) fn unread(&self) -> Vec<(AgentId, meshwork_protocols::wire::MessageId)> {
        self.process.iter().flat_map(Process::unread).collect()
    }

    /// Somebody sets the wall clock.
    pub(crate) fn set_clock(&mut self, around: &mut Surroundings<'_>) {
        self.clock.jump(&mut self.random);
        around.clock = self.clock;
        around.did(&Deed::ClockSet);
        self.act(around, |process, around| process.handle(around, Input::Tick));
    }

    /// The daily task of the state.
    pub(crate) fn rotate_session_key(&mut self, around: &mut Surroundings<'_>) {
        self.act(around, |process, around| process.rotate_session_key(around));
    }

    /// Somebody copies the disk, between two commits.
    pub(crate) fn copy_disk(&mut self, around: &mut Surroundings<'_>) {
        let Some(process) = self.process.as_ref().filter(|process| process.is_at_rest()) else {
            return;
        };
        let number = process.state.lineage().number;
        if let Some(image) = self.disk.image() {
            let memory = around.checker.remember(self.host);
            self.copy = Some(Copy { image, number, memory });
            around.did(&Deed::Copied);
        }
    }

    /// Somebody puts the disk back to its copy. Where the witness could not tell it from a crash,
    /// because it lags, nobody does.
    pub(crate) fn put_back(&mut self, around: &mut Surroundings<'_>) {
        let lags = |copy: &Copy| self.witness.number().is_none_or(|seen| seen <= copy.number);
        let broken = self.habits.broken == Some(Broken::TellsNoWitness);
        let Some(copy) = self.copy.take_if(|copy| broken || !lags(copy)) else { return };
        self.end(around, Ending::Killed);
        if self.disk.put_back(&copy.image).is_ok() {
            self.put_back = true;
            around.did(&Deed::PutBack);
            around.checker.put_back(self.host, copy.memory);
        }
    }

    /// The disk breaks, and the witness with it: the same agent begins with an empty state.
    pub(crate) fn lose(&mut self, around: &mut Surroundings<'_>) {
        self.end(around, Ending::Killed);
        self.disk.replace();
        self.witness = MachineWitness::default();
        self.copy = None;
        self.put_back = false;
        self.is_lost = true;
        around.did(&Deed::Lost);
        around.checker.put_back(self.host, Memory::default());
    }

    /// Opens the state, and a process on it.
    fn open(&mut self, around: &mut Surroundings<'_>) -> Option<Process> {
        let state = self.open_state(around)?;
        let opening = state.opening();
        around.checker.began(self.host, self.put_back, opening.restored.is_some());
        around.did(&Deed::Began { restored: opening.restored.is_some() });
        let beginning = Beginning {
            start: self.starts,
            state,
            stored: self.stored_protocol(around),
            habits: self.habits,
            random: self.processes.clone(),
        };
        Process::begin(beginning, around)
    }

    fn open_state(&mut self, around: &Surroundings<'_>) -> Option<State> {
        let store = self.disk.open().ok()?;
        let store: Box<dyn Store> = match self.habits.broken {
            Some(Broken::ArchivesNothing) if self.put_back => Box::new(Unarchived::new(store)),
            Some(broken) => match broken.forgets() {
                Some(forgets) => Box::new(Forgetful::new(store, forgets)),
                None => store,
            },
            None => store,
        };
        let random = Box::new(self.processes.fork("sealing", u64::from(self.starts.0)));
        let sealing = Sealing::new(around.mesh.watched.provider.clone()).with_random(random);
        let witness: Box<dyn Witness> = match self.habits.broken {
            Some(Broken::TellsTheWitnessEarly) => Box::new(Hasty(self.witness.clone())),
            _ => Box::new(self.witness.clone()),
        };
        let now = around.read_clock().wall;
        if self.witness.number().is_none() {
            return State::create_on(store, witness, &self.key, sealing, now).ok();
        }
        State::open_on(store, witness, &self.key, sealing).ok()
    }

    fn stored_protocol(&self, around: &Surroundings<'_>) -> Stored {
        let provider = &around.mesh.watched.provider;
        let settings =
            PrekeySettings { pool_size: self.habits.prekeys, ..PrekeySettings::default() };
        let agent = around.mesh.agent(self.host).filter(|_| self.habits.ways.deferred);
        match agent.and_then(|agent| agent.deferred(provider, settings)) {
            Some(deferred) => {
                Stored::Deferred(Box::new(deferred.with_heartbeat(self.habits.heartbeat)))
            }
            None => Stored::None,
        }
    }

    /// Has the process do something, and ends it where it dies of it.
    fn act(
        &mut self,
        around: &mut Surroundings<'_>,
        act: impl FnOnce(&mut Process, &mut Surroundings<'_>) -> Result<(), Crash>,
    ) {
        if let Some(process) = &mut self.process {
            let done = act(process, around);
            self.after(around, done);
        }
    }

    fn after(&mut self, around: &mut Surroundings<'_>, done: Result<(), Crash>) {
        self.put_back &= !self.process.as_ref().is_some_and(Process::accepted_restore);
        match done {
            Ok(()) => {}
            Err(Crash::PowerLost) => self.end(around, Ending::PowerLost),
            Err(Crash::Stopped) => self.end(around, Ending::Stopped),
            Err(Crash::InTheMiddle) => {
                let killed = self.random.chance(500);
                self.end(around, if killed { Ending::Killed } else { Ending::PowerLost });
            }
        }
    }
}

/// The request that makes `card`'s agent known.
pub(crate) fn meet(card: &std::sync::Arc<meshwork_protocols::identity::Card>) -> Request {
    let meeting = Meeting { standing: Some(Standing::Known), ..Meeting::default() };
    Request::Meet { card: card.clone(), meeting }
}

/// How long it takes until something is tried again that needs a process.
const STARTS_AGAIN: Duration = Duration::from_secs(1);
