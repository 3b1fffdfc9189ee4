//! The world of these tests: several routers, the relay's own code in memory, and what lies or is lost
//! between them.

use super::*;

pub(super) const RELAY: AgentId = AgentId::from_bytes([200; 32]);

fn node(number: u8) -> Node {
    let card = card_for_groups(number, 1_000, &[RELAY]);
    Node::with_card(number, card, Policy::default(), |_, _| Stored::None)
}

/// What a holder that is damaged, or lies, gives one reader.
#[derive(Clone, Copy)]
pub(super) enum Tampering {
    /// No commit is what it was.
    Garbage,
    /// What was not read yet is gone.
    Gap,
}

/// Agents that know each other and have sessions, and the relay that holds their groups' logs.
pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    pub(super) relay: Relay<Disk>,
    pub(super) disk: Disk,
    /// Other relays, and what is asked of them.
    pub(super) others: moving::Others,
    /// Requests that wait for an entry.
    pub(super) waiting: Vec<(usize, AskId, Asked)>,
    /// Agents that do not reach the relay.
    pub(super) parted: Vec<usize>,
    /// What one agent reads of the log in place of what stands there.
    pub(super) tampered: Option<(usize, Tampering)>,
    /// The agent that was given another log than the others, and the chain over it.
    pub(super) forged: Option<(usize, LogChain)>,
    /// Of whom the relay says nothing, as if it were another that is away.
    pub(super) silent: Option<AgentId>,
    /// Another log that the relay shows to some.
    pub(super) second_face: Option<(Relay<Disk>, Vec<usize>)>,
    /// Whose offers the relay changes.
    pub(super) spoilt: Option<AgentId>,
    /// Parts that agents left with the relay.
    pub(super) uploads: usize,
    /// Loses answers, where it is set.
    pub(super) loses: Option<Seeded>,
    pub(super) group: GroupId,
}

impl World {
    pub(super) fn new(count: u8) -> Self {
        Self::without_offers_of(count, None)
    }

    /// The same, where one did not come to its relay yet.
    pub(super) fn without_offers_of(count: u8, late: Option<usize>) -> Self {
        let mut nodes: Vec<_> = (1..=count).map(node).collect();
        let cards: Vec<_> = nodes.iter().map(|node| Arc::clone(&node.card)).collect();
        for (place, node) in nodes.iter_mut().enumerate() {
            let others = cards.iter().enumerate().filter(|(other, _)| *other != place);
            others.for_each(|(_, card)| node.meet(card));
        }
        let disk = Disk::default();
        let relay = Relay::new(disk.clone(), Arc::new(Pure), Limits::default());
        let group = GroupId::from_bytes([0; 32]);
        let (waiting, parted) = (Vec::new(), Vec::new());
        let (tampered, silent, spoilt, uploads, loses) = (None, None, None, 0, None);
        let mut this = Self {
            nodes,
            relay,
            disk,
            others: moving::Others::default(),
            waiting,
            parted,
            tampered,
            forged: None,
            silent,
            second_face: None,
            spoilt,
            uploads,
            loses,
            group,
        };
        for place in 0..this.nodes.len() {
            this.connect(place);
            let card = this.nodes[place].card.as_bytes().to_vec().into();
            assert_eq!(this.say(place, Asked::PutCard(card)), Some(Said::Done));
            if late != Some(place) {
                this.meet_relay(place);
            }
        }
        this.settle();
        this
    }

    /// Agents of which the first founded a group, and all others joined it.
    pub(super) fn with_group(count: u8) -> Self {
        let mut this = Self::new(count);
        this.found();
        let all: Vec<_> = (1..this.nodes.len()).collect();
        this.invite(0, &all, false);
        all.iter().for_each(|place| this.join(*place));
        this.settle();
        this
    }

    pub(super) fn id(&self, place: usize) -> AgentId {
        self.nodes[place].id()
    }

    pub(super) fn found(&mut self) {
        let create = GroupRequest::Create { name: "crew".into(), holder: None };
        let Some(Ok(Answer::Group(group))) = self.ask(0, create) else { panic!("no group") };
        self.group = group;
        self.settle();
    }

