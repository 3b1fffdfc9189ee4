//! The group of a run: what its owners do in it and when, and whether it has come to rest.

use std::time::Duration;

use meshwork_protocols::fleet::Surroundings as FleetSurroundings;
use meshwork_protocols::fleet::{Group, GroupId, Rows as FleetRows, StoreError, Suite};
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::wire::MessageId;
use meshwork_router::{GroupSummary, Level};
use meshwork_state::{Namespace, Rows, State};

use super::{STORM_BEGINS, World};
use crate::checker::{Cards, Thief, Violation};
use crate::happening::{GroupAct, Happening, Sending, Weather};
use crate::mesh::Agent;
use crate::network::Host;
use crate::scenario::{GroupPlan, Plan};

impl World {
    /// Puts what happens in the group into the queue.
    pub(super) fn schedule_group(&mut self, plan: &Plan) {
        let Some(group) = plan.group else { return };
        let founder = self.any_host();
        self.checker.fleets.is_founded_by(founder);
        let founds = Happening::Group(founder, GroupAct::Create);
        self.queue.put(STORM_BEGINS, founds);
        let invites = Happening::Group(founder, GroupAct::Invite(None));
        self.queue.put(STORM_BEGINS + A_MOMENT, invites);
        for _ in 0..group.acts {
            let (host, act) = self.any_act(founder, group.moves);
            self.act_at_some_time(plan, host, act);
        }
        self.schedule_group_messages(plan, group);
        if group.crowded > 0 {
            let at = STORM_BEGINS + plan.storm.mul_f64(0.6);
            for host in self.mesh.hosts() {
                self.queue.put(at, Happening::Group(host, GroupAct::RotateFor(group.crowded)));
            }
        }
        for _ in 0..group.cuts {
            self.schedule_cut_from_relays(plan);
        }
        for number in 0..group.put_backs as u64 {
            self.schedule_put_back(plan, founder, number);
        }
    }

    /// An owner does something.
    pub(super) fn acts(&mut self, host: Host, act: GroupAct) {
        if let GroupAct::Remove(of) = act {
            self.steal(of);
        }
        self.with(host, |node, around| node.act_in_group(around, act));
    }

    /// What is left to do in the group, and at which host.
    pub(super) fn left_in_group(&mut self) -> Option<(Host, String)> {
        let group = self.checker.fleets.group();
        self.checker.fleets.founder_wanted().map(|host| (host, "no group".to_owned())).or_else(
            || {
                group?;
                let seen: Vec<_> = self.nodes.iter_mut().map(crate::node::Node::group).collect();
                self.left_of(&seen).or_else(|| self.receipts_left())
            },
        )
    }

    /// A member that has a message, and of whom its sender has not heard it though it waits for it.
    fn receipts_left(&self) -> Option<(Host, String)> {
        let silent = |(from, id): (Host, MessageId)| {
            // Whoever missed entries of the log missed what was said there.
            if self.checker.fleets.was_lost(from) || self.checker.fleets.was_log_lost(id) {
                return None;
            }
            let (router, _) = self.nodes.get(from.0)?.inside()?;
            let status = router.group_status(id).ok().flatten()?;
            let stands = !matches!(status.level, Level::Queued | Level::Expired);
            let mut waits = status.undelivered.iter().filter(|_| status.is_waited_for && stands);
            let owes = |agent: &&AgentId| {
                let host = self.mesh.host(agent);
                host.is_some_and(|host| self.checker.has_come(host, (from, id)))
            };
            let member = self.mesh.host(waits.find(owes)?)?;
            Some((member, format!("a receipt for message {id} of {from}")))
        };
        self.checker.fleets.all_accepted().find_map(silent)
    }

