//! Whom the holder of a log lists, and who is a member: where the two differ an admin lists anew, and
//! who finds itself listed no more takes itself for out.

use meshwork_protocols::relay::{Opaque, Refusal, Statement, StatementKind};

use super::*;

impl World {
    fn is_not_listed(&self, place: usize) -> bool {
        self.saw(place, |what| *what == GroupEvent::NotListed)
    }

    /// Whether the relay takes what an agent appends.
    fn may_append(&mut self, place: usize) -> bool {
        let log = LogId(*self.group.as_bytes());
        // The same bytes would be answered as they were.
        let number = u8::try_from(self.log().len()).unwrap();
        let entry = Entry::Message(vec![1, number].into());
        let said = self.say(place, Asked::Append(Append { log, entry }));
        matches!(said, Some(Said::Appended(_)))
    }

    /// The log loses a commit, and the members put it back while the admin does not reach it: its
    /// lists are not theirs to say.
    fn put_back_without_lists(&mut self, copy: &meshwork_relay::storage::MemoryStorage) {
        let mut disk = self.disk.copy();
        disk.put_log_back(&LogId(*self.group.as_bytes()), copy);
        self.put_back(disk);
        self.parted = vec![0];
        self.settle_for(45);
        self.parted.clear();
    }

    pub(super) fn has_heard(&self, place: usize, body: &str) -> bool {
        self.nodes[place].bodies().contains(&body.to_owned())
    }
}

#[test]
fn whom_a_commit_added_that_was_put_back_without_its_lists_an_admin_lists_anew() {
    let mut world = World::new(4);
    world.found();
    world.invite(0, &[1, 2], false);
    [1, 2].iter().for_each(|place| world.join(*place));
    world.settle();
    let copy = world.disk.copy();
    world.invite(0, &[3], false);
    world.put_back_without_lists(&copy);
    world.join(3);
    world.settle_for(1);
    assert!(world.is_not_listed(3), "it is told why it does not follow");
    world.settle_for(180);
    world.assert_one(&[0, 1, 2, 3]);
    world.send(3, "here").unwrap();
    world.settle_for(2);
    assert!((0..3).all(|place| world.has_heard(place, "here")));
}

#[test]
fn whom_a_commit_took_out_that_was_put_back_without_its_lists_is_listed_no_more() {
    let mut world = World::with_group(4);
    let copy = world.disk.copy();
    world.remove(0, 3);
    world.put_back_without_lists(&copy);
    assert!(world.may_append(3), "nobody could say so");
    world.settle_for(180);
    assert!(!world.may_append(3));
    world.assert_one(&[0, 1, 2]);
}

/// Two have gone on by commits of their own, and the admin, which knows nothing of them, has taken
/// both out, as another confirms. The log ends with what the admin did.
fn taken_out_in_another_history() -> World {
    let mut world = World::with_group(4);
    let copy = world.disk.copy();
    world.parted = vec![0, 3];
    for place in [1, 2] {
        world.rotate(place);
        world.settle_for(1);
    }
    world.put_back(copy);
    world.parted = vec![1, 2];
    let members = vec![world.id(1), world.id(2)];
    world.request(0, GroupRequest::Remove { group: world.group, members });
    world.settle_for(3);
    world
}

#[test]
fn whom_the_holder_lists_no_more_is_told_and_counts_no_more() {
    let mut world = taken_out_in_another_history();
    world.send(1, "in the way").unwrap();
    world.parted.clear();
    // These are as many; but they cannot say anything any more.
    world.settle_for(10 * 60);
    assert!(world.is_not_listed(1) && world.is_not_listed(2) && !world.is_not_listed(0));
    assert_eq!(world.summary(0).members, [world.id(0), world.id(3)]);
    assert!(world.summary(0).follows && world.summary(1).stranded && world.summary(2).stranded);
    world.rotate(0);
    world.settle_for(2);
    assert_eq!(world.summary(0).changes, 0, "it goes on");
}

#[test]
fn who_was_taken_out_is_not_let_in_again_for_that_and_learns_what_became_of_its_messages() {
    let mut world = taken_out_in_another_history();
    let Ok(Answer::Accepted(id)) = world.send(1, "in the way") else { panic!("not accepted") };
    let uploads = world.uploads;
    world.parted.clear();
    world.settle_in(25 * 60, 60);
    assert_eq!(world.uploads, uploads, "nobody tells it a way back");
    let expired = GroupEvent::Moved { id, level: Level::Expired };
    assert!(world.saw(1, |what| *what == expired));
    assert!([1, 2].iter().all(|place| world.summary(*place).stranded));
    assert!([0, 3].iter().all(|place| world.nodes[*place].bodies().is_empty()));
    assert_eq!(world.summary(0).members, [world.id(0), world.id(3)]);
}

