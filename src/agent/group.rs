//! Groups, as an application founds, joins and uses them.

mod log;
mod message;

pub use self::log::{Logged, LoggedKind, SealedEntry};
pub use self::message::GroupMessage;

use meshwork_protocols::fleet::{Asks, GroupError as Rule, GroupId};
use meshwork_protocols::identity::{AgentId, Relay};
use meshwork_protocols::wire::MessageId;
use meshwork_router::{
    Answer, CommandError, GroupEvent, GroupRequest, GroupStatus, GroupSummary, InvitationSummary,
    Request, Trial,
};
use meshwork_state::StoreError;

use super::{Addressee, Agent, Event, Stopped};
use crate::driver::Order;

/// The groups of an agent: each an encrypted channel whose members come and go, with new keys at
/// each change. A relay holds the order of what happens in one, and can read nothing of it.
///
/// What is asked is durable when it is answered, and happens when the log has it: see
/// [`Event::Group`] and [`Groups::all`]. Every future here may be dropped; what it asked for is then
/// done or not.
#[derive(Clone, Debug)]
pub struct Groups {
    agent: Agent,
}

impl Groups {
    pub(super) const fn of(agent: Agent) -> Self {
        Self { agent }
    }

    /// Founds a group whose log the first relay of this agent's card holds.
    pub async fn create(&self, name: impl Into<String>) -> Result<GroupId, GroupError> {
        self.create_at(name, None).await
    }

    /// Founds a group whose log this relay holds.
    pub async fn create_at(
        &self,
        name: impl Into<String>,
        holder: Option<Relay>,
    ) -> Result<GroupId, GroupError> {
        let name = name.into();
        match self.ask(GroupRequest::Create { name, holder }).await? {
            Answer::Group(group) => Ok(group),
            _ => Err(GroupError::Broken),
        }
    }

    /// Brings peers in: each gets an invitation when the log has the commit that adds it. Many are
    /// added by few commits. Whoever has left no keys at its relays is waited for, a week long:
    /// [`GroupSummary::wanted`] names it, and [`Groups::remove`] gives it up.
    pub async fn invite(
        &self,
        group: GroupId,
        peers: impl IntoIterator<Item = impl Into<Addressee>>,
    ) -> Result<(), GroupError> {
        let peers = self.find(peers)?;
        self.done(GroupRequest::Invite { group, peers, anew: false }).await
    }

    /// Brings members in anew that cannot follow the log any more.
    pub async fn heal(
        &self,
        group: GroupId,
        members: impl IntoIterator<Item = impl Into<Addressee>>,
    ) -> Result<(), GroupError> {
        let peers = self.find(members)?;
        self.done(GroupRequest::Invite { group, peers, anew: true }).await
    }

    /// The invitations that wait for an answer.
    pub async fn invitations(&self) -> Result<Vec<InvitationSummary>, GroupError> {
        Ok(self.agent.shared.ask(|answer| Order::Invitations { answer }).await??)
    }

    /// Follows an invitation; when it returns, this agent is in.
    pub async fn join(&self, group: GroupId) -> Result<(), GroupError> {
        self.ask(GroupRequest::Join(group)).await.map(drop)
    }

    /// Gives an invitation up.
    pub async fn decline(&self, group: GroupId) -> Result<(), GroupError> {
        self.done(GroupRequest::Decline(group)).await
    }

    /// The groups that this agent is in.
    pub async fn all(&self) -> Result<Vec<GroupSummary>, GroupError> {
        Ok(self.agent.shared.ask(|answer| Order::Groups { answer }).await??)
    }

    /// One of them.
    pub async fn one(&self, group: GroupId) -> Result<GroupSummary, GroupError> {
        let all = self.all().await?;
        all.into_iter().find(|summary| summary.group == group).ok_or(GroupError::UnknownGroup)
    }

    /// Sends a message to every member, with the options' defaults; see [`Groups::message`].
    ///
    /// When it returns, the message is durable here, and will stand in the log, where each member
    /// finds it, or end as expired. Dropped before, it was taken on or was not; to try again safely,
    /// send with an id of your own ([`GroupMessage::id`]).
    pub async fn send(
        &self,
        group: GroupId,
        body: impl Into<Vec<u8>>,
    ) -> Result<MessageId, GroupError> {
        self.message(group).send(body).await
    }

