//! A relay that is put back to a copy of its disk shows another history than the one that was read.

#![allow(clippy::print_stdout, reason = "how long healing takes is a figure")]

use super::*;

/// How long it may take until a group is one again, in virtual seconds.
const HEALED_WITHIN: u64 = 10 * 60;

impl World {
    /// Seconds until all of these are in one epoch and have each of these messages once; those of
    /// their own they do not have.
    pub(super) fn heal(&mut self, places: &[usize], sent: &[(usize, &str)]) -> u64 {
        for seconds in 0..HEALED_WITHIN {
            self.settle();
            if self.is_one(places) && places.iter().all(|place| self.has_all(*place, sent)) {
                // Nothing comes after, and nothing twice.
                self.settle_for(120);
                self.assert_one(places);
                assert!(places.iter().all(|place| self.has_all(*place, sent)));
                return seconds;
            }
            self.nodes.iter_mut().for_each(|node| node.pass(Duration::from_secs(1)));
        }
        let summaries: Vec<_> = places.iter().map(|place| self.summary(*place)).collect();
        let bodies: Vec<_> = places.iter().map(|place| self.nodes[*place].bodies()).collect();
        panic!("it does not heal: {bodies:?} {summaries:#?}");
    }

    fn is_one(&mut self, places: &[usize]) -> bool {
        let first = self.summary(places[0]);
        places.iter().all(|place| {
            let here = self.summary(*place);
            (here.epoch, &here.members) == (first.epoch, &first.members)
                && here.follows
                && here.changes + here.waiting == 0
        })
    }

    fn has_all(&self, place: usize, sent: &[(usize, &str)]) -> bool {
        let [here, wanted] = self.bodies_of(place, sent);
        here == wanted
    }

    fn noticed(&self, place: usize) -> bool {
        self.saw(place, |what| *what == GroupEvent::OtherHistory)
    }

    fn saw_any(&self, wanted: impl Fn(&GroupEvent) -> bool + Copy) -> bool {
        (0..self.nodes.len()).any(|place| self.saw(place, wanted))
    }
}

#[test]
fn messages_that_a_log_lost_are_sent_again_and_those_in_their_place_are_read() {
    let mut world = World::with_group(3);
    world.send(0, "kept").unwrap();
    world.settle();
    let (copy, before) = (world.disk.copy(), world.summary(0).epoch);
    world.parted = vec![2];
    for body in ["lost", "lost too", "and this"] {
        world.send(1, body).unwrap();
        world.settle();
    }
    // While nobody else looks, the one that knows nothing of them writes in their place.
    world.put_back(copy);
    world.parted = vec![0, 1];
    world.send(2, "in its place").unwrap();
    world.settle_for(1);
    world.parted.clear();
    let sent = [(0, "kept"), (1, "lost"), (1, "lost too"), (1, "and this"), (2, "in its place")];
    let healed = world.heal(&[0, 1, 2], &sent);
    println!("lost messages alone: healed after {healed} s");
    assert!(world.noticed(0) && world.noticed(1) && !world.noticed(2));
    assert_eq!(world.summary(0).epoch, before, "nobody needs other keys");
}

#[test]
fn commits_that_a_log_lost_are_put_back_and_bring_those_along_that_had_not_read_them() {
    let mut world = World::with_group(4);
    let (copy, before) = (world.disk.copy(), world.summary(0).epoch);
    world.parted = vec![3];
    world.rotate(0);
    world.settle();
    world.send(1, "between").unwrap();
    world.settle();
    world.rotate(2);
    world.send(0, "behind").unwrap();
    world.settle();
    world.put_back(copy);
    world.parted.clear();
    let healed = world.heal(&[0, 1, 2, 3], &[(1, "between"), (0, "behind")]);
    println!("lost commits that nobody replaced: healed after {healed} s");
    assert_eq!(world.summary(3).epoch, before + 2);
    assert!(!world.saw_any(|what| matches!(what, GroupEvent::Stranded)), "nobody comes in anew");
    assert!(!world.saw_any(|what| matches!(what, GroupEvent::PassedOver { .. })));
    world.rotate(3);
    world.settle_for(2);
    world.assert_one(&[0, 1, 2, 3]);
}