    pub(super) fn invite(&mut self, by: usize, places: &[usize], anew: bool) {
        let peers = places.iter().map(|place| self.id(*place)).collect();
        let invite = GroupRequest::Invite { group: self.group, peers, anew };
        assert_eq!(self.ask(by, invite), Some(Ok(Answer::Done)));
        self.settle();
    }

    pub(super) fn join(&mut self, place: usize) {
        let answer = self.ask(place, GroupRequest::Join(self.group));
        let events = &self.nodes[0].events;
        assert_eq!(answer, Some(Ok(Answer::Group(self.group))), "agent {place}; {events:?}");
    }

    pub(super) fn remove(&mut self, by: usize, place: usize) {
        let members = vec![self.id(place)];
        let remove = GroupRequest::Remove { group: self.group, members };
        assert_eq!(self.ask(by, remove), Some(Ok(Answer::Done)));
        self.settle();
    }

    pub(super) fn rotate(&mut self, place: usize) {
        let ticket = self.request(place, GroupRequest::Rotate(self.group));
        self.nodes[place].commit();
        assert_eq!(self.nodes[place].answer(ticket), Some(Ok(Answer::Done)));
    }

    /// Takes away what an agent asks the relay that is like this, so that nobody answers it.
    pub(super) fn take(
        &mut self,
        place: usize,
        is_it: impl Fn(&Asked) -> bool,
    ) -> Option<(AskId, Asked)> {
        let asks = |wish: &Output| match wish {
            Output::AskRelay { request, relay, .. } => relay.agent == RELAY && is_it(request),
            _ => false,
        };
        let wishes = &mut self.nodes[place].wishes;
        let at = wishes.iter().position(asks)?;
        match wishes.remove(at)? {
            Output::AskRelay { ask, request, .. } => Some((ask, *request)),
            _ => None,
        }
    }

    /// The same, once it is asked.
    pub(super) fn hold_back(&mut self, place: usize, is_it: impl Fn(&Asked) -> bool) -> AskId {
        self.take_later(place, is_it).0
    }

    /// The same, with what is asked.
    pub(super) fn take_later(
        &mut self,
        place: usize,
        is_it: impl Fn(&Asked) -> bool,
    ) -> (AskId, Asked) {
        for _ in 0..10_000 {
            self.nodes.iter_mut().for_each(Node::commit);
            if let Some(taken) = self.take(place, &is_it) {
                return taken;
            }
            if !(self.carry_frames() | self.carry_asks()) {
                self.nodes.iter_mut().for_each(|node| node.pass(Duration::from_secs(1)));
            }
        }
        panic!("it asks nothing of the kind");
    }

    /// Those who wait for an entry hear that the relay is gone.
    pub(super) fn drop_waiting(&mut self) {
        for (place, ask, _) in std::mem::take(&mut self.waiting) {
            self.answer(place, ask, Err(RelayFailure::Gone));
        }
    }

    /// The relay dies and comes back from a copy.
    pub(super) fn put_back(&mut self, copy: meshwork_relay::storage::MemoryStorage) {
        self.disk.put_back(copy);
        self.relay.reopen().unwrap();
        self.drop_waiting();
    }

    /// What an agent has, and what it is to have of what was sent: all but its own.
    pub(super) fn bodies_of(&self, place: usize, sent: &[(usize, &str)]) -> [Vec<String>; 2] {
        let wanted = sent.iter().filter(|(from, _)| *from != place);
        let wanted = wanted.map(|(_, body)| (*body).to_owned()).collect();
        let here = self.nodes[place].bodies();
        [here, wanted].map(|mut bodies: Vec<String>| {
            bodies.sort_unstable();
            bodies
        })
    }

    /// The relay takes the commit that an agent asks it to append; its answer is on the way.
    pub(super) fn append_unheard(&mut self, place: usize) -> (AskId, Said) {
        let is_commit =
            |asked: &Asked| matches!(asked, Asked::Append(Append { entry: Entry::Commit(_), .. }));
        let (ask, request) = self.take(place, is_commit).expect("a commit is to be appended");
        (ask, self.say(place, request).expect("an answer at once"))
    }

