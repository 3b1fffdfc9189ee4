use alloc::vec;
use core::time::Duration;

use crate::fleet::fixture::{Agent, Fleet, Known, PROVIDER};
use crate::fleet::mls::Label;
use crate::fleet::{
    Charter, Fault, FleetKey, Group, GroupError, Invitation, LogEntry, MAX_PAST, Offer,
    PAST_LIFETIME, Plan, Received, Refusal,
};
use crate::identity::Sequence;
use crate::provider::pure::Pure;
use crate::secret::Secret;
use crate::time::WallTime;

#[test]
fn every_member_reads_every_other() {
    let mut fleet = Fleet::new(4);
    for from in 0..4 {
        fleet.check_message(from);
    }
    let mut expected: vec::Vec<_> = fleet.agents.iter().map(Agent::id).collect();
    for agent in &fleet.agents {
        assert_eq!(agent.members(fleet.id), expected);
    }
    expected.dedup();
    assert_eq!(expected.len(), 4);
}

/// Sealings go over several threads; no byte hangs on their order. Beside the message secrets of an
/// epoch openmls notes the system's time, which nothing here reads.
#[test]
fn one_seed_decides_every_byte_where_the_provider_honours_it() {
    const SECRETS: u8 = Label::MessageSecrets as u8;
    let run = || {
        let mut fleet = Fleet::on(&Pure, 6);
        let commit = fleet.commit(2, &Plan { rotate: true, ..Plan::default() });
        let message = fleet.agents[3].seal(fleet.id, b"hello");
        let rows: vec::Vec<_> = fleet.agents.into_iter().map(|agent| agent.rows.0).collect();
        (commit, message, rows)
    };
    let (mut first, mut second) = (run(), run());
    for rows in [&mut first.2, &mut second.2].into_iter().flatten() {
        let before = rows.len();
        rows.retain(|key, _| {
            !matches!(key[..], [0, SECRETS, ..] | [1, _, _, _, _, _, _, _, _, SECRETS, ..])
        });
        assert!(rows.len() < before && rows.len() > 10);
    }
    assert!(first == second);
}

#[test]
fn an_invitation_uses_nothing_up_until_it_is_accepted() {
    let (mut alice, mut bob) = (Agent::new(1), Agent::new(2));
    let known = Known::of(&[&alice, &bob]);
    let offer = [bob.offer()];
    let id = alice.create();
    let commit = alice.commit(id, &Plan { add: &offer, ..Plan::default() }).unwrap();
    alice.merge(id);
    let (welcome, tree) = (&commit.welcomes[0], alice.tree(id));
    assert_eq!(welcome.agent, bob.id());
    let before = bob.rows.clone();
    for _ in 0..2 {
        let seen = bob.with(|around, _| {
            let invitation = Invitation::open(around, &known, &welcome.bytes, &tree).unwrap();
            assert_eq!(invitation.group(), id);
            assert!(invitation.charter().is_admin(&invitation.inviter()));
            (invitation.inviter(), invitation.members().to_vec())
        });
        assert_eq!(seen.0, alice.id());
        assert_eq!(seen.1.len(), 2);
        assert_eq!(bob.rows, before);
    }
    bob.join(&known, &welcome.bytes, &tree);
    assert_eq!(bob.authenticator(id), alice.authenticator(id));
    // The key package went in the transaction that joined.
    let again =
        bob.with(|around, _| Invitation::open(around, &known, &welcome.bytes, &tree).map(drop));
    assert!(again.is_err());
}

#[test]
fn a_last_resort_serves_two_groups_and_an_ordinary_offer_one() {
    let (mut alice, mut bob) = (Agent::new(1), Agent::new(2));
    let known = Known::of(&[&alice, &bob]);
    for (last_resort, second) in [(true, None), (false, Some(GroupError::NotForUs))] {
        let offer = [bob.offer_of(last_resort)];
        let mut outcome = None;
        for _ in 0..2 {
            let id = alice.create();
            let commit = alice.commit(id, &Plan { add: &offer, ..Plan::default() }).unwrap();
            alice.merge(id);
            let tree = alice.tree(id);
            let welcome = &commit.welcomes[0].bytes;
            let joined =
                bob.run(|around, _| Invitation::open(around, &known, welcome, &tree)?.accept());
            outcome = joined.err();
        }
        assert_eq!(outcome, second);
    }
}

