//! What is kept of groups beside their members' keys, in the rows of [`Namespace::Group`].

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use meshwork_protocols::fleet::{GroupId, Roster, Said};
use meshwork_protocols::identity::{AgentId, CardHash, Relay};
use meshwork_protocols::provider::Provider;
use meshwork_protocols::random::Random;
use meshwork_protocols::relay::{Commit, LogChain, LogId, MayAppend};
use meshwork_protocols::secret::Secret;
use meshwork_protocols::time::WallTime;
use meshwork_protocols::wire::MessageId;
use meshwork_state::{Namespace, StoreError};
use serde::{Deserialize, Serialize};

use super::log::GroupLog;
use crate::row;
use crate::transition::Transition;

/// What is kept of one group.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct GroupRow {
    /// What it is called here.
    pub(crate) name: String,
    /// Who holds the log.
    pub(crate) holder: Relay,
    /// Which log that is, where it is not the first.
    pub(crate) log: Option<GroupLog>,
    /// The log that was founded to move there.
    pub(crate) next_log: Option<NextLog>,
    /// How often the log moved, where an admin told of a move that was not read in it.
    pub(crate) told_moves: Option<u16>,
    /// Whether members are to be told of a move of ours.
    pub(crate) tells_move: bool,
    pub(crate) stage: Stage,
    /// The last entry of the log that was processed.
    pub(crate) read: u64,
    /// The last commit among them.
    pub(crate) last_commit: u64,
    /// The chain over them; where there is none, the holder's is taken on trust.
    pub(crate) chain: Option<LogChain>,
    /// The chain up to the last commit, and its place.
    pub(crate) commit_chain: Option<(u64, LogChain)>,
    /// The chain up to the commit that the one builds on with which this agent comes back, as it was
    /// told.
    pub(crate) way: Option<LogChain>,
    /// Whether the log is read again from its first entry, since its holder showed another.
    pub(crate) anew: bool,
    /// Whether this agent lost its place to others that are more, with a state that is whole.
    pub(crate) gave_way: bool,
    /// Until when a member that comes back has missed what others sent meanwhile.
    pub(crate) heals: Option<WallTime>,
    /// Whether what was sent lately is to be sent again.
    pub(crate) repeats: bool,
    /// Who said last that it puts its own commits back.
    pub(crate) puts_back: Option<AgentId>,
    /// What is to be changed by commits of our own, in order.
    pub(crate) wishes: Vec<Wish>,
    /// The commit that waits for the log.
    pub(crate) offered: Option<Offered>,
    /// When this agent is to draw new keys.
    pub(crate) renew: Option<WallTime>,
    /// Commits that were passed over, and what others said of them.
    pub(crate) passed: Vec<Passed>,
    /// The last commits that this agent goes on by, and what others said of them.
    pub(crate) followed: Vec<Passed>,
    /// The number of the next message row.
    pub(crate) next_message: u64,
    /// Whom the lists of commits in the log took out, in their order.
    pub(crate) unlisted: Vec<Unlisted>,
    /// Whom the holder may list otherwise than members have them.
    pub(crate) mislisted: BTreeSet<AgentId>,
    /// Whom commits took out that do not count.
    pub(crate) undone: BTreeMap<AgentId, Undone>,
}

impl GroupRow {
    /// A group in which nothing was done yet, as far as its log is known to go.
    pub(crate) const fn new(name: String, holder: Relay, stage: Stage, read: u64) -> Self {
        Self {
            name,
            holder,
            log: None,
            next_log: None,
            told_moves: None,
            tells_move: false,
            stage,
            read,
            last_commit: read,
            chain: None,
            commit_chain: None,
            way: None,
            anew: false,
            gave_way: false,
            heals: None,
            repeats: false,
            puts_back: None,
            wishes: Vec::new(),
            offered: None,
            renew: None,
            passed: Vec::new(),
            followed: Vec::new(),
            next_message: 0,
            unlisted: Vec::new(),
            mislisted: BTreeSet::new(),
            undone: BTreeMap::new(),
        }
    }

    /// The log that is followed.
    pub(crate) fn log(&self, group: &GroupId) -> GroupLog {
        self.log.unwrap_or(GroupLog::first(group))
    }
}

/// A log to which a group is to move.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct NextLog {
    pub(crate) holder: Relay,
    pub(crate) id: LogId,
    /// Who may append there.
    pub(crate) listed: Vec<(AgentId, MayAppend)>,
    /// Whether the holder has it.
    pub(crate) stands: bool,
}