    /// Sends to the group; what does not fit now is an error.
    pub(super) fn send(&mut self, place: usize, body: &str) -> Result<Answer, CommandError> {
        let outgoing = text(RELAY, body);
        let send = GroupRequest::Send {
            group: self.group,
            id: None,
            content_type: outgoing.content_type,
            body: outgoing.body,
            lifetime: outgoing.lifetime,
            asks: Asks::Nothing,
        };
        let ticket = self.request(place, send);
        self.nodes[place].commit();
        self.nodes[place].answer(ticket).expect("an answer once it is durable")
    }

    pub(super) fn request(&mut self, place: usize, request: GroupRequest) -> Ticket {
        self.nodes[place].request(Request::Group(request))
    }

    pub(super) fn ask(
        &mut self,
        place: usize,
        request: GroupRequest,
    ) -> Option<Result<Answer, CommandError>> {
        let ticket = self.request(place, request);
        self.settle();
        self.nodes[place].answer(ticket)
    }

    pub(super) fn summary(&mut self, place: usize) -> GroupSummary {
        let group = self.group;
        let groups = self.nodes[place].router.groups().unwrap();
        groups.into_iter().find(|summary| summary.group == group).expect("it is in the group")
    }

    pub(super) fn is_in(&mut self, place: usize) -> bool {
        let group = self.group;
        self.nodes[place].router.groups().unwrap().iter().any(|summary| summary.group == group)
    }

    pub(super) fn saw(&self, place: usize, wanted: impl Fn(&GroupEvent) -> bool) -> bool {
        self.nodes[place].events.iter().any(|event| match event {
            Event::Group { what, .. } => wanted(what),
            _ => false,
        })
    }

    /// A relay of its own answers an agent.
    pub(super) fn meet_relay(&mut self, place: usize) {
        let met = RelayNews::Met { relay: RELAY, depth: 0, offers: 0, is_back: false };
        self.nodes[place].handle(Input::Relay(met));
        self.nodes[place].commit();
    }

    /// Opens a session of this agent with each of those before it.
    pub(super) fn connect(&mut self, place: usize) {
        for other in 0..place {
            let path = PathId(((other as u64) << 32) | place as u64);
            for (from, to, initiated) in [(other, place, true), (place, other, false)] {
                let card = Arc::clone(&self.nodes[to].card);
                let (peer, lineage) = (card.agent(), self.nodes[to].lineage());
                let kind = live(card, lineage, initiated);
                let opened = PathOpened { path, peer, kind };
                self.nodes[from].handle(Input::PathChanged(PathChange::Opened(opened)));
                self.nodes[from].commit();
            }
        }
    }

    /// What the relay says to an agent; `None` while there is nothing to say.
    pub(super) fn say(&mut self, place: usize, request: Asked) -> Option<Said> {
        let caller = self.nodes[place].id();
        let now = self.nodes[place].now;
        let relay = match &mut self.second_face {
            Some((relay, to)) if to.contains(&place) => relay,
            _ => &mut self.relay,
        };
        let outcome = relay.serve(now, &[Call { caller, request }]).unwrap().pop().unwrap();
        match outcome {
            Outcome::Answer(answer) => Some(answer),
            Outcome::Wait(_) => None,
        }
    }

    pub(super) fn carry_frames(&mut self) -> bool {
        let mut moved = false;
        for place in 0..self.nodes.len() {
            while let Some((path, frame)) = self.nodes[place].sent.pop_front() {
                let (low, high) = ((path.0 >> 32) as usize, (path.0 & 0xffff) as usize);
                let other = if low == place { high } else { low };
                self.nodes[other].handle(Input::Received { path, frame: &frame });
                moved = true;
            }
        }
        moved
    }

