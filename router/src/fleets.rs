//! The groups that this agent is in, and what is under way with their logs.
//!
//! A log is held by a relay: entries are appended and read by requests, which the driver carries
//! ([`crate::Output::AskRelay`]) and whose answers come back. All that a member does follows from
//! the log's order: its own commits and messages count when they are read there. So a lost answer
//! costs a repetition and nothing else, and who was away reads on where it stopped.
//!
//! - `ageing` gives up what is kept of earlier epochs.
//! - `following` reads the log, `committing` offers commits to it, `posting` messages.
//! - `receipts` says what became of messages, and hears it.
//! - `seeking` looks for what those are added with who are to come in, `summoning` brings in whom a
//!   commit added, `joining` answers a summons.
//! - `histories` notices that a holder shows another log than the one that was read, `restoring`
//!   puts back what that lost, `removals` keeps back what is not for those who were taken out there.
//! - `returning` brings this agent back where it cannot follow a log any more, `forking` says when.
//! - `listing` sees to it that the holder lists those who are members.
//! - `moving` goes on in another log, at another relay, `telling` says so beside the log.
//! - `renewing` draws new keys in time.
//! - `offering` gives relays what others add this agent with.
//! - `trial` says what an entry would come to.

mod ageing;
mod committing;
mod comparing;
#[cfg(test)]
mod fixture;
mod following;
mod forking;
mod histories;
mod joining;
mod listing;
mod moving;
mod offering;
mod posting;
mod receipts;
mod removals;
mod renewing;
mod requests;
mod restoring;
mod returning;
mod seeking;
mod summoning;
mod telling;
mod trial;
mod words;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::fleet::{Charter, Group, GroupId, Member as Leaf, Said, Step};
use meshwork_protocols::identity::{AgentId, Card, Relay};
use meshwork_protocols::relay::{Answer, LogId, Refusal, Request};
use meshwork_protocols::time::{Timestamp, WallTime};
use meshwork_protocols::wire::MessageId;
use meshwork_state::{Namespace, Row, StoreError};

use self::ageing::Ageing;
use self::comparing::Comparing;
use self::histories::Asked;
use self::joining::{Join, sight_of};
use self::moving::Pause;
use self::posting::Waiting;
use self::restoring::Kept;
use self::seeking::Sought;
use crate::choice::LogSituation;
use crate::command::{CommandError, Ticket};
use crate::desk::Desk;
use crate::event::{Event, GroupEvent};
use crate::fleet::{
    AskedRow, Cards, GroupRow, HistoryRow, LoggedRow, MessageRow, OfferRow, OwedRow, Stage, key,
    number,
};
use crate::input::RelayFailure;
use crate::ledger::Ledger;
use crate::row;
use crate::timers::Timers;
use crate::transition::Transition;

pub use self::joining::{INVITATIONS_OF_ONE, MAX_INVITATIONS};
pub use self::posting::{GROUP_MESSAGES, MAX_GROUP_BODY};
pub use self::receipts::ASKED_MESSAGES;
pub use self::requests::{GroupRequest, GroupStatus, GroupSummary, InvitationSummary, MAX_NAMED};
pub use self::trial::Trial;

/// The most groups: each keeps its tree and a request at its log's holder.
pub const MAX_GROUPS: usize = 256;

/// The first wait after the holder of a log did not answer; it doubles.
const FIRST_REST: Duration = Duration::from_millis(500);

/// The longest wait: a holder that comes back is asked again within it.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Names a request to a relay; never given twice in one process.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AskId(pub u64);

/// What is asked.
#[derive(Clone, Copy, Debug)]
enum Ask {
    /// Something for a group that this agent is in.
    Errand(GroupId, Errand),
    /// The next part of the roster of a group that it is to join.
    Roster(GroupId),
    /// That a relay keeps its offers.
    Offers(AgentId),
}

