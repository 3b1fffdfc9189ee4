//! One machine with a relay: the product's service over a memory backend, which outlives each of its
//! processes as far as its disk says.
//!
//! Does what the product's worker does between calls and the service: it gathers requests while the
//! disk works, makes them durable together and answers then. Knows nothing of what agents do.

mod disk;

use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::{DeferredProvider, Provider};
use meshwork_protocols::relay::{Answer, Fetch, LogId, MailNumber, Nudge, Refusal, Request};
use meshwork_protocols::time::Timestamp;
use meshwork_relay::storage::{MemoryStorage, Subject};
use meshwork_relay::{Asked, Limits, Outcome, Relay};

use self::disk::{Fate, RelayDisk};
use crate::broken::Broken;
use crate::clock::Clock;
use crate::happening::{Ending, Happening, Start, Weather};
use crate::network::{CallId, Host, Letter};
use crate::node::{DiskFate, Habits, Surroundings};
use crate::note::{Deed, Given};
use crate::seeded::Seeded;

/// One machine with a relay.
#[derive(Debug)]
pub(crate) struct RelayNode {
    host: Host,
    id: AgentId,
    clock: Clock,
    disk: RelayDisk,
    habits: Habits,
    random: Seeded,
    starts: Start,
    process: Option<Process>,
    /// What its disk was once.
    copy: Option<MemoryStorage>,
}

/// One start of a relay.
#[derive(Debug)]
struct Process {
    relay: Relay<RelayDisk>,
    /// What goes into the next batch.
    gathered: Vec<Job>,
    /// Who waits for something to be appended.
    waiting: Vec<(Subject, Job)>,
    /// Whether the disk works, or will.
    is_busy: bool,
}

/// A request, and who waits for its answer.
#[derive(Debug)]
struct Job {
    from: Host,
    call: CallId,
    asked: Asked,
    /// When it is answered whether there is something or not.
    ends: Option<Duration>,
}

impl RelayNode {
    /// A machine on which no relay has run yet.
    pub(crate) fn new(host: Host, id: AgentId, habits: Habits, mut random: Seeded) -> Self {
        let lies = habits.broken == Some(Broken::RelayAnswersEarly);
        Self {
            host,
            id,
            clock: Clock::new(&mut random),
            disk: if lies { RelayDisk::lying() } else { RelayDisk::default() },
            habits,
            random,
            starts: Start::default(),
            process: None,
            copy: None,
        }
    }

    /// Its clocks.
    pub(crate) const fn clock(&self) -> Clock {
        self.clock
    }

    /// The relay starts.
    pub(crate) fn start(&mut self, around: &mut Surroundings<'_>) {
        if self.process.is_some() {
            return;
        }
        self.clock.restart(around.queue.now());
        self.starts.0 += 1;
        self.disk.power_cycle();
        let provider: Arc<dyn Provider> =
            Arc::<dyn DeferredProvider>::clone(&around.mesh.watched.provider);
        self.process = Some(Process {
            relay: Relay::new(self.disk.clone(), provider, Limits::default()),
            gathered: Vec::new(),
            waiting: Vec::new(),
            is_busy: false,
        });
        around.network.turn_on(self.host, around.queue);
        around.did(&Deed::Began { restored: false });
    }

    /// The relay ends, and starts again after so long.
    pub(crate) fn end(&mut self, around: &mut Surroundings<'_>, away: Duration) {
        if self.process.take().is_none() {
            return;
        }
        around.did(&Deed::Ended(Ending::PowerLost));
        around.network.turn_off(self.host, false, around.queue);
        around.later(away, Happening::Weather(Weather::StartRelay(self.host)));
    }

    /// The relay ends, and all that it kept is gone.
    pub(crate) fn lose(&mut self, around: &mut Surroundings<'_>) {
        let away = self.absence();
        self.end(around, away);
        self.disk.replace();
        around.did(&Deed::Lost);
        around.checker.relays.lost(self.host);
    }

    /// The disk is copied.
    pub(crate) fn copy(&mut self, around: &mut Surroundings<'_>) {
        self.copy = Some(self.disk.copy());
        around.did(&Deed::Copied);
    }

    /// The relay ends, and its log of a group goes back to what it was in the copy, where it has one.
    /// What else it keeps stays: mail and offers are promised by others. Whether that is so.
    pub(crate) fn put_log_back(&mut self, around: &mut Surroundings<'_>, log: &LogId) -> bool {
        let Some(copy) = self.copy.clone() else { return false };
        if copy.clone().put_log_back(log, &copy) == 0 {
            return false;
        }
        let away = self.random.span(Duration::from_millis(100), Duration::from_secs(2));
        self.end(around, away);
        let last = self.disk.put_log_back(log, &copy);
        around.did(&Deed::PutBack);
        around.checker.fleets.log_put_back(last, around.queue.now());
        true
    }

    /// An agent asks.
    pub(crate) fn asked(
        &mut self,
        around: &mut Surroundings<'_>,
        (from, caller): (Host, AgentId),
        call: CallId,
        request: &[u8],
    ) {
        let Some(process) = &mut self.process else { return };
        match Request::decode(request) {
            Ok(request) => {
                let asked = Asked { caller, request };
                process.gathered.push(Job { from, call, asked, ends: None });
                self.begin(around);
            }
            Err(_) => self.answer(around, (from, call), &Answer::Refused(Refusal::Malformed)),
        }
    }

