//! Receipts of groups: who has a message, who has dealt with it, and what is never said.

use meshwork_protocols::wire::MessageId;
use meshwork_router::{ASKED_MESSAGES, GroupStatus, Outgoing, Standing};
use meshwork_state::{Batch, Rows, Store};

use super::*;

const AN_HOUR: Duration = Duration::from_secs(3_600);

/// Longer than members of a small group gather.
const GATHERED: u64 = 8;

impl World {
    pub(super) fn send_asking(&mut self, place: usize, asks: Asks, body: &str) -> MessageId {
        self.try_asking(place, asks, (None, body), AN_HOUR).unwrap()
    }

    fn try_asking(
        &mut self,
        place: usize,
        asks: Asks,
        (id, body): (Option<MessageId>, &str),
        lifetime: Duration,
    ) -> Result<MessageId, CommandError> {
        let Outgoing { content_type, body, .. } = text(RELAY, body);
        let group = self.group;
        let send = GroupRequest::Send { group, id, content_type, body, lifetime, asks };
        let ticket = self.request(place, send);
        self.nodes[place].commit();
        match self.nodes[place].answer(ticket).expect("an answer once it is durable") {
            Ok(Answer::Accepted(id)) => Ok(id),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        }
    }

    pub(super) fn status(&self, place: usize, id: MessageId) -> GroupStatus {
        self.nodes[place].router.group_status(id).unwrap().expect("it was sent")
    }

    /// The owner of an agent has dealt with what is in its inbox.
    pub(super) fn process_all(&mut self, place: usize) {
        for delivery in self.nodes[place].inbox() {
            let (sender, id) = (delivery.sender, delivery.message.id);
            let ticket = self.nodes[place].request(Request::Process { sender, id });
            self.nodes[place].commit();
            assert_eq!(self.nodes[place].answer(ticket), Some(Ok(Answer::Done)));
        }
    }

    /// How many messages and receipts stand in the log.
    fn messages_in_log(&mut self) -> usize {
        self.log().iter().filter(|logged| matches!(logged.entry, Entry::Message(_))).count()
    }

    /// How many rows of receipts, owed or waited for, an agent has.
    pub(super) fn rows_of_receipts(&self, place: usize) -> usize {
        let rows = self.nodes[place].rows();
        let is_one = |key: &[u8]| matches!(key.first(), Some(b'q' | b'r'));
        let of_groups = rows.iter().filter(|(namespace, ..)| *namespace == Namespace::Group);
        of_groups.filter(|(_, key, _)| is_one(key)).count()
    }
}

#[test]
fn a_message_that_asks_is_delivered_when_all_members_have_said_so_in_one_receipt_each() {
    let mut world = World::with_group(4);
    let ids: Vec<_> = (0..5)
        .map(|number| world.send_asking(0, Asks::Delivered, &format!("number {number}")))
        .collect();
    world.settle();
    for id in &ids {
        assert_eq!(world.level(0, *id), Some(Level::Relayed));
        assert_eq!(world.status(0, *id).undelivered.len(), 3);
    }
    let before = world.messages_in_log();
    world.settle_for(GATHERED);
    for id in &ids {
        assert_eq!(world.levels(0, *id), [Level::Queued, Level::Relayed, Level::Delivered]);
        let status = world.status(0, *id);
        assert_eq!((status.delivered, status.processed), (3, 0));
        assert!(status.undelivered.is_empty() && status.is_settled());
    }
    // One for all five, of each member; and nobody says anything of those.
    assert_eq!(world.messages_in_log(), before + 3);
    world.settle_for(3 * GATHERED);
    assert_eq!(world.messages_in_log(), before + 3);
    assert!((0..4).all(|place| world.rows_of_receipts(place) == 0));
    world.process_all(1);
    world.settle_for(GATHERED);
    assert_eq!(world.messages_in_log(), before + 3, "that was not asked for");
}

#[test]
fn a_message_that_asks_for_nothing_ends_in_the_log_and_nobody_speaks_of_it() {
    let mut world = World::with_group(3);
    let id = world.send_asking(0, Asks::Nothing, "hello");
    world.settle();
    let before = world.messages_in_log();
    world.settle_for(2 * GATHERED);
    assert_eq!(world.levels(0, id), [Level::Queued, Level::Relayed]);
    assert!(world.status(0, id).is_settled());
    assert_eq!((world.messages_in_log(), world.rows_of_receipts(1)), (before, 0));
}