/// So many of these commit and write before a relay is put back, the others behind it.
fn two_histories(count: u8, ahead: &[usize], behind: &[usize]) -> World {
    let mut world = World::with_group(count);
    let copy = world.disk.copy();
    world.parted = behind.to_vec();
    world.rotate(ahead[0]);
    world.settle();
    world.rotate(ahead[0]);
    world.send(ahead[0], "ours").unwrap();
    world.settle();
    world.put_back(copy);
    world.parted = ahead.to_vec();
    world.rotate(behind[0]);
    world.settle_for(1);
    world.send(behind[0], "theirs").unwrap();
    world.settle_for(1);
    world.parted.clear();
    let all: Vec<_> = (0..usize::from(count)).collect();
    let healed = world.heal(&all, &[(ahead[0], "ours"), (behind[0], "theirs")]);
    println!("{} ahead, {} behind: healed after {healed} s", ahead.len(), behind.len());
    assert!(ahead.iter().all(|place| world.noticed(*place)));
    world.send(behind[0], "after").unwrap();
    world.settle();
    assert!(world.nodes[ahead[0]].bodies().contains(&"after".to_owned()));
    world
}

fn came_back(world: &World, place: usize) -> bool {
    world.saw(place, |what| matches!(what, GroupEvent::Returned { .. }))
}

#[test]
fn of_two_histories_with_commits_the_one_that_more_members_go_on_by_stays() {
    let world = two_histories(5, &[0, 1, 2], &[3, 4]);
    assert!([3, 4].iter().all(|place| came_back(&world, *place)));
    assert!([0, 1, 2].iter().all(|place| !came_back(&world, *place)));
    let world = two_histories(5, &[0, 1], &[2, 3, 4]);
    assert!([0, 1].iter().all(|place| came_back(&world, *place)));
    assert!([2, 3, 4].iter().all(|place| !came_back(&world, *place)));
}

#[test]
fn of_two_histories_with_as_many_members_the_one_that_stands_in_the_log_stays() {
    let world = two_histories(4, &[0, 1], &[2, 3]);
    assert!([0, 1].iter().all(|place| came_back(&world, *place)));
    let world = two_histories(2, &[0], &[1]);
    assert!(came_back(&world, 0) && !came_back(&world, 1));
}

#[test]
fn in_a_larger_group_the_many_say_so_until_it_is_seen_that_they_are_more() {
    let world = two_histories(7, &[0, 1, 2, 3], &[4, 5, 6]);
    assert!([4, 5, 6].iter().all(|place| came_back(&world, *place)));
    assert!([0, 1, 2, 3].iter().all(|place| !came_back(&world, *place)));
}

#[test]
fn who_came_and_who_went_by_a_lost_commit_is_there_and_gone_all_the_same() {
    let mut world = World::new(5);
    world.found();
    world.invite(0, &[1, 2, 3], false);
    [1, 2, 3].iter().for_each(|place| world.join(*place));
    world.settle();
    let copy = world.disk.copy();
    world.invite(0, &[4], false);
    world.join(4);
    world.remove(0, 3);
    assert!(!world.is_in(3));
    world.put_back(copy);
    let healed = world.heal(&[0, 1, 2, 4], &[]);
    println!("lost members: healed after {healed} s");
    world.send(4, "here").unwrap();
    world.settle_for(2);
    assert!([0, 1, 2].iter().all(|place| world.nodes[*place].bodies() == ["here"]));
    let log = LogId(*world.group.as_bytes());
    let entry = Entry::Message(vec![1].into());
    let said = world.say(3, Asked::Append(Append { log, entry }));
    assert!(matches!(said, Some(Said::Refused(_))), "the relay lists it no more: {said:?}");
}