    /// A message to be sent with other options than the defaults.
    pub fn message(&self, group: GroupId) -> GroupMessage<'_> {
        GroupMessage::new(self, group)
    }

    /// How far a message of this agent's to a group got; `None` for one that is not known, or was
    /// forgotten 7 days after it could last have lived.
    pub async fn status(&self, id: MessageId) -> Result<Option<GroupStatus>, GroupError> {
        Ok(self.agent.shared.ask(|answer| Order::GroupStatus { id, answer }).await??)
    }

    /// Waits until a message of this agent's to a group is where it is meant to get: it stands in the
    /// log, and where it asks, everybody has said so who was a member when it was sealed and still
    /// is; or it has expired. One for which somebody did not speak in time stays where it is, and is
    /// not waited for: see [`GroupStatus::is_waited_for`].
    pub async fn settled(&self, id: MessageId) -> Result<GroupStatus, GroupError> {
        // Watched before it is asked, so that nothing falls between.
        let mut watch = self.agent.watch();
        loop {
            let status = self.status(id).await?.ok_or(GroupError::UnknownMessage)?;
            let is_over = status.asks != Asks::Nothing && !status.is_waited_for;
            if status.is_settled() || is_over {
                return Ok(status);
            }
            loop {
                match watch.next().await {
                    None => return Err(Stopped.into()),
                    Some(Event::Group { what: GroupEvent::Moved { id: moved, .. }, .. })
                        if moved == id =>
                    {
                        break;
                    }
                    Some(Event::Missed(_)) => break,
                    Some(_) => {}
                }
            }
        }
    }

    /// Takes members out. What is sent from then on they cannot read. Whoever is waited for comes in
    /// no more.
    pub async fn remove(
        &self,
        group: GroupId,
        members: impl IntoIterator<Item = impl Into<Addressee>>,
    ) -> Result<(), GroupError> {
        let members = self.find(members)?;
        self.done(GroupRequest::Remove { group, members }).await
    }

    /// Makes a member an admin, or an admin none.
    pub async fn appoint(
        &self,
        group: GroupId,
        member: impl Into<Addressee>,
        admin: bool,
    ) -> Result<(), GroupError> {
        let member = self.find([member])?.pop().ok_or(GroupError::UnknownPeer)?;
        self.done(GroupRequest::Appoint { group, member, admin }).await
    }

    /// Draws new keys of this agent's: who copied its state reads nothing from then on.
    pub async fn rotate(&self, group: GroupId) -> Result<(), GroupError> {
        self.done(GroupRequest::Rotate(group)).await
    }

    /// Moves the group's log to another relay, which is asked for an hour and then given up. Nothing
    /// that is under way is lost by it: [`GroupEvent::LogMoved`] tells every member when it is done.
    /// Who asks for another relay meanwhile asks for that one alone.
    pub async fn move_log(&self, group: GroupId, to: Relay) -> Result<(), GroupError> {
        self.done(GroupRequest::MoveLog { group, to }).await
    }

    /// Asks to be taken out, which an admin does. The last admin names another before.
    pub async fn leave(&self, group: GroupId) -> Result<(), GroupError> {
        self.done(GroupRequest::Leave(group)).await
    }

    /// Forgets a group here, without a word to its members.
    pub async fn forget(&self, group: GroupId) -> Result<(), GroupError> {
        self.done(GroupRequest::Forget(group)).await
    }

    /// What stands in the group's log behind this place, as its holder keeps it: some of it, and
    /// nothing at its end. Messages and commits in it are sealed.
    pub async fn log(&self, group: GroupId, after: u64) -> Result<Vec<Logged>, GroupError> {
        let log =
            self.agent.shared.ask(|answer| Order::GroupLog { group, after, answer }).await??;
        Ok(log.into_iter().map(Into::into).collect())
    }

    /// What an entry of the group's log would come to with the keys that this agent has. Nothing
    /// changes, and nothing of a message is shown: it tells what a state can read, for instance that
    /// of an agent that was taken out.
    pub async fn try_entry(&self, group: GroupId, entry: SealedEntry) -> Result<Trial, GroupError> {
        let entry = entry.into();
        Ok(self.agent.shared.ask(|answer| Order::TryEntry { group, entry, answer }).await???)
    }

    /// Waits until a group looks like that, as far as its log is read here.
    pub async fn until(
        &self,
        group: GroupId,
        mut wanted: impl FnMut(&GroupSummary) -> bool,
    ) -> Result<GroupSummary, GroupError> {
        let mut watch = self.agent.watch();
        loop {
            let summary = self.one(group).await?;
            if wanted(&summary) {
                return Ok(summary);
            }
            loop {
                match watch.next().await {
                    None => return Err(Stopped.into()),
                    Some(Event::Group { .. } | Event::Missed(_)) => break,
                    Some(_) => {}
                }
            }
        }
    }

    fn find(
        &self,
        peers: impl IntoIterator<Item = impl Into<Addressee>>,
    ) -> Result<Vec<AgentId>, GroupError> {
        let find = |peer: Addressee| self.agent.shared.find(&peer).ok_or(GroupError::UnknownPeer);
        peers.into_iter().map(Into::into).map(find).collect()
    }

    async fn done(&self, request: GroupRequest) -> Result<(), GroupError> {
        self.ask(request).await.map(drop)
    }

    async fn ask(&self, request: GroupRequest) -> Result<Answer, GroupError> {
        Ok(self.agent.shared.request(Request::Group(request)).await??)
    }
}