#[test]
fn a_message_is_processed_when_every_owner_has_marked_it() {
    let mut world = World::with_group(3);
    let id = world.send_asking(0, Asks::Processed, "do it");
    world.settle_for(GATHERED);
    assert_eq!(world.level(0, id), Some(Level::Delivered));
    assert!(!world.status(0, id).is_settled());
    world.process_all(1);
    world.settle_for(GATHERED);
    let status = world.status(0, id);
    assert_eq!((status.level, status.delivered, status.processed), (Level::Delivered, 2, 1));
    assert_eq!(status.unprocessed, BTreeSet::from([world.id(2)]));
    // Marked before anything was said of another: one receipt says both.
    let other = world.send_asking(0, Asks::Processed, "and this");
    world.settle();
    let before = world.messages_in_log();
    world.process_all(1);
    world.process_all(2);
    world.settle_for(GATHERED);
    assert_eq!(world.messages_in_log(), before + 2);
    for id in [id, other] {
        assert_eq!(world.level(0, id), Some(Level::Processed));
        assert_eq!(world.status(0, id).processed, 2);
    }
    assert!((0..3).all(|place| world.rows_of_receipts(place) == 0));
}

#[test]
fn what_is_owed_and_what_is_waited_for_survives_restarts() {
    let mut world = World::with_group(3);
    let id = world.send_asking(0, Asks::Processed, "hello");
    world.settle();
    for place in 0..3 {
        world.restart(place, false);
    }
    world.settle_for(GATHERED);
    assert_eq!(world.level(0, id), Some(Level::Delivered));
    // Marked, and then it dies before it has said so; sealed, and then before it was appended.
    world.process_all(1);
    world.process_all(2);
    world.restart(1, false);
    world.parted = vec![2];
    world.settle_for(GATHERED);
    world.restart(2, false);
    world.restart(0, false);
    world.parted.clear();
    world.settle_for(70);
    assert_eq!((world.level(0, id), world.status(0, id).processed), (Some(Level::Processed), 2));
    assert!((0..3).all(|place| world.rows_of_receipts(place) == 0));
}

#[test]
fn no_receipt_leaves_before_the_message_is_durable_in_the_inbox() {
    let mut world = World::with_group(2);
    let id = world.send_asking(0, Asks::Delivered, "hello");
    world.settle_nodes(&[0]);
    // It is read, and its commit fails as often as it is tried.
    for _ in 0..3 {
        world.carry_asks();
        world.nodes[1].pass(Duration::from_secs(GATHERED));
        while !world.nodes[1].batches.is_empty() {
            world.nodes[1].fail_commit(false);
        }
        assert!(world.nodes[1].inbox().is_empty());
    }
    world.settle_nodes(&[0]);
    assert_eq!(world.level(0, id), Some(Level::Relayed));
    world.settle_for(70);
    assert_eq!(world.level(0, id), Some(Level::Delivered));
    assert_eq!(world.nodes[1].bodies(), ["hello"]);
}

#[test]
fn a_member_that_is_away_is_missing_and_one_that_was_removed_is_waited_for_no_more() {
    let mut world = World::with_group(4);
    world.parted = vec![3];
    let id = world.send_asking(0, Asks::Delivered, "hello");
    world.settle_for(GATHERED);
    let status = world.status(0, id);
    assert_eq!((status.level, status.delivered), (Level::Relayed, 2));
    assert_eq!(status.undelivered, BTreeSet::from([world.id(3)]));
    world.remove(0, 3);
    assert_eq!(world.level(0, id), Some(Level::Delivered));
    let status = world.status(0, id);
    assert_eq!((status.delivered, status.undelivered.len()), (2, 0));
    assert_eq!(world.rows_of_receipts(0), 0);
}

#[test]
fn who_came_in_after_a_message_was_sealed_is_not_waited_for() {
    let mut world = World::new(3);
    world.found();
    world.invite(0, &[1], false);
    world.join(1);
    world.settle();
    world.parted = vec![1];
    let id = world.send_asking(0, Asks::Delivered, "hello");
    world.settle();
    world.invite(0, &[2], false);
    world.join(2);
    world.settle_for(GATHERED);
    assert_eq!(world.status(0, id).undelivered, BTreeSet::from([world.id(1)]));
    world.parted.clear();
    world.settle_for(70);
    assert_eq!(world.level(0, id), Some(Level::Delivered));
    assert_eq!(world.status(0, id).delivered, 1);
}

