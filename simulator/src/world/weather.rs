//! What nobody asked for, and what the applications do meanwhile.

use std::time::Duration;

use meshwork_protocols::wire::MessageId;
use meshwork_router::{Request, Standing};

use super::{STORM_BEGINS, World};
use crate::happening::{Ending, Happening, Sending, Weather};
use crate::mesh::Agent;
use crate::network::{Host, NetworkFaults};
use crate::note::Deed;
use crate::scenario::Plan;

impl World {
    /// Puts everything that is decided at the start of the storm into the queue.
    pub(super) fn schedule(&mut self, plan: &Plan) {
        self.schedule_messages(plan);
        let repeated = |count: usize| 0..count;
        for _ in repeated(plan.crashes) {
            let killed = self.random.chance(500);
            let ending = if killed { Ending::Killed } else { Ending::PowerLost };
            let host = self.any_host();
            self.at_some_time(plan, Weather::Crash(host, ending));
        }
        for _ in repeated(plan.cuts) {
            let cut = self.any_cut();
            self.at_some_time(plan, cut);
            self.at_some_time(plan, Weather::Heal);
        }
        for _ in repeated(plan.clocks_set) {
            let host = self.any_host();
            self.at_some_time(plan, Weather::SetClock(host));
        }
        for _ in repeated(plan.put_backs) {
            let host = self.any_host();
            self.at_some_time(plan, Weather::Copy(host));
            self.at_some_time(plan, Weather::PutBack(host));
        }
        for _ in repeated(plan.losses) {
            let host = self.any_host();
            self.at_some_time(plan, Weather::Lose(host));
            self.introduce_to(host, STORM_BEGINS + plan.storm + A_MOMENT);
        }
        for _ in repeated(plan.rotations) {
            let host = self.any_host();
            self.at_some_time(plan, Weather::RotateKey(host));
        }
        for _ in repeated(plan.knocks) {
            let host = self.any_host();
            self.at_some_time(plan, Weather::Knock(host));
        }
        self.schedule_relays(plan);
        self.schedule_group(plan);
        if plan.are_bundles_files() {
            self.schedule_bundles(plan);
        }
        if !plan.introduced {
            for host in self.mesh.hosts() {
                self.at_some_time(plan, Weather::Decide(host));
            }
        }
    }

    pub(super) fn turns(&mut self, weather: Weather) {
        match weather {
            Weather::Crash(host, ending) => {
                if !self.is_calm {
                    self.with(host, |node, around| node.end(around, ending));
                }
            }
            Weather::Start(host) => self.with(host, |node, around| node.start(around)),
            Weather::Cut { left, right, one_way } => {
                self.network.cut(&left, &right, one_way);
                left.iter().for_each(|host| self.did(*host, &Deed::Cut));
            }
            Weather::Heal => {
                self.network.heal();
                self.did(Host(0), &Deed::Healed);
            }
            Weather::SetClock(host) => self.with(host, |node, around| node.set_clock(around)),
            Weather::Copy(host) => self.with(host, |node, around| node.copy_disk(around)),
            Weather::PutBack(host) => self.with(host, |node, around| node.put_back(around)),
            Weather::Lose(host) => {
                self.with(host, |node, around| node.lose(around));
                self.introduce_to(host, self.queue.now());
            }
            Weather::Meet(host, peer) => self.meet(host, peer),
            Weather::RotateKey(host) => {
                self.with(host, |node, around| node.rotate_session_key(around));
            }
            Weather::CrashRelay(host, away) => {
                if !self.is_calm {
                    self.with_relay(host, |relay, around| relay.end(around, away));
                }
            }
            Weather::StartRelay(host) => {
                self.with_relay(host, |relay, around| relay.start(around));
            }
            Weather::LeaveAlone(host, away) => {
                self.network.set_alone(host, true);
                self.did(host, &Deed::LeftAlone);
                let rejoins = Happening::Weather(Weather::Rejoin(host));
                self.queue.put(self.queue.now() + away, rejoins);
            }
            Weather::Rejoin(host) => {
                self.network.set_alone(host, false);
                self.did(host, &Deed::Rejoined);
            }
            Weather::LoseRelay(host) => {
                self.with_relay(host, |relay, around| relay.lose(around));
            }
            Weather::CopyRelays => self.copy_relays(),
            Weather::PutLogBack => self.put_log_back(),
            Weather::LookWhetherHealed => self.look_whether_healed(),
            Weather::Decide(host) => self.decide(host),
            Weather::Knock(host) => self.knock(host),
            Weather::HandOut(from, to) => self.hand_out(from, to),
            Weather::Calm => self.calm_down(),
        }
    }