    pub(super) fn left_of(&self, seen: &[(Option<GroupSummary>, bool)]) -> Option<(Host, String)> {
        let mut first: Option<&GroupSummary> = None;
        for (at, (group, is_invited)) in seen.iter().enumerate() {
            let left = |what: String| Some((Host(at), what));
            if *is_invited {
                return left("an invitation waits".to_owned());
            }
            // Who was away when it was removed may find that the log does not go back so far.
            let Some(group) = group.as_ref().filter(|group| !group.stranded) else { continue };
            if !group.follows {
                return left("it does not follow its group".to_owned());
            }
            if group.waiting + group.changes > 0 {
                let (waiting, changes) = (group.waiting, group.changes);
                return left(format!("{waiting} message(s) and {changes} change(s) of its group"));
            }
            if !group.wanted.is_empty() {
                return left(format!("{} that it waits for", group.wanted.len()));
            }
            let leader = *first.get_or_insert(group);
            if (leader.epoch, &leader.members) != (group.epoch, &group.members) {
                return left(format!("epoch {}, where another has {}", group.epoch, leader.epoch));
            }
            // A wait for an entry that was lost on its way ends after a minute.
            if leader.read != group.read {
                return left(format!("read to {}, and another to {}", group.read, leader.read));
            }
        }
        let away = |(at, (group, _)): (usize, &(Option<GroupSummary>, bool))| {
            let agent = self.mesh.agent(Host(at)).map(Agent::id)?;
            let is_named = first.is_some_and(|group| group.members.contains(&agent));
            let follows = group.as_ref().is_some_and(|group| group.follows);
            (is_named && !follows).then(|| (Host(at), "it does not follow its group".to_owned()))
        };
        seen.iter().enumerate().find_map(away)
    }

    /// Owners follow invitations that they forgot.
    pub(super) fn answer_invitations(&mut self) {
        for host in self.mesh.hosts() {
            self.with(host, |node, around| node.answer_invitation(around));
        }
    }

    /// The run is over: the members have one set of keys, and who stole a state learns nothing.
    pub(super) fn judge_group(&mut self) {
        self.checker.judge_group();
        if let Some((host, other)) = self.differ() {
            self.checker.violated(Violation::EpochsDiffer { host, other });
        }
        // Where a log was put back, members may pass a removal over that a thief goes on by.
        if !self.checker.fleets.has_two_histories() {
            self.try_what_was_stolen();
        }
    }

    /// Two members with different keys.
    pub(super) fn differ(&self) -> Option<(Host, Host)> {
        let group = self.checker.fleets.group()?;
        let mut first: Option<(Host, Vec<u8>)> = None;
        for host in self.mesh.hosts().filter(|host| self.checker.fleets.is_in(*host)) {
            let Some(own) = self.authenticator(host, group) else { continue };
            let (other, authenticator) = first.get_or_insert_with(|| (host, own.clone()));
            if *authenticator != own {
                return Some((host, *other));
            }
        }
        None
    }

    fn authenticator(&self, host: Host, group: GroupId) -> Option<Vec<u8>> {
        let (_, state) = self.nodes.get(host.0)?.inside()?;
        let (provider, rows) = (self.mesh.watched.fleets.as_deref()?, StateRows(state));
        let mut random = self.random.fork("authenticator", 0);
        let mut around = FleetSurroundings {
            provider,
            rows: &rows,
            random: &mut random,
            now: crate::clock::EPOCH + self.queue.now(),
            suite: Suite::default(),
        };
        let mut group = Group::load(&mut around, group).ok()?;
        Some(group.view(&mut around).ok()?.authenticator().to_vec())
    }

    /// Somebody copies the state of a member that is about to be removed.
    fn steal(&mut self, host: Host) {
        let Some(group) = self.checker.fleets.group() else { return };
        if self.nodes.get_mut(host.0).is_none_or(|node| node.group().0.is_none()) {
            return;
        }
        let state = self.nodes.get(host.0).and_then(|node| node.inside()).map(|(_, state)| state);
        let rows = state.and_then(|state| state.scan(Namespace::Fleet, &[], None, usize::MAX).ok());
        if let Some(rows) = rows.filter(|_| self.thieves.len() < THIEVES) {
            self.thieves.push(Thief::new(host, group, rows));
        }
    }