#[test]
fn a_message_that_nobody_is_there_to_get_is_not_waited_for() {
    let mut world = World::new(1);
    world.found();
    let id = world.send_asking(0, Asks::Processed, "hello?");
    world.settle();
    assert_eq!(world.level(0, id), Some(Level::Processed));
    assert_eq!(world.status(0, id).processed, 0);
}

#[test]
fn a_blocked_sender_hears_nothing_and_a_member_that_is_no_peer_does() {
    let mut world = World::with_group(3);
    let founder = world.id(0);
    for (place, request) in [
        (1, Request::Stand { peer: founder, standing: Standing::Blocked }),
        (2, Request::Forget(founder)),
    ] {
        let ticket = world.nodes[place].request(request);
        world.nodes[place].commit();
        assert_eq!(world.nodes[place].answer(ticket), Some(Ok(Answer::Done)));
    }
    let id = world.send_asking(0, Asks::Processed, "hello");
    world.settle_for(GATHERED);
    world.process_all(2);
    world.settle_for(GATHERED);
    let status = world.status(0, id);
    assert_eq!((status.level, status.delivered, status.processed), (Level::Relayed, 1, 1));
    assert_eq!(status.undelivered, BTreeSet::from([world.id(1)]));
}

#[test]
fn at_its_end_a_message_stays_where_it_was_and_is_waited_for_no_more() {
    let mut world = World::with_group(3);
    world.parted = vec![2];
    let lifetime = Duration::from_secs(60);
    let id = world.try_asking(0, Asks::Delivered, (None, "hello"), lifetime).unwrap();
    world.settle_for(GATHERED);
    assert_eq!(world.rows_of_receipts(0), 1);
    world.settle_in(12, 60);
    assert_eq!(world.rows_of_receipts(0), 0);
    let status = world.status(0, id);
    assert_eq!((status.level, status.delivered), (Level::Relayed, 1));
    assert_eq!(status.undelivered, BTreeSet::from([world.id(2)]));
    assert_eq!(world.levels(0, id), [Level::Queued, Level::Relayed]);
}

#[test]
fn as_many_messages_are_waited_for_as_may_be_and_not_one_more() {
    let mut world = World::with_group(2);
    world.parted = vec![1];
    for number in 0..ASKED_MESSAGES {
        world.send_asking(0, Asks::Delivered, &format!("number {number}"));
        if number % 100 == 99 {
            world.settle();
        }
    }
    world.settle();
    let more = world.try_asking(0, Asks::Delivered, (None, "more"), AN_HOUR);
    assert_eq!(more, Err(CommandError::Busy));
    let without = world.send_asking(0, Asks::Nothing, "without");
    world.parted.clear();
    world.settle_for(70);
    assert_eq!(world.level(0, without), Some(Level::Relayed));
    assert_eq!(world.rows_of_receipts(0), 0);
    world.send_asking(0, Asks::Delivered, "more");
}

#[test]
fn a_message_that_comes_again_is_spoken_of_again_and_delivered_once() {
    let mut world = World::with_group(2);
    let id = MessageId::from_bytes([9; 16]);
    assert_eq!(world.try_asking(0, Asks::Processed, (Some(id), "once"), AN_HOUR), Ok(id));
    world.settle_for(GATHERED);
    assert_eq!(world.level(0, id), Some(Level::Delivered));
    // The sender's disk is put back to where it never sent it, and its application sends again.
    world.forget_sent(0, id);
    assert_eq!(world.try_asking(0, Asks::Processed, (Some(id), "once"), AN_HOUR), Ok(id));
    world.settle_for(GATHERED);
    assert_eq!((world.level(0, id), world.status(0, id).delivered), (Some(Level::Delivered), 1));
    assert_eq!(world.nodes[1].bodies(), ["once"]);
    // The owner's mark is told of where it stands now.
    world.process_all(1);
    world.settle_for(GATHERED);
    assert_eq!(world.level(0, id), Some(Level::Processed));
    world.forget_sent(0, id);
    assert_eq!(world.try_asking(0, Asks::Processed, (Some(id), "once"), AN_HOUR), Ok(id));
    world.settle_for(GATHERED);
    assert_eq!(world.level(0, id), Some(Level::Processed));
    // Other content under the id is never receipted.
    world.forget_sent(0, id);
    assert_eq!(world.try_asking(0, Asks::Delivered, (Some(id), "twice"), AN_HOUR), Ok(id));
    world.settle_for(GATHERED);
    assert_eq!(world.level(0, id), Some(Level::Relayed));
    assert!(world.nodes[1].bodies().is_empty());
}

