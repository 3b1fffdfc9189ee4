//! Everything the router knows, and what it does with each input, one transition at a time.
//!
//! The parts own their rows and indexes; this decides between them. Sending is in `outgoing`,
//! receiving in `incoming`.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use meshwork_protocols::identity::{AgentId, Card, Transport};
use meshwork_protocols::lineage::Lineage;
use meshwork_protocols::provider::Provider;
use meshwork_protocols::random::Random;
use meshwork_protocols::time::Timestamp;
use meshwork_protocols::wire::{MessageId, Payload, Receipt, Verdict};
use meshwork_state::{Namespace, StoreError};

use crate::away::PrekeyLook;
use crate::cards::Cards;
use crate::choice::{Choice, Dialling, Situation, StoredSituation, choose};
use crate::command::{Answer, CommandError};
use crate::deferred::Deferred;
use crate::dialling::Diallings;
use crate::event::Event;
use crate::fleet::Fleet;
use crate::fleets::Fleets;
use crate::gap::Gaps;
use crate::heartbeat::Heartbeats;
use crate::held::Held;
use crate::inbox::Inbox;
use crate::incoming::ANSWER_EVERY;
use crate::input::{PathChange, PathKind, PathOpened, PathRenewed};
use crate::ledger::Ledger;
use crate::lineage;
use crate::needs::Needs;
use crate::outbox::Outbox;
use crate::output::{CloseReason, PathId};
use crate::owed::{Owed, split};
use crate::path::{Kind, Live, Paths};
use crate::peer::{Meeting, Peers, Shown, Standing};
use crate::policy::Policy;
use crate::reach::Reaches;
use crate::relays::Relays;
use crate::rules::OwnRules;
use crate::stored::{self, MAX_SEALED, Stored, View};
use crate::strangers::Strangers;
use crate::transition::Transition;
use crate::trouble::Troubles;
use crate::upkeep::Upkeep;

/// What the owner of the agent set, and what it is made of.
#[derive(Debug)]
pub struct Config {
    /// Who we are.
    pub own: AgentId,
    /// Where our state stands.
    pub lineage: Lineage,
    /// Whether our state was found to be restored, so that no sending session goes on.
    pub restored: bool,
    /// What the owner allows.
    pub policy: Policy,
    /// The primitives.
    pub provider: Arc<dyn Provider>,
    /// What seals for peers that are away.
    pub stored: Stored,
    /// What is in groups; `None` where the agent's card names no key for it.
    pub fleet: Option<Box<Fleet>>,
}

/// Everything the router knows.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) config: Config,
    pub(crate) random: Box<dyn Random>,
    pub(crate) paths: Paths,
    pub(crate) diallings: Diallings,
    pub(crate) reaches: Reaches,
    pub(crate) relays: Relays,
    pub(crate) rules: OwnRules,
    pub(crate) peers: Peers,
    pub(crate) strangers: Strangers,
    pub(crate) outbox: Outbox,
    pub(crate) inbox: Inbox,
    pub(crate) gaps: Gaps,
    pub(crate) held: Held,
    pub(crate) owed: Owed,
    pub(crate) upkeep: Upkeep,
    pub(crate) prekey_look: PrekeyLook,
    pub(crate) troubles: Troubles,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) fleets: Fleets,
    /// The cards that the Hellos of open sessions named.
    pub(crate) cards: Cards,
    /// Peers with something to send since the transition began.
    pub(crate) dirty: BTreeSet<AgentId>,
    /// When each repeated ciphertext was last answered.
    pub(crate) answered: BTreeMap<[u8; 32], Duration>,
    /// Messages whose arrival was announced in this process: those below this number.
    pub(crate) announced: u64,
    /// Messages that were there when this process began: those below this number.
    began_with: Option<u64>,
}

impl Desk {
    /// Nothing but what no row holds.
    pub(crate) fn new(config: Config, random: Box<dyn Random>) -> Self {
        let every = config.stored.deferred().and_then(Deferred::heartbeat);
        let heartbeats = Heartbeats::new(every);
        Self {
            config,
            random,
            paths: Paths::default(),
            diallings: Diallings::default(),
            reaches: Reaches::default(),
            relays: Relays::default(),
            rules: OwnRules::default(),
            peers: Peers::default(),
            strangers: Strangers::default(),
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            gaps: Gaps::default(),
            held: Held::default(),
            owed: Owed::default(),
            upkeep: Upkeep::default(),
            prekey_look: PrekeyLook::default(),
            troubles: Troubles::default(),
            heartbeats,
            fleets: Fleets::default(),
            cards: Cards::default(),
            dirty: BTreeSet::new(),
            answered: BTreeMap::new(),
            announced: 0,
            began_with: None,
        }
    }

