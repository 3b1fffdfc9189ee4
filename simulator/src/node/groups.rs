//! The group of a run, as an agent's owner deals with it: what it asks, what it is told, and what is
//! looked at beside.

use std::time::Duration;

use meshwork_protocols::fleet::{GroupId, LogEntry, Posting};
use meshwork_protocols::identity::{Address, Relay};
use meshwork_protocols::relay::{Append, Entry, Request as Asking};
use meshwork_protocols::secret::SecretBytes;
use meshwork_router::{
    Answer, CommandError, GroupEvent, GroupRequest, GroupSummary, Level, Request,
};
use meshwork_state::{Namespace, Rows};

use super::Crash;
use super::application::Asked;
use super::process::Process;
use super::surroundings::Surroundings;
use crate::checker::Violation;
use crate::happening::{GroupAct, Happening, Sending};
use crate::mesh::Agent;
use crate::network::Host;

impl Process {
    /// The owner does something in the group.
    pub(super) fn act_in_group(
        &mut self,
        around: &mut Surroundings<'_>,
        act: GroupAct,
    ) -> Result<(), Crash> {
        let group = around.checker.fleets.group();
        let request = match (act, group) {
            (GroupAct::Create, None) if self.group().is_none() => {
                GroupRequest::Create { name: "crew".to_owned(), holder: None }
            }
            (GroupAct::Create, _) => return Ok(()),
            // There is none yet.
            (act, None) => {
                around.later(A_WHILE, Happening::Group(around.host, act));
                return Ok(());
            }
            (act, Some(group)) => match self.request_of(around, group, act) {
                Some(request) => request,
                None => return Ok(()),
            },
        };
        if let GroupAct::Send(sending) = act {
            let members = self.group().map(|group| group.members).unwrap_or_default();
            let members = members.iter().filter_map(|member| around.mesh.host(member)).collect();
            around.checker.fleets.submitted(&sending, members);
        }
        // What is sent is sealed within this very step, in this epoch.
        let epoch = self.group().map_or(0, |group| group.epoch);
        self.submit(around, Request::Group(request), Asked::Group(act, epoch))
    }

    fn request_of(
        &mut self,
        around: &Surroundings<'_>,
        group: GroupId,
        act: GroupAct,
    ) -> Option<GroupRequest> {
        let seen = self.group();
        let id = |host: Host| around.mesh.agent(host).map(Agent::id);
        let outside = |host: &Host| {
            let is_in = |agent| seen.as_ref().is_some_and(|seen| seen.members.contains(&agent));
            id(*host).is_some_and(|agent| !is_in(agent))
        };
        Some(match act {
            GroupAct::Invite(Some(host)) => {
                let peers = vec![id(host).filter(|_| outside(&host))?];
                GroupRequest::Invite { group, peers, anew: false }
            }
            GroupAct::Invite(None) => {
                let peers = around.mesh.hosts().filter(outside).filter_map(id).collect();
                GroupRequest::Invite { group, peers, anew: false }
            }
            GroupAct::Join => GroupRequest::Join(group),
            GroupAct::Remove(host) => GroupRequest::Remove { group, members: vec![id(host)?] },
            GroupAct::Appoint(host) => {
                GroupRequest::Appoint { group, member: id(host)?, admin: true }
            }
            GroupAct::Rotate => GroupRequest::Rotate(group),
            GroupAct::RotateFor(epochs) => {
                self.application.rotates_until = seen?.epoch + epochs;
                GroupRequest::Rotate(group)
            }
            GroupAct::Move(host) => {
                let to = Relay { agent: around.mesh.relay_at(host)?, addresses: somewhere() };
                GroupRequest::MoveLog { group, to }
            }
            GroupAct::Leave => GroupRequest::Leave(group),
            GroupAct::Send(sending) => {
                seen?;
                GroupRequest::Send {
                    group,
                    id: None,
                    content_type: "text/plain".parse().unwrap_or_default(),
                    body: sending.body(),
                    lifetime: sending.lifetime,
                    asks: sending.asks(),
                }
            }
            GroupAct::Create => return None,
        })
    }

    /// What the owner asked was answered.
    pub(super) fn group_answered(
        &mut self,
        around: &mut Surroundings<'_>,
        (act, epoch): (GroupAct, u64),
        answer: Result<Answer, CommandError>,
    ) {
        match (act, answer) {
            (GroupAct::Send(Sending { number, .. }), Ok(Answer::Accepted(id))) => {
                around.checker.fleets.accepted(number, epoch, id);
            }
            (GroupAct::Create | GroupAct::Invite(_), Err(error)) if error.is_worth_a_retry() => {
                around.later(A_WHILE, Happening::Group(around.host, act));
            }
            _ => {}
        }
        self.look_at_group(around);
    }