/// How far this agent is in a group.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Stage {
    /// Its log is being founded.
    Founding,
    /// It follows the log.
    Member,
    /// It cannot follow the log any more: entries are missing, or were passed over that others
    /// processed, or the state was put back. It asks for the way back.
    Stranded,
    /// The commit with which it comes back is offered to the log.
    Returning,
}

impl Stage {
    /// Whether this agent does not follow the log.
    pub(crate) const fn is_lost(self) -> bool {
        matches!(self, Self::Stranded | Self::Returning)
    }
}

/// A commit that this agent passed over, or goes on by.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Passed {
    pub(crate) index: u64,
    pub(crate) author: AgentId,
    /// Who goes on by it, beside its author.
    pub(crate) by: BTreeSet<AgentId>,
    /// Who passes it over, as far as it said so.
    pub(crate) against: BTreeSet<AgentId>,
    /// Who goes another way at some commit, by what it made: at this one or at another.
    pub(crate) elsewhere: BTreeSet<AgentId>,
    /// Whether something was said of it since it was decided whose way this agent goes.
    pub(crate) open: bool,
    /// Whether nobody is left by its lists beside its author and this agent, which passes it over.
    pub(crate) alone: bool,
    /// The epoch in which it was made, where that was over here.
    pub(crate) made_in: Option<u64>,
}

/// Somebody whom the lists of a commit took out.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Unlisted {
    /// Where the commit stands.
    pub(crate) index: u64,
    pub(crate) agent: AgentId,
    /// Whether it is confirmed, so that the holder goes by it.
    pub(crate) counts: bool,
    /// Whether a member said that it cannot process it: a later one that is confirmed does not confirm
    /// it as well.
    pub(crate) reported: bool,
}

/// A removal that does not count.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Undone {
    /// Until when it is waited for that it is made again.
    pub(crate) until: WallTime,
    /// Whether it is known to be void, so that whoever may is to make it again.
    pub(crate) is_certain: bool,
}

/// A change that this agent wants made.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Wish {
    /// Somebody is to come in; `anew` where it is there already and lost its state. It is waited for
    /// from `since` on.
    Add { peer: AgentId, anew: bool, since: WallTime, state: WishState },
    /// Somebody is to go.
    Remove(AgentId),
    /// A member is to be an admin.
    Appoint(AgentId),
    /// An admin is to be one no more.
    Dismiss(AgentId),
    /// New keys of our own.
    Rotate,
    /// The log is to move to another relay, which is asked to take it from `since` on.
    Move { to: Relay, since: WallTime },
}

impl Wish {
    /// Who comes in by it.
    pub(crate) const fn adds(&self) -> Option<AgentId> {
        match self {
            Self::Add { peer, .. } => Some(*peer),
            _ => None,
        }
    }

    /// Whether it wishes for the same, whenever it was made and however far it is.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Add { peer, anew, .. }, Self::Add { peer: of, anew: as_well, .. }) => {
                (peer, anew) == (of, as_well)
            }
            (Self::Move { to, .. }, Self::Move { to: as_well, .. }) => to == as_well,
            _ => self == other,
        }
    }
}

/// What is there of somebody who is to come in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum WishState {
    /// Its offer is being asked for.
    Wanted,
    /// Its offer and the card that the offer names, as they came.
    Ready {
        #[serde(with = "meshwork_protocols::wire::bytes")]
        offer: Vec<u8>,
        #[serde(with = "meshwork_protocols::wire::bytes")]
        card: Vec<u8>,
    },
}

/// A commit that waits for the log.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Offered {
    /// The request that appends it.
    #[serde(with = "meshwork_protocols::wire::bytes")]
    pub(crate) request: Vec<u8>,
    /// What it does: done when it stands in the log.
    pub(crate) wishes: Vec<Wish>,
    /// The Welcomes of those whom it adds.
    pub(crate) welcomes: Vec<(AgentId, Vec<u8>)>,
}

/// A message that is not known to stand in the log.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct MessageRow {
    /// The message; none is a wish to leave.
    pub(crate) message: Option<Prepared>,
    /// The epoch that it was sealed in.
    pub(crate) epoch: u64,
    /// SHA-256 of the sealed bytes.
    pub(crate) hash: [u8; 32],
    /// The entry of the log.
    #[serde(with = "meshwork_protocols::wire::bytes")]
    pub(crate) entry: Vec<u8>,
    /// How often it was sent again, although it had stood in the log.
    pub(crate) repeated: u8,
}

