//! The log of a group moves to another relay: with messages under way, members away, crashes of who
//! moves it, two that move it at once, and relays that do not take it.

use meshwork_protocols::fleet::log_moved;
use meshwork_protocols::identity::Relay as Place;
use meshwork_protocols::relay::Refusal;
use meshwork_protocols::time::Timestamp;

use super::*;

const SECOND: AgentId = AgentId::from_bytes([201; 32]);
const THIRD: AgentId = AgentId::from_bytes([202; 32]);

/// So long a relay that does not answer is asked to take a log.
const TRIED_MINUTES: u32 = 60;

/// Relays beside the first one, and what waits there.
#[derive(Default)]
pub(super) struct Others {
    relays: BTreeMap<AgentId, Relay<Disk>>,
    asked: Vec<(AgentId, (usize, AskId, Asked))>,
    /// Those that do not answer.
    gone: BTreeSet<AgentId>,
    /// Those that take no log.
    unwilling: BTreeSet<AgentId>,
    /// How much each was asked.
    pub(super) count: BTreeMap<AgentId, usize>,
}

impl Others {
    pub(super) fn are_asked(&mut self, relay: AgentId, what: (usize, AskId, Asked)) {
        *self.count.entry(relay).or_default() += 1;
        self.asked.push((relay, what));
    }

    pub(super) fn is_gone(&self, relay: AgentId) -> bool {
        self.gone.contains(&relay)
    }

    /// A relay comes back with nothing, and knows of none that wait.
    fn lose_all(&mut self, relay: AgentId) {
        self.relays.remove(&relay);
    }

    /// An agent died: what it asked is answered to nobody.
    pub(super) fn forget(&mut self, place: usize) {
        self.asked.retain(|(_, (waits, ..))| *waits != place);
    }

    /// What a relay says; nothing yet where it waits for an entry.
    fn say(&mut self, to: AgentId, call: Call, now: Timestamp) -> Option<Said> {
        let new = || Relay::new(Disk::default(), Arc::new(Pure), Limits::default());
        let relay = self.relays.entry(to).or_insert_with(new);
        match relay.serve(now, &[call]).unwrap().pop().unwrap() {
            Outcome::Answer(answer) => Some(answer),
            Outcome::Wait(_) => None,
        }
    }
}

fn relay(agent: AgentId) -> Place {
    Place { agent, addresses: vec!["tcp:relay.example.org:443".parse().unwrap()] }
}

impl World {
    pub(super) fn carry_to_others(&mut self) -> bool {
        let mut moved = false;
        for (to, (place, ask, request)) in std::mem::take(&mut self.others.asked) {
            let caller = self.nodes[place].id();
            let now = self.nodes[place].now;
            let founds = |commit: &Commit| commit.builds_on.is_none();
            let is_founding = matches!(
                &request,
                Asked::Append(Append { entry: Entry::Commit(commit), .. }) if founds(commit)
            );
            let answer = if self.others.gone.contains(&to) || self.parted.contains(&place) {
                Some(Err(RelayFailure::Gone))
            } else if is_founding && self.others.unwilling.contains(&to) {
                Some(Ok(Said::Refused(Refusal::NotListed)))
            } else {
                let call = Call { caller, request: request.clone() };
                self.others.say(to, call, now).map(Ok)
            };
            let lost = self.loses.as_mut().is_some_and(|random| below(random, 4) == 0);
            match answer {
                Some(_) if lost => self.answer(place, ask, Err(RelayFailure::Gone)),
                Some(answer) => self.answer(place, ask, answer),
                None => {
                    self.others.asked.push((to, (place, ask, request)));
                    continue;
                }
            }
            moved = true;
        }
        moved
    }

    pub(super) fn move_log(&mut self, place: usize, to: AgentId) {
        let request = GroupRequest::MoveLog { group: self.group, to: relay(to) };
        let ticket = self.request(place, request);
        self.nodes[place].commit();
        assert_eq!(self.nodes[place].answer(ticket), Some(Ok(Answer::Done)));
    }