    /// The owner is told of the group.
    pub(super) fn told_of_group(&mut self, around: &mut Surroundings<'_>, what: GroupEvent) {
        around.checker.fleets.told(around.host, what);
        if let GroupEvent::NotRemoved(agent) = what
            && let Some(of) = around.mesh.host(&agent)
        {
            around.checker.fleets.told_not_removed(around.host, of);
        }
        if let GroupEvent::Moved { id, level: Level::Delivered | Level::Processed } = what
            && let Ok(Some(status)) = self.router.group_status(id)
        {
            around.checker.heard_of_members(around.host, id, &status);
        }
        self.look_at_group(around);
        let host = around.host;
        match what {
            GroupEvent::Invited { .. } => {
                let delay = self.random.span(Duration::ZERO, self.habits.slowest_reading);
                around.later(delay, Happening::Group(host, GroupAct::Join));
            }
            GroupEvent::NotAdded(peer) => {
                let again = GroupAct::Invite(around.mesh.host(&peer));
                around.later(INVITES_AGAIN, Happening::Group(host, again));
            }
            GroupEvent::Changed { epoch, .. } if epoch < self.application.rotates_until => {
                around.later(Duration::ZERO, Happening::Group(host, GroupAct::Rotate));
            }
            _ => {}
        }
    }

    /// After a start: what the application forgot with its process.
    pub(super) fn resume_group(&mut self, around: &mut Surroundings<'_>) {
        self.look_at_group(around);
        if around.checker.fleets.founder_wanted() == Some(around.host) {
            around.later(A_WHILE, Happening::Group(around.host, GroupAct::Create));
        }
        self.answer_invitation(around);
    }

    /// Looks at the group, and follows an invitation that waits. Nobody is told that it is out where
    /// the commit that says so was told to have failed, and is there all the same.
    pub(super) fn answer_invitation(&mut self, around: &mut Surroundings<'_>) {
        self.look_at_group(around);
        if self.is_invited() {
            around.later(A_WHILE, Happening::Group(around.host, GroupAct::Join));
        }
    }

    /// Whether an invitation waits.
    pub(super) fn is_invited(&self) -> bool {
        self.router.invitations().is_ok_and(|invitations| !invitations.is_empty())
    }

    /// The group, as the router sees it now.
    pub(super) fn group(&mut self) -> Option<GroupSummary> {
        self.router.groups().ok()?.into_iter().next()
    }

    /// Tells the checker whether this agent is in.
    fn look_at_group(&mut self, around: &mut Surroundings<'_>) {
        if let Ok(groups) = self.router.groups() {
            let keeps = groups.first().is_some_and(|seen| !seen.in_again.is_empty());
            around.checker.fleets.keeps_back(around.host, keeps);
            let seen = groups.first().filter(|seen| !seen.stranded);
            let seen = seen.map(|seen| (seen.group, seen.epoch));
            around.checker.fleets.sees(around.host, seen);
        }
    }

    /// What leaves for a log is durable here, and no key has sealed another entry.
    pub(super) fn judge_append(&self, around: &mut Surroundings<'_>, request: &Asking) {
        let Asking::Append(Append { log, entry }) = request else { return };
        let group = around.checker.fleets.group();
        let group = group.map_or(log.0, |group| *group.as_bytes());
        let Some((kinds, sealed)) = sealed_in(entry) else { return };
        around.mesh.watched.recorder.left_for_log(&sealed);
        let is_early = |kind: &u8| self.is_durable(*kind, &group, &sealed) == Some(false);
        if kinds.iter().all(is_early) {
            around.checker.violated(Violation::AppendedBeforeDurable { host: around.host });
        }
    }

    /// Whether a row of a group holds what was sealed, or did where the same commit of the disk has
    /// overtaken it; nothing where the disk fails at this moment.
    fn is_durable(&self, kind: u8, group: &[u8; 32], sealed: &[u8]) -> Option<bool> {
        let tag = sealed.last_chunk::<TAG>()?;
        let prefix = [&[kind], group.as_slice()].concat();
        let rows = self.state.scan(Namespace::Group, &prefix, None, usize::MAX).ok()?;
        let holds = |row: &SecretBytes| row.expose().windows(TAG).any(|part| part == tag);
        let overtaken = &mut self.disk_work.overtaken.durable(&prefix);
        Some(rows.iter().any(|(_, row)| holds(row)) || overtaken.any(holds))
    }
}

/// What a group's keys sealed of an entry, and the kinds of row that it may stand in: a commit that is
/// offered, or kept to be put back.
fn sealed_in(entry: &Entry) -> Option<(&'static [u8], Vec<u8>)> {
    match entry {
        Entry::Commit(commit) => match Posting::decode(&commit.bytes.0).ok()?.entry {
            LogEntry::Commit(sealed) => Some((b"Gk", sealed)),
            _ => None,
        },
        Entry::Message(bytes) => match LogEntry::decode(&bytes.0).ok()? {
            LogEntry::Message(sealed) => Some((b"m", sealed)),
            _ => None,
        },
        _ => None,
    }
}

/// An address that no host goes by: relays are known by their names here.
fn somewhere() -> Vec<Address> {
    "tcp:relay.example.org:443".parse().into_iter().collect()
}

/// The bytes that tell one sealing from another: its tag, at the end.
const TAG: usize = 16;

/// How long it takes until something is tried again.
const A_WHILE: Duration = Duration::from_secs(1);

/// How long an admin waits before it invites somebody again.
const INVITES_AGAIN: Duration = Duration::from_secs(20);