    fn schedule_relays(&mut self, plan: &Plan) {
        let weather = plan.relay_weather;
        let relays: Vec<_> = self.mesh.relay_hosts().collect();
        let Some((first, others)) = relays.split_first() else { return };
        for _ in 0..weather.crashes {
            let host = self.random.pick(&relays).copied().unwrap_or(*first);
            let away = self.random.span(Duration::ZERO, plan.habits.longest_absence);
            self.at_some_time(plan, Weather::CrashRelay(host, away));
        }
        for _ in 0..weather.losses {
            let host = self.random.pick(&relays).copied().unwrap_or(*first);
            self.at_some_time(plan, Weather::LoseRelay(host));
        }
        if weather.long_crash {
            self.at_some_time(plan, Weather::CrashRelay(*first, weather.away));
        }
        if weather.long_cut
            && let Some(host) = others.first()
        {
            self.at_some_time(plan, Weather::LeaveAlone(*host, weather.away));
        }
    }

    fn calm_down(&mut self) {
        self.is_calm = true;
        self.network.set_faults(NetworkFaults::CALM);
        self.network.heal();
        self.did(Host(0), &Deed::Calm);
        for host in self.mesh.hosts() {
            let mut unread = Vec::new();
            self.with(host, |node, _| {
                node.set_failing_reads(true);
                unread = node.unread();
            });
            for (sender, id) in unread {
                let read = Happening::Read { host, sender, id };
                self.queue.put(self.queue.now() + Duration::from_millis(100), read);
            }
        }
    }

    fn schedule_messages(&mut self, plan: &Plan) {
        for number in 0..plan.messages as u64 {
            let from = self.any_host();
            let others: Vec<_> = self.mesh.around(from).collect();
            let Some(to) = self.random.pick(&others).copied() else { continue };
            let named = self.random.chance(plan.named);
            let id = MessageId::random(&mut self.random);
            let lifetime = self.random.pick(&plan.lifetimes).copied().unwrap_or(plan.storm);
            let sending = Sending {
                from,
                to,
                number,
                id: named.then_some(id),
                length: 8 + self.random.index(plan.largest),
                lifetime,
                ordered: self.random.chance(plan.ordered),
            };
            // An application that is not sure whether it sent sends again, under the same id.
            let times = if named && self.random.chance(200) { 2 } else { 1 };
            for _ in 0..times {
                let at = self.some_time(plan);
                self.queue.put(at, Happening::Send(sending));
            }
        }
    }

    /// A host that may have forgotten everybody is told of all with whom it has to do.
    fn introduce_to(&mut self, host: Host, at: Duration) {
        for peer in self.mesh.around(host) {
            self.queue.put(at, Happening::Weather(Weather::Meet(host, peer)));
        }
    }

    /// Tells a host of another, as soon as it runs.
    fn meet(&mut self, host: Host, peer: Host) {
        let runs = self.nodes.get(host.0).is_some_and(|node| node.inside().is_some());
        match self.mesh.agent(peer).map(Agent::card).cloned() {
            Some(card) if runs => self.ask(host, crate::node::meet(&card)),
            _ => {
                let again = Happening::Weather(Weather::Meet(host, peer));
                self.queue.put(self.queue.now() + Duration::from_secs(1), again);
            }
        }
    }