    /// One round of what `settle` does.
    fn step(&mut self) {
        self.nodes.iter_mut().for_each(Node::commit);
        self.carry_frames();
        self.carry_asks();
    }

    /// A group whose log moved before its holder was put back to a copy from before that. These have not
    /// read of the move, and go on by themselves in a log that is none any more.
    fn with_a_lost_move(away: &[usize]) -> Self {
        let mut this = Self::with_group(4);
        let copy = this.disk.copy();
        this.parted = away.to_vec();
        this.settle();
        this.move_log(0, SECOND);
        this.settle_for(2);
        this.put_back(copy);
        this.parted.clear();
        this.send(away[0], "nobody reads it there").unwrap();
        this.rotate(2);
        this
    }

    /// Until an agent asks the first relay to append the commit that moves the log.
    fn until_the_move_is_asked(&mut self, place: usize) {
        for _ in 0..100 {
            self.nodes.iter_mut().for_each(Node::commit);
            let asks = self.nodes[place].wishes.iter().any(|wish| match wish {
                Output::AskRelay { request, relay, .. } if relay.agent == RELAY => {
                    matches!(**request, Asked::Append(Append { entry: Entry::Commit(_), .. }))
                }
                _ => false,
            });
            if asks {
                return;
            }
            self.carry_frames();
            self.carry_asks();
        }
        panic!("no commit is asked for");
    }

    /// The members are one, and the log is there, after so many moves.
    fn assert_at(&mut self, places: &[usize], holder: AgentId, moves: u16) {
        self.assert_one(places);
        for place in places {
            let summary = self.summary(*place);
            assert_eq!((summary.holder, summary.moves), (holder, moves), "agent {place}");
            assert!(summary.follows, "agent {place}");
        }
    }

    /// What everybody has once of those who did not send it.
    fn assert_bodies(&self, places: &[usize], sent: &[(usize, &str)]) {
        for place in places {
            let [here, wanted] = self.bodies_of(*place, sent);
            assert_eq!(here, wanted, "agent {place}");
        }
    }

    pub(super) fn appoint(&mut self, place: usize) {
        let member = self.id(place);
        let appoint = GroupRequest::Appoint { group: self.group, member, admin: true };
        assert_eq!(self.ask(0, appoint), Some(Ok(Answer::Done)));
        self.settle();
    }
}

#[test]
fn a_log_moves_and_everybody_goes_on_there() {
    let mut world = World::with_group(3);
    world.send(0, "before").unwrap();
    world.settle();
    world.move_log(0, SECOND);
    world.settle();
    world.assert_at(&[0, 1, 2], SECOND, 1);
    let by = world.id(0);
    for place in 0..3 {
        assert!(world.saw(place, |what| *what == GroupEvent::LogMoved { to: SECOND, by }));
    }
    let left = world.log().len();
    world.send(1, "after").unwrap();
    world.rotate(2);
    world.settle_for(3);
    world.remove(0, 2);
    world.settle_for(3);
    assert!(!world.is_in(2));
    world.assert_at(&[0, 1], SECOND, 1);
    world.assert_bodies(&[0, 1, 2], &[(0, "before"), (1, "after")]);
    assert_eq!(world.log().len(), left, "nothing more comes into the log before");
    // Places are told to owners as the holder counts them.
    assert!(world.summary(0).read < 20);
    // And its members stay where they are.
    assert!(!world.saw(0, |what| matches!(what, GroupEvent::Stranded | GroupEvent::Refused)));
}

