//! Late messages, and when what opens them goes.

use meshwork_protocols::fleet::PAST_LIFETIME;

use super::*;

impl World {
    /// Those who wait for an entry hear that there is none.
    fn end_waits(&mut self) {
        for (place, ask, request) in std::mem::take(&mut self.waiting) {
            let Asked::ReadLog(read) = request else { panic!("nothing else waits") };
            if let Some(said) = self.say(place, Asked::ReadLog(ReadLog { wait: 0, ..read })) {
                self.answer(place, ask, Ok(said));
            }
        }
    }

    /// The log is followed for so long.
    fn follow_for(&mut self, span: Duration) {
        for _ in 0..span.as_secs() / 30 {
            self.settle_in(1, 30);
            self.end_waits();
        }
        self.settle();
    }
}

fn is_message(asked: &Asked) -> bool {
    matches!(asked, Asked::Append(Append { entry: Entry::Message(_), .. }))
}

#[test]
fn a_late_message_opens_however_long_there_was_no_log_to_be_had() {
    for restarts in [false, true] {
        let mut world = World::with_group(3);
        world.send(1, "late").unwrap();
        let (ask, append) = world.take_later(1, is_message);
        world.rotate(0);
        world.settle();
        world.assert_one(&[0, 2]);
        // Where one is away, the message comes behind the commit that ended its epoch.
        world.parted = vec![2];
        world.drop_waiting();
        let said = world.say(1, append).unwrap();
        world.answer(1, ask, Ok(said));
        world.follow_for(2 * PAST_LIFETIME);
        if restarts {
            world.restart(2, false);
        }
        assert_eq!(world.nodes[2].bodies(), [""; 0]);
        world.parted.clear();
        world.settle_for(120);
        assert_eq!(world.nodes[2].bodies(), ["late"]);
    }
}

#[test]
fn what_opens_late_messages_goes_an_hour_after_the_commit_and_not_before() {
    let mut world = World::with_group(2);
    world.follow_for(2 * PAST_LIFETIME);
    let before = world.nodes[1].count(Namespace::Fleet);
    world.rotate(0);
    world.settle();
    assert!(world.nodes[1].count(Namespace::Fleet) > before);
    world.follow_for(PAST_LIFETIME - Duration::from_secs(6 * 60));
    assert!(world.nodes[1].count(Namespace::Fleet) > before);
    // A restart costs the part of an hour that was not counted.
    world.restart(1, false);
    world.follow_for(Duration::from_secs(4 * 60));
    assert!(world.nodes[1].count(Namespace::Fleet) > before);
    world.follow_for(Duration::from_secs(10 * 60));
    assert_eq!(world.nodes[1].count(Namespace::Fleet), before);
}

#[test]
fn what_comes_into_the_log_long_after_it_was_asked_for_is_sent_again() {
    let mut world = World::with_group(3);
    world.send(1, "stopped").unwrap();
    let (ask, append) = world.take_later(1, is_message);
    world.rotate(0);
    world.follow_for(2 * PAST_LIFETIME);
    let said = world.say(1, append).unwrap();
    world.answer(1, ask, Ok(said));
    world.settle_for(60);
    for place in [0, 2] {
        assert_eq!(world.nodes[place].bodies(), ["stopped"]);
    }
    assert_eq!(world.summary(1).waiting, 0);
}

#[test]
fn nothing_is_appended_before_the_log_was_read_to_its_end() {
    let mut world = World::with_group(3);
    world.parted = vec![1];
    world.drop_waiting();
    world.send(1, "from before").unwrap();
    world.rotate(0);
    world.follow_for(2 * PAST_LIFETIME);
    world.parted.clear();
    world.settle_for(120);
    for place in [0, 2] {
        assert_eq!(world.nodes[place].bodies(), ["from before"]);
        let unread = |what: &GroupEvent| matches!(what, GroupEvent::NotOpened { .. });
        assert!(!world.saw(place, unread), "it was sealed for who is there now");
    }
}