    /// Rebuilds every index from the rows; paths stay as they are. Messages not announced in this
    /// process are.
    pub(crate) fn load(
        &mut self,
        ledger: &Ledger,
        step: &mut Transition<'_>,
    ) -> Result<(), StoreError> {
        self.peers = Peers::default();
        self.outbox = Outbox::default();
        self.inbox = Inbox::default();
        self.gaps = Gaps::default();
        self.held = Held::default();
        self.owed = Owed::default();
        self.relays.forget_under_way();
        self.rules.contacts_are_read_anew();
        ledger.each(Namespace::Peer, |row| self.peers.load(&row))?;
        let provider = Arc::clone(&self.config.provider);
        ledger.each(Namespace::Outbox, |row| self.outbox.load(&row, &*provider))?;
        self.outbox.load_relayed(step)?;
        let mut waiting = Vec::new();
        ledger.each(Namespace::Gap, |row| {
            waiting.extend(self.gaps.load(&row, step.now.monotonic)?);
            Ok(())
        })?;
        ledger.each(Namespace::Held, |row| self.held.load(&row))?;
        ledger.each(Namespace::Owed, |row| self.owed.load(&row))?;
        let mut unread: BTreeMap<AgentId, Vec<Receipt>> = BTreeMap::new();
        ledger.each(Namespace::Inbox, |row| {
            let Some((arrival, delivery)) = self.inbox.load(&row)? else { return Ok(()) };
            let (sender, id) = (delivery.sender, delivery.message.id);
            if arrival >= self.announced {
                let repeat = self.began_with.is_none_or(|before| arrival < before);
                step.tell(Event::Arrived { arrival, sender, id, repeat });
            }
            unread.entry(sender).or_default().push(delivered(id));
            Ok(())
        })?;
        self.load_groups(ledger, step)?;
        self.began_with.get_or_insert(self.inbox.next_arrival());
        for peer in self.owed.creditors().collect::<Vec<_>>() {
            if self.paths.to(&peer).is_empty() {
                self.owe_by_mail(step, &peer);
            } else {
                self.owed.schedule(&peer, step.now.monotonic);
            }
        }
        for (sender, id) in waiting {
            unread.entry(sender).or_default().push(delivered(id));
        }
        self.acknowledge_anew(step, unread)?;
        self.dirty.extend(self.outbox.wanted());
        self.dirty.extend(self.owed.creditors());
        self.look_after_prekeys(step)
    }

    /// Gives up every sending session of a state that was restored.
    pub(crate) fn archive(
        &mut self,
        ledger: &Ledger,
        step: &mut Transition<'_>,
    ) -> Result<(), StoreError> {
        if let Some(protocol) = self.config.stored.protocol() {
            stored::archive_all(protocol, ledger, step)?;
        }
        self.draw_prekeys_anew(ledger, step)?;
        Self::strand_groups(ledger, step)?;
        Outbox::end_conversations(ledger, step)
    }

    pub(crate) fn path_changed(
        &mut self,
        step: &mut Transition<'_>,
        change: &PathChange,
    ) -> Result<(), StoreError> {
        match *change {
            PathChange::Opened(ref opened) => self.path_opened(step, opened)?,
            PathChange::Renewed(ref renewed) => self.path_renewed(step, renewed)?,
            PathChange::Closed(path) => self.path_closed(step, path),
            PathChange::DialFailed { peer, needs } => {
                let now = step.now.monotonic;
                if self.diallings.dial_failed(peer, needs, now, &mut *self.random) {
                    self.not_found(step, peer, needs);
                }
            }
            PathChange::Used(path) => self.used(step, path),
        }
        Ok(())
    }