#[test]
fn what_is_under_way_while_the_log_moves_comes_once() {
    let mut world = World::with_group(4);
    let before = world.summary(0).epoch;
    world.parted = vec![3];
    world.send(3, "from somebody away").unwrap();
    world.move_log(0, SECOND);
    world.until_the_move_is_asked(0);
    // These come into the old log behind the commit that moves it, or not at all.
    let asks = [Asks::Nothing, Asks::Delivered, Asks::Processed];
    let ids: Vec<_> =
        asks.iter().map(|asks| world.send_asking(1, *asks, &format!("{asks:?}"))).collect();
    world.send(2, "from another").unwrap();
    world.rotate(1);
    world.settle_for(2);
    world.parted.clear();
    world.settle_for(130);
    let sent = [
        (3, "from somebody away"),
        (1, "Nothing"),
        (1, "Delivered"),
        (1, "Processed"),
        (2, "from another"),
    ];
    world.assert_bodies(&[0, 1, 2, 3], &sent);
    for place in [0, 2, 3] {
        world.process_all(place);
    }
    world.settle_for(20);
    let levels: Vec<_> = ids.iter().map(|id| world.status(1, *id).level).collect();
    assert_eq!(levels, [Level::Relayed, Level::Delivered, Level::Processed]);
    world.assert_at(&[0, 1, 2, 3], SECOND, 1);
    assert_eq!(world.summary(0).epoch, before + 2, "the move, and the keys of one");
    assert!((0..4).all(|place| world.rows_of_receipts(place) == 0));
}

#[test]
fn what_was_read_in_the_log_before_is_spoken_of_in_the_next() {
    let mut world = World::with_group(3);
    let id = world.send_asking(0, Asks::Processed, "dealt with after the move");
    world.settle();
    assert_eq!(world.status(0, id).level, Level::Relayed);
    world.move_log(0, SECOND);
    world.settle();
    world.assert_at(&[0, 1, 2], SECOND, 1);
    let later = world.send_asking(0, Asks::Processed, "of the next log");
    world.settle();
    for place in [1, 2] {
        world.process_all(place);
    }
    world.settle_for(20);
    for id in [id, later] {
        assert_eq!(world.status(0, id).level, Level::Processed);
    }
    assert!((0..3).all(|place| world.rows_of_receipts(place) == 0));
}

#[test]
fn who_is_away_reads_the_log_before_to_its_end_and_follows() {
    let mut world = World::with_group(3);
    world.parted = vec![2];
    world.send(0, "before").unwrap();
    world.rotate(1);
    world.settle_for(2);
    for (number, holder) in [SECOND, THIRD, RELAY].into_iter().enumerate() {
        world.move_log(0, holder);
        world.settle_for(2);
        world.send(1, ["one", "two", "three"][number]).unwrap();
        world.settle_for(2);
    }
    world.assert_at(&[0, 1], RELAY, 3);
    world.parted.clear();
    world.settle_for(130);
    world.assert_at(&[0, 1, 2], RELAY, 3);
    world.assert_bodies(&[2], &[(0, "before"), (1, "one"), (1, "two"), (1, "three")]);
    assert!(!world.saw(2, |what| *what == GroupEvent::Stranded), "it missed nothing");
}

#[test]
fn a_crash_of_who_moves_the_log_at_any_step_costs_nothing() {
    for steps in 0..14 {
        let mut world = World::with_group(3);
        let before = world.summary(1).epoch;
        let request = GroupRequest::MoveLog { group: world.group, to: relay(SECOND) };
        world.request(0, request);
        let durable = steps > 0;
        (0..steps).for_each(|_| world.step());
        world.restart(0, false);
        world.send(1, "meanwhile").unwrap();
        world.settle_for(130);
        let (holder, moves) = if durable { (SECOND, 1) } else { (RELAY, 0) };
        world.assert_at(&[0, 1, 2], holder, moves);
        world.assert_bodies(&[0, 1, 2], &[(1, "meanwhile")]);
        assert_eq!(world.summary(1).epoch, before + u64::from(moves), "after {steps} steps");
        assert_eq!(world.others.relays.len(), usize::from(moves));
    }
}

