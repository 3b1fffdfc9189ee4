//! Groups of agents over a log that a relay holds: several routers, the relay's own code in memory,
//! and what becomes of crashes, lost answers, races and members that break the rules.

mod ageing;
mod comparing;
mod disk;
mod histories;
mod listing;
mod moving;
mod receipts;
mod removals;
mod sending;
mod waiting;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::fleet::{Asks, GroupError, GroupId, LogEntry, Summons, summons, way_back};
use meshwork_protocols::identity::{AgentId, Relay as Holder, Transport};
use meshwork_protocols::lineage::Lineage;
use meshwork_protocols::posture::Posture;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::random::Random;
use meshwork_protocols::relay::{
    Answer as Said, Append, Commit, Entry, EntryIndex, LogChain, LogId, Logged, ReadLog,
    Request as Asked, Taken,
};
use meshwork_protocols::secret::Secret;
use meshwork_relay::{Asked as Call, Limits, Outcome, Relay};
use meshwork_router::{
    Answer, AskId, CommandError, Event, GroupEvent, GroupRequest, GroupSummary, INVITATIONS_OF_ONE,
    Input, Level, Output, PathChange, PathId, PathKind, PathOpened, Policy, Protocol, RelayFailure,
    RelayNews, Request, Stored, Ticket,
};
use meshwork_state::Namespace;

use self::disk::Disk;
use self::world::{RELAY, Tampering, World, below};
use crate::common::{Node, Seeded, card_for_groups, largest_frame, text};

#[test]
fn a_group_is_founded_and_joined_and_everybody_hears_each_message_once() {
    let mut world = World::with_group(3);
    let Ok(Answer::Accepted(id)) = world.send(0, "hello") else { panic!("not accepted") };
    world.settle();
    let relayed = GroupEvent::Moved { id, level: Level::Relayed };
    assert!(world.saw(0, |what| *what == relayed));
    for place in [1, 2] {
        assert_eq!(world.nodes[place].bodies(), ["hello"]);
        let delivery = &world.nodes[place].inbox()[0];
        assert_eq!(delivery.group, Some(world.group));
        assert_eq!((delivery.sender, delivery.protocol), (world.id(0), Protocol::Fleet));
    }
    assert!(world.nodes[0].bodies().is_empty());
    world.send(2, "and back").unwrap();
    world.settle();
    assert_eq!(world.nodes[0].bodies(), ["and back"]);
    world.assert_one(&[0, 1, 2]);
}

#[test]
fn an_invitation_uses_nothing_up_before_it_is_accepted() {
    let mut world = World::new(2);
    world.found();
    let before = world.nodes[1].store_of_fleets();
    world.invite(0, &[1], false);
    assert_eq!(world.nodes[1].store_of_fleets(), before);
    let invited = world.nodes[1].router.invitations().unwrap();
    assert_eq!((invited.len(), invited[0].by, &*invited[0].name), (1, world.id(0), "crew"));
    assert!(world.nodes[1].bodies().is_empty(), "the message that brings it is none");
    world.join(1);
    assert!(world.nodes[1].router.invitations().unwrap().is_empty());
    world.settle();
    world.assert_one(&[0, 1]);
}

#[test]
fn an_invitation_that_comes_while_an_earlier_one_is_accepted_is_kept_until_it_is_not_needed() {
    for reads_on in [true, false] {
        let mut world = World::new(3);
        world.found();
        world.invite(0, &[1, 2], false);
        world.join(2);
        world.request(1, GroupRequest::Join(world.group));
        let (ask, blob) = world.take_later(1, |asked| matches!(asked, Asked::GetBlob(_)));
        // It is taken out and brought in anew by a commit behind the one that it comes in by.
        world.invite(0, &[1], true);
        let said = world.say(1, blob).unwrap();
        if !reads_on {
            world.parted = vec![1];
        }
        world.answer(1, ask, Ok(said));
        world.settle();
        assert!(world.saw(1, |what| *what == GroupEvent::Joined));
        let invitations = |world: &World| world.nodes[1].router.invitations().unwrap().len();
        assert_eq!(invitations(&world), 1);
        world.parted.clear();
        world.settle_for(5);
        assert!(world.saw(1, |what| matches!(what, GroupEvent::Removed { .. })));
        world.join(1);
        assert_eq!(invitations(&world), 0);
        world.rotate(1);
        world.settle();
        world.assert_one(&[0, 1, 2]);
    }
}