#[test]
fn whom_a_commit_added_that_one_reported_before_a_later_one_was_confirmed_is_listed_anew() {
    let mut world = World::new(5);
    world.found();
    world.invite(0, &[1, 2, 3], false);
    [1, 2, 3].iter().for_each(|place| world.join(*place));
    world.settle_for(5);
    world.parted = vec![1, 2, 3];
    world.drop_waiting();
    world.settle_for(2);
    world.invite(0, &[4], false);
    world.settle_for(2);
    let on = world.last_commit();
    // One says what is not so, and nobody confirms it before another goes on from there.
    let statement = Statement { on, kind: StatementKind::CannotProcess, bytes: Opaque::default() };
    world.append(1, Entry::Statement(statement));
    world.parted = vec![1, 3];
    let confirms = |asked: &Asked| match asked {
        Asked::Append(Append { entry: Entry::Statement(it), .. }) => it.on == on,
        _ => false,
    };
    let held = world.hold_back(2, confirms);
    world.rotate(2);
    world.settle_for(1);
    world.parted.clear();
    world.settle_for(2);
    assert!(world.last_commit() > on);
    assert!(!world.may_append(4), "the holder does not take its lists");
    world.answer(2, held, Err(RelayFailure::Gone));
    world.settle_for(90);
    assert!(world.may_append(4));
    let listed = world.last_commit();
    world.settle_for(120);
    assert_eq!(world.last_commit(), listed, "once");
    world.join(4);
    world.settle_for(2);
    world.assert_one(&[0, 1, 2, 3, 4]);
}

#[test]
fn whom_a_commit_added_that_is_void_an_admin_that_comes_back_lists_no_more() {
    let mut world = World::new(6);
    world.found();
    world.invite(0, &[1, 2, 3, 4], false);
    (1..5).for_each(|place| world.join(place));
    let member = world.id(1);
    let appoint = GroupRequest::Appoint { group: world.group, member, admin: true };
    assert_eq!(world.ask(0, appoint), Some(Ok(Answer::Done)));
    let copy = world.disk.copy();
    world.parted = vec![0, 1];
    world.rotate(2);
    world.settle_for(2);
    world.put_back(copy);
    // Two admins go on by what one of them does, and that one is not heard of again.
    world.parted = vec![2, 3, 4];
    world.settle_for(5);
    world.invite(0, &[5], false);
    world.settle_for(2);
    assert!(world.may_append(5));
    world.parted = vec![0];
    world.settle_for(300);
    world.assert_one(&[1, 2, 3, 4]);
    assert!(world.saw(1, |what| matches!(what, GroupEvent::Returned { .. })));
    assert!(!world.may_append(5));
}

#[test]
fn whom_the_lists_of_a_commit_took_out_that_all_pass_over_is_listed_again_and_comes_back() {
    let mut world = World::with_group(5);
    let member = world.id(1);
    let appoint = GroupRequest::Appoint { group: world.group, member, admin: true };
    assert_eq!(world.ask(0, appoint), Some(Ok(Answer::Done)));
    let copy = world.disk.copy();
    world.parted = vec![1, 2, 3, 4];
    world.remove(0, 4);
    world.put_back(copy);
    world.parted = vec![0];
    world.rotate(1);
    world.settle_for(1);
    // The one that took it out puts that back behind, and is not heard of again.
    let is_removal = |asked: &Asked| match asked {
        Asked::Append(Append { entry: Entry::Commit(commit), .. }) => !commit.removed.is_empty(),
        _ => false,
    };
    world.parted = vec![1, 2, 3, 4];
    let mut asked = None;
    for _ in 0..100 {
        world.nodes.iter_mut().for_each(Node::commit);
        asked = world.take(0, is_removal);
        if asked.is_some() {
            break;
        }
        world.carry_asks();
        world.nodes[0].pass(Duration::from_secs(1));
    }
    let (_, request) = asked.expect("it is put back");
    assert!(matches!(world.say(0, request), Some(Said::Appended(_))));
    world.parted = vec![0];
    world.settle_for(65);
    world.rotate(2);
    world.settle_for(3);
    world.settle_for(180);
    world.assert_one(&[1, 2, 3, 4]);
    world.send(4, "still here").unwrap();
    world.settle_for(2);
    assert!([1, 2, 3].iter().all(|place| world.has_heard(*place, "still here")));
}

#[test]
fn who_is_refused_a_commit_before_it_hears_that_it_is_out_asks_for_the_way_back() {
    let mut world = World::new(3);
    world.found();
    let copy = world.disk.copy();
    world.invite(0, &[1, 2], false);
    [1, 2].iter().for_each(|place| world.join(*place));
    world.settle_for(5);
    world.rotate(2);
    let (commit, _) = world.take_later(2, |asked| matches!(asked, Asked::Append(_)));
    world.put_back(copy);
    world.parted = vec![0, 1];
    world.answer(2, commit, Err(RelayFailure::Gone));
    let (read, _) = world.take_later(2, |asked| matches!(asked, Asked::ReadLog(_)));
    world.settle_for(1);
    assert!(world.saw(2, |what| *what == GroupEvent::Refused));
    world.answer(2, read, Ok(Said::Refused(Refusal::NotListed)));
    world.parted.clear();
    world.settle_for(1);
    assert!(world.is_not_listed(2) && world.summary(2).stranded);
    // Its holder was to be left alone for a minute: that is over.
    world.settle_for(40);
    assert!(world.saw(2, |what| matches!(what, GroupEvent::Returned { .. })));
    world.settle_for(60);
    world.assert_one(&[0, 1, 2]);
}