#[test]
fn of_two_commits_at_once_one_wins_and_the_loser_goes_on_by_itself() {
    let mut fleet = Fleet::new(3);
    let rotate = Plan { rotate: true, ..Plan::default() };
    let id = fleet.id;
    let winner = fleet.agents[1].commit(id, &rotate).unwrap();
    let loser = fleet.agents[2].commit(id, &rotate).unwrap();
    assert_eq!(fleet.agents[2].commit(id, &rotate), Err(GroupError::Pending));
    fleet.agents[1].merge(id);
    let received = fleet.follow(1, &winner.entry);
    assert!(matches!(received[0], Received::Commit { lost: false, .. }));
    assert!(matches!(received[1], Received::Commit { lost: true, .. }));
    let late = fleet.agents[0].receive(id, &fleet.known, &loser.entry).unwrap_err();
    assert_eq!(late.fault(), Fault::NotNow);
    fleet.check_agreement();
    // It proposes again.
    fleet.commit(2, &rotate);
    fleet.check_agreement();
    fleet.check_message(2);
}

#[test]
fn ones_own_commit_is_known_when_the_log_gives_it_back() {
    let mut fleet = Fleet::new(2);
    let id = fleet.id;
    let plan = Plan { rotate: true, ..Plan::default() };
    let commit = fleet.agents[0].commit(id, &plan).unwrap();
    let received = fleet.agents[0].receive(id, &fleet.known, &commit.entry);
    assert_eq!(received, Ok(Received::OwnCommit));
    fleet.follow(0, &commit.entry);
    fleet.check_agreement();
    let own = fleet.agents[0].seal(id, b"mine");
    assert_eq!(fleet.agents[0].receive(id, &fleet.known, &own), Ok(Received::OwnMessage));
    fleet.check_message(1);
}

#[test]
fn a_commit_that_is_withdrawn_leaves_the_group_as_it_was() {
    let mut fleet = Fleet::new(2);
    let id = fleet.id;
    let before = fleet.agents[0].authenticator(id);
    fleet.agents[0].commit(id, &Plan { rotate: true, ..Plan::default() }).unwrap();
    fleet.agents[0].on(id, |group, around, _| group.withdraw(around)).unwrap();
    assert_eq!(fleet.agents[0].authenticator(id), before);
    let nothing = fleet.agents[0].on(id, |group, around, _| group.withdraw(around));
    assert_eq!(nothing, Err(GroupError::NothingPending));
    fleet.commit(0, &Plan { rotate: true, ..Plan::default() });
    fleet.check_agreement();
}

#[test]
fn a_late_message_opens_within_the_window_once_and_not_past_it() {
    let mut fleet = Fleet::new(2);
    let id = fleet.id;
    let rotate = Plan { rotate: true, ..Plan::default() };
    let late: vec::Vec<_> = (0..3_u8).map(|n| fleet.agents[0].seal(id, &[n])).collect();
    for _ in 0..MAX_PAST {
        fleet.commit(1, &rotate);
    }
    let reader = &mut fleet.agents[1];
    let opened = reader.receive(id, &fleet.known, &late[1]).unwrap();
    assert!(matches!(opened, Received::Message { payload, .. } if payload.expose() == [1]));
    assert_eq!(reader.receive(id, &fleet.known, &late[1]), Err(GroupError::Replayed));
    // However long nobody followed the log, by whatever clock, but not for ever.
    reader.now = reader.now + 10 * 365 * 24 * PAST_LIFETIME;
    let nearly = PAST_LIFETIME - Duration::from_secs(1);
    assert!(reader.on(id, |group, around, _| group.age(around, nearly)).unwrap());
    reader.receive(id, &fleet.known, &late[0]).unwrap();
    let before = reader.rows.len();
    let last = Duration::from_secs(1);
    assert!(!reader.on(id, |group, around, _| group.age(around, last)).unwrap());
    assert!(reader.rows.len() < before);
    let over = reader.receive(id, &fleet.known, &late[2]).unwrap_err();
    assert!(matches!(over, GroupError::EpochOver { .. }), "{over}");
}