#[test]
fn what_was_said_without_one_who_was_taken_out_is_not_said_to_it_where_that_has_to_be_made_again() {
    let mut world = World::with_group(5);
    let copy = world.disk.copy();
    world.parted = vec![1, 2, 3, 4];
    world.remove(0, 4);
    world.send(0, "without it").unwrap();
    world.settle();
    world.put_back(copy);
    world.parted = vec![0];
    world.rotate(1);
    world.settle_for(1);
    world.parted.clear();
    // What is sent again may overtake the removal.
    let ask = world.hold_back(0, |asked| match asked {
        Asked::Append(Append { entry: Entry::Commit(commit), .. }) => !commit.removed.is_empty(),
        _ => false,
    });
    world.settle_for(3);
    world.answer(0, ask, Err(RelayFailure::Gone));
    let healed = world.heal(&[0, 1, 2, 3], &[(0, "without it")]);
    println!("a removal that had to be made again: healed after {healed} s");
    assert!(came_back(&world, 0) && !world.is_in(4));
    assert!(world.nodes[4].bodies().is_empty(), "it reads nothing that was not for it");
}

#[test]
fn who_alone_is_three_epochs_ahead_of_a_log_reads_what_was_written_there_without_it() {
    let mut world = World::with_group(3);
    let (copy, before) = (world.disk.copy(), world.summary(0).epoch);
    world.parted = vec![1, 2];
    for _ in 0..3 {
        world.rotate(0);
        world.settle();
    }
    world.put_back(copy);
    world.parted = vec![0];
    world.send(1, "theirs").unwrap();
    world.settle_for(1);
    world.parted.clear();
    let healed = world.heal(&[0, 1, 2], &[(1, "theirs")]);
    println!("three epochs of one alone: healed after {healed} s");
    assert_eq!(world.summary(1).epoch, before + 3, "its commits are put back");
}

#[test]
fn what_was_answered_and_not_read_before_the_log_lost_it_is_appended_again() {
    let mut world = World::with_group(2);
    let copy = world.disk.copy();
    world.send(0, "answered").unwrap();
    world.nodes[0].commit();
    // The append is answered, and the log is put back before it is read.
    world.carry_asks();
    world.put_back(copy);
    let healed = world.heal(&[0, 1], &[(0, "answered")]);
    println!("an answered message: healed after {healed} s");
}

/// What the first agent does is answered and not read, the relay is put back, and the others write
/// as many entries as were lost.
fn answered_and_written_over(act: impl Fn(&mut World)) -> World {
    let mut world = World::with_group(3);
    let copy = world.disk.copy();
    act(&mut world);
    world.nodes[0].commit();
    world.carry_asks();
    world.put_back(copy);
    world.parted = vec![0];
    for body in ["one", "two", "three"] {
        world.send(1, body).unwrap();
        world.settle_for(1);
    }
    world.parted.clear();
    world
}

#[test]
fn an_answered_message_that_a_log_lost_is_appended_again_though_the_log_is_as_long_as_before() {
    let mut world = answered_and_written_over(|world| {
        world.send(0, "answered").unwrap();
    });
    let sent = [(0, "answered"), (1, "one"), (1, "two"), (1, "three")];
    let healed = world.heal(&[0, 1, 2], &sent);
    println!("an answered message, written over: healed after {healed} s");
}

#[test]
fn an_answered_commit_that_a_log_lost_is_appended_again_though_the_log_is_as_long_as_before() {
    let mut world = answered_and_written_over(|world| world.rotate(0));
    let before = world.summary(1).epoch;
    let healed = world.heal(&[0, 1, 2], &[(1, "one"), (1, "two"), (1, "three")]);
    println!("an answered commit, written over: healed after {healed} s");
    assert_eq!(world.summary(1).epoch, before + 1);
}