    fn try_what_was_stolen(&mut self) {
        let Some(provider) = self.mesh.watched.fleets.clone() else { return };
        let agents = self.mesh.hosts().filter_map(|host| self.mesh.agent(host));
        let cards = agents.map(|agent| (agent.card().hash(), (**agent.card()).clone()));
        let cards = Cards(cards.collect());
        let now = crate::clock::EPOCH + self.queue.now();
        for thief in std::mem::take(&mut self.thieves) {
            let (host, log) = (thief.host, self.checker.fleets.log());
            if let Some(opened) = thief.opens_later(&*provider, &cards, log, now) {
                self.checker.fleets.stolen(host, opened);
            }
        }
    }

    fn any_act(&mut self, founder: Host, moves: bool) -> (Host, GroupAct) {
        let by = self.any_host();
        let others: Vec<_> = self.mesh.hosts().filter(|host| *host != founder).collect();
        let of = self.random.pick(&others).copied().unwrap_or(by);
        let admin = if self.random.chance(700) { founder } else { by };
        match self.random.below(100) {
            0..30 => (by, GroupAct::Rotate),
            30..50 => (admin, GroupAct::Remove(of)),
            50..65 => (admin, GroupAct::Invite(Some(of))),
            65..75 => (admin, GroupAct::Invite(None)),
            75..85 => (admin, GroupAct::Appoint(of)),
            85..95 if moves => (admin, self.any_move()),
            85..95 => (by, GroupAct::Rotate),
            _ => (by, GroupAct::Leave),
        }
    }

    /// To any of the relays, where there are several.
    fn any_move(&mut self) -> GroupAct {
        let relays: Vec<_> = self.mesh.relay_hosts().collect();
        match self.random.pick(&relays) {
            Some(to) if relays.len() > 1 => GroupAct::Move(*to),
            _ => GroupAct::Rotate,
        }
    }

    fn act_at_some_time(&mut self, plan: &Plan, host: Host, act: GroupAct) {
        let at = self.random.span(STORM_BEGINS + plan.storm / 4, STORM_BEGINS + plan.storm);
        self.queue.put(at, Happening::Group(host, act));
    }

    fn schedule_group_messages(&mut self, plan: &Plan, group: GroupPlan) {
        for number in 0..group.messages as u64 {
            let from = self.any_host();
            let sending = Sending {
                from,
                to: from,
                number: GROUP_NUMBERS + number,
                id: None,
                length: 8 + self.random.index(200),
                lifetime: A_DAY,
                ordered: false,
            };
            self.act_at_some_time(plan, from, GroupAct::Send(sending));
        }
    }

    /// Some agents do not reach the relays for a while: they go on by themselves afterwards.
    fn schedule_cut_from_relays(&mut self, plan: &Plan) {
        let left: Vec<_> = self.mesh.hosts().filter(|_| self.random.chance(400)).collect();
        let right: Vec<_> = self.mesh.relay_hosts().collect();
        let cut = Weather::Cut { left, right, one_way: false };
        let begins = self.random.span(STORM_BEGINS, STORM_BEGINS + plan.storm);
        let ends = begins + self.random.span(A_MOMENT * 5, plan.storm);
        self.queue.put(begins, Happening::Weather(cut));
        self.queue.put(ends, Happening::Weather(Weather::Heal));
    }
}

/// The rows of a state that groups compute with.
struct StateRows<'a>(&'a State);

impl FleetRows for StateRows<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        self.0.get(Namespace::Fleet, key).map_err(|_| StoreError::Unreadable)
    }
}

impl std::fmt::Debug for StateRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StateRows(..)")
    }
}

/// Numbers of messages to the group; those to one agent are below.
pub(super) const GROUP_NUMBERS: u64 = 1 << 32;

/// How many states are stolen in one run: each is tried on the whole log.
const THIEVES: usize = 2;

pub(super) const A_MOMENT: Duration = Duration::from_secs(1);

pub(super) const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