#[test]
fn lost_answers_and_crashes_of_all_while_the_log_moves_cost_no_message_and_double_none() {
    for seed in 0..8 {
        let mut world = World::with_group(4);
        let mut random = Seeded(seed);
        world.loses = Some(Seeded(seed + 100));
        let mut sent: Vec<(usize, String)> = Vec::new();
        for round in 0..10 {
            if round % 3 == 1 {
                let to = [SECOND, THIRD, RELAY][below(&mut random, 3) as usize];
                world.move_log(0, to);
            }
            let from = below(&mut random, 4) as usize;
            let body = format!("{round} of {from}");
            if world.send(from, &body).is_ok() {
                sent.push((from, body));
            }
            (0..below(&mut random, 6)).for_each(|_| world.step());
            let place = below(&mut random, 4) as usize;
            match below(&mut random, 3) {
                0 => world.restart(place, false),
                1 => world.rotate(place),
                _ => {}
            }
            world.settle_for(below(&mut random, 3).into());
        }
        world.loses = None;
        world.settle_for(200);
        let sent: Vec<_> = sent.iter().map(|(from, body)| (*from, body.as_str())).collect();
        for p in 0..4 {
            println!("{seed} {p} {:?}\n{:?}", world.summary(p), world.nodes[p].events);
        }
        world.assert_one(&[0, 1, 2, 3]);
        world.assert_bodies(&[0, 1, 2, 3], &sent);
        let (holder, moves) = (world.summary(0).holder, world.summary(0).moves);
        world.assert_at(&[0, 1, 2, 3], holder, moves);
    }
}

#[test]
fn of_two_that_move_the_log_at_once_one_comes_after_the_other() {
    let mut world = World::with_group(3);
    world.appoint(1);
    world.move_log(0, SECOND);
    world.move_log(1, THIRD);
    world.settle_for(5);
    let holder = world.summary(2).holder;
    world.assert_at(&[0, 1, 2], holder, 2);
    assert!([SECOND, THIRD].contains(&holder));
    world.send(2, "there").unwrap();
    world.settle();
    world.assert_bodies(&[0, 1], &[(2, "there")]);
    // Both to one relay: it moves once, and what the other founded is nobody's.
    let mut world = World::with_group(3);
    world.appoint(1);
    world.move_log(0, SECOND);
    world.move_log(1, SECOND);
    world.settle_for(5);
    world.assert_at(&[0, 1, 2], SECOND, 1);
    world.send(2, "there").unwrap();
    world.settle();
    world.assert_bodies(&[0, 1], &[(2, "there")]);
}

#[test]
fn who_was_added_before_the_move_and_comes_in_after_it_follows() {
    let mut world = World::new(3);
    world.found();
    world.invite(0, &[1, 2], false);
    world.join(1);
    world.move_log(0, SECOND);
    world.settle();
    world.send(1, "for all").unwrap();
    world.settle();
    world.join(2);
    world.settle_for(2);
    world.assert_at(&[0, 1, 2], SECOND, 1);
    world.assert_bodies(&[0, 2], &[(1, "for all")]);
}

#[test]
fn who_comes_in_after_the_move_and_who_comes_back_are_led_there() {
    let mut world = World::new(4);
    world.found();
    world.invite(0, &[1, 2], false);
    (1..3).for_each(|place| world.join(place));
    world.move_log(0, SECOND);
    world.settle();
    world.invite(0, &[3], false);
    world.join(3);
    world.settle_for(2);
    world.assert_at(&[0, 1, 2, 3], SECOND, 1);
    // One whose state was put back to a copy from before the move asks the others.
    world.restart(1, true);
    world.settle_for(60);
    world.assert_at(&[0, 1, 2, 3], SECOND, 1);
    world.send(1, "back").unwrap();
    world.send(3, "new").unwrap();
    world.settle_for(2);
    world.assert_bodies(&[0, 2], &[(1, "back"), (3, "new")]);
}