    /// Gives the relay what the agents ask, and the agents what it says.
    pub(super) fn carry_asks(&mut self) -> bool {
        let mut asks = std::mem::take(&mut self.waiting);
        let waiting = asks.len();
        for (place, node) in self.nodes.iter_mut().enumerate() {
            while let Some(wish) = node.wishes.pop_front() {
                match wish {
                    Output::AskRelay { ask, relay, request } if relay.agent == RELAY => {
                        asks.push((place, ask, *request));
                    }
                    Output::AskRelay { ask, relay, request } => {
                        self.others.are_asked(relay.agent, (place, ask, *request));
                    }
                    _ => {}
                }
            }
        }
        let mut moved = asks.len() > waiting || self.carry_to_others();
        for (place, ask, request) in asks {
            self.uploads += usize::from(matches!(request, Asked::PutBlob { .. }));
            let is_silent = matches!(&request, Asked::GetCard(of) if Some(*of) == self.silent);
            let is_gone = self.others.is_gone(RELAY);
            let answer = if is_silent || is_gone || self.parted.contains(&place) {
                Some(Err(RelayFailure::Gone))
            } else {
                let of = match &request {
                    Asked::Take { target, .. } => Some(*target),
                    _ => None,
                };
                let said = self.say(place, request.clone());
                said.map(|said| Ok(self.tamper(place, self.spoil(of, said))))
            };
            let lost = self.loses.as_mut().is_some_and(|random| below(random, 4) == 0);
            match answer {
                Some(_) if lost => self.answer(place, ask, Err(RelayFailure::Gone)),
                Some(answer) => self.answer(place, ask, answer),
                None => {
                    self.waiting.push((place, ask, request));
                    continue;
                }
            }
            moved = true;
        }
        moved
    }

    /// The relay changes a byte of an offer's signature.
    pub(super) fn spoil(&self, of: Option<AgentId>, mut said: Said) -> Said {
        if let Said::Taken(Taken::KeyPackage { package, .. }) = &mut said
            && of.is_some()
            && of == self.spoilt
        {
            package.0[100] ^= 1;
        }
        said
    }

    pub(super) fn tamper(&mut self, place: usize, mut said: Said) -> Said {
        if let (Said::Entries { first, last, entries, .. }, Some((who, how))) =
            (&mut said, self.tampered)
            && who == place
            && !entries.is_empty()
        {
            match how {
                Tampering::Gap => {
                    *first = EntryIndex(last.0 + 1);
                    entries.clear();
                }
                Tampering::Garbage => entries.iter_mut().for_each(|logged| {
                    if let Entry::Commit(commit) = &mut logged.entry {
                        commit.bytes = vec![1, 2, 3].into();
                    }
                }),
            }
            if let (Tampering::Garbage, Said::Entries { chain, .. }) = (how, &said) {
                self.forged.get_or_insert((place, *chain));
            }
        }
        // A holder that lies goes on by what it said.
        if let (Said::Entries { chain, entries, .. }, Some((who, forged))) =
            (&mut said, &mut self.forged)
            && *who == place
        {
            *chain = *forged;
            for Logged { index, author, entry, .. } in entries {
                *forged = forged.with(&Pure, *index, author, entry);
            }
        }
        said
    }

    /// Asks a peer for the way back into the group.
    pub(super) fn ask_way_back(&mut self, from: usize, to: usize) {
        let mut outgoing = text(self.id(to), "");
        outgoing.content_type = way_back::ASKED_TYPE.parse().unwrap();
        outgoing.body = way_back::ask(&self.group);
        self.nodes[from].request(Request::Send(outgoing));
        self.settle();
    }

    pub(super) fn answer(&mut self, place: usize, ask: AskId, answer: Result<Said, RelayFailure>) {
        self.nodes[place].handle(Input::Relay(RelayNews::Answered { ask, answer }));
    }

    /// Until nothing moves any more.
    pub(super) fn settle(&mut self) {
        for _ in 0..2_000 {
            self.nodes.iter_mut().for_each(Node::commit);
            let moved = self.carry_frames() | self.carry_asks();
            if !moved && self.nodes.iter().all(|node| node.batches.is_empty()) {
                return;
            }
        }
        panic!("it never settles");
    }

