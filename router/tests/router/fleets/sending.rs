//! How far a message to a group got: its id, its level, and how it ends.

use meshwork_protocols::wire::MessageId;
use meshwork_router::{GROUP_MESSAGES, Outgoing};

use super::*;

const ID: MessageId = MessageId::from_bytes([7; 16]);

/// Short, so that its end is seen.
const A_MINUTE: Duration = Duration::from_secs(60);

impl World {
    /// Asks to send under an id, and makes it durable here alone.
    pub(super) fn send_as(
        &mut self,
        place: usize,
        id: Option<MessageId>,
        body: &str,
        lifetime: Duration,
    ) -> Result<MessageId, CommandError> {
        let Outgoing { content_type, body, .. } = text(RELAY, body);
        let (group, asks) = (self.group, Asks::Nothing);
        let send = GroupRequest::Send { group, id, content_type, body, lifetime, asks };
        let ticket = self.request(place, send);
        self.nodes[place].commit();
        match self.nodes[place].answer(ticket).expect("an answer once it is durable") {
            Ok(Answer::Accepted(id)) => Ok(id),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        }
    }

    pub(super) fn level(&self, place: usize, id: MessageId) -> Option<Level> {
        let status = self.nodes[place].router.group_status(id).unwrap()?;
        assert_eq!(status.group, self.group);
        Some(status.level)
    }

    /// The levels that an agent was told of a message, in their order.
    pub(super) fn levels(&self, place: usize, wanted: MessageId) -> Vec<Level> {
        let level = |event: &Event| match event {
            Event::Group { what: GroupEvent::Moved { id, level }, .. } if *id == wanted => {
                Some(*level)
            }
            _ => None,
        };
        self.nodes[place].events.iter().filter_map(level).collect()
    }

    /// The relay appends what this agent asks for, and the agent never hears of it.
    fn append_and_lose(&mut self, place: usize) {
        let wishes: Vec<_> = self.nodes[place].wishes.drain(..).collect();
        for wish in wishes {
            let Output::AskRelay { ask, request, .. } = wish else { continue };
            if matches!(*request, Asked::Append(_)) {
                self.say(place, *request);
            }
            self.answer(place, ask, Err(RelayFailure::Gone));
        }
    }

    fn pass(&mut self, span: Duration) {
        self.nodes.iter_mut().for_each(|node| node.pass(span));
    }
}

#[test]
fn one_id_is_one_message_to_a_group_and_with_other_content_an_error() {
    let mut world = World::with_group(2);
    assert_eq!(world.send_as(0, Some(ID), "once", A_MINUTE), Ok(ID));
    assert_eq!(world.send_as(0, Some(ID), "once", A_MINUTE * 2), Ok(ID));
    assert_eq!(world.send_as(0, Some(ID), "other", A_MINUTE), Err(CommandError::IdReused));
    world.settle();
    world.restart(0, false);
    assert_eq!(world.send_as(0, Some(ID), "once", A_MINUTE), Ok(ID));
    assert_eq!(world.send_as(0, Some(ID), "other", A_MINUTE), Err(CommandError::IdReused));
    // A message to a peer has no id of one to a group, nor the other way round.
    let peer = world.id(1);
    let direct = |id, body| Outgoing { id: Some(id), ..text(peer, body) };
    assert_eq!(world.nodes[0].send(direct(ID, "once")), Err(CommandError::IdReused));
    let other = MessageId::from_bytes([8; 16]);
    assert_eq!(world.nodes[0].send(direct(other, "to one")), Ok(other));
    assert_eq!(world.send_as(0, Some(other), "to one", A_MINUTE), Err(CommandError::IdReused));
    world.settle();
    assert_eq!(world.nodes[1].bodies(), ["once", "to one"]);
}

#[test]
fn a_message_to_a_group_tells_how_far_it_is_also_after_a_restart() {
    let mut world = World::with_group(2);
    world.parted = vec![0];
    let id = world.send_as(0, None, "hello", A_MINUTE * 60).unwrap();
    world.settle();
    assert_eq!(world.level(0, id), Some(Level::Queued));
    world.restart(0, false);
    assert_eq!(world.level(0, id), Some(Level::Queued));
    world.parted.clear();
    world.settle_for(5);
    assert_eq!(world.levels(0, id), [Level::Relayed]);
    world.restart(0, false);
    assert_eq!(world.level(0, id), Some(Level::Relayed));
    // Nobody else's is known, and what stands in the log does not expire.
    assert_eq!(world.level(1, id), None);
    world.settle_in(2, 4_000);
    assert_eq!((world.level(0, id), world.levels(0, id)), (Some(Level::Relayed), vec![]));
}