/// A message of ours that stood in the log: sent again where it does not any more.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct LoggedRow {
    pub(crate) message: Prepared,
    /// The epoch that it was sealed in, and the hash of the sealed bytes.
    pub(crate) epoch: u64,
    pub(crate) hash: [u8; 32],
    /// Where it was read, and when.
    pub(crate) index: u64,
    pub(crate) since: WallTime,
    pub(crate) repeated: u8,
}

/// The commits that led here: by them an entry is told from one of another history.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct HistoryRow {
    /// The epoch in which this agent came in: all that was made before it is behind it.
    pub(crate) from: u64,
    /// The place of the commit by which it did.
    pub(crate) came_at: u64,
    /// The last ones, in their order.
    pub(crate) known: Vec<Known>,
}

/// A commit that led here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Known {
    /// In which epoch it was made.
    pub(crate) epoch: u64,
    /// SHA-256 of its bytes.
    pub(crate) hash: [u8; 32],
    /// Its place in the log, as it was read last.
    pub(crate) index: u64,
    /// Whether it stands in the log, as far as that was read.
    pub(crate) stands: bool,
    /// Whether this agent made it.
    pub(crate) own: bool,
    /// The length of what is kept of it; zero where it is kept no more.
    pub(crate) length: usize,
    /// Whom it took out.
    pub(crate) removed: Vec<AgentId>,
}

/// Such a commit as it stood in the log, to be put there again.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct CommitRow {
    pub(crate) commit: Commit,
    /// What it did, where it is our own.
    pub(crate) wishes: Vec<Wish>,
}

impl MessageRow {
    /// That of a message whose time is over: no more than what tells it when it is read in the log
    /// all the same.
    pub(crate) fn over(self) -> Self {
        let message = self.message.map(|message| Prepared { encoded: Vec::new(), ..message });
        Self { message, entry: Vec::new(), ..self }
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.entry.is_empty()
    }

    /// That of a message which is sealed for another group, or too early, and is to be sealed when
    /// its turn comes.
    pub(crate) fn unsealed(self) -> Self {
        Self { epoch: 0, hash: [0; 32], ..self }
    }
}

/// A message as it is sealed, and sealed anew.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Prepared {
    pub(crate) id: MessageId,
    pub(crate) expires: WallTime,
    #[serde(with = "meshwork_protocols::wire::bytes")]
    pub(crate) encoded: Vec<u8>,
}

/// A message of ours whose receipts are waited for.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct AskedRow {
    /// Where it stands in the log, once it was read there.
    pub(crate) place: Option<u64>,
    pub(crate) expires: WallTime,
}

/// What this agent has to say of a message of another.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct OwedRow {
    pub(crate) said: Said,
}

/// Those whom a commit of ours added, until each was sent its summons. A key stands in it, so it is
/// never shown.
#[derive(Deserialize, Serialize)]
pub(crate) struct SummonsRow {
    /// The entry that added them, and the chain up to there.
    pub(crate) after: u64,
    /// Who held the log in which that stands, and keeps the roster.
    pub(crate) holder: Relay,
    pub(crate) chain: LogChain,
    pub(crate) key: [u8; 32],
    /// The sealed roster.
    #[serde(with = "meshwork_protocols::wire::bytes")]
    pub(crate) roster: Vec<u8>,
    pub(crate) welcomes: Vec<(AgentId, Vec<u8>)>,
}

/// A summons that this agent has not answered, with the key in it.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct InvitationRow {
    pub(crate) by: AgentId,
    /// When it was made, by its maker's clock.
    pub(crate) created: WallTime,
    pub(crate) received: WallTime,
    #[serde(with = "meshwork_protocols::wire::bytes")]
    pub(crate) summons: Vec<u8>,
}

/// What a relay was given of this agent's offers.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct OfferRow {
    /// The card that they name, and when they were made.
    pub(crate) given: Option<(CardHash, WallTime)>,
    /// What was made for it, and when nobody comes in by it any more.
    pub(crate) made: Vec<(WallTime, Vec<u8>)>,
}

macro_rules! row_of_group {
    ($row:ty) => {
        impl $row {
            pub(crate) fn read(
                step: &Transition<'_>,
                key: &[u8],
            ) -> Result<Option<Self>, StoreError> {
                step.get(Namespace::Group, key)?.as_ref().map(row::decode).transpose()
            }
        }

        row_read_at_a_start!($row);
    };
}

/// One that is in memory from then on.
macro_rules! row_read_at_a_start {
    ($row:ty) => {
        impl $row {
            pub(crate) fn write(&self, step: &mut Transition<'_>, key: Vec<u8>) {
                step.put(Namespace::Group, key, row::encode(self));
            }
        }
    };
}