#[test]
fn who_cannot_follow_the_log_before_comes_back_in_the_next() {
    let mut world = World::with_group(3);
    world.parted = vec![2];
    world.settle();
    world.move_log(0, SECOND);
    world.settle();
    // Of the log before nothing is left that it did not read.
    world.tampered = Some((2, Tampering::Gap));
    world.parted.clear();
    world.settle_for(130);
    assert!(world.saw(2, |what| *what == GroupEvent::Stranded));
    let missed = |what: &GroupEvent| match what {
        GroupEvent::Returned { missed } => *missed < 20,
        _ => false,
    };
    assert!(world.saw(2, missed), "entries are counted where they stand");
    world.assert_at(&[0, 1, 2], SECOND, 1);
    world.send(2, "back").unwrap();
    world.settle();
    world.assert_bodies(&[0, 1], &[(2, "back")]);
}

#[test]
fn only_an_admin_moves_the_log() {
    let mut world = World::with_group(2);
    let to = relay(SECOND);
    let ask = GroupRequest::MoveLog { group: world.group, to };
    let refused = Some(Err(CommandError::Group(GroupError::NotAdmin)));
    assert_eq!(world.ask(1, ask), refused);
    let nowhere = Place { agent: SECOND, addresses: Vec::new() };
    let ask = GroupRequest::MoveLog { group: world.group, to: nowhere };
    assert_eq!(world.ask(0, ask), Some(Err(CommandError::NoRelay)));
    world.settle_for(5);
    world.assert_at(&[0, 1], RELAY, 0);
    assert!(world.others.relays.is_empty());
    // One who is an admin no more by the time.
    let mut world = World::with_group(3);
    world.appoint(1);
    world.others.gone.insert(SECOND);
    world.move_log(1, SECOND);
    world.settle();
    let member = world.id(1);
    let dismiss = GroupRequest::Appoint { group: world.group, member, admin: false };
    assert_eq!(world.ask(0, dismiss), Some(Ok(Answer::Done)));
    world.settle_for(5);
    assert!(world.saw(1, |what| *what == GroupEvent::NotAdmin));
    world.assert_at(&[0, 1, 2], RELAY, 0);
}

#[test]
fn a_relay_that_does_not_answer_is_asked_for_an_hour_and_keeps_nobody_waiting() {
    let mut world = World::with_group(2);
    world.others.gone.insert(SECOND);
    world.move_log(0, SECOND);
    world.settle_for(30);
    let asked = world.others.count[&SECOND];
    assert!((3..10).contains(&asked), "{asked}");
    assert_eq!(world.summary(0).changes, 1);
    world.send(0, "meanwhile").unwrap();
    world.rotate(1);
    world.settle_for(2);
    world.assert_bodies(&[1], &[(0, "meanwhile")]);
    let not_moved = |what: &GroupEvent| *what == GroupEvent::NotMoved { to: SECOND };
    world.settle_in(TRIED_MINUTES - 2, 60);
    assert!(!world.saw(0, not_moved));
    world.settle_in(4, 60);
    assert!(world.saw(0, not_moved));
    world.assert_at(&[0, 1], RELAY, 0);
    // One that comes back in time takes it, and who changed their mind wait for nobody.
    world.move_log(0, SECOND);
    world.settle_for(5);
    world.others.gone.clear();
    world.settle_for(60);
    world.assert_at(&[0, 1], SECOND, 1);
    world.others.gone.insert(THIRD);
    world.move_log(0, THIRD);
    world.settle_for(5);
    world.move_log(0, RELAY);
    world.settle_for(5);
    world.assert_at(&[0, 1], RELAY, 2);
    world.move_log(0, THIRD);
    world.settle_for(5);
    world.move_log(0, RELAY);
    world.settle_for(5);
    world.assert_at(&[0, 1], RELAY, 2);
}

#[test]
fn a_relay_that_takes_no_log_gets_none() {
    let mut world = World::with_group(2);
    world.others.unwilling.insert(SECOND);
    world.move_log(0, SECOND);
    world.settle();
    assert!(world.saw(0, |what| *what == GroupEvent::NotMoved { to: SECOND }));
    world.assert_at(&[0, 1], RELAY, 0);
    world.send(1, "still here").unwrap();
    world.settle();
    world.assert_bodies(&[0], &[(1, "still here")]);
}