/// Why a group was not changed, or nothing sent to it. Nothing was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The agent takes part in no group: its root is kept apart, and was not here since the agent
    /// got a key for that. Start it once with the root.
    #[error("the card names no key for groups; start once with the root")]
    NoFleets,
    /// This agent is in no such group.
    #[error("this agent is in no such group")]
    UnknownGroup,
    /// A peer that is not known: meet it first.
    #[error("no such peer is known")]
    UnknownPeer,
    /// No relay is known that would hold the group's log: name one.
    #[error("no relay is known to hold the log of the group")]
    NoRelay,
    /// Nobody invited this agent there, or what the invitation needs is gone.
    #[error("there is no invitation to this group that counts")]
    NotInvited,
    /// A group cannot be called that.
    #[error("a group's name has at most 64 bytes, without control characters")]
    BadName,
    /// The body is larger than a message to a group may be.
    #[error("the body is larger than a message to a group may be")]
    TooLarge,
    /// The lifetime is zero or longer than 30 days.
    #[error("a message lives between a second and 30 days")]
    BadLifetime,
    /// This agent cannot follow the log any more: ask an admin to bring it in anew.
    #[error("this agent cannot follow the log of the group any more")]
    Stranded,
    /// The relay that holds what is needed does not answer: try again later.
    #[error("the relay that holds the group's log does not answer")]
    Unreachable,
    /// A queue is full: try again later.
    #[error("a queue is full; try again later")]
    Busy,
    /// The group does not allow it.
    #[error(transparent)]
    Rule(Rule),
    /// The id names another message: fix the caller.
    #[error("this id already names another message")]
    IdReused,
    /// No message of this agent's to a group has this id.
    #[error("no message to a group has this id")]
    UnknownMessage,
    /// The store failed: try again; if it stays so the disk is full or broken.
    #[error("the change could not be made durable: {0}")]
    Store(#[from] StoreError),
    /// The transaction failed and was rolled back: try again.
    #[error("the change could not be made durable; try again")]
    CommitFailed,
    /// The agent has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A bug.
    #[error("a bug: the router answered what was not asked")]
    Broken,
}

impl GroupError {
    /// Whether the same request can succeed later.
    pub const fn is_worth_a_retry(&self) -> bool {
        matches!(self, Self::Unreachable | Self::Busy | Self::Store(_) | Self::CommitFailed)
    }
}

impl From<CommandError> for GroupError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NoFleets => Self::NoFleets,
            CommandError::UnknownGroup => Self::UnknownGroup,
            CommandError::UnknownPeer => Self::UnknownPeer,
            CommandError::NoRelay => Self::NoRelay,
            CommandError::NotInvited => Self::NotInvited,
            CommandError::BadName => Self::BadName,
            CommandError::TooLarge => Self::TooLarge,
            CommandError::BadLifetime => Self::BadLifetime,
            CommandError::Stranded => Self::Stranded,
            CommandError::Unreachable => Self::Unreachable,
            CommandError::Busy => Self::Busy,
            CommandError::IdReused => Self::IdReused,
            CommandError::Group(rule) => Self::Rule(rule),
            CommandError::Store(error) => Self::Store(error),
            CommandError::CommitFailed => Self::CommitFailed,
            _ => Self::Broken,
        }
    }
}