#[test]
fn who_follows_an_invitation_while_it_comes_back_is_in_by_one_or_the_other() {
    for is_heard in [true, false] {
        let mut world = World::with_group(3);
        world.tampered = Some((2, Tampering::Gap));
        world.send(0, "not read").unwrap();
        world.settle_for(1);
        world.tampered = None;
        assert!(world.summary(2).stranded);
        // It is brought in anew, and finds its own way back behind that.
        world.invite(0, &[2], true);
        let returns =
            |asked: &Asked| matches!(asked, Asked::Append(Append { entry: Entry::Commit(_), .. }));
        let (ask, commit) = world.take_later(2, returns);
        let said = world.say(2, commit).unwrap();
        assert!(matches!(said, Said::Appended(_)), "{said:?}");
        world.join(2);
        let answer = if is_heard { Ok(said) } else { Err(RelayFailure::Gone) };
        world.answer(2, ask, answer);
        world.settle_for(90);
        world.assert_one(&[0, 1, 2]);
        assert!(!world.saw(2, |what| matches!(what, GroupEvent::Removed { .. })));
        world.send(2, "here").unwrap();
        world.settle_for(2);
        assert!((0..2).all(|place| world.has_heard(place, "here")));
    }
}

#[test]
fn a_declined_invitation_is_gone() {
    let mut world = World::new(2);
    world.found();
    world.invite(0, &[1], false);
    let decline = GroupRequest::Decline(world.group);
    assert_eq!(world.ask(1, decline), Some(Ok(Answer::Done)));
    let join = GroupRequest::Join(world.group);
    assert_eq!(world.ask(1, join), Some(Err(CommandError::NotInvited)));
    assert!(!world.is_in(1));
}

#[test]
fn a_removed_member_reads_nothing_that_comes_after() {
    let mut world = World::with_group(3);
    world.send(0, "before").unwrap();
    world.settle();
    world.remove(0, 2);
    assert!(world.saw(2, |what| matches!(what, GroupEvent::Removed { .. })));
    assert!(!world.is_in(2));
    world.send(0, "after").unwrap();
    world.settle();
    assert_eq!(world.nodes[1].bodies(), ["before", "after"]);
    assert_eq!(world.nodes[2].bodies(), ["before"]);
    // Nothing of the group's keys is left with it.
    assert!(world.has_rows(1) && !world.has_rows(2));
    // The log tells it no more than its removal.
    let log = LogId(*world.group.as_bytes());
    let read = ReadLog { log, after: EntryIndex(0), most: 100, wait: 0 };
    let Some(Said::Entries { entries, .. }) = world.say(2, Asked::ReadLog(read)) else {
        panic!("it may read of its removal");
    };
    let last = entries.last().unwrap().index.0;
    assert!(last < world.summary(0).read, "{last}");
}

#[test]
fn members_that_commit_at_once_converge_without_anybodys_help() {
    let mut world = World::with_group(5);
    let before = world.summary(0).epoch;
    for round in 1..=4 {
        (0..5).for_each(|place| world.rotate(place));
        world.settle_for(2);
        world.assert_one(&[0, 1, 2, 3, 4]);
        assert_eq!(world.summary(0).epoch, before + 5 * round, "each commit counts once");
    }
}

#[test]
fn an_answer_that_comes_behind_the_log_says_nothing_of_the_next_commit() {
    let mut world = World::with_group(2);
    let before = world.summary(0).epoch;
    world.rotate(0);
    let (ask, answer) = world.append_unheard(0);
    assert!(matches!(answer, Said::Appended(_)));
    // The log has brought the commit, and the next waits for it.
    world.settle();
    assert_eq!((world.summary(0).epoch, world.summary(0).changes), (before + 1, 0));
    world.rotate(0);
    world.answer(0, ask, Ok(answer));
    world.settle_for(1);
    assert_eq!(world.summary(0).epoch, before + 2);
    world.assert_one(&[0, 1]);
}