#[test]
fn a_commit_that_stood_behind_another_when_the_log_lost_both_is_made_all_the_same() {
    let mut world = World::with_group(3);
    let copy = world.disk.copy();
    let before = world.summary(0).epoch;
    // Another commit is before ours, which is told so, and both are gone before that is read.
    world.rotate(1);
    let (_, said) = world.append_unheard(1);
    assert!(matches!(said, meshwork_protocols::relay::Answer::Appended(_)));
    world.parted = vec![1, 2];
    world.rotate(0);
    let (ask, said) = world.append_unheard(0);
    world.answer(0, ask, Ok(said));
    world.put_back(copy);
    world.parted = vec![0, 1];
    for body in ["one", "two"] {
        world.send(2, body).unwrap();
        world.settle_for(1);
    }
    world.parted.clear();
    let healed = world.heal(&[0, 1, 2], &[(2, "one"), (2, "two")]);
    println!("a commit behind another, both written over: healed after {healed} s");
    assert_eq!(world.summary(0).epoch, before + 2);
}

#[test]
fn who_joins_by_a_commit_that_stands_elsewhere_by_then_reads_all_that_is_behind_it() {
    let mut world = World::new(3);
    world.found();
    world.invite(0, &[1], false);
    world.join(1);
    let copy = world.disk.copy();
    for body in ["one", "two", "three"] {
        world.send(0, body).unwrap();
        world.settle();
    }
    world.invite(0, &[2], false);
    // What comes back stands earlier, and another commit stands where the summons leads.
    let mut disk = world.disk.copy();
    disk.put_log_back(&LogId(*world.group.as_bytes()), &copy);
    world.put_back(disk);
    world.settle_for(2);
    world.rotate(1);
    world.settle_for(30);
    world.join(2);
    world.settle_for(2);
    world.send(1, "after").unwrap();
    world.settle_for(60);
    world.assert_one(&[0, 1, 2]);
    assert!(world.noticed(2));
    assert!(world.nodes[2].bodies().contains(&"after".to_owned()));
}

#[test]
fn who_alone_is_left_with_the_author_of_a_commit_that_it_cannot_process_gives_way() {
    let mut world = World::with_group(3);
    let copy = world.disk.copy();
    // One goes on by a commit of another that never heard of it itself, and the log loses it.
    world.parted = vec![0];
    world.rotate(1);
    world.append_unheard(1);
    world.parted = vec![0, 1];
    world.settle();
    world.put_back(copy);
    // In its place that other is taken out, and is gone.
    world.parted = vec![1, 2];
    world.settle_for(2);
    world.remove(0, 1);
    world.settle_for(2);
    world.restart(1, false);
    world.parted = vec![2];
    world.settle_for(2);
    assert!(!world.is_in(1));
    world.parted.clear();
    world.heal(&[0, 2], &[]);
    assert!(came_back(&world, 2) && !came_back(&world, 0));
}

#[test]
fn a_commit_that_comes_late_into_another_history_strands_nobody() {
    let mut world = World::with_group(2);
    let copy = world.disk.copy();
    for body in ["one", "two", "three", "four"] {
        world.send(1, body).unwrap();
        world.settle();
    }
    world.rotate(0);
    world.settle();
    let behind = world.last_commit();
    let is_commit =
        |asked: &Asked| matches!(asked, Asked::Append(Append { entry: Entry::Commit(_), .. }));
    world.rotate(1);
    let (ask, append) = world.take_later(1, is_commit);
    world.parted = vec![1];
    world.put_back(copy);
    // What it builds on has the place of another commit, which comes before it.
    world.settle_for(5);
    while world.log().len() as u64 + 1 < behind.0 {
        world.send(0, "between").unwrap();
        world.settle_for(1);
    }
    world.rotate(0);
    world.settle_for(1);
    assert_eq!(world.last_commit(), behind);
    assert!(matches!(world.say(1, append), Some(Said::Appended(_))));
    world.parted.clear();
    world.answer(1, ask, Err(RelayFailure::Gone));
    world.settle_for(120);
    world.assert_one(&[0, 1]);
    assert!(!world.saw_any(|what| matches!(what, GroupEvent::Stranded)));
}