#[test]
fn a_late_message_of_an_epoch_past_the_window_does_not_open() {
    let mut fleet = Fleet::new(2);
    let id = fleet.id;
    let rotate = Plan { rotate: true, ..Plan::default() };
    let late = fleet.agents[0].seal(id, b"late");
    for _ in 0..=MAX_PAST {
        fleet.commit(1, &rotate);
    }
    let over = fleet.agents[1].receive(id, &fleet.known, &late).unwrap_err();
    assert!(matches!(over, GroupError::EpochOver { .. }), "{over}");
}

#[test]
fn messages_open_in_any_order() {
    let mut fleet = Fleet::new(2);
    let id = fleet.id;
    let sealed: vec::Vec<_> = (0..64_u8).map(|n| fleet.agents[0].seal(id, &[n])).collect();
    for (number, entry) in (0..64_u8).zip(&sealed).rev() {
        let received = fleet.agents[1].receive(id, &fleet.known, entry).unwrap();
        assert!(matches!(received, Received::Message { payload, .. }
            if payload.expose() == [number]));
    }
}

#[test]
fn a_member_that_leaves_is_removed_by_the_next_admin_and_nothing_of_the_group_stays() {
    let mut fleet = Fleet::new(3);
    let id = fleet.id;
    let alone = fleet.agents[0].on(id, |group, around, local| group.leave(around, local));
    assert_eq!(alone, Err(GroupError::LastAdmin));
    let entry = fleet.agents[2].on(id, |group, around, local| group.leave(around, local)).unwrap();
    let leaver = fleet.agents[2].id();
    assert_eq!(fleet.follow(2, &entry), [Received::Leaving(leaver), Received::Leaving(leaver)]);
    let commit = fleet.commit(0, &Plan { remove: &[leaver], ..Plan::default() });
    assert!(fleet.agents[2].rows.is_empty());
    let gone = fleet.agents[2].receive(id, &fleet.known, &commit.entry);
    assert_eq!(gone, Err(GroupError::NoGroup));
    fleet.agents.truncate(2);
    fleet.check_agreement();
    fleet.check_message(1);
}

#[test]
fn an_admin_that_names_another_may_leave() {
    let mut fleet = Fleet::new(2);
    let charter =
        Charter { admins: fleet.agents.iter().map(Agent::id).collect(), ..Charter::default() };
    fleet.commit(0, &Plan { charter: Some(&charter), ..Plan::default() });
    let id = fleet.id;
    let entry = fleet.agents[0].on(id, |group, around, local| group.leave(around, local)).unwrap();
    fleet.follow(0, &entry);
    let leaver = fleet.agents[0].id();
    fleet.commit(1, &Plan { remove: &[leaver], ..Plan::default() });
    assert!(fleet.agents[0].rows.is_empty());
    assert_eq!(fleet.agents[1].members(id), [fleet.agents[1].id()]);
}

#[test]
fn a_newer_card_comes_into_the_tree_with_ones_next_commit() {
    let mut fleet = Fleet::new(2);
    let mut body = fleet.agents[1].card.body().clone();
    body.sequence = Sequence::next(Some(body.sequence), body.validity.not_before);
    fleet.agents[1].card = crate::identity::fixture::sign(2, body);
    let card = fleet.agents[1].card.clone();
    let id = fleet.id;
    let commit = fleet.agents[1].commit(id, &Plan { rotate: true, ..Plan::default() }).unwrap();
    fleet.agents[1].merge(id);
    let missing = fleet.agents[0].receive(id, &fleet.known, &commit.entry);
    assert_eq!(missing, Err(GroupError::MissingCard(card.hash())));
    fleet.known.cards.insert(card.hash(), card);
    fleet.follow(1, &commit.entry);
    fleet.check_agreement();
}