    /// The same over so long, in steps of a second.
    pub(super) fn settle_for(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.settle();
            self.nodes.iter_mut().for_each(|node| node.pass(Duration::from_secs(1)));
        }
        self.settle();
    }

    /// The same over longer, in steps of this many seconds.
    pub(super) fn settle_in(&mut self, steps: u32, seconds: u64) {
        for _ in 0..steps {
            self.settle();
            self.nodes.iter_mut().for_each(|node| node.pass(Duration::from_secs(seconds)));
        }
        self.settle();
    }

    /// An agent dies without a word and comes back.
    pub(super) fn restart(&mut self, place: usize, restored: bool) {
        self.waiting.retain(|(waits, ..)| *waits != place);
        self.others.forget(place);
        self.nodes[place].restart_as(restored);
        for other in 0..self.nodes.len() {
            if other != place {
                let (low, high) = (place.min(other), place.max(other));
                let path = PathId(((low as u64) << 32) | high as u64);
                self.nodes[other].handle(Input::PathChanged(PathChange::Closed(path)));
                for (from, to) in [(place, other), (other, place)] {
                    let card = Arc::clone(&self.nodes[to].card);
                    let (peer, lineage) = (card.agent(), self.nodes[to].lineage());
                    let kind = live(card, lineage, from == low);
                    let opened = PathOpened { path, peer, kind };
                    self.nodes[from].handle(Input::PathChanged(PathChange::Opened(opened)));
                }
            }
        }
    }

    /// The log, as the relay tells it.
    pub(super) fn log(&mut self) -> Vec<Logged> {
        let log = LogId(*self.group.as_bytes());
        let read = ReadLog { log, after: EntryIndex(0), most: 1_000, wait: 0 };
        match self.say(0, Asked::ReadLog(read)) {
            Some(Said::Entries { entries, .. }) => entries,
            other => panic!("no entries: {other:?}"),
        }
    }

    pub(super) fn last_commit(&mut self) -> EntryIndex {
        let is_commit = |entry: &Entry| matches!(entry, Entry::Commit(_));
        self.log().iter().rev().find(|logged| is_commit(&logged.entry)).unwrap().index
    }

    /// Something that is no commit of the group, by one of its members.
    pub(super) fn append_garbage(&mut self, place: usize) {
        let garbage = Commit {
            epoch: 9,
            builds_on: Some(self.last_commit()),
            admitted: Vec::new(),
            removed: Vec::new(),
            bytes: vec![1, 2, 3].into(),
        };
        self.append(place, Entry::Commit(garbage));
    }

    pub(super) fn append(&mut self, place: usize, entry: Entry) {
        let log = LogId(*self.group.as_bytes());
        let said = self.say(place, Asked::Append(Append { log, entry }));
        assert!(matches!(said, Some(Said::Appended(_))), "{said:?}");
    }

    /// Whether anything of the group is left with an agent.
    pub(super) fn has_rows(&self, place: usize) -> bool {
        let group = self.group.as_bytes();
        let named = |key: &[u8]| key.windows(32).any(|part| part == group);
        self.nodes[place].rows().iter().any(|(namespace, key, _)| {
            matches!(namespace, Namespace::Fleet | Namespace::Group) && named(key)
        })
    }

    /// All of these are in one epoch with the same members.
    pub(super) fn assert_one(&mut self, places: &[usize]) {
        let first = self.summary(places[0]);
        for place in places {
            let summary = self.summary(*place);
            assert_eq!((summary.epoch, summary.members), (first.epoch, first.members.clone()));
            assert_eq!((summary.changes, summary.waiting), (0, 0), "agent {place}");
        }
    }
}

pub(super) fn below(random: &mut Seeded, bound: u32) -> u32 {
    let random: &mut dyn Random = random;
    random.below(bound)
}

fn live(
    card: Arc<meshwork_protocols::identity::Card>,
    lineage: Lineage,
    initiated: bool,
) -> PathKind {
    PathKind::Live {
        transport: Transport::Tcp,
        largest_frame: largest_frame(Transport::Tcp),
        initiated,
        posture: Posture::HYBRID,
        card,
        lineage,
        remembered: None,
    }
}