#[test]
fn the_next_log_lists_those_who_are_members_when_it_moves() {
    let mut world = World::new(4);
    world.found();
    world.invite(0, &[1, 2], false);
    (1..3).for_each(|place| world.join(place));
    world.appoint(1);
    world.settle();
    world.move_log(0, SECOND);
    world.until_the_move_is_asked(0);
    // Another takes one out before it comes into the log, and brings one in.
    let wishes = std::mem::take(&mut world.nodes[0].wishes);
    let members = vec![world.id(2)];
    let remove = GroupRequest::Remove { group: world.group, members };
    assert_eq!(world.ask(1, remove), Some(Ok(Answer::Done)));
    let peers = vec![world.id(3)];
    let invite = GroupRequest::Invite { group: world.group, peers, anew: false };
    assert_eq!(world.ask(1, invite), Some(Ok(Answer::Done)));
    world.nodes[0].wishes.extend(wishes);
    world.settle_for(5);
    world.join(3);
    world.settle_for(2);
    world.assert_at(&[0, 1, 3], SECOND, 1);
    assert!(!world.is_in(2));
    world.send(3, "listed").unwrap();
    world.settle();
    world.assert_bodies(&[0, 1], &[(3, "listed")]);
    // Nobody else may append there, whoever was there when the log was founded in vain.
    let (_, log) = world.nodes[0].router.log_of(&world.group).unwrap();
    let caller = world.id(2);
    let request = Asked::Append(Append { log, entry: Entry::Message(vec![1].into()) });
    let now = world.nodes[0].now;
    let said = world.others.say(SECOND, Call { caller, request }, now);
    assert_eq!(said, Some(Said::Refused(Refusal::NotListed)));
}

#[test]
fn a_log_that_moved_and_is_put_back_to_a_copy_heals() {
    let mut world = World::with_group(3);
    world.move_log(0, SECOND);
    world.settle();
    world.send(0, "kept").unwrap();
    world.settle();
    // Back to the first relay, whose disk can be put back.
    world.move_log(0, RELAY);
    world.settle_for(2);
    world.send(1, "in the copy").unwrap();
    world.settle_for(2);
    let copy = world.disk.copy();
    world.rotate(1);
    world.settle_for(2);
    world.send(2, "lost").unwrap();
    world.settle_for(2);
    world.put_back(copy);
    world.settle_for(200);
    assert!(world.saw(0, |what| *what == GroupEvent::OtherHistory));
    world.assert_at(&[0, 1, 2], RELAY, 2);
    world.assert_bodies(&[0, 1, 2], &[(0, "kept"), (1, "in the copy"), (2, "lost")]);
    assert!((0..3).all(|place| !world.saw(place, |what| *what == GroupEvent::Stranded)));
}

#[test]
fn a_commit_that_another_has_put_back_at_its_old_place_is_not_put_back_once_more() {
    // A log in which no commit stands but the one that began it.
    let mut world = World::with_group(3);
    world.move_log(0, SECOND);
    world.settle();
    world.move_log(0, RELAY);
    world.settle_for(2);
    let copy = world.disk.copy();
    world.rotate(1);
    world.settle();
    world.put_back(copy);
    // What one asks for comes to the relay when another has put the commit back already.
    let is_commit =
        |asked: &Asked| matches!(asked, Asked::Append(Append { entry: Entry::Commit(_), .. }));
    let (ask, request) = world.take_later(2, is_commit);
    world.settle_for(2);
    let said = world.say(2, request).unwrap();
    world.answer(2, ask, Ok(said));
    world.settle_for(60);
    world.assert_at(&[0, 1, 2], RELAY, 2);
    let passed_over = |what: &GroupEvent| matches!(what, GroupEvent::PassedOver { .. });
    assert!((0..3).all(|place| !world.saw(place, passed_over)));
}