#[test]
fn another_fleet_key_comes_into_the_tree_by_a_commit_that_the_earlier_one_signs() {
    let mut fleet = Fleet::new(3);
    let id = fleet.id;
    let (earlier, old_card) = {
        let agent = &mut fleet.agents[1];
        let key = FleetKey::from_seed(PROVIDER, Secret::new([0x77; 32])).unwrap();
        let mut body = agent.card.body().clone();
        body.sequence = Sequence::next(Some(body.sequence), body.validity.not_before);
        body.fleet_key = Some(key.public().to_vec());
        let card = crate::identity::fixture::sign(2, body);
        fleet.known.cards.insert(card.hash(), card.clone());
        let old_card = core::mem::replace(&mut agent.card, card);
        (core::mem::replace(&mut agent.key, key), old_card)
    };
    // With the new key alone nothing goes out that nobody would take.
    let agent = &mut fleet.agents[1];
    let alone = agent.on(id, |group, around, local| group.seal(around, local, b"lost"));
    assert_eq!(alone.unwrap_err(), GroupError::OtherKey);
    let alone = agent.commit(id, &Plan { rotate: true, ..Plan::default() });
    assert_eq!(alone.unwrap_err(), GroupError::OtherKey);
    let plan = Plan { rotate: true, previous: Some(&earlier), ..Plan::default() };
    fleet.commit(1, &plan);
    fleet.check_agreement();
    fleet.check_message(1);
    fleet.commit(1, &Plan { rotate: true, ..Plan::default() });
    // What the earlier key signs is nothing any more.
    let agent = &mut fleet.agents[1];
    let (key, card) = (core::mem::replace(&mut agent.key, earlier), agent.card.clone());
    agent.card = old_card;
    let old = agent.on(id, |group, around, local| group.seal(around, local, b"lost"));
    assert_eq!(old.unwrap_err(), GroupError::OtherKey);
    (agent.key, agent.card) = (key, card);
    fleet.check_message(0);
}

#[test]
fn who_is_invited_comes_in_by_itself_until_the_invitation_ends() {
    let mut fleet = Fleet::new(2);
    let id = fleet.id;
    let (carol, dave) = (Agent::new(9), Agent::new(10));
    for agent in [&carol, &dave] {
        fleet.known.cards.insert(agent.card.hash(), agent.card.clone());
    }
    let come = |fleet: &Fleet, agent: &Agent| {
        let (info, tree) = (fleet.info.clone(), fleet.agents[0].tree(id));
        let step = agent
            .with(|around, local| Group::rejoin(around, local, &fleet.known, &info, &tree))
            .unwrap();
        (step.output.commit, step.changes)
    };
    // The invitation holds for the epoch that it leads to, and for one more.
    let mut charter = Charter::of_founder(fleet.agents[0].id());
    charter.invited.insert(carol.id(), 3);
    charter.invited.insert(dave.id(), 2);
    fleet.commit(0, &Plan { charter: Some(&charter), ..Plan::default() });
    fleet.commit(1, &Plan { rotate: true, ..Plan::default() });
    let late = come(&fleet, &dave).0.entry;
    let refused = fleet.agents[0].receive(id, &fleet.known, &late);
    assert_eq!(refused, Err(Refusal::Uninvited(dave.id()).into()));
    let (commit, changes) = come(&fleet, &carol);
    for received in fleet.follow(2, &commit.entry) {
        assert!(matches!(received, Received::Commit { change, .. }
            if change.author == carol.id() && change.added == [carol.id()]));
    }
    fleet.agents.push(carol);
    fleet.info = commit.info;
    fleet.agents[2].rows.adopt(changes);
    fleet.check_agreement();
    fleet.check_message(2);
    // Who is removed does not come in again.
    let carol = fleet.agents[2].id();
    let removal =
        fleet.agents[0].commit(id, &Plan { remove: &[carol], ..Plan::default() }).unwrap();
    fleet.agents[0].merge(id);
    fleet.follow(0, &removal.entry);
    let carol = fleet.agents.pop().unwrap();
    fleet.info = removal.info;
    let again: LogEntry = come(&fleet, &carol).0.entry;
    let refused = fleet.agents[1].receive(id, &fleet.known, &again);
    assert_eq!(refused, Err(Refusal::Uninvited(carol.id()).into()));
}