row_of_group!(GroupRow);
row_of_group!(CommitRow);
row_of_group!(HistoryRow);
row_of_group!(LoggedRow);
row_of_group!(MessageRow);
row_of_group!(SummonsRow);
row_of_group!(InvitationRow);
row_of_group!(OfferRow);
row_read_at_a_start!(AskedRow);
row_read_at_a_start!(OwedRow);

impl SummonsRow {
    /// The row of what comes in behind an entry, with the roster sealed under a key of its own.
    pub(crate) fn seal(
        provider: &dyn Provider,
        random: &mut dyn Random,
        group: &GroupId,
        ((after, chain), holder): ((u64, LogChain), Relay),
        roster: &Roster,
        welcomes: Vec<(AgentId, Vec<u8>)>,
    ) -> Result<Self, StoreError> {
        let key = Secret::random(random);
        let roster = roster.seal(provider, &key, group).map_err(|_| StoreError::Damaged)?;
        Ok(Self { after, holder, chain, key: *key.expose(), roster, welcomes })
    }

    pub(crate) fn key(&self) -> Secret<32> {
        Secret::new(self.key)
    }
}

/// Where the rows stand: a letter for the kind, and whose it is.
pub(crate) mod key {
    use alloc::vec::Vec;

    use meshwork_protocols::fleet::GroupId;
    use meshwork_protocols::identity::{AgentId, CardHash};
    use meshwork_protocols::wire::MessageId;

    pub(crate) const ASKED: u8 = b'q';
    pub(crate) const CARD: u8 = b'c';
    /// Smaller than the others, so that a group is read before what belongs to it.
    pub(crate) const GROUP: u8 = b'G';
    pub(crate) const HISTORY: u8 = b'h';
    pub(crate) const INVITATION: u8 = b'i';
    pub(crate) const COMMIT: u8 = b'k';
    pub(crate) const LOGGED: u8 = b'l';
    pub(crate) const MESSAGE: u8 = b'm';
    pub(crate) const OFFER: u8 = b'o';
    pub(crate) const OWED: u8 = b'r';
    pub(crate) const SUMMONS: u8 = b's';

    pub(crate) fn group(group: &GroupId) -> Vec<u8> {
        of(GROUP, group, &[])
    }

    pub(crate) fn asked(group: &GroupId, message: MessageId) -> Vec<u8> {
        of(ASKED, group, message.as_bytes())
    }

    pub(crate) fn owed(group: &GroupId, place: u64) -> Vec<u8> {
        of(OWED, group, &place.to_be_bytes())
    }

    pub(crate) fn card(group: &GroupId, card: &CardHash) -> Vec<u8> {
        of(CARD, group, card.as_bytes())
    }

    pub(crate) fn invitation(group: &GroupId) -> Vec<u8> {
        of(INVITATION, group, &[])
    }

    pub(crate) fn history(group: &GroupId) -> Vec<u8> {
        of(HISTORY, group, &[])
    }

    /// Of one epoch there is one commit that led on.
    pub(crate) fn commit(group: &GroupId, epoch: u64) -> Vec<u8> {
        of(COMMIT, group, &epoch.to_be_bytes())
    }

    pub(crate) fn logged(group: &GroupId, number: u64) -> Vec<u8> {
        of(LOGGED, group, &number.to_be_bytes())
    }

    pub(crate) fn message(group: &GroupId, number: u64) -> Vec<u8> {
        of(MESSAGE, group, &number.to_be_bytes())
    }

    pub(crate) fn summons(group: &GroupId, entry: u64) -> Vec<u8> {
        of(SUMMONS, group, &entry.to_be_bytes())
    }

    pub(crate) fn offer(relay: &AgentId) -> Vec<u8> {
        [&[OFFER], relay.as_bytes().as_slice()].concat()
    }

    /// The kind of a row, its group, and what else is in the key.
    pub(crate) fn split(key: &[u8]) -> Option<(u8, GroupId, &[u8])> {
        let (kind, rest) = key.split_first()?;
        let (group, rest) = rest.split_first_chunk()?;
        Some((*kind, GroupId::from_bytes(*group), rest))
    }

    fn of(kind: u8, group: &GroupId, rest: &[u8]) -> Vec<u8> {
        [&[kind], group.as_bytes().as_slice(), rest].concat()
    }
}

/// The number at the end of a key.
pub(crate) fn number(rest: &[u8]) -> Result<u64, StoreError> {
    rest.try_into().map(u64::from_be_bytes).map_err(|_| StoreError::Damaged)
}
