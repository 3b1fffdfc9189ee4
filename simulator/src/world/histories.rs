//! A log that is put back to a copy of its holder's disk: some members have gone on by what is lost,
//! others go on without it, and the group is one again within ten minutes.

use std::time::Duration;

use super::groups::{A_DAY, A_MOMENT, GROUP_NUMBERS};
use super::{STORM_BEGINS, World};
use crate::checker::Violation;
use crate::happening::{GroupAct, Happening, Sending, Weather};
use crate::network::Host;
use crate::scenario::Plan;

impl World {
    /// The disk is copied at some time, and the log is put back to that later. Now and then some do
    /// not reach the log in between, and the others not behind it, so that both go on by themselves.
    pub(super) fn schedule_put_back(&mut self, plan: &Plan, founder: Host, number: u64) {
        let copied = self.random.span(STORM_BEGINS + plan.storm / 8, STORM_BEGINS + plan.storm);
        let put_back = self.random.span(copied, STORM_BEGINS + plan.storm);
        self.queue.put(copied, Happening::Weather(Weather::CopyRelays));
        self.queue.put(put_back, Happening::Weather(Weather::PutLogBack));
        if self.random.chance(600) {
            self.schedule_two_histories((copied, put_back), founder, number);
        }
    }

    fn schedule_two_histories(
        &mut self,
        (copied, put_back): (Duration, Duration),
        founder: Host,
        number: u64,
    ) {
        let is_ahead: Vec<_> = self.mesh.hosts().map(|_| self.random.chance(500)).collect();
        let of = |ahead: bool| {
            let hosts = self.mesh.hosts().zip(&is_ahead);
            hosts.filter(|(_, is)| **is == ahead).map(|(host, _)| host).collect::<Vec<_>>()
        };
        let (ahead, behind) = (of(true), of(false));
        // Those behind rest before they ask again, up to a minute.
        let parted = put_back + self.random.span(A_MOMENT * 5, A_MOMENT * 60);
        self.goes_on_alone((copied, put_back), (&ahead, &behind), number * 8);
        self.takes_out((copied, put_back), founder, &behind);
        self.goes_on_alone((put_back, parted), (&behind, &ahead), number * 8 + 4);
    }

    /// Some do not reach the relays; of the others a few draw new keys and write.
    fn goes_on_alone(
        &mut self,
        (begins, ends): (Duration, Duration),
        (who, parted): (&[Host], &[Host]),
        number: u64,
    ) {
        let right = self.mesh.relay_hosts().collect();
        let cut = Weather::Cut { left: parted.to_vec(), right, one_way: false };
        self.queue.put(begins, Happening::Weather(cut));
        self.queue.put(ends, Happening::Weather(Weather::Heal));
        for number in number..number + 1 + self.random.below(3) {
            let (draws, writes) = (self.random.pick(who).copied(), self.random.pick(who).copied());
            let (Some(draws), Some(writes)) = (draws, writes) else { return };
            let write = GroupAct::Send(sending(writes, number));
            for (host, act) in [(draws, GroupAct::Rotate), (writes, write)] {
                let at = self.random.span(begins, ends);
                self.queue.put(at, Happening::Group(host, act));
            }
        }
    }

    /// One of those who do not hear of it is taken out.
    fn takes_out(&mut self, (begins, ends): (Duration, Duration), by: Host, parted: &[Host]) {
        if let Some(of) = self.random.pick(parted).copied().filter(|_| !parted.contains(&by)) {
            let at = self.random.span(begins, begins + (ends - begins) / 2);
            self.queue.put(at, Happening::Group(by, GroupAct::Remove(of)));
        }
    }

    pub(super) fn copy_relays(&mut self) {
        if self.checker.fleets.group().is_some() {
            for host in self.mesh.relay_hosts() {
                self.with_relay(host, |relay, around| relay.copy(around));
            }
        }
    }

    pub(super) fn put_log_back(&mut self) {
        let Some(log) = self.checker.fleets.present_log() else { return };
        let mut is_back = false;
        for host in self.mesh.relay_hosts() {
            self.with_relay(host, |relay, around| is_back |= relay.put_log_back(around, &log));
        }
        if is_back {
            self.look_again_whether_healed();
        }
    }

    /// Members are in one epoch of the log, with one authenticator, and nothing waits.
    pub(super) fn look_whether_healed(&mut self) {
        let now = self.queue.now();
        let Some(since) = self.checker.fleets.heals_since() else { return };
        let left = self.left_to_heal();
        let Some((host, left)) = left else { return self.checker.fleets.healed(now) };
        let after = now.saturating_sub(since);
        if after > HEALS_WITHIN {
            self.checker.violated(Violation::HealedLate { host, after, left });
        }
        self.look_again_whether_healed();
    }

    fn look_again_whether_healed(&mut self) {
        let at = self.queue.now() + A_MOMENT;
        self.queue.put(at, Happening::Weather(Weather::LookWhetherHealed));
    }

    fn left_to_heal(&mut self) -> Option<(Host, String)> {
        let mut seen: Vec<_> = self.nodes.iter_mut().map(crate::node::Node::group).collect();
        // Who waits for a removal to be made again is where the others are.
        for group in seen.iter_mut().filter_map(|(group, _)| group.as_mut()) {
            if !group.in_again.is_empty() {
                group.waiting = 0;
            }
        }
        let is_off = |(host, node): (Host, &crate::node::Node)| {
            let is_off = node.inside().is_none() && self.checker.fleets.is_in(host);
            is_off.then(|| (host, "no process runs".to_owned()))
        };
        self.mesh.hosts().zip(&self.nodes).find_map(is_off).or_else(|| self.left_of(&seen)).or_else(
            || {
                let group = seen.iter().filter_map(|(group, _)| group.as_ref());
                let group = group.filter(|group| group.follows).map(|group| group.epoch).next();
                let stands = group.is_none_or(|epoch| self.checker.fleets.log_leads_to(epoch));
                let (host, other) = match self.differ() {
                    None if stands => return None,
                    None => return Some((Host(0), "its epoch is not in the log".to_owned())),
                    Some(differ) => differ,
                };
                Some((host, format!("other keys than {other}")))
            },
        )
    }
}

fn sending(from: Host, number: u64) -> Sending {
    let number = GROUP_NUMBERS * 2 + number;
    Sending { from, to: from, number, id: None, length: 40, lifetime: A_DAY, ordered: false }
}

/// The longest that a group whose log was put back may take until it is one again.
const HEALS_WITHIN: Duration = Duration::from_secs(10 * 60);
