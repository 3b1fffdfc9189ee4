//! Members compare the log beside it: a holder that shows two of them is found out.

use meshwork_protocols::fleet::{LogSeen, log_seen};

use super::*;

/// Long enough for what differs to be told twice.
const FOUND_OUT_WITHIN: u64 = 10 * 60;

/// Another relay, for which a log can be left.
pub(super) const ELSEWHERE: AgentId = AgentId::from_bytes([201; 32]);

const fn is_two(what: &GroupEvent) -> bool {
    matches!(what, GroupEvent::TwoLogs { .. })
}

impl World {
    /// From now on the relay shows these another log than the others, as long as the one is now.
    pub(super) fn shows_two(&mut self, to: &[usize]) {
        let disk = Disk::default();
        disk.put_back(self.disk.copy());
        let mut relay = Relay::new(disk, Arc::new(Pure), Limits::default());
        relay.reopen().unwrap();
        self.second_face = Some((relay, to.to_vec()));
        self.drop_waiting();
    }

    /// An agent says that it reads another log than there is, up to the last commit.
    fn says_falsely(&mut self, from: usize, to: usize) {
        let group = self.group;
        // Behind it stands no more than that the other confirmed it.
        let place = self.summary(to).read - 1;
        let mut outgoing = text(self.id(to), "");
        outgoing.content_type = log_seen::CONTENT_TYPE.parse().unwrap();
        outgoing.body = LogSeen { group, place, chain: LogChain::from_bytes([1; 32]) }.encode();
        self.nodes[from].request(Request::Send(outgoing));
        self.settle();
    }

    fn told_of_two(&self, place: usize) -> usize {
        let is_it = |event: &&Event| matches!(event, Event::Group { what, .. } if is_two(what));
        self.nodes[place].events.iter().filter(is_it).count()
    }
}

#[test]
fn who_shows_two_halves_two_logs_is_found_out_and_they_are_one_where_the_log_moves() {
    let mut world = World::with_group(4);
    world.settle_for(200);
    world.shows_two(&[2, 3]);
    world.rotate(0);
    world.rotate(2);
    world.send(1, "to one half").unwrap();
    world.send(3, "to the other").unwrap();
    world.settle_for(FOUND_OUT_WITHIN);
    let told: Vec<_> = (0..4).map(|place| world.told_of_two(place)).collect();
    assert!(told[0] + told[1] > 0 && told[2] + told[3] > 0, "{told:?}");
    assert!(told.iter().all(|times| *times <= 1), "{told:?}");
    world.move_log(0, ELSEWHERE);
    world.settle_for(15 * 60);
    let sent = [(1, "to one half"), (3, "to the other")];
    world.heal(&[0, 1, 2, 3], &sent);
    assert!((0..4).all(|place| world.summary(place).holder == ELSEWHERE));
}

#[test]
fn who_read_one_log_are_told_nothing_be_it_put_back_or_not() {
    let mut world = World::with_group(4);
    (0..4).for_each(|place| world.rotate(place));
    world.settle_for(FOUND_OUT_WITHIN);
    let copy = world.disk.copy();
    world.parted = vec![2, 3];
    world.rotate(0);
    world.settle();
    world.put_back(copy);
    world.parted = vec![0, 1];
    world.rotate(2);
    world.settle_for(1);
    world.parted.clear();
    world.heal(&[0, 1, 2, 3], &[]);
    (0..4).for_each(|place| world.rotate(place));
    world.settle_for(2 * FOUND_OUT_WITHIN);
    assert!((0..4).all(|place| world.told_of_two(place) == 0));
}

#[test]
fn one_word_of_another_log_is_not_believed_and_none_of_who_is_no_member() {
    let mut world = World::new(3);
    world.found();
    world.invite(0, &[1], false);
    world.join(1);
    world.rotate(0);
    world.settle_for(300);
    for (from, told) in [(2, 0), (1, 1)] {
        world.says_falsely(from, 0);
        assert_eq!(world.told_of_two(0), 0, "once");
        world.settle_for(90);
        world.says_falsely(from, 0);
        world.settle_for(90);
        world.says_falsely(from, 0);
        assert_eq!(world.told_of_two(0), told, "from {from}");
    }
    assert_eq!(world.told_of_two(1), 0, "what it hears in return is what it reads");
    assert!(world.nodes[0].bodies().is_empty(), "the application sees none of it");
}