    /// The disk has done what it was given, or a wait is over.
    pub(crate) fn serve(&mut self, around: &mut Surroundings<'_>, start: Start) {
        if self.starts != start || self.process.is_none() {
            return;
        }
        let fate = self.habits.disk.fate(around.is_calm, &mut self.random);
        self.draw_fate(fate);
        let now = self.clock.read(around.queue.now());
        let Some(outcomes) = self.process.as_mut().and_then(|process| process.serve(now)) else {
            let away = self.absence();
            return self.end(around, away);
        };
        around.did(&Deed::Served(outcomes.len()));
        // It may die when all is durable, and some are answered.
        let answered = match fate {
            DiskFate::DiesAfter => 0,
            DiskFate::DiesUntold => self.random.index(outcomes.len().max(1)),
            _ => usize::MAX,
        };
        for (job, outcome) in outcomes.into_iter().take(answered) {
            self.came_out(around, now, job, outcome);
        }
        if answered < usize::MAX {
            let away = self.absence();
            return self.end(around, away);
        }
        self.tell_who_waits(around);
        self.begin(around);
    }

    /// Mail that waits here for an agent, and how many of its one-time keys are left; `None` where
    /// no relay runs.
    pub(crate) fn keeps(&mut self, now: Duration, owner: AgentId) -> Option<(usize, u32)> {
        let now = self.clock.read(now);
        let relay = &mut self.process.as_mut()?.relay;
        let fetch = Fetch { mailbox: owner, after: MailNumber(0), most: 1_024, wait: 0 };
        let asked = [Request::Fetch(fetch), Request::Depth(owner)]
            .map(|request| Asked { caller: owner, request });
        match relay.serve(now, &asked).ok()?.as_slice() {
            [Outcome::Answer(Answer::Mail(mail)), Outcome::Answer(Answer::Depth(depth))] => {
                Some((mail.len(), depth.prekeys))
            }
            _ => None,
        }
    }

    /// Gives the disk what is gathered, unless it is at work.
    fn begin(&mut self, around: &mut Surroundings<'_>) {
        let Some(process) = &mut self.process else { return };
        if !process.gathered.is_empty() && !std::mem::replace(&mut process.is_busy, true) {
            let least = self.habits.disk.least_latency;
            let takes = self.random.span(least, self.habits.disk.most_latency.max(least));
            around.later(takes, Happening::RelayServes(self.host, self.starts));
        }
    }

    fn draw_fate(&mut self, fate: DiskFate) {
        let fate = match fate {
            DiskFate::DiesBefore | DiskFate::IsFull | DiskFate::Fails => Fate::DiesBefore,
            DiskFate::DiesWithin => Fate::DiesWithin(self.random.index(8)),
            DiskFate::Works | DiskFate::DiesAfter | DiskFate::DiesUntold => Fate::Works,
        };
        self.disk.set_fate(fate);
    }

    fn came_out(
        &mut self,
        around: &mut Surroundings<'_>,
        now: Timestamp,
        mut job: Job,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Answer(answer) => {
                around.did(&Deed::Gave(job.from, Given::of(&answer)));
                around.checker.relays.answers(self.host, &job.asked, &answer);
                let mesh = around.mesh;
                around.checker.fleets.answers(&job.asked, &answer, |agent| mesh.host(agent));
                self.answer(around, (job.from, job.call), &answer);
            }
            Outcome::Wait(waiting) => {
                let ends = now.monotonic + Duration::from_millis(waiting.millis.into());
                let ends = *job.ends.get_or_insert(ends);
                let wake = Happening::RelayServes(self.host, self.starts);
                around.later(ends.saturating_sub(now.monotonic), wake);
                if let Some(process) = &mut self.process {
                    process.waiting.push((waiting.subject, job));
                }
            }
        }
    }

    /// Those ask again who waited for what the batch appended, and others are nudged.
    fn tell_who_waits(&mut self, around: &mut Surroundings<'_>) {
        let Some(process) = &mut self.process else { return };
        let appended = process.relay.take_appended();
        let woken = process.waiting.extract_if(.., |(subject, _)| appended.contains(subject));
        process.gathered.extend(woken.map(|(_, job)| job));
        for (agent, nudge) in process.relay.take_nudges() {
            if let Some(to) = around.mesh.host(&agent) {
                let letter = Letter::Nudge(Nudge::encode(&nudge));
                around.network.send_letter(self.host, to, &letter, around.queue);
            }
        }
    }

    fn answer(&self, around: &mut Surroundings<'_>, (to, call): (Host, CallId), answer: &Answer) {
        let letter = Letter::Answer(call, answer.encode());
        around.network.send_letter(self.host, to, &letter, around.queue);
    }

    fn absence(&mut self) -> Duration {
        self.random.span(Duration::from_millis(100), self.habits.longest_absence)
    }

    /// Who it is.
    pub(crate) const fn id(&self) -> AgentId {
        self.id
    }
}

impl Process {
    /// Serves what is gathered, and those whose wait is over; `None` where the disk failed.
    fn serve(&mut self, now: Timestamp) -> Option<Vec<(Job, Outcome)>> {
        self.is_busy = false;
        let is_over =
            |(_, job): &mut (Subject, Job)| job.ends.is_some_and(|ends| ends <= now.monotonic);
        for (_, mut job) in self.waiting.extract_if(.., is_over) {
            job.asked.request.has_waited();
            self.gathered.push(job);
        }
        let jobs = std::mem::take(&mut self.gathered);
        let asked: Vec<_> = jobs.iter().map(|job| job.asked.clone()).collect();
        self.relay.sweep(now).ok()?;
        let outcomes = self.relay.serve(now, &asked).ok()?;
        Some(jobs.into_iter().zip(outcomes).collect())
    }
}
