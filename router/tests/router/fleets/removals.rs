//! A removal that turns out void: who had read of it says nothing to whom it took out before that is
//! taken out again.

use super::*;

/// Whom the first agent takes out.
const OUT: usize = 4;

/// As long as a removal is waited for.
const AWAITED: u64 = 5 * 60;

impl World {
    /// The first agent takes one out, the second reads of it and writes, and the log is put back from
    /// before that. The others, who are more, go on without it. The first is away from then on.
    fn with_a_void_removal(admins: &[usize]) -> Self {
        let mut this = Self::with_group(5);
        admins.iter().for_each(|place| this.appoint(*place));
        let copy = this.disk.copy();
        this.parted = vec![2, 3, OUT];
        this.remove(0, OUT);
        assert!(!this.takes_for_in(1));
        this.send(1, "without it").unwrap();
        this.settle();
        this.put_back(copy);
        this.parted = vec![0, 1];
        this.rotate(2);
        this.settle_for(1);
        this.parted = vec![0];
        this
    }

    /// Until the second agent is back, where the one is a member that it took for out.
    fn comes_back(&mut self) {
        let is_back = |what: &GroupEvent| matches!(what, GroupEvent::Returned { .. });
        for _ in 0..20 * 60 {
            if self.saw(1, is_back) {
                return;
            }
            self.settle_for(1);
        }
        panic!("it does not come back");
    }

    fn takes_for_in(&mut self, place: usize) -> bool {
        let out = self.id(OUT);
        self.summary(place).members.contains(&out)
    }

    fn hears_nothing(&self, place: usize) -> bool {
        self.nodes[place].bodies().is_empty()
    }

    fn told_not_removed(&self, place: usize) -> usize {
        let wanted = GroupEvent::NotRemoved(self.id(OUT));
        let is_it = |event: &&Event| matches!(event, Event::Group { what, .. } if *what == wanted);
        self.nodes[place].events.iter().filter(is_it).count()
    }

    /// How many commits in the log took it out that were made in this epoch or later.
    fn removals(&mut self, since: u64) -> usize {
        let out = self.id(OUT);
        let removes = |logged: &&Logged| match &logged.entry {
            Entry::Commit(commit) => commit.epoch >= since && commit.removed.contains(&out),
            _ => false,
        };
        self.log().iter().filter(removes).count()
    }
}

#[test]
fn who_read_of_a_void_removal_says_nothing_to_whom_it_took_out_until_it_is_made_again() {
    let mut world = World::with_a_void_removal(&[]);
    world.comes_back();
    world.send(1, "nor is this").unwrap();
    world.settle_for(60);
    assert!(world.takes_for_in(1), "nobody is there who could take it out");
    let out = world.id(OUT);
    let summary = world.summary(1);
    assert_eq!((summary.waiting, summary.in_again), (2, vec![out]));
    // It waits on after a crash.
    world.restart(1, false);
    world.send(1, "and this").unwrap();
    world.settle_for(60);
    assert!((2..5).all(|place| world.hears_nothing(place)));
    world.parted.clear();
    let sent = [(1, "without it"), (1, "nor is this"), (1, "and this")];
    let healed = world.heal(&[0, 1, 2, 3], &sent);
    println!("a removal that another waits for: healed after {healed} s");
    assert!(!world.is_in(OUT) && world.hears_nothing(OUT));
    assert_eq!((world.told_not_removed(1), world.summary(1).in_again.len()), (0, 0));
}

#[test]
fn an_admin_that_read_of_a_void_removal_makes_it_again_where_the_one_that_made_it_is_away() {
    let mut world = World::with_a_void_removal(&[1]);
    let since = world.summary(2).epoch;
    world.comes_back();
    world.send(1, "nor is this").unwrap();
    let sent = [(1, "without it"), (1, "nor is this")];
    let healed = world.heal(&[1, 2, 3], &sent);
    println!("a removal that another makes again: healed after {healed} s");
    assert!(!world.is_in(OUT) && world.hears_nothing(OUT));
    // The one that made it first has nothing left to do.
    assert_eq!(world.removals(since), 1);
    world.parted.clear();
    world.heal(&[0, 1, 2, 3], &sent);
    let is_not_made =
        |what: &GroupEvent| matches!(what, GroupEvent::NotAdmin | GroupEvent::NotChanged { .. });
    assert!((0..4).all(|place| !world.saw(place, is_not_made)));
}