#[test]
fn who_comes_back_by_a_commit_that_a_log_lost_puts_it_back() {
    let mut world = World::with_group(3);
    let copy = world.disk.copy();
    let before = world.summary(0).epoch;
    world.restart(2, true);
    let (ask, said) = loop {
        world.nodes.iter_mut().for_each(Node::commit);
        let appends = |wish: &Output| match wish {
            Output::AskRelay { request, .. } => matches!(**request, Asked::Append(_)),
            _ => false,
        };
        if world.nodes[2].wishes.iter().any(appends) {
            break world.append_unheard(2);
        }
        let moved = world.carry_frames() | world.carry_asks();
        if !moved {
            world.nodes.iter_mut().for_each(|node| node.pass(Duration::from_secs(1)));
        }
    };
    // Its append is answered, and nobody reads it before the log loses it and grows again.
    world.answer(2, ask, Ok(said));
    world.put_back(copy);
    world.parted = vec![2];
    for body in ["one", "two", "three"] {
        world.send(1, body).unwrap();
        world.settle_for(1);
    }
    world.parted.clear();
    world.settle_for(60);
    world.assert_one(&[0, 1, 2]);
    assert_eq!(world.summary(0).epoch, before + 1, "its commit is put back");
}

#[test]
fn a_crash_at_any_time_of_the_healing_loses_nothing() {
    for seed in 0..6 {
        let mut random = Seeded(seed);
        let mut world = World::with_group(4);
        let copy = world.disk.copy();
        world.parted = vec![2, 3];
        world.rotate(0);
        world.settle();
        world.send(1, "ours").unwrap();
        world.settle();
        world.put_back(copy);
        world.parted = vec![0, 1];
        if seed % 2 == 0 {
            world.rotate(2);
            world.settle_for(1);
        }
        world.send(3, "theirs").unwrap();
        world.settle_for(1);
        world.parted.clear();
        for _ in 0..20 {
            for _ in 0..below(&mut random, 6) {
                world.nodes.iter_mut().for_each(Node::commit);
                world.carry_frames();
                world.carry_asks();
            }
            let who = below(&mut random, 4) as usize;
            world.restart(who, false);
            world.nodes.iter_mut().for_each(|node| node.pass(Duration::from_secs(3)));
        }
        world.heal(&[0, 1, 2, 3], &[(1, "ours"), (3, "theirs")]);
    }
}

#[test]
fn a_holder_that_shows_another_history_each_time_is_left_alone_for_a_while() {
    let mut world = World::with_group(2);
    let copy = world.disk.copy();
    let noticed = |world: &World| {
        let is_it =
            |event: &&Event| matches!(event, Event::Group { what: GroupEvent::OtherHistory, .. });
        world.nodes[0].events.iter().filter(is_it).count()
    };
    for number in 0..30 {
        world.send(0, &format!("{number}")).unwrap();
        world.settle_for(1);
        world.put_back(copy.clone());
    }
    let before = noticed(&world);
    assert!((1..=4).contains(&before), "{before} times");
}

#[test]
fn so_many_messages_are_kept_to_be_sent_again_and_not_one_more() {
    const KEPT: usize = 64;
    let mut world = World::with_group(2);
    let copy = world.disk.copy();
    world.parted = vec![1];
    for number in 0..=KEPT {
        world.send(0, &format!("{number}")).unwrap();
        world.settle();
    }
    world.put_back(copy);
    world.parted.clear();
    world.settle_for(60);
    let bodies = world.nodes[1].bodies();
    assert_eq!(bodies.len(), KEPT);
    assert!(!bodies.contains(&"0".to_owned()), "the first one is kept no more");
}

#[test]
fn a_message_is_sent_again_so_often_and_not_once_more() {
    let mut world = World::with_group(2);
    let copy = world.disk.copy();
    world.send(0, "again").unwrap();
    world.settle();
    let stands = |world: &mut World| {
        let is_message = |logged: &&Logged| matches!(logged.entry, Entry::Message(_));
        world.log().iter().filter(is_message).count()
    };
    for times in 1..=4 {
        world.put_back(copy.clone());
        world.settle_for(100);
        assert_eq!(stands(&mut world), usize::from(times <= 3), "put back {times} times");
    }
    assert_eq!(world.nodes[1].bodies(), ["again"]);
}