    /// What time alone brings.
    pub(crate) fn tick(&mut self, step: &mut Transition<'_>) -> Result<(), StoreError> {
        let now = step.now.monotonic;
        self.dirty.append(&mut self.outbox.due(now));
        self.expire(step)?;
        while let Some((sender, receipts)) = self.owed.next_due(now) {
            let mut said = true;
            for receipts in receipts {
                said &= self.say(step, &sender, &Payload::Receipts(receipts))?;
            }
            if !said {
                self.owed.not_said(sender, now);
            }
        }
        let (paths, gaps) = (&self.paths, &mut self.gaps);
        for (sender, place) in gaps.due(now, |sender| paths.reaches(sender)) {
            self.say(step, &sender, &Payload::WaitingFor(place))?;
            self.dirty.insert(sender);
        }
        for (path, reason) in self.paths.take_ended(now) {
            step.close(path, reason);
        }
        self.dirty.extend(self.paths.take_aged(now));
        let due = self.diallings.due(now, &mut *self.random);
        self.dirty.extend(due.rested);
        for (peer, needs) in due.failed {
            self.not_found(step, peer, needs);
        }
        self.rested(step);
        self.look_after_rules(step);
        if self.upkeep.is_due(now) {
            self.sweep(step)?;
        }
        if self.prekey_look.is_due(now) {
            self.look_after_prekeys(step)?;
        }
        self.ask_again(step)?;
        self.fleets.due(now);
        self.repair(step)?;
        self.beat(step)
    }