    /// Bundles are handed around before the storm, within it, and once more when it is over: states
    /// that were put back have offered new ones.
    fn schedule_bundles(&mut self, plan: &Plan) {
        let begins = self.queue.now();
        for from in self.mesh.hosts() {
            for to in self.mesh.around(from) {
                let hand_out = Weather::HandOut(from, to);
                self.queue.put(begins, Happening::Weather(hand_out.clone()));
                self.at_some_time(plan, hand_out.clone());
                self.queue.put(STORM_BEGINS + plan.storm + A_MOMENT, Happening::Weather(hand_out));
            }
        }
    }

    /// Gives a bundle to somebody, as soon as both run.
    fn hand_out(&mut self, from: Host, to: Host) {
        let router = |host: Host| self.nodes.get(host.0)?.inside().map(|(router, _)| router);
        let bundle = router(from).and_then(|router| router.bundle().ok()?);
        match bundle.filter(|_| router(to).is_some()) {
            Some(bundle) => self.ask(to, Request::ImportBundle(bundle)),
            None => {
                let again = Happening::Weather(Weather::HandOut(from, to));
                self.queue.put(self.queue.now() + Duration::from_secs(1), again);
            }
        }
    }

    /// The owner accepts every stranger that wrote.
    pub(super) fn decide(&mut self, host: Host) {
        let router = self.nodes.get(host.0).and_then(|node| node.inside());
        let strangers: Vec<_> =
            router.iter().flat_map(|(router, _)| router.strangers()).map(|(id, _)| *id).collect();
        for peer in strangers {
            let standing = Standing::Known;
            self.with(host, |node, around| node.ask(around, Request::Stand { peer, standing }));
        }
    }

    /// Somebody without an identity sends garbage, one way or another.
    fn knock(&mut self, host: Host) {
        let phantom = self.phantom();
        let length = 1 + self.random.index(2_000);
        let mut bytes = self.garbage(length);
        if let Some(first) = bytes.first_mut() {
            *first %= 5;
        }
        match self.random.below(3) {
            0 => {
                self.network.call(phantom, host, &mut self.queue);
            }
            1 => self.network.send_datagram(phantom, host, bytes, &mut self.queue),
            _ => self.network.send_mail(phantom, host, bytes, &mut self.queue),
        }
    }

    pub(super) fn any_host(&mut self) -> Host {
        Host(self.random.index(self.nodes.len()))
    }

    fn any_cut(&mut self) -> Weather {
        let alone = self.any_host();
        let (mut left, mut right) = (vec![alone], Vec::new());
        for host in self.mesh.hosts().filter(|host| *host != alone) {
            if self.random.chance(600) { &mut right } else { &mut left }.push(host);
        }
        Weather::Cut { left, right, one_way: self.random.chance(300) }
    }

    fn at_some_time(&mut self, plan: &Plan, weather: Weather) {
        let at = self.some_time(plan);
        self.queue.put(at, Happening::Weather(weather));
    }

    fn some_time(&mut self, plan: &Plan) -> Duration {
        self.random.span(STORM_BEGINS, STORM_BEGINS + plan.storm)
    }

    /// The run is over: what became of every message.
    pub(super) fn judge_end(&mut self) {
        if self.checker.violation().is_some() {
            return;
        }
        let now = crate::clock::EPOCH + self.queue.now();
        for host in self.mesh.hosts() {
            if let Some((router, _)) = self.nodes.get(host.0).and_then(|node| node.inside()) {
                self.checker.judge_end(host, router, now);
            }
        }
        self.checker.relays.judge_end(now);
        self.judge_group();
    }
}

/// How long after the storm owners do what must not fail any more.
const A_MOMENT: Duration = Duration::from_secs(1);