/// Something under way for a group.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Errand {
    /// The log is founded.
    Found,
    /// It is once more, since its holder lost all of it.
    FoundAgain,
    /// The log of this name is, to which the group is to move.
    FoundNext(LogId),
    /// Entries are read.
    Read,
    /// A commit of our own is appended: the one of this number.
    Commit(u64),
    /// A message is, as it was sealed in this epoch.
    Message { number: u64, epoch: u64 },
    /// A statement on a commit is appended.
    State(u64),
    /// The holder is told what is needed no more.
    Pass,
    /// A part of a roster is left.
    Upload { after: u64, part: usize },
    /// The card of somebody who is to come in.
    Card(AgentId),
    /// Its offer.
    Offer(AgentId),
    /// The commit that comes back is appended.
    Return,
    /// The commit of this epoch is put back into a log that lost it.
    Restore(u64),
    /// The others are told that commits of our own are.
    PutBack,
}

/// The groups.
#[derive(Debug, Default)]
pub(crate) struct Fleets {
    members: BTreeMap<GroupId, Member>,
    /// Who summoned us to groups that we have not joined.
    invitations: BTreeMap<GroupId, AgentId>,
    joins: BTreeMap<GroupId, Join>,
    asks: BTreeMap<AskId, Ask>,
    next_ask: u64,
    timers: Timers<GroupId>,
    /// Groups with something to do since the transition began.
    dirty: BTreeSet<GroupId>,
}

/// This agent in a group.
#[derive(Debug)]
struct Member {
    row: GroupRow,
    /// Loaded when it is needed.
    group: Option<Group>,
    cards: Cards,
    /// Messages that were not read in the log.
    messages: BTreeMap<u64, Waiting>,
    /// Where those among them stand whose append was answered. One that is not there when the log
    /// was read so far was lost with a part of it, and is appended again.
    appended: BTreeMap<u64, u64>,
    /// Those whose receipts are waited for, up to [`ASKED_MESSAGES`].
    asked: BTreeMap<MessageId, AskedRow>,
    /// What is to be said of messages of others, by their places. It grows with what is read of the
    /// log, which takes what is said, and with what the owner marks in its inbox, which has a bound.
    owed: BTreeMap<u64, Said>,
    /// When that is to be said.
    says: Option<Duration>,
    /// Messages that stood in the log, for as long as it may lose them.
    logged: BTreeMap<u64, Kept>,
    history: HistoryRow,
    /// What is kept of earlier epochs.
    ageing: Ageing,
    comparing: Comparing,
    reading: Asked,
    /// The holder said that the log goes so far.
    promised: u64,
    /// How often in a row a log that is gone was to be founded again.
    foundings: u32,
    /// When another history was noticed.
    began_anew: Option<Duration>,
    /// When a lost commit is put back.
    restores: Option<Duration>,
    /// Whether the others were told that commits of our own are.
    told_put_back: bool,
    /// Until when one that lists somebody is left to admins.
    leaves_lists: Option<Duration>,
    /// When those are listed anew whom the holder may list otherwise than members have them.
    lists: Option<Duration>,
    /// When what was sent is sent again.
    repeats: Option<Duration>,
    /// Entries whose new members were not sent their summons.
    summons: BTreeSet<u64>,
    /// Numbers our commits: one is read in the log before or after its append is answered, and the
    /// answer says nothing of the next.
    commit_number: u64,
    /// The entry that is our commit, or another in its place, once the append was answered. Where it
    /// was read and is neither, the log lost it, and our commit is appended again.
    commit_answered: Option<u64>,
    /// Whether wishes are followed one at a time: together they made no commit, and it is not known
    /// which of them is at fault.
    apart: bool,
    /// Whether everything was read that the log had.
    caught_up: bool,
    /// The commit of another that is to be confirmed, and when.
    confirm: Option<(u64, Duration)>,
    under_way: BTreeSet<Errand>,
    /// Those who are to come in.
    sought: BTreeMap<AgentId, Sought>,
    /// How often the way back was asked for, and when it is next.
    way: Option<(u32, Duration)>,
    /// Whom this agent told the way back, and when.
    told: BTreeMap<AgentId, Duration>,
    /// When new keys are due.
    renews: Option<Duration>,
    /// When it is decided which commits that were passed over others go on by.
    doubt: Option<Duration>,
    failures: u32,
    rests: Option<Duration>,
    /// Until when a move is looked for in the log that an admin told of.
    looks_for_move: Option<Duration>,
    /// The admin that told of it: who knows the way there.
    told_by: Option<AgentId>,
    /// When members are told of a move of ours.
    tells_move: Option<Duration>,
    /// When the relay that is to hold the log is asked again.
    moving: Pause,
    /// When one that held it before is, which is to keep rosters.
    uploading: Pause,
}