/// openmls asks the system's clock whether the lifetime of an added leaf holds. That of every leaf
/// here began at the clock's first second and does not end, so that no clock has another answer; the
/// time that we are given is what differs below.
#[test]
fn clocks_ten_years_apart_change_nothing_between_members() {
    const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
    let mut fleet = Fleet::new(4);
    let mut carol = Agent::new(9);
    fleet.known.cards.insert(carol.card.hash(), carol.card.clone());
    let now = carol.now;
    let offers = [carol.offer()];
    fleet.agents[1].now = now + TEN_YEARS;
    fleet.agents[2].now = WallTime::from_secs(now.as_secs() - TEN_YEARS.as_secs());
    fleet.agents[3].now = WallTime::from_millis(0);
    let commit = fleet.commit(0, &Plan { add: &offers, ..Plan::default() });
    carol.now = now + TEN_YEARS;
    let tree = fleet.agents[1].tree(fleet.id);
    carol.join(&fleet.known, &commit.welcomes[0].bytes, &tree);
    fleet.agents.push(carol);
    for by in [1, 2, 3, 4] {
        fleet.commit(by, &Plan { rotate: true, ..Plan::default() });
        fleet.check_agreement();
        fleet.check_message(by);
    }
}

#[test]
fn who_lost_the_group_comes_back_and_everybody_goes_on() {
    let mut fleet = Fleet::new(3);
    let id = fleet.id;
    fleet.agents[2].rows.0.clear();
    // Any member can tell the way.
    let info = fleet.agents[1].on(id, |group, around, local| group.info(around, local)).unwrap();
    let tree = fleet.agents[0].tree(id);
    let known = &fleet.known;
    let step = fleet.agents[2]
        .with(|around, local| Group::rejoin(around, local, known, &info, &tree))
        .unwrap();
    fleet.agents[2].rows.adopt(step.changes);
    let entry = step.output.commit.entry;
    let received = fleet.follow(2, &entry);
    let back = fleet.agents[2].id();
    assert!(matches!(&received[0], Received::Commit { change, .. }
        if change.author == back && change.added.is_empty() && change.removed.is_empty()));
    assert_eq!(fleet.agents[2].receive(id, &fleet.known, &entry), Ok(Received::OwnCommit));
    fleet.check_agreement();
    fleet.check_message(2);
    fleet.check_message(0);
    fleet.commit(2, &Plan { rotate: true, ..Plan::default() });
    fleet.check_agreement();
    assert_eq!(fleet.agents[0].members(id).len(), 3);
}

#[test]
fn an_offer_that_is_given_up_leaves_nothing_in_the_rows() {
    let mut agent = Agent::new(30);
    let before = agent.rows.len();
    let offer = agent.offer();
    assert!(agent.rows.len() > before);
    let name = agent.with(|around, _| offer.name(around)).unwrap();
    for _ in 0..2 {
        agent.run(|around, _| Offer::forget(around, &name)).unwrap();
        assert_eq!(agent.rows.len(), before);
    }
    let none = agent.run(|around, _| Offer::forget(around, &name[1..]));
    assert_eq!(none, Err(GroupError::Malformed));
}

#[test]
fn many_are_added_at_once_by_the_hash_of_their_proofs() {
    let mut fleet = Fleet::new(18);
    assert_eq!(fleet.known.blobs.len(), 1);
    fleet.check_message(17);
    // Who lacks the proofs waits for them.
    let mut late = Agent::new(40);
    let mut alice = Agent::new(41);
    let mut new: vec::Vec<_> = (50..67).map(Agent::new).collect();
    let everybody: vec::Vec<_> = new.iter().chain([&late, &alice]).collect();
    let mut known = Known::of(&everybody);
    let id = alice.create();
    let offers = [late.offer()];
    let commit = alice.commit(id, &Plan { add: &offers, ..Plan::default() }).unwrap();
    alice.merge(id);
    late.join(&known, &commit.welcomes[0].bytes, &alice.tree(id));
    let offers: vec::Vec<_> = new.iter_mut().map(Agent::offer).collect();
    let commit = alice.commit(id, &Plan { add: &offers, ..Plan::default() }).unwrap();
    alice.merge(id);
    let missing = late.receive(id, &known, &commit.entry).unwrap_err();
    assert!(matches!(missing, GroupError::MissingProofs(_)));
    assert_eq!(missing.fault(), Fault::NotNow);
    known.with_proofs(&commit);
    late.receive(id, &known, &commit.entry).unwrap();
    assert_eq!(late.authenticator(id), alice.authenticator(id));
}