#[test]
fn who_was_away_and_finds_the_holder_before_gone_is_told_and_comes_back() {
    let mut world = World::with_group(3);
    world.parted = vec![2];
    world.settle();
    world.move_log(0, SECOND);
    world.settle_for(2);
    world.send(1, "of the next log").unwrap();
    world.settle();
    world.others.gone.insert(RELAY);
    world.parted.clear();
    world.settle_in(20, 10);
    assert!(!world.saw(2, |what| *what == GroupEvent::Stranded), "it may be back any moment");
    world.settle_in(90, 10);
    assert!(world.saw(2, |what| matches!(what, GroupEvent::Returned { .. })));
    world.assert_at(&[0, 1, 2], SECOND, 1);
    world.send(2, "back").unwrap();
    world.settle();
    world.assert_bodies(&[0, 1], &[(1, "of the next log"), (2, "back")]);
}

#[test]
fn who_was_away_and_is_shown_a_log_from_before_the_move_is_told_and_comes_back() {
    let mut world = World::with_a_lost_move(&[2, 3]);
    world.settle_in(4, 10);
    assert_eq!(world.summary(3).epoch, world.summary(2).epoch);
    world.settle_in(120, 10);
    world.assert_at(&[0, 1, 2, 3], SECOND, 1);
    world.send(3, "of the next log").unwrap();
    world.settle();
    world.assert_bodies(&[0, 1], &[(2, "nobody reads it there"), (3, "of the next log")]);
}

#[test]
fn a_move_that_its_log_lost_before_others_read_it_is_followed_within_five_minutes() {
    let mut world = World::with_a_lost_move(&[1, 2, 3]);
    world.settle_for(30);
    assert_eq!(world.summary(3).epoch, world.summary(2).epoch);
    assert!((1..4).all(|place| !world.saw(place, |what| *what == GroupEvent::Stranded)));
    for _ in 0..6 {
        // No read waits longer at its holder.
        world.settle_for(45);
        world.drop_waiting();
    }
    world.settle();
    world.assert_at(&[0, 1, 2, 3], SECOND, 1);
    world.assert_bodies(&[0, 2, 3], &[(1, "nobody reads it there")]);
}

#[test]
fn a_move_that_never_was_strands_nobody_unless_an_admin_tells_of_it_and_then_once() {
    let mut world = World::with_group(3);
    let tell = |world: &mut World, from: usize, moves: u16| {
        for to in 0..3 {
            let mut outgoing = text(world.id(to), "");
            outgoing.content_type = log_moved::CONTENT_TYPE.parse().unwrap();
            outgoing.body = log_moved::tell(&world.group, moves);
            if to != from {
                world.nodes[from].request(Request::Send(outgoing));
            }
        }
        world.settle_in(90, 10);
    };
    tell(&mut world, 1, 1);
    assert!((0..3).all(|place| !world.saw(place, |what| *what == GroupEvent::Stranded)));
    assert!(world.nodes[0].bodies().is_empty(), "the application sees none of it");
    tell(&mut world, 0, 9);
    world.settle_in(90, 10);
    for place in [1, 2] {
        let stranded =
            |event: &&Event| matches!(event, Event::Group { what: GroupEvent::Stranded, .. });
        assert_eq!(world.nodes[place].events.iter().filter(stranded).count(), 1, "agent {place}");
    }
    world.assert_at(&[0, 1, 2], RELAY, 0);
    // What the log does tell is heard all the same.
    world.move_log(0, SECOND);
    world.settle_in(90, 10);
    world.assert_at(&[0, 1, 2], SECOND, 1);
    assert!(
        (1..3).all(|place| world.saw(place, |what| matches!(what, GroupEvent::LogMoved { .. })))
    );
}