impl Member {
    fn new(row: GroupRow) -> Self {
        // What was doubted before a restart is decided at once.
        let mut judged = row.passed.iter().chain(&row.followed);
        let doubt = judged.any(|it| it.open).then_some(Duration::ZERO);
        let repeats = row.repeats.then_some(Duration::ZERO);
        let tells_move = row.tells_move.then_some(Duration::ZERO);
        let lists = (!row.mislisted.is_empty()).then_some(Duration::ZERO);
        let comparing = Comparing::of(&row);
        Self {
            row,
            comparing,
            group: None,
            cards: Cards::default(),
            messages: BTreeMap::new(),
            appended: BTreeMap::new(),
            asked: BTreeMap::new(),
            owed: BTreeMap::new(),
            says: None,
            logged: BTreeMap::new(),
            history: HistoryRow::default(),
            ageing: Ageing::default(),
            reading: Asked::default(),
            promised: 0,
            foundings: 0,
            began_anew: None,
            restores: None,
            told_put_back: false,
            leaves_lists: None,
            lists,
            repeats,
            summons: BTreeSet::new(),
            commit_number: 0,
            commit_answered: None,
            apart: false,
            caught_up: false,
            confirm: None,
            under_way: BTreeSet::new(),
            sought: BTreeMap::new(),
            way: None,
            told: BTreeMap::new(),
            renews: None,
            doubt,
            failures: 0,
            rests: None,
            looks_for_move: None,
            told_by: None,
            tells_move,
            moving: Pause::default(),
            uploading: Pause::default(),
        }
    }

    fn write(&self, step: &mut Transition<'_>, id: &GroupId) {
        self.row.write(step, key::group(id));
    }

    /// How its log stands.
    const fn log(&self) -> LogSituation {
        match (self.row.stage, self.rests) {
            (Stage::Stranded | Stage::Returning, _) => LogSituation::Lost,
            (_, Some(_)) => LogSituation::Away,
            (_, None) => LogSituation::Answers,
        }
    }

    /// When something is due. What is asked already is due when it is answered.
    fn due(&self, now: Timestamp) -> Option<Duration> {
        let asked = |commit| self.under_way.contains(&Errand::State(commit));
        let confirm = self.confirm.filter(|(commit, _)| !asked(*commit)).map(|(_, at)| at);
        let is_whole = self.is_whole();
        let seeks = self.seeks_at().filter(|_| self.row.stage == Stage::Member);
        let with_the_log = match self.row.stage {
            Stage::Stranded => self.way.map(|(_, at)| at),
            _ => self.rests.or([
                confirm,
                self.doubt.filter(|_| self.caught_up),
                self.says_at().filter(|_| is_whole),
                self.renews.filter(|_| is_whole),
                seeks.filter(|_| is_whole),
                self.repeats.filter(|_| is_whole),
                self.restores.filter(|_| self.is_to_restore()),
                self.other_logs_due().filter(|_| is_whole),
                self.compares_at().filter(|_| is_whole),
                self.lists_at().filter(|_| is_whole),
                self.removals_end_at(now).filter(|_| is_whole && self.caught_up),
            ]
            .into_iter()
            .flatten()
            .min()),
        };
        // Time goes on for messages whether the log answers or not.
        let without = [self.next_expiry(now), self.lost_at(), self.tells_move];
        with_the_log.into_iter().chain(without.into_iter().flatten()).min()
    }
}

/// What is seen of a group in one epoch.
#[derive(Clone, Debug)]
struct Sight {
    epoch: u64,
    members: Vec<Leaf>,
    charter: Charter,
}

impl Sight {
    fn agents(&self) -> BTreeSet<AgentId> {
        self.members.iter().map(|member| member.credential.agent).collect()
    }

    fn has(&self, agent: &AgentId) -> bool {
        self.members.iter().any(|member| member.credential.agent == *agent)
    }
}

impl Fleets {
    /// Nothing that is under way is waited for: the rows are loaded anew. Gives back who waits for a
    /// group that it joins.
    pub(crate) fn forget(&mut self) -> Vec<Ticket> {
        let waiting = self.joins.values().filter_map(|join| join.ticket).collect();
        *self = Self { next_ask: self.next_ask, ..Self::default() };
        waiting
    }