#[test]
fn whoever_summons_hears_that_its_summons_was_dealt_with_though_the_first_receipt_is_lost() {
    let mut world = World::new(2);
    world.found();
    let peers = vec![world.id(1)];
    let invite = GroupRequest::Invite { group: world.group, peers, anew: false };
    world.request(0, invite);
    let owed = |world: &World, place: usize| world.nodes[place].count(Namespace::Owed);
    for _ in 0..20 {
        world.nodes.iter_mut().for_each(Node::commit);
        // What it says does not arrive.
        world.nodes[1].sent.clear();
        world.carry_frames();
        world.carry_asks();
    }
    assert_eq!((owed(&world, 1), world.nodes[0].count(Namespace::Outbox)), (1, 1));
    world.settle_for(40);
    assert_eq!((owed(&world, 1), world.nodes[0].count(Namespace::Outbox)), (0, 0));
}

#[test]
fn an_agent_cut_off_from_the_log_goes_on_by_itself_afterwards() {
    let mut world = World::with_group(3);
    world.parted = vec![1];
    world.send(1, "from the other side").unwrap();
    world.rotate(1);
    for _ in 0..4 {
        world.rotate(0);
        world.settle_for(1);
    }
    assert!(world.nodes[0].bodies().is_empty());
    world.parted.clear();
    world.settle_for(130);
    assert_eq!(world.nodes[0].bodies(), ["from the other side"]);
    assert_eq!(world.nodes[2].bodies(), ["from the other side"]);
    world.assert_one(&[0, 1, 2]);
}

#[test]
fn crashes_and_lost_answers_cost_no_message_and_double_none() {
    for seed in 0..6 {
        let mut world = World::with_group(4);
        let mut random = Seeded(seed);
        world.loses = Some(Seeded(seed + 100));
        let mut sent: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for round in 0..30 {
            let place = below(&mut random, 4) as usize;
            match below(&mut random, 4) {
                0 => world.restart(place, false),
                1 => world.rotate(place),
                _ => {
                    let body = format!("{round} of {place}");
                    if world.send(place, &body).is_ok() {
                        sent.entry(place).or_default().push(body);
                    }
                }
            }
            // A part of what moves does so before the next thing happens.
            for _ in 0..below(&mut random, 4) {
                let who = below(&mut random, 4) as usize;
                world.nodes[who].commit();
                world.carry_frames();
                world.carry_asks();
            }
        }
        world.loses = None;
        world.settle_for(130);
        world.assert_one(&[0, 1, 2, 3]);
        for (place, node) in world.nodes.iter().enumerate() {
            let mut got = node.bodies();
            got.sort_unstable();
            let others = sent.iter().filter(|(from, _)| **from != place);
            let mut wanted: Vec<_> = others.flat_map(|(_, bodies)| bodies.clone()).collect();
            wanted.sort_unstable();
            assert_eq!(got, wanted, "seed {seed}, agent {place}");
        }
    }
}

#[test]
fn a_crash_before_any_commit_of_a_join_leaves_the_invitation_good() {
    let mut world = World::new(2);
    world.found();
    world.invite(0, &[1], false);
    // The roster comes, and the agent dies with the join decided and not durable.
    world.request(1, GroupRequest::Join(world.group));
    world.carry_asks();
    assert!(!world.nodes[1].batches.is_empty());
    world.restart(1, false);
    assert!(!world.is_in(1));
    world.join(1);
    world.settle();
    world.send(0, "hello").unwrap();
    world.settle();
    assert_eq!(world.nodes[1].bodies(), ["hello"]);
}

#[test]
fn what_breaks_a_rule_is_passed_over_by_all_and_its_author_is_named() {
    let mut world = World::with_group(3);
    world.append_garbage(2);
    world.append(2, Entry::Message(vec![7; 40].into()));
    world.settle_for(1);
    let author = world.id(2);
    for place in [0, 1] {
        let why = GroupError::Malformed;
        assert!(world.saw(place, |what| *what == GroupEvent::PassedOver { author, why }));
        assert!(world.saw(place, |what| *what == GroupEvent::NotOpened { author, why }));
    }
    // The group goes on, over the entry that is none.
    world.rotate(0);
    world.send(1, "still here").unwrap();
    world.settle_for(1);
    assert_eq!(world.nodes[0].bodies(), ["still here"]);
    world.assert_one(&[0, 1]);
}