#[test]
fn crashes_and_lost_answers_cost_no_receipt_and_none_says_what_is_not_so() {
    for seed in 0..4 {
        let mut world = World::with_group(4);
        let mut random = Seeded(seed);
        world.loses = Some(Seeded(seed + 200));
        let mut sent: Vec<(usize, MessageId)> = Vec::new();
        for round in 0..30 {
            let place = below(&mut random, 4) as usize;
            match below(&mut random, 6) {
                0 => world.restart(place, false),
                1 => world.rotate(place),
                2 => world.process_all(place),
                _ => {
                    let asks = if round % 2 == 0 { Asks::Delivered } else { Asks::Processed };
                    let body = format!("{round} of {place}");
                    if let Ok(id) = world.try_asking(place, asks, (None, &body), AN_HOUR) {
                        sent.push((place, id));
                    }
                }
            }
            for _ in 0..below(&mut random, 4) {
                let who = below(&mut random, 4) as usize;
                world.nodes[who].commit();
                world.carry_frames();
                world.carry_asks();
                world.nodes[who].pass(Duration::from_secs(2));
            }
            world.assert_delivered_is_so(&sent);
        }
        world.loses = None;
        world.settle_for(130);
        (0..4).for_each(|place| world.process_all(place));
        world.settle_for(130);
        world.assert_delivered_is_so(&sent);
        world.assert_one(&[0, 1, 2, 3]);
        for (place, id) in sent {
            assert!(world.status(place, id).is_settled(), "seed {seed}, agent {place}");
        }
        assert!((0..4).all(|place| world.rows_of_receipts(place) == 0), "seed {seed}");
    }
}

impl World {
    /// Whoever is not waited for any more has the message, durably.
    fn assert_delivered_is_so(&self, sent: &[(usize, MessageId)]) {
        for (place, id) in sent {
            let Some(status) = self.nodes[*place].router.group_status(*id).unwrap() else {
                continue;
            };
            if status.level == Level::Queued {
                continue;
            }
            for other in (0..self.nodes.len()).filter(|other| other != place) {
                let key = [self.id(*place).as_bytes().as_slice(), id.as_bytes()].concat();
                let seen = &self.nodes[other].store;
                let has = Rows::get(&**seen, Namespace::Seen, &key).unwrap().is_some();
                let said = !status.undelivered.contains(&self.id(other));
                assert!(has || !said, "agent {other} has not what it said it has");
            }
        }
    }

    /// Commits and carries for these alone.
    fn settle_nodes(&mut self, places: &[usize]) {
        for _ in 0..100 {
            places.iter().for_each(|place| self.nodes[*place].commit());
            let silent = (0..self.nodes.len()).filter(|place| !places.contains(place));
            let parted = std::mem::take(&mut self.parted);
            let held: Vec<_> = silent
                .map(|place| (place, std::mem::take(&mut self.nodes[place].wishes)))
                .collect();
            self.carry_asks();
            for (place, wishes) in held {
                self.nodes[place].wishes.extend(wishes);
            }
            self.parted = parted;
        }
    }

    /// What was sent under an id is forgotten, as by a state of before.
    fn forget_sent(&mut self, place: usize, id: MessageId) {
        let key = [b"g".as_slice(), id.as_bytes()].concat();
        let mut batch = Batch::new();
        batch.delete(Namespace::Sent, key);
        Store::commit(&*self.nodes[place].store, &batch).unwrap();
        let asked: Vec<_> = self.nodes[place]
            .rows()
            .into_iter()
            .filter(|(namespace, key, _)| {
                *namespace == Namespace::Group && key.first() == Some(&b'q')
            })
            .collect();
        let mut batch = Batch::new();
        asked.into_iter().for_each(|(_, key, _)| batch.delete(Namespace::Group, key));
        Store::commit(&*self.nodes[place].store, &batch).unwrap();
        self.restart(place, false);
        self.settle_for(3);
    }
}