    /// Takes a row at a start.
    pub(crate) fn load(
        &mut self,
        step: &Transition<'_>,
        provider: &dyn meshwork_protocols::provider::Provider,
        (row_key, value): &Row,
        now: WallTime,
    ) -> Result<(), StoreError> {
        let (kind, group, rest) = key::split(row_key).ok_or(StoreError::Damaged)?;
        if kind == key::GROUP {
            // As it will be: a state that was put back changes it in this step.
            let row = GroupRow::read(step, row_key)?.ok_or(StoreError::Damaged)?;
            self.members.insert(group, Member::new(row));
            self.dirty.insert(group);
            return Ok(());
        }
        if kind == key::INVITATION {
            let row: crate::fleet::InvitationRow = row::decode(value)?;
            self.invitations.insert(group, row.by);
            return Ok(());
        }
        let Some(member) = self.members.get_mut(&group) else { return Ok(()) };
        match kind {
            key::CARD => member.cards.load(provider, value, now)?,
            key::MESSAGE => {
                let row: MessageRow = row::decode(value)?;
                member.messages.insert(number(rest)?, Waiting::of(&row));
            }
            key::ASKED => {
                let message = rest.try_into().map_err(|_| StoreError::Damaged)?;
                member.asked.insert(MessageId::from_bytes(message), row::decode(value)?);
            }
            key::OWED => {
                let row: OwedRow = row::decode(value)?;
                member.owed.insert(number(rest)?, row.said);
            }
            key::LOGGED => {
                member.logged.insert(number(rest)?, Kept::of(&row::decode::<LoggedRow>(value)?));
            }
            key::HISTORY => {
                member.history = HistoryRow::read(step, row_key)?.ok_or(StoreError::Damaged)?;
            }
            key::SUMMONS => {
                member.summons.insert(number(rest)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Groups of which something is due are looked at.
    pub(crate) fn due(&mut self, now: Duration) {
        while let Some(group) = self.timers.pop_due(now) {
            self.dirty.insert(group);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }
}

impl Desk {
    /// A request to a relay, once what it follows from is durable.
    fn ask_of(&mut self, step: &mut Transition<'_>, relay: Relay, ask: Ask, request: Request) {
        let id = AskId(self.fleets.next_ask);
        self.fleets.next_ask += 1;
        self.fleets.asks.insert(id, ask);
        step.ask(id, relay, request);
    }

    /// A request for a group, unless it is under way.
    fn errand(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
        errand: Errand,
        request: Request,
    ) {
        let Some(member) = self.fleets.members.get(&group) else { return };
        let holder = member.row.holder.clone();
        let request = member.row.log(&group).asked(request);
        self.errand_at(step, group, holder, errand, request);
    }

    /// The same, of another relay than the one that holds the log now.
    fn errand_at(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
        relay: Relay,
        errand: Errand,
        request: Request,
    ) {
        let Some(member) = self.fleets.members.get_mut(&group) else { return };
        if member.under_way.insert(errand) {
            self.ask_of(step, relay, Ask::Errand(group, errand), request);
        }
    }

    /// A relay answered a request, or did not.
    pub(crate) fn relay_answered(
        &mut self,
        step: &mut Transition<'_>,
        ask: AskId,
        answer: Result<Answer, RelayFailure>,
    ) -> Result<(), StoreError> {
        // What is later is as good as not answered now.
        let answer = match answer {
            Ok(Answer::Refused(Refusal::NotNow { retry_after })) => Err(RelayFailure::NotNow {
                retry_after: Duration::from_secs(u64::from(retry_after)),
            }),
            other => other,
        };
        match self.fleets.asks.remove(&ask) {
            Some(Ask::Errand(group, errand)) => {
                let Some(member) = self.fleets.members.get_mut(&group) else { return Ok(()) };
                member.under_way.remove(&errand);
                self.fleets.dirty.insert(group);
                let log = member.row.log(&group);
                match answer.map(|answer| log.answered(answer)) {
                    Ok(answer) => self.errand_done(step, group, errand, answer),
                    Err(why) if self.is_for_earlier_holder(&group, errand) => {
                        self.earlier_holder_failed(step, group, errand, why)
                    }
                    Err(why) => {
                        self.errand_failed(step, group, errand, why);
                        Ok(())
                    }
                }
            }
            Some(Ask::Roster(group)) => self.roster_came(step, group, answer),
            Some(Ask::Offers(relay)) => self.offers_kept(step, relay, &answer),
            None => Ok(()),
        }
    }

    fn errand_done(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
        errand: Errand,
        answer: Answer,
    ) -> Result<(), StoreError> {
        if let Some(member) = self.fleets.members.get_mut(&group) {
            member.failures = 0;
        }
        match errand {
            Errand::Found => self.founded(step, group, &answer),
            // What stands there now is read next.
            Errand::FoundAgain => {}
            Errand::FoundNext(log) => self.next_founded(step, group, log, &answer),
            Errand::Read => return self.read_came(step, group, answer),
            Errand::Commit(number) => return self.commit_answered(step, group, number, &answer),
            Errand::Message { number, epoch } => {
                return self.message_answered(step, group, (number, epoch), &answer);
            }
            // A statement that is refused is one that nobody needs.
            Errand::State(commit) => self.stated(group, commit),
            Errand::Pass => {}
            Errand::Upload { after, part } => {
                return self.part_kept(step, group, (after, part), &answer);
            }
            Errand::Card(peer) => return self.card_came(step, group, peer, answer),
            Errand::Offer(peer) => self.offer_came(step, group, peer, answer),
            Errand::Return => return self.return_answered(step, group, &answer),
            Errand::Restore(epoch) => self.restore_answered(step, group, epoch, &answer),
            Errand::PutBack => self.put_back_is_told(group),
        }
        Ok(())
    }

    /// The holder of a log rests; a relay of somebody who is to come in keeps nobody else waiting.
    fn errand_failed(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
        errand: Errand,
        why: RelayFailure,
    ) {
        if let Errand::Card(peer) | Errand::Offer(peer) = errand {
            self.relay_of_peer_failed(step, group, peer, why);
            return;
        }
        if let Errand::FoundNext(_) = errand {
            self.next_holder_failed(step, group, why);
            return;
        }
        let (now, jitter) = (step.now.monotonic, self.jitter());
        let Some(member) = self.fleets.members.get_mut(&group) else { return };
        member.caught_up &= errand != Errand::Read;
        let rest = match why {
            RelayFailure::NotNow { retry_after } => retry_after.min(LONGEST_REST),
            RelayFailure::Gone => FIRST_REST.saturating_mul(1 << member.failures.min(7)),
            RelayFailure::Refused => LONGEST_REST,
        };
        member.failures = member.failures.saturating_add(1);
        member.rests = Some(now + rest.min(LONGEST_REST).mul_f64(1.0 - jitter));
    }

    /// Rebuilds what is known of groups from the rows. Who waits for one hears that it was lost.
    pub(crate) fn load_groups(
        &mut self,
        ledger: &Ledger,
        step: &mut Transition<'_>,
    ) -> Result<(), StoreError> {
        for ticket in self.fleets.forget() {
            let answer = Err(CommandError::CommitFailed);
            step.tell_now(Event::Answered { ticket, answer });
        }
        let (provider, now) = (&*self.config.provider, step.now.wall);
        let fleets = &mut self.fleets;
        ledger.each(Namespace::Group, |row| fleets.load(step, provider, &row, now))
    }

    /// A state that was put back may have sealed and committed what it does not know of: it follows
    /// no log any more.
    pub(crate) fn strand_groups(
        ledger: &Ledger,
        step: &mut Transition<'_>,
    ) -> Result<(), StoreError> {
        ledger.each(Namespace::Group, |(row_key, value)| {
            match row_key.first() {
                Some(&key::GROUP) => {
                    let row: GroupRow = row::decode(&value)?;
                    GroupRow { stage: Stage::Stranded, ..row }.write(step, row_key);
                }
                // Their keys may be used up already.
                Some(&key::OFFER) => {
                    let row: OfferRow = row::decode(&value)?;
                    OfferRow { given: None, ..row }.write(step, row_key);
                }
                _ => {}
            }
            Ok(())
        })
    }

    /// The agent has a newer card.
    pub(crate) fn show_card(&mut self, card: &Arc<Card>) {
        self.config.stored.show(Arc::clone(card));
        if let Some(fleet) = &mut self.config.fleet {
            fleet.show(Arc::clone(card));
        }
    }

    /// Does what is due in each group that something changed for.
    pub(crate) fn advance_groups(&mut self, step: &mut Transition<'_>) -> Result<(), StoreError> {
        while let Some(group) = self.fleets.dirty.pop_first() {
            self.advance_group(step, group)?;
            let due = self.fleets.members.get(&group).and_then(|member| member.due(step.now));
            match due {
                Some(at) => self.fleets.timers.set(group, at),
                None => self.fleets.timers.clear(&group),
            }
        }
        Ok(())
    }

    fn advance_group(
        &mut self,
        step: &mut Transition<'_>,
        group: GroupId,
    ) -> Result<(), StoreError> {
        if self.config.fleet.is_none() {
            return Ok(());
        }
        self.expire_messages(step, group)?;
        self.end_waits(step, group);
        self.look_for_move(step, group);
        self.tell_of_move(step, group)?;
        let Some(member) = self.fleets.members.get_mut(&group) else { return Ok(()) };
        member.rests = member.rests.filter(|until| *until > step.now.monotonic);
        let stage = member.row.stage;
        // The way back is asked of members, however the holder answers.
        if member.rests.is_some() && stage != Stage::Stranded {
            return Ok(());
        }
        match stage {
            Stage::Founding => self.found(step, group),
            Stage::Member if member.row.anew => self.read_on(step, group),
            Stage::Member if self.gives_way(step, group)? => self.strand(step, group),
            Stage::Member if self.restore_commits(step, group)? => {
                self.confirm(step, group);
                self.read_on(step, group);
            }
            Stage::Member => {
                self.end_removals(step, group);
                self.repeat(step, group)?;
                self.renew(step, group);
                self.list_anew(step, group)?;
                self.prepare_move(step, group)?;
                self.offer_commit(step, group)?;
                self.append_commit(step, group);
                self.say_receipts(step, group)?;
                self.append_message(step, group)?;
                self.upload(step, group)?;
                self.seek_offers(step, group);
                self.compare(step, group)?;
                self.confirm(step, group);
                self.read_on(step, group);
            }
            Stage::Stranded => self.ask_way_back(step, group)?,
            Stage::Returning => self.append_return(step, group),
        }
        Ok(())
    }

    /// What is seen of a group now.
    fn sight(
        &mut self,
        step: &mut Transition<'_>,
        id: GroupId,
    ) -> Result<Result<Sight, CommandError>, StoreError> {
        let Self { config, fleets, random, .. } = self;
        let Some(fleet) = &config.fleet else { return Ok(Err(CommandError::NoFleets)) };
        let Some(member) = fleets.members.get_mut(&id) else {
            return Ok(Err(CommandError::UnknownGroup));
        };
        let seen = fleet.on(step, &mut **random, (id, &mut member.group), |group, around, _| {
            Ok(Step { output: sight_of(&group.view(around)?)?, changes: Vec::new() })
        })?;
        Ok(seen.map_err(CommandError::Group))
    }

    fn tell_of_group(step: &mut Transition<'_>, group: GroupId, what: GroupEvent) {
        step.tell(Event::Group { group, what });
    }

    /// This agent cannot follow the log any more.
    fn strand(&mut self, step: &mut Transition<'_>, group: GroupId) {
        let Some(member) = self.fleets.members.get_mut(&group) else { return };
        if !member.row.stage.is_lost() {
            member.undo_removals(step.now.wall, |known| !known.stands, false);
            member.row.stage = Stage::Stranded;
            (member.row.offered, member.way, member.doubt) = (None, None, None);
            // What its holder refused is not asked of it again, and it is wanted for the way back.
            member.rests = None;
            member.write(step, &group);
            self.fleets.dirty.insert(group);
            Self::tell_of_group(step, group, GroupEvent::Stranded);
        }
    }
}

/// A request's bytes, read again.
fn request_of(bytes: &[u8]) -> Result<Box<Request>, StoreError> {
    Request::decode(bytes).map(Box::new).map_err(|_| StoreError::Damaged)
}