#[test]
fn a_restored_state_follows_no_log_until_it_is_invited_anew() {
    let mut world = World::with_group(3);
    world.restart(1, true);
    world.settle();
    assert!(world.summary(1).stranded);
    assert_eq!(world.send(1, "from a copy"), Err(CommandError::Stranded));
    world.meet_relay(1);
    world.settle();
    world.invite(0, &[1], true);
    world.join(1);
    world.settle();
    world.send(1, "back").unwrap();
    world.settle();
    assert_eq!(world.nodes[0].bodies(), ["back"]);
    world.assert_one(&[0, 1, 2]);
}

#[test]
fn after_many_came_a_quarter_renew_their_keys_within_the_hour_and_all_within_the_week() {
    let mut world = World::with_group(9);
    let before = world.summary(0).epoch;
    world.settle_in(70, 60);
    world.assert_one(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(world.summary(0).epoch, before + 3, "nine leaves have three turns");
    let authors = |world: &World| -> BTreeSet<AgentId> {
        let author = |event: &Event| match event {
            Event::Group { what: GroupEvent::Changed { author, .. }, .. } => Some(*author),
            _ => None,
        };
        world.nodes[0].events.iter().filter_map(author).collect()
    };
    assert!(authors(&world).len() <= 4);
    world.settle_in(7 * 24, 60 * 60);
    assert_eq!(authors(&world).len(), 9);
    world.assert_one(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_relay_that_does_not_answer_keeps_nobody_else_waiting() {
    let mut world = World::new(3);
    world.found();
    world.silent = Some(world.id(2));
    let peers = vec![world.id(1), world.id(2)];
    let invite = GroupRequest::Invite { group: world.group, peers, anew: false };
    assert_eq!(world.ask(0, invite), Some(Ok(Answer::Done)));
    world.settle_for(15);
    let (one, other) = (world.id(1), world.id(2));
    assert!(world.saw(0, |what| *what == GroupEvent::WaitsFor(other)));
    assert_eq!(world.summary(0).members, [world.id(0), one]);
    assert_eq!((world.summary(0).epoch, world.summary(0).wanted), (1, vec![other]));
    assert_eq!(world.summary(0).changes, 0);
}

#[test]
fn offers_that_are_taken_are_made_anew_up_to_a_bound_and_given_up_in_the_end() {
    let mut world = World::new(1);
    let kept = |world: &World| {
        let of_fleet = |(namespace, ..): &&(Namespace, _, _)| *namespace == Namespace::Fleet;
        world.nodes[0].rows().iter().filter(of_fleet).count()
    };
    let (first, mut counts) = (kept(&world), Vec::new());
    for _ in 0..40 {
        world.meet_relay(0);
        world.settle();
        counts.push(kept(&world));
    }
    assert_eq!(counts[0], 2 * first, "eight, and another last resort");
    assert_eq!((counts[26], counts[27], counts[39]), (28 * first, 28 * first, 28 * first));
    world.settle_in(45, 24 * 60 * 60);
    world.meet_relay(0);
    assert_eq!(kept(&world), 0, "the card has ended, and so has each offer");
}

#[test]
fn few_that_come_make_nobody_renew_its_keys() {
    let mut world = World::with_group(3);
    let before = world.summary(0).epoch;
    world.settle_in(70, 60);
    assert_eq!(world.summary(0).epoch, before);
}

#[test]
fn a_restored_state_comes_back_by_itself() {
    let mut world = World::with_group(3);
    world.restart(1, true);
    world.settle_for(10);
    assert!(world.saw(1, |what| matches!(what, GroupEvent::Returned { .. })));
    world.send(1, "back").unwrap();
    world.rotate(0);
    world.settle_for(2);
    assert_eq!(world.nodes[0].bodies(), ["back"]);
    assert_eq!(world.nodes[2].bodies(), ["back"]);
    world.assert_one(&[0, 1, 2]);
}

#[test]
fn who_finds_a_gap_in_the_log_comes_back_and_is_told_how_much_it_missed() {
    let mut world = World::with_group(3);
    world.parted = vec![1];
    world.send(0, "missed").unwrap();
    world.rotate(0);
    world.settle_for(1);
    world.parted.clear();
    world.tampered = Some((1, Tampering::Gap));
    world.settle_for(70);
    world.tampered = None;
    world.settle_for(10);
    assert!(world.saw(1, |what| *what == GroupEvent::Stranded));
    assert!(world.saw(1, |what| matches!(what, GroupEvent::Returned { missed } if *missed >= 2)));
    assert!(world.nodes[1].bodies().is_empty());
    world.send(0, "heard").unwrap();
    world.settle();
    assert_eq!(world.nodes[1].bodies(), ["heard"]);
    world.assert_one(&[0, 1, 2]);
}

#[test]
fn who_alone_cannot_process_a_commit_comes_back_and_loses_no_message() {
    let mut world = World::with_group(4);
    world.tampered = Some((3, Tampering::Garbage));
    world.rotate(0);
    world.settle();
    world.tampered = None;
    let author = world.id(0);
    assert!(world.saw(3, |what| matches!(what, GroupEvent::PassedOver { author: by, .. }
        if *by == author)));
    world.send(3, "in doubt").unwrap();
    world.settle_for(60);
    assert!(world.saw(3, |what| matches!(what, GroupEvent::Returned { .. })));
    assert!(!world.saw(1, |what| *what == GroupEvent::Stranded));
    world.send(0, "to all").unwrap();
    world.settle_for(2);
    assert_eq!(world.nodes[3].bodies(), ["to all"]);
    for place in [0, 1, 2] {
        assert_eq!(world.nodes[place].bodies().iter().filter(|it| *it == "in doubt").count(), 1);
    }
    world.assert_one(&[0, 1, 2, 3]);
}

#[test]
fn one_member_alone_leads_nobody_into_an_epoch_that_there_is_not() {
    let mut world = World::with_group(3);
    world.send(2, "genuine").unwrap();
    world.settle();
    // Its message, as if from ten epochs on: version, format and the length of the id come before.
    let log = world.log();
    let is_message = |logged: &&Logged| matches!(logged.entry, Entry::Message(_));
    let Entry::Message(genuine) = &log.iter().rev().find(is_message).unwrap().entry else {
        panic!("no message");
    };
    let Ok(LogEntry::Message(mut ahead)) = LogEntry::decode(&genuine.0) else {
        panic!("no message")
    };
    ahead[37..45].copy_from_slice(&(world.summary(0).epoch + 10).to_be_bytes());
    world.append_garbage(2);
    world.append(2, Entry::Message(LogEntry::Message(ahead).encode().into()));
    world.settle_for(60);
    let author = world.id(2);
    for place in [0, 1] {
        assert!(!world.saw(place, |what| *what == GroupEvent::Stranded), "agent {place}");
        assert!(world.saw(place, |what| matches!(what, GroupEvent::NotOpened { author: by, why }
            if *by == author && matches!(why, GroupError::EpochAhead { .. }))));
    }
    world.rotate(0);
    world.send(1, "still here").unwrap();
    world.settle_for(2);
    assert!(world.nodes[0].bodies().contains(&"still here".to_owned()));
    world.assert_one(&[0, 1]);
}

#[test]
fn who_asks_for_the_way_back_asks_each_member_before_it_asks_one_again() {
    let mut world = World::with_group(6);
    world.tampered = Some((5, Tampering::Gap));
    world.parted = vec![0, 1, 2, 3, 4];
    world.drop_waiting();
    world.nodes[5].events.clear();
    world.settle_for(200);
    assert!(world.summary(5).stranded);
    let asked = world.nodes[5].events.iter().filter_map(|event| match event {
        Event::Moved { to, level: Level::Queued, .. } => Some(*to),
        _ => None,
    });
    let asked: Vec<_> = asked.take(5).collect();
    assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), 5, "{asked:?}");
}

#[test]
fn only_members_are_told_the_way_back_and_not_more_often_than_it_takes() {
    let mut world = World::with_group(3);
    let before = world.uploads;
    world.ask_way_back(2, 0);
    world.ask_way_back(2, 0);
    assert_eq!(world.uploads, before + 1);
    world.remove(0, 2);
    world.settle_for(20);
    world.ask_way_back(2, 0);
    assert_eq!(world.uploads, before + 1);
    // What is said about it is no message for the owner.
    assert!(world.nodes.iter().all(|node| node.bodies().is_empty()));
    world.assert_one(&[0, 1]);
}

#[test]
fn who_leaves_is_taken_out_by_an_admin_and_the_last_admin_names_another_first() {
    let mut world = World::with_group(3);
    let leave = GroupRequest::Leave(world.group);
    let last = Some(Err(CommandError::Group(GroupError::LastAdmin)));
    assert_eq!(world.ask(0, leave.clone()), last);
    world.ask(1, leave.clone());
    world.settle_for(1);
    assert!(!world.is_in(1));
    let member = world.id(2);
    let appoint = GroupRequest::Appoint { group: world.group, member, admin: true };
    assert_eq!(world.ask(0, appoint), Some(Ok(Answer::Done)));
    assert_eq!(world.summary(2).admins.len(), 2);
    assert_eq!(world.ask(0, leave), Some(Ok(Answer::Done)));
    world.settle_for(1);
    assert!(!world.is_in(0));
    assert_eq!(world.summary(2).members, [member]);
}

#[test]
fn only_an_admin_changes_who_is_there() {
    let mut world = World::with_group(3);
    let members = vec![world.id(2)];
    let remove = GroupRequest::Remove { group: world.group, members };
    let refused = Some(Err(CommandError::Group(GroupError::NotAdmin)));
    assert_eq!(world.ask(1, remove), refused);
    assert_eq!(world.summary(0).members.len(), 3);
}

#[test]
fn a_revoked_member_is_taken_out_by_whoever_hears_of_it_and_may() {
    let mut world = World::with_group(3);
    let (peer, number) = (world.id(2), world.nodes[2].card.sequence());
    world.nodes[0].request(Request::Revoke { peer, number });
    world.settle_for(1);
    assert!(!world.summary(1).members.contains(&peer));
    world.assert_one(&[0, 1]);
}

#[test]
fn one_agent_invites_to_as_many_groups_as_it_may_and_not_to_one_more() {
    let mut world = World::new(2);
    for _ in 0..=INVITATIONS_OF_ONE {
        world.found();
        world.invite(0, &[1], false);
        world.meet_relay(1);
        world.settle();
    }
    assert_eq!(world.nodes[1].router.invitations().unwrap().len(), INVITATIONS_OF_ONE);
}

/// A summons of the group that leads nowhere, as an admin would have sent it so long ago.
fn summon_as_of(world: &mut World, ago: Duration) {
    let summons = Summons {
        group: world.group,
        name: "crew".into(),
        holder: Holder { agent: RELAY, addresses: Vec::new() },
        after: EntryIndex(1),
        chain: LogChain::START,
        key: Secret::new([1; 32]),
        parts: vec![[2; 32]],
        welcome: vec![3],
    };
    let mut outgoing = text(world.id(1), "");
    outgoing.content_type = summons::CONTENT_TYPE.parse().unwrap();
    outgoing.body = summons.encode().unwrap();
    let now = world.nodes[0].now;
    world.nodes[0].now.wall = now.wall.saturating_sub(ago);
    world.nodes[0].request(Request::Send(outgoing));
    world.settle();
    world.nodes[0].now = now;
}

#[test]
fn a_summons_that_a_later_one_overtook_does_not_replace_it() {
    let mut world = World::new(2);
    world.found();
    world.invite(0, &[1], false);
    summon_as_of(&mut world, Duration::from_secs(5));
    world.join(1);
}

#[test]
fn a_later_summons_replaces_one_whose_makers_clock_was_ahead() {
    let mut world = World::new(3);
    world.found();
    world.invite(0, &[1], false);
    // It is taken out before it answers, and brought in again by a clock that was set back.
    world.remove(0, 1);
    let wall = world.nodes[0].now.wall;
    world.nodes[0].now.wall = wall.saturating_sub(Duration::from_secs(200));
    world.invite(0, &[1], false);
    world.join(1);
    world.settle_for(5);
    world.assert_one(&[0, 1]);
}

#[test]
fn an_agent_without_a_key_for_groups_is_told_so() {
    let mut alone = Node::new(1);
    let create = GroupRequest::Create { name: "crew".into(), holder: None };
    let ticket = alone.request(Request::Group(create));
    assert_eq!(alone.answer(ticket), Some(Err(CommandError::NoFleets)));
}