    /// When [`Desk::tick`] has something to do.
    pub(crate) fn next_timeout(&self, now: Timestamp) -> Option<Duration> {
        [
            self.outbox.next_timeout(now),
            self.owed.next_timeout(),
            self.gaps.next_timeout(),
            self.paths.next_timeout(),
            self.diallings.next_timeout(),
            self.relays.next_timeout(),
            self.rules.next_timeout(),
            self.upkeep.next_timeout(),
            self.prekey_look.next_timeout(),
            self.troubles.next_timeout(),
            self.heartbeats.next_timeout(),
            self.fleets.next_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What is known of the ways to a peer for a frame of this many bytes.
    pub(crate) fn situation(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        frame: usize,
    ) -> Result<Situation, StoreError> {
        let live = self.live_situation(peer, frame);
        let Some(protocol) = self.config.stored.protocol().filter(|_| frame <= MAX_SEALED) else {
            return Ok(live);
        };
        let seals = protocol.can_seal(view, peer)?;
        let stored = seals.then(|| StoredSituation { mail: self.paths.mail(peer) });
        let relays = self.relays.situation(&self.peers.relays(peer), peer);
        Ok(Situation { stored, relays, ..live })
    }

    /// As much of it as the choice depends on. Rows are read only where the peer is away.
    pub(crate) fn situation_that_counts(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        frame: usize,
    ) -> Result<Situation, StoreError> {
        let live = self.live_situation(peer, frame);
        if live.live.is_none() && live.dialling == Dialling::Failed {
            return self.situation(view, peer, frame);
        }
        Ok(live)
    }

    fn live_situation(&self, peer: &AgentId, frame: usize) -> Situation {
        let live = self.paths.carrying(peer, frame);
        let too_large = live.is_none() && self.paths.live(peer).is_some();
        let needs = if too_large { Needs::Bulk } else { Needs::Any };
        let dialling = self.diallings.state(peer, needs);
        Situation { live, too_large, dialling, ..Situation::default() }
    }

    /// Nobody is to have a session with this peer any more.
    pub(crate) fn reach_no_more(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        why: CommandError,
    ) {
        for ticket in self.reaches.take_all(*peer) {
            step.tell_now(Event::Answered { ticket, answer: Err(why) });
        }
    }

    /// Closes every path to a peer.
    pub(crate) fn close_all(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        reason: CloseReason,
    ) {
        for path in self.paths.to(peer) {
            step.close(path, reason);
        }
    }

    fn path_opened(
        &mut self,
        step: &mut Transition<'_>,
        opened: &PathOpened,
    ) -> Result<(), StoreError> {
        let PathOpened { path, peer, ref kind } = *opened;
        match *kind {
            PathKind::Mail => self.paths.open_mail(path, peer, step.now.monotonic),
            PathKind::Live {
                transport,
                largest_frame,
                initiated,
                posture,
                ref card,
                lineage,
                remembered,
            } => {
                if let Some(reason) = self.refuses(&peer) {
                    step.close(path, reason);
                    return Ok(());
                }
                if !self.greet(step, card, transport, lineage, remembered)? {
                    step.close(path, CloseReason::CardRefused);
                    return Ok(());
                }
                let live = Live {
                    transport,
                    largest_frame,
                    initiated,
                    initiator: if initiated { self.config.own } else { peer },
                    incarnation: lineage.incarnation,
                    posture,
                    used: None,
                };
                self.cards.keep(path, card, !self.peers.is_known(&peer));
                self.session_opened(step, path, peer, live);
            }
        }
        self.owed.schedule(&peer, step.now.monotonic);
        self.gaps.ask_at(peer, step.now.monotonic);
        self.dirty.insert(peer);
        self.heard_of(&peer);
        match self.cards.get(path).cloned() {
            Some(card) => self.say_what_is_held(step, path, &card),
            None => Ok(()),
        }
    }

    /// What a Hello says counts in a session that goes on as in a new one.
    fn path_renewed(
        &mut self,
        step: &mut Transition<'_>,
        renewed: &PathRenewed,
    ) -> Result<(), StoreError> {
        let PathRenewed { path, ref card, lineage, remembered } = *renewed;
        let Some(transport) = self.paths.renewed(path, lineage.incarnation) else {
            return Ok(());
        };
        if self.greet(step, card, transport, lineage, remembered)? {
            self.cards.keep(path, card, !self.peers.is_known(&card.agent()));
            // What was said when the session opened may be lost over UDP.
            self.say_what_is_held(step, path, card)?;
        } else {
            step.close(path, CloseReason::CardRefused);
        }
        Ok(())
    }

    fn session_opened(
        &mut self,
        step: &mut Transition<'_>,
        path: PathId,
        peer: AgentId,
        live: Live,
    ) {
        let transport = live.transport;
        if self.paths.live(&peer).is_none() {
            step.tell_now(Event::Connected(peer));
        }
        for replaced in self.paths.open_live(path, peer, live, step.now.monotonic).replaced {
            self.outbox.path_closed(&peer, replaced);
        }
        self.diallings.connected(peer, transport);
        // Where it drains, another of its transport stays.
        let stays = self.paths.meeting(&peer, Needs::Via(transport)).unwrap_or(path);
        for ticket in self.reaches.take_met(peer, transport) {
            step.tell_now(Event::Answered { ticket, answer: Ok(Answer::Reached(stays)) });
        }
    }

    /// A search found nothing.
    fn not_found(&mut self, step: &mut Transition<'_>, peer: AgentId, needs: Needs) {
        for ticket in self.reaches.take(peer, needs) {
            let answer = Err(CommandError::Unreachable);
            step.tell_now(Event::Answered { ticket, answer });
        }
        self.dirty.insert(peer);
    }

    /// Something goes over a path. A session that has come to the end of its life is replaced from
    /// the first time on.
    pub(crate) fn used(&mut self, step: &Transition<'_>, path: PathId) {
        self.dirty.extend(self.paths.used(path, step.now.monotonic));
    }

    /// Why a session with this peer is not wanted.
    fn refuses(&mut self, peer: &AgentId) -> Option<CloseReason> {
        match self.peers.standing(peer) {
            Some(Standing::Known) => None,
            Some(Standing::Blocked) => Some(CloseReason::Blocked),
            Some(Standing::Stranger) | None => {
                let Self { paths, peers, strangers, .. } = self;
                let count = || paths.connected().filter(|peer| !peers.is_known(peer)).count();
                let admitted = strangers.admit(paths.connected().len(), count);
                (!admitted).then_some(CloseReason::TooManyStrangers)
            }
        }
    }

    /// Takes what a Hello said; `false` where its card cannot be used.
    fn greet(
        &mut self,
        step: &mut Transition<'_>,
        card: &Card,
        transport: Transport,
        said: Lineage,
        remembered: Option<Lineage>,
    ) -> Result<bool, StoreError> {
        let peer = card.agent();
        let (shown, before) = self.peers.greet(step, card, said, transport)?;
        match shown {
            Shown::Contradicted => step.tell(Event::Equivocation(peer)),
            Shown::Refused => {}
            Shown::Usable => {
                let suspicions = [
                    lineage::of_peer(before.as_ref(), &said),
                    lineage::of_ours(remembered.as_ref(), &self.config.lineage),
                ];
                for suspicion in suspicions.into_iter().flatten() {
                    step.tell_now(Event::Lineage { peer, suspicion });
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn path_closed(&mut self, step: &mut Transition<'_>, path: PathId) {
        let Some((closed, was_used)) = self.paths.close(path) else { return };
        let (now, peer) = (step.now.monotonic, closed.peer);
        self.strangers.fewer();
        self.cards.remove(path);
        self.prekey_look.path_closed(path);
        self.outbox.path_closed(&peer, path);
        if let (Kind::Live(live), true) = (closed.kind, was_used) {
            let age = now.saturating_sub(closed.opened);
            for needs in Needs::ALL.into_iter().filter(|needs| needs.allow(live.transport)) {
                if self.paths.meeting(&peer, needs).is_none() {
                    self.diallings.disconnected(peer, needs, age, now, &mut *self.random);
                }
            }
            if self.paths.live(&peer).is_none() {
                step.tell_now(Event::Disconnected(peer));
            }
        }
        if !self.paths.reaches(&peer) {
            self.owed.unschedule(&peer);
            self.owe_by_mail(step, &peer);
        }
        self.dirty.insert(peer);
    }

    /// What is owed to a peer that is away is said again by mail, if it gets any.
    pub(crate) fn owe_by_mail(&mut self, step: &Transition<'_>, peer: &AgentId) {
        if !self.peers.relays(peer).is_empty() {
            self.owed.schedule_mail(peer, step.now.monotonic);
        }
    }

    fn sweep(&mut self, step: &mut Transition<'_>) -> Result<(), StoreError> {
        let (mut unseen, now) = (0, step.now.monotonic);
        for (namespace, key) in self.upkeep.sweep(step)? {
            match (namespace, split(&key)) {
                (Namespace::Seen, _) => unseen += 1,
                (Namespace::Owed, Some((sender, id))) => self.owed.settle(step, &sender, id),
                (Namespace::Held, Some((sender, id))) => {
                    let last = self.held.forget(&sender, id);
                    if last && self.peers.standing(&sender) == Some(Standing::Stranger) {
                        self.peers.forget(step, &sender);
                        self.forget_mail(step, &sender);
                    }
                }
                _ => {}
            }
        }
        if unseen > 0 {
            self.inbox.fewer_seen(step, unseen);
        }
        self.answered.retain(|_, at| now < *at + ANSWER_EVERY);
        Ok(())
    }

    /// Learns a card and what the owner says of its holder.
    pub(crate) fn meet(
        &mut self,
        step: &mut Transition<'_>,
        card: &Card,
        meeting: Meeting,
    ) -> Result<(), CommandError> {
        let peer = card.agent();
        let standing = meeting.standing;
        let held = Peers::facts(step, &peer)?.map(|facts| facts.card);
        match self.peers.meet(step, card, meeting)? {
            Shown::Usable if held.as_deref() != Some(card.as_bytes()) => self.heard_of(&peer),
            Shown::Usable => {}
            Shown::Contradicted => {
                step.tell(Event::Equivocation(peer));
                self.close_all(step, &peer, CloseReason::CardRefused);
            }
            Shown::Refused => return Err(CommandError::CardRefused),
        }
        if let Some(standing) = standing {
            self.stands_now(step, &peer, standing)?;
        }
        Ok(())
    }

    /// Forgets a peer, and what was for it and of it.
    pub(crate) fn forget(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
    ) -> Result<(), CommandError> {
        if !self.peers.forget(step, peer) {
            return Err(CommandError::UnknownPeer);
        }
        self.abandon(step, peer);
        self.forget_mail(step, peer);
        self.held.release(step, peer)?;
        self.reach_no_more(step, peer, CommandError::UnknownPeer);
        self.close_all(step, peer, CloseReason::Blocked);
        Ok(())
    }

    /// The owner said how a peer stands: what was held of it enters, or goes.
    pub(crate) fn stands_now(
        &mut self,
        step: &mut Transition<'_>,
        peer: &AgentId,
        standing: Standing,
    ) -> Result<(), StoreError> {
        match standing {
            Standing::Known => {
                self.strangers.fewer();
                self.paths.to(peer).into_iter().for_each(|path| self.cards.known(path));
                self.accept(step, peer)?;
                self.is_known_now(step, peer)?;
            }
            Standing::Blocked => {
                self.held.release(step, peer)?;
                self.reach_no_more(step, peer, CommandError::Blocked);
                self.close_all(step, peer, CloseReason::Blocked);
            }
            Standing::Stranger => {}
        }
        self.dirty.insert(*peer);
        Ok(())
    }

    /// What would be chosen now for a message to this peer in a frame of this many bytes.
    pub(crate) fn choice(
        &self,
        view: &View<'_>,
        peer: &AgentId,
        frame: usize,
    ) -> Result<Choice, StoreError> {
        Ok(choose(&self.situation_that_counts(view, peer, frame)?).choice)
    }
}

const fn delivered(id: MessageId) -> Receipt {
    Receipt { id, verdict: Verdict::Delivered }
}