#[test]
fn a_message_that_did_not_come_into_the_log_in_time_expires_and_is_not_sent_any_more() {
    let mut world = World::with_group(2);
    world.parted = vec![0];
    let id = world.send_as(0, None, "late", A_MINUTE).unwrap();
    let kept = world.send_as(0, None, "in time", A_MINUTE * 60).unwrap();
    world.settle_for(59);
    assert_eq!(world.level(0, id), Some(Level::Queued));
    world.settle_for(3);
    assert_eq!(world.levels(0, id), [Level::Queued, Level::Expired]);
    assert_eq!(world.summary(0).waiting, 1);
    world.restart(0, false);
    assert_eq!(world.level(0, id), Some(Level::Expired));
    world.parted.clear();
    world.settle_for(5);
    assert_eq!(world.nodes[1].bodies(), ["in time"]);
    assert_eq!(
        (world.level(0, id), world.level(0, kept)),
        (Some(Level::Expired), Some(Level::Relayed))
    );
    // What tells it in the log went once the log was read to its end.
    assert_eq!(world.rows_of_messages(0), 0);
}

#[test]
fn a_message_whose_answer_was_lost_is_found_in_the_log_though_it_expired() {
    for restarts in [false, true] {
        let mut world = World::with_group(2);
        let id = world.send_as(0, None, "there", A_MINUTE).unwrap();
        world.append_and_lose(0);
        world.parted = vec![0];
        world.settle_for(62);
        assert_eq!(world.level(0, id), Some(Level::Expired));
        if restarts {
            world.restart(0, false);
        }
        world.parted.clear();
        world.settle_for(65);
        assert_eq!(world.level(0, id), Some(Level::Relayed), "restarts: {restarts}");
        assert_eq!(world.nodes[1].bodies(), ["there"]);
        assert_eq!(world.rows_of_messages(0), 0);
    }
}

#[test]
fn as_many_messages_wait_for_a_log_as_may_and_not_one_more_and_what_expired_leaves_room() {
    let mut world = World::with_group(2);
    world.parted = vec![0];
    for round in 0..2 {
        for number in 0..GROUP_MESSAGES {
            assert!(world.send_as(0, None, &format!("{round} {number}"), A_MINUTE).is_ok());
        }
        assert_eq!(world.send_as(0, None, "more", A_MINUTE), Err(CommandError::Busy));
        world.pass(A_MINUTE + Duration::from_secs(1));
        world.nodes[0].commit();
        assert_eq!(world.summary(0).waiting, 0);
        // What may be in the log all the same is bounded too.
        assert_eq!(world.rows_of_messages(0), GROUP_MESSAGES);
    }
}

#[test]
fn what_waits_for_the_log_of_a_group_that_is_forgotten_ends_as_expired() {
    let mut world = World::with_group(2);
    world.parted = vec![0];
    let id = world.send_as(0, None, "hello", A_MINUTE).unwrap();
    world.ask(0, GroupRequest::Forget(world.group));
    assert_eq!(world.levels(0, id), [Level::Queued, Level::Expired]);
    assert_eq!(world.level(0, id), Some(Level::Expired));
    assert!(!world.has_rows(0));
}

#[test]
fn a_message_whose_commit_failed_is_answered_as_what_became_of_its_rows() {
    for there in [false, true] {
        let mut world = World::with_group(2);
        let outgoing = text(RELAY, "hello");
        let send = GroupRequest::Send {
            group: world.group,
            id: Some(ID),
            content_type: outgoing.content_type,
            body: outgoing.body,
            lifetime: A_MINUTE,
            asks: Asks::Nothing,
        };
        let ticket = world.request(0, send);
        world.nodes[0].fail_commit(there);
        let answer = if there { Ok(Answer::Accepted(ID)) } else { Err(CommandError::CommitFailed) };
        assert_eq!(world.nodes[0].answer(ticket), Some(answer), "there: {there}");
        assert_eq!(world.level(0, ID), there.then_some(Level::Queued));
        world.settle_for(3);
        assert_eq!(world.nodes[1].bodies().len(), usize::from(there));
    }
}

impl World {
    /// How many rows an agent has of messages that were not read in the log.
    fn rows_of_messages(&self, place: usize) -> usize {
        let group = self.group.as_bytes();
        let is_message = |key: &[u8]| key.first() == Some(&b'm') && key.get(1..33) == Some(group);
        let rows = self.nodes[place].rows();
        let mut rows = rows.iter().filter(|(namespace, ..)| *namespace == Namespace::Group);
        rows.by_ref().filter(|(_, key, _)| is_message(key)).count()
    }
}