#[test]
fn admins_that_wish_for_one_removal_at_once_make_one() {
    let mut world = World::with_a_void_removal(&[1]);
    let since = world.summary(2).epoch;
    world.parted.clear();
    world.heal(&[0, 1, 2, 3], &[(1, "without it")]);
    assert!(!world.is_in(OUT) && world.hears_nothing(OUT));
    assert_eq!(world.removals(since), 1);
}

#[test]
fn a_removal_that_nobody_makes_again_is_waited_for_so_long_and_not_longer() {
    let mut world = World::with_a_void_removal(&[]);
    world.comes_back();
    world.settle_for(AWAITED - 5);
    assert!((2..5).all(|place| world.hears_nothing(place)));
    assert_eq!(world.told_not_removed(1), 0);
    world.settle_for(10);
    assert_eq!(world.told_not_removed(1), 1, "its owner knows to whom it speaks");
    assert!((2..5).all(|place| world.has_heard(place, "without it")));
    assert_eq!((world.summary(1).waiting, world.summary(1).in_again.len()), (0, 0));
    world.send(1, "to all").unwrap();
    world.settle_for(1);
    assert!((2..5).all(|place| world.has_heard(place, "to all")));
    world.settle_for(AWAITED);
    assert_eq!(world.told_not_removed(1), 1, "once");
}

#[test]
fn a_clock_that_is_put_back_makes_nobody_wait_longer() {
    let mut world = World::with_a_void_removal(&[]);
    world.comes_back();
    let now = &mut world.nodes[1].now;
    now.wall = now.wall.saturating_sub(Duration::from_secs(3 * 60));
    world.settle_for(AWAITED + 5);
    assert!(world.has_heard(2, "without it"));
}

#[test]
fn who_is_added_after_a_void_removal_is_not_waited_for() {
    let mut world = World::with_a_void_removal(&[2]);
    world.comes_back();
    world.settle_for(30);
    assert!(world.hears_nothing(2));
    world.invite(2, &[OUT], true);
    world.join(OUT);
    world.settle_for(2);
    assert!((2..5).all(|place| world.has_heard(place, "without it")));
    assert_eq!((world.summary(1).in_again.len(), world.told_not_removed(1)), (0, 0));
}

#[test]
fn who_is_added_after_a_void_removal_is_not_taken_out_again_by_who_read_of_it() {
    let mut world = World::with_a_void_removal(&[1, 2]);
    let since = world.summary(2).epoch;
    // The commit that takes it out is overtaken by one that adds it.
    let ask = world.hold_back(1, |asked| match asked {
        Asked::Append(Append { entry: Entry::Commit(commit), .. }) => !commit.removed.is_empty(),
        _ => false,
    });
    assert!(world.saw(1, |what| matches!(what, GroupEvent::Returned { .. })));
    world.invite(2, &[OUT], true);
    world.answer(1, ask, Err(RelayFailure::Gone));
    world.join(OUT);
    world.settle_for(60);
    world.assert_one(&[1, 2, 3, OUT]);
    assert!(world.takes_for_in(1) && world.has_heard(OUT, "without it"));
    assert_eq!(world.removals(since), 0);
}

#[test]
fn who_comes_back_from_one_of_two_logs_says_nothing_to_whom_that_took_out() {
    let mut world = World::with_group(5);
    world.appoint(2);
    world.settle_for(200);
    world.shows_two(&[2, 3, OUT]);
    world.remove(0, OUT);
    world.send(1, "without it").unwrap();
    world.settle_for(60);
    assert!(!world.takes_for_in(1) && world.takes_for_in(2));
    world.move_log(2, comparing::ELSEWHERE);
    world.comes_back();
    world.settle_for(60);
    assert!(world.takes_for_in(1), "nobody knows which of the two is to stay");
    assert!(world.hears_nothing(2) && world.hears_nothing(OUT));
    world.remove(0, OUT);
    world.settle_for(30);
    assert!(world.has_heard(2, "without it") && world.hears_nothing(OUT));
}

#[test]
fn who_took_out_all_others_by_void_commits_is_led_back_by_them_and_takes_them_out_again() {
    let mut world = World::with_group(3);
    let copy = world.disk.copy();
    world.parted = vec![1, 2];
    world.remove(0, 1);
    world.remove(0, 2);
    world.put_back(copy);
    world.parted = vec![0];
    world.rotate(1);
    world.settle_for(1);
    world.parted.clear();
    world.settle_for(120);
    assert!(world.saw(0, |what| matches!(what, GroupEvent::Returned { .. })));
    assert_eq!(world.summary(0).members, [world.id(0)]);
    assert!(!world.is_in(1) && !world.is_in(2));
}