#[test]
fn a_log_whose_holder_lost_all_of_it_is_founded_again_and_gets_back_what_it_had() {
    let mut world = World::with_group(4);
    world.move_log(0, SECOND);
    world.settle_for(2);
    world.rotate(1);
    world.settle_for(2);
    world.send(2, "lost").unwrap();
    world.settle_for(2);
    world.parted = vec![3];
    world.rotate(2);
    world.settle_for(2);
    // The holder knows nothing of it any more.
    world.others.lose_all(SECOND);
    world.settle_in(20, 2);
    world.parted.clear();
    world.settle_in(60, 5);
    world.assert_at(&[0, 1, 2, 3], SECOND, 1);
    world.send(3, "after").unwrap();
    world.settle_for(2);
    world.assert_bodies(&[0, 1, 2, 3], &[(2, "lost"), (3, "after")]);
    assert!((0..4).all(|place| !world.saw(place, |what| *what == GroupEvent::Stranded)));
    // And so is one that never moved, while its admin is away for a while.
    let mut world = World::with_group(3);
    let empty = meshwork_relay::storage::MemoryStorage::default();
    world.parted = vec![0];
    world.put_back(empty);
    world.settle_in(30, 5);
    assert!((0..3).all(|place| !world.saw(place, |what| *what == GroupEvent::Stranded)));
    world.parted.clear();
    world.settle_in(60, 5);
    world.assert_at(&[0, 1, 2], RELAY, 0);
    world.send(1, "founded again").unwrap();
    world.settle_for(2);
    world.assert_bodies(&[0, 2], &[(1, "founded again")]);
}

#[test]
fn what_the_holder_before_answers_late_says_nothing_of_the_next_log() {
    let mut world = World::with_group(2);
    world.send(1, "first").unwrap();
    let is_message =
        |asked: &Asked| matches!(asked, Asked::Append(Append { entry: Entry::Message(_), .. }));
    let ask = world.hold_back(1, is_message);
    world.move_log(0, SECOND);
    world.settle();
    world.assert_at(&[0, 1], SECOND, 1);
    world.assert_bodies(&[0], &[(1, "first")]);
    // Not there, and so the holder rests: that is another one by now.
    world.answer(1, ask, Err(RelayFailure::Gone));
    world.send(1, "second").unwrap();
    world.settle();
    world.assert_bodies(&[0], &[(1, "first"), (1, "second")]);
}

#[test]
fn who_is_added_while_the_log_moves_is_told_where_its_commit_stands() {
    let mut world = World::new(3);
    world.found();
    world.invite(0, &[1], false);
    world.join(1);
    world.appoint(1);
    let peers = vec![world.id(2)];
    let invite = GroupRequest::Invite { group: world.group, peers, anew: false };
    world.request(1, invite);
    let ask = world.hold_back(1, |asked| matches!(asked, Asked::PutBlob { .. }));
    world.move_log(0, SECOND);
    world.settle();
    // It is left with the holder before, once that answers, and keeps nobody waiting.
    world.answer(1, ask, Err(RelayFailure::Gone));
    world.send(1, "meanwhile").unwrap();
    world.settle();
    world.assert_bodies(&[0], &[(1, "meanwhile")]);
    world.settle_for(5);
    world.join(2);
    world.settle_for(2);
    world.assert_at(&[0, 1, 2], SECOND, 1);
    world.assert_bodies(&[2], &[(1, "meanwhile")]);
    // One that is gone for good is given up in the end, and who was added is named.
    let mut world = World::new(3);
    world.found();
    world.invite(0, &[1], false);
    world.join(1);
    world.appoint(1);
    let (peer, peers) = (world.id(2), vec![world.id(2)]);
    world.request(1, GroupRequest::Invite { group: world.group, peers, anew: false });
    let ask = world.hold_back(1, |asked| matches!(asked, Asked::PutBlob { .. }));
    world.move_log(0, SECOND);
    world.settle();
    world.others.gone.insert(RELAY);
    world.answer(1, ask, Err(RelayFailure::Gone));
    world.settle_in(50, 60);
    assert!(!world.saw(1, |what| *what == GroupEvent::NotAdded(peer)));
    world.settle_in(20, 60);
    assert!(world.saw(1, |what| *what == GroupEvent::NotAdded(peer)));
}
