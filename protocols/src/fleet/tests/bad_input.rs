//! What each kind of bad input gets: an error with a name, and a group that is as it was.

use alloc::vec;
use alloc::vec::Vec;

use openmls::credentials::CredentialWithKey;
use openmls::group::MlsGroup;
use openmls::key_packages::{KeyPackage, Lifetime};
use openmls::prelude::tls_codec::Serialize as _;
use openmls::prelude::{LeafNodeIndex, LeafNodeParameters, MlsMessageOut};
use openmls_traits::OpenMlsProvider as _;

use crate::fleet::fixture::{Agent, Fleet, Known, PROVIDER};
use crate::fleet::mls::Mls;
use crate::fleet::{
    Charter, Credential, Fault, Group, GroupError, Invitation, LogEntry, Offer, OfferError, Plan,
    Refusal, Suite, entry_proofs,
};
use crate::identity::{AgentId, Relay, Unverified, fixture as identity};
use crate::relay::LogId;
use crate::time::CLOCK_TOLERANCE;

/// What a member sends that keeps to MLS and to no rule of ours.
fn forge(
    fleet: &Fleet,
    by: usize,
    make: impl FnOnce(&mut MlsGroup, &Mls<'_>, &Agent) -> MlsMessageOut,
) -> Vec<u8> {
    let agent = &fleet.agents[by];
    agent.with(|around, _| {
        let mut group = Group::load(around, fleet.id).unwrap();
        let mls = around.mls();
        make(group.without_rules(), &mls, agent).to_bytes().unwrap()
    })
}

fn forge_commit(
    fleet: &Fleet,
    by: usize,
    associated: Vec<u8>,
    add: &[KeyPackage],
    remove: &[u32],
    charter: Option<&Charter>,
) -> LogEntry {
    LogEntry::Commit(forge(fleet, by, |group, mls, agent| {
        group.set_aad(associated);
        let mut builder = group
            .commit_builder()
            .propose_adds(add.iter().cloned())
            .propose_removals(remove.iter().map(|leaf| LeafNodeIndex::new(*leaf)));
        if let Some(charter) = charter {
            builder =
                builder.propose_group_context_extensions(charter.extensions().unwrap()).unwrap();
        }
        let staged = builder
            .load_psks(mls.storage())
            .unwrap()
            .build(mls.rand(), mls.crypto(), &agent.key, |_| true)
            .unwrap();
        staged.stage_commit(mls).unwrap().into_commit()
    }))
}

/// What everybody but the author finds, and finds alike.
fn verdict(fleet: &mut Fleet, by: usize, entry: &LogEntry) -> GroupError {
    let (id, known) = (fleet.id, &fleet.known);
    let others = fleet.agents.iter_mut().enumerate().filter(|(place, _)| *place != by);
    let mut verdicts: Vec<_> =
        others.map(|(_, agent)| agent.receive(id, known, entry).unwrap_err()).collect();
    verdicts.dedup();
    assert_eq!(verdicts.len(), 1, "{verdicts:?}");
    verdicts[0]
}

fn key_package(agent: &Agent, lifetime: Lifetime) -> KeyPackage {
    agent.with(|around, local| {
        let mls = around.mls();
        KeyPackage::builder()
            .key_package_lifetime(lifetime)
            .leaf_node_capabilities(Suite::XWing.capabilities())
            .build(
                Suite::XWing.of_openmls(),
                &mls,
                local.key,
                Credential::of(local.card).with_key(local.key),
            )
            .unwrap()
            .into_key_package()
    })
}

#[test]
fn a_change_by_a_member_who_is_no_admin_is_refused_by_everybody() {
    let mut fleet = Fleet::new(3);
    let author = fleet.agents[1].id();
    let mut carol = Agent::new(9);
    fleet.known.cards.insert(carol.card.hash(), carol.card.clone());
    let offer = carol.offer();
    let (proofs, _) = entry_proofs::encode(PROVIDER, &[offer.proof()]).unwrap();
    let add = [offer.package().clone()];
    let own = Charter::of_founder(author);
    for entry in [
        forge_commit(&fleet, 1, proofs, &add, &[], None),
        forge_commit(&fleet, 1, vec![], &[], &[2], None),
        forge_commit(&fleet, 1, vec![], &[], &[], Some(&own)),
    ] {
        assert_eq!(verdict(&mut fleet, 1, &entry), Refusal::NotAdmin(author).into());
    }
    // And an honest one asks nobody for it.
    let id = fleet.id;
    let plan = Plan { remove: &[fleet.agents[2].id()], ..Plan::default() };
    assert_eq!(fleet.agents[1].commit(id, &plan), Err(GroupError::NotAdmin));
    fleet.check_message(1);
}

#[test]
fn a_log_that_does_not_move_on_by_one_is_refused_by_everybody() {
    let mut fleet = Fleet::new(3);
    let (id, author) = (fleet.id, fleet.agents[0].id());
    let address = "tcp:relay.example.org:443".parse().unwrap();
    let holder = Relay { agent: fleet.agents[2].id(), addresses: vec![address] };
    let once = Charter::of_founder(author).moved(&holder, LogId([1; 32])).unwrap();
    let twice = once.moved(&holder, LogId([2; 32])).unwrap();
    let forged = forge_commit(&fleet, 0, vec![], &[], &[], Some(&twice));
    assert_eq!(verdict(&mut fleet, 0, &forged), Refusal::Log.into());
    let plan = |charter| Plan { charter: Some(charter), ..Plan::default() };
    assert_eq!(fleet.agents[0].commit(id, &plan(&twice)), Err(Refusal::Log.into()));
    fleet.commit(0, &plan(&once));
    let never = Charter::of_founder(author);
    let forged = forge_commit(&fleet, 0, vec![], &[], &[], Some(&never));
    assert_eq!(verdict(&mut fleet, 0, &forged), Refusal::Log.into());
    // What moves it is an admin's.
    let forged = forge_commit(&fleet, 1, vec![], &[], &[], Some(&twice));
    let why = Refusal::NotAdmin(fleet.agents[1].id());
    assert_eq!(verdict(&mut fleet, 1, &forged), why.into());
    fleet.commit(0, &plan(&twice));
    fleet.check_message(1);
}

#[test]
fn a_key_package_without_its_hybrid_signature_is_refused_by_everybody() {
    let mut fleet = Fleet::new(3);
    let mut carol = Agent::new(9);
    let mut dave = Agent::new(10);
    for agent in [&carol, &dave] {
        fleet.known.cards.insert(agent.card.hash(), agent.card.clone());
    }
    let (hers, his, other) = (carol.offer(), dave.offer(), carol.offer());
    let add = [hers.package().clone()];
    let encode =
        |proofs: &[&crate::fleet::EntryProof]| entry_proofs::encode(PROVIDER, proofs).unwrap().0;
    let cases = [
        (vec![], Refusal::AssociatedData),
        (vec![1, 0, 0], Refusal::AssociatedData),
        (vec![2, 0, 0], Refusal::AssociatedData),
        (encode(&[hers.proof(), his.proof()]), Refusal::AssociatedData),
        (encode(&[his.proof()]), Refusal::NotSigned(carol.id())),
        (encode(&[other.proof()]), Refusal::NotSigned(carol.id())),
    ];
    for (associated, refusal) in cases {
        let entry = forge_commit(&fleet, 0, associated, &add, &[], None);
        assert_eq!(verdict(&mut fleet, 0, &entry), refusal.into());
    }
    let entry = forge_commit(&fleet, 0, encode(&[hers.proof()]), &[], &[2], None);
    let refused = fleet.agents[1].receive(fleet.id, &fleet.known, &entry);
    assert_eq!(refused, Err(Refusal::AssociatedData.into()));
    fleet.check_message(0);
}

#[test]
fn a_key_package_whose_lifetime_a_clock_could_end_is_refused_by_everybody() {
    let mut fleet = Fleet::new(2);
    let carol = Agent::new(9);
    fleet.known.cards.insert(carol.card.hash(), carol.card.clone());
    let package = key_package(&carol, Lifetime::init(0, (u64::MAX >> 1) - 1));
    let offer = {
        let mut carol = Agent::new(9);
        carol.offer()
    };
    let (proofs, _) = entry_proofs::encode(PROVIDER, &[offer.proof()]).unwrap();
    let entry = forge_commit(&fleet, 0, proofs, &[package], &[], None);
    assert_eq!(verdict(&mut fleet, 0, &entry), Refusal::Lifetime(carol.id()).into());
}

#[test]
fn a_member_that_claims_anothers_card_is_refused_by_everybody() {
    let mut fleet = Fleet::new(3);
    let victim = Credential::of(&fleet.agents[2].card);
    let entry = LogEntry::Commit(forge(&fleet, 1, |group, mls, agent| {
        let CredentialWithKey { credential, .. } = victim.with_key(&agent.key);
        let claimed = CredentialWithKey { credential, signature_key: agent.key.public().into() };
        let leaf = LeafNodeParameters::builder().with_credential_with_key(claimed).build();
        let builder = group.commit_builder().force_self_update(true).leaf_node_parameters(leaf);
        let staged = builder
            .load_psks(mls.storage())
            .unwrap()
            .build(mls.rand(), mls.crypto(), &agent.key, |_| true)
            .unwrap();
        staged.stage_commit(mls).unwrap().into_commit()
    }));
    let refused = verdict(&mut fleet, 1, &entry);
    assert_eq!(refused, Refusal::KeyNotInCard(victim.agent).into());
    assert_eq!(refused.fault(), Fault::PeerMisbehaved);
}

#[test]
fn a_charter_that_leaves_no_admin_is_refused_by_everybody() {
    let mut fleet = Fleet::new(2);
    let stranger = Charter::of_founder(AgentId::from_bytes([9; 32]));
    let entry = forge_commit(&fleet, 0, vec![], &[], &[], Some(&stranger));
    assert_eq!(verdict(&mut fleet, 0, &entry), Refusal::NoAdmin.into());
    let id = fleet.id;
    let plan = Plan { charter: Some(&stranger), ..Plan::default() };
    assert_eq!(fleet.agents[0].commit(id, &plan), Err(GroupError::LastAdmin));
}

#[test]
fn a_removal_that_leaves_an_invitation_is_refused_by_everybody() {
    let mut fleet = Fleet::new(3);
    let removed = fleet.agents[2].id();
    let mut charter = Charter::of_founder(fleet.agents[0].id());
    charter.invited.insert(removed, u64::MAX);
    fleet.commit(0, &Plan { charter: Some(&charter), ..Plan::default() });
    let entry = forge_commit(&fleet, 0, vec![], &[], &[2], None);
    assert_eq!(verdict(&mut fleet, 0, &entry), Refusal::StillInvited(removed).into());
}

#[test]
fn a_proposal_on_its_own_and_an_entry_of_another_kind_are_refused() {
    let mut fleet = Fleet::new(2);
    let proposal = forge(&fleet, 0, |group, mls, agent| {
        group.propose_self_update(mls, &agent.key, LeafNodeParameters::default()).unwrap().0
    });
    for entry in [LogEntry::Message(proposal.clone()), LogEntry::Commit(proposal)] {
        assert_eq!(verdict(&mut fleet, 0, &entry), Refusal::LoneProposal.into());
    }
    let LogEntry::Message(message) = fleet.agents[0].seal(fleet.id, b"text") else {
        unreachable!()
    };
    let entry = LogEntry::Commit(message.clone());
    assert_eq!(verdict(&mut fleet, 0, &entry), Refusal::WrongKind.into());
    let signature = crate::identity::HybridSignature::from_bytes(&[0; 3373]);
    let entry = LogEntry::Rejoin { commit: message, signature };
    assert_eq!(verdict(&mut fleet, 0, &entry), Refusal::InClear.into());
}

#[test]
fn a_return_that_the_signing_pair_did_not_sign_is_refused_by_everybody() {
    let mut fleet = Fleet::new(3);
    let (info, tree) = (fleet.info.clone(), fleet.agents[0].tree(fleet.id));
    let known = &fleet.known;
    let step = fleet.agents[2]
        .with(|around, local| Group::rejoin(around, local, known, &info, &tree))
        .unwrap();
    let LogEntry::Rejoin { commit, signature } = step.output.commit.entry else { unreachable!() };
    let mut bytes = *signature.as_bytes();
    bytes[100] ^= 1;
    let signature = crate::identity::HybridSignature::from_bytes(&bytes);
    let back = fleet.agents[2].id();
    let entry = LogEntry::Rejoin { commit: commit.clone(), signature };
    assert_eq!(verdict(&mut fleet, 2, &entry), Refusal::ReturnNotSigned(back).into());
    let entry = LogEntry::Commit(commit);
    assert_eq!(verdict(&mut fleet, 2, &entry), Refusal::InClear.into());
    fleet.check_message(0);
}

#[test]
fn a_commit_by_a_removed_member_and_an_entry_of_another_group_are_refused() {
    let mut fleet = Fleet::new(3);
    let id = fleet.id;
    let rotate = Plan { rotate: true, ..Plan::default() };
    let stale = fleet.agents[2].commit(id, &rotate).unwrap();
    let gone = fleet.agents[2].id();
    fleet.agents[2].on(id, |group, around, _| group.withdraw(around)).unwrap();
    fleet.commit(0, &Plan { remove: &[gone], ..Plan::default() });
    fleet.agents.truncate(2);
    let over = verdict(&mut fleet, 9, &stale.entry);
    assert!(matches!(over, GroupError::EpochOver { .. }));
    let mut stranger = Agent::new(9);
    let elsewhere = stranger.create();
    let entry = stranger.seal(elsewhere, b"elsewhere");
    assert_eq!(verdict(&mut fleet, 9, &entry), GroupError::OtherGroup);
}

#[test]
fn an_entry_of_an_epoch_ahead_waits() {
    let mut fleet = Fleet::new(2);
    let id = fleet.id;
    let rotate = Plan { rotate: true, ..Plan::default() };
    let missed = fleet.agents[0].commit(id, &rotate).unwrap();
    fleet.agents[0].merge(id);
    let ahead = fleet.agents[0].seal(id, b"later");
    let waiting = fleet.agents[1].receive(id, &fleet.known, &ahead).unwrap_err();
    assert_eq!(waiting, GroupError::EpochAhead { ours: 1, theirs: 2 });
    assert_eq!(waiting.fault(), Fault::NotNow);
    fleet.follow(0, &missed.entry);
    fleet.follow(0, &ahead);
}

#[test]
fn every_changed_byte_and_every_cut_of_an_entry_is_refused() {
    let mut fleet = Fleet::new(2);
    let id = fleet.id;
    let message = fleet.agents[0].seal(id, b"text");
    let commit = fleet.agents[0].commit(id, &Plan { rotate: true, ..Plan::default() }).unwrap();
    for entry in [message, commit.entry] {
        let wrap = |bytes| match &entry {
            LogEntry::Message(_) => LogEntry::Message(bytes),
            _ => LogEntry::Commit(bytes),
        };
        let (LogEntry::Message(bytes) | LogEntry::Commit(bytes)) = &entry else { unreachable!() };
        let step = bytes.len().div_ceil(40);
        for place in (0..bytes.len()).step_by(step) {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            for bad in [changed, bytes[..place].to_vec()] {
                let result = fleet.agents[1].receive(id, &fleet.known, &wrap(bad));
                assert!(result.is_err(), "{place}");
            }
        }
        let trailing = [bytes.as_slice(), &[0]].concat();
        let result = fleet.agents[1].receive(id, &fleet.known, &wrap(trailing));
        assert_eq!(result, Err(GroupError::Malformed));
        fleet.agents[1].receive(id, &fleet.known, &entry).unwrap();
    }
}

#[test]
fn what_is_longer_than_it_may_be_is_refused_unread() {
    let mut fleet = Fleet::new(1);
    let id = fleet.id;
    let long = |most| vec![0; most + 1];
    for entry in [
        LogEntry::Message(long(crate::fleet::entry::MAX_MESSAGE_LENGTH)),
        LogEntry::Commit(long(crate::fleet::entry::MAX_COMMIT_LENGTH)),
    ] {
        let result = fleet.agents[0].receive(id, &fleet.known, &entry);
        assert_eq!(result, Err(GroupError::TooLong));
    }
    let agent = &mut fleet.agents[0];
    for (length, fits) in [(0, true), (1, false)] {
        let payload = vec![7; crate::fleet::MAX_PAYLOAD_LENGTH + length];
        let sealed = agent.on(id, |group, around, local| group.seal(around, local, &payload));
        assert_eq!(sealed.is_ok(), fits);
        if let Ok(LogEntry::Message(bytes)) = sealed {
            assert!(bytes.len() <= crate::fleet::entry::MAX_MESSAGE_LENGTH);
        }
    }
    let known = Known::default();
    agent.with(|around, local| {
        let welcome = long(crate::fleet::MAX_WELCOME_LENGTH);
        let opened = Invitation::open(around, &known, &welcome, &[]);
        assert_eq!(opened.map(drop), Err(GroupError::TooLong));
        let info = long(crate::fleet::MAX_INFO_LENGTH);
        let back = Group::rejoin(around, local, &known, &info, &[]);
        assert_eq!(back.map(drop), Err(GroupError::TooLong));
    });
}

#[test]
fn another_suite_is_refused_by_its_code_point() {
    let (mut alice, mut bob) = (Agent::new(1), Agent::new(2));
    let known = Known::of(&[&alice, &bob]);
    let offer = bob.offer();
    let id = alice.create();
    let offers = [offer.clone()];
    let commit = alice.commit(id, &Plan { add: &offers, ..Plan::default() }).unwrap();
    alice.merge(id);
    let tree = alice.tree(id);
    for code in [0x0001_u16, 0x004D, 0x004E, 0xF001] {
        let [high, low] = code.to_be_bytes();
        let mut welcome = commit.welcomes[0].bytes.clone();
        (welcome[4], welcome[5]) = (high, low);
        let mut info = commit.info.clone();
        (info[6], info[7]) = (high, low);
        bob.with(|around, local| {
            let opened = Invitation::open(around, &known, &welcome, &tree);
            assert_eq!(opened.map(drop), Err(GroupError::UnknownSuite(code)));
            let back = Group::rejoin(around, local, &known, &info, &tree);
            assert_eq!(back.map(drop), Err(GroupError::UnknownSuite(code)));
        });
    }
    // The card's pair signed it all the same.
    let package = offer.package().tls_serialize_detached().unwrap();
    assert_eq!(package[..4], [0, 1, 0, 0x4F]);
    let suite = bob.with(|around, _| around.suite);
    assert_eq!(suite.check(0x0001), Err(0x0001));
}

#[test]
fn an_offer_is_refused_for_each_thing_that_is_wrong_with_it() {
    let (mut alice, mut bob) = (Agent::new(1), Agent::new(2));
    let offer = bob.offer();
    let bytes = offer.encode();
    let card = bob.card.clone();
    let mut verify = |bytes: &[u8], card: &crate::identity::Card, now| {
        alice.now = now;
        let parsed = Unverified::<Offer>::parse(PROVIDER, bytes)?;
        alice.with(|around, _| parsed.verify(around, card))
    };
    let now = identity::NOW;
    let verified = verify(&bytes, &card, now).unwrap();
    assert_eq!(verified.encode(), bytes);
    assert_eq!(verified.agent(), bob.id());
    let end = offer.proof().not_after;
    let error = |bytes: &[u8], verify: &mut dyn FnMut(&[u8]) -> Result<Offer, OfferError>| {
        verify(bytes).map(drop).unwrap_err()
    };
    let mut plain = |bytes: &[u8]| verify(bytes, &card, now);
    // One fault each.
    assert_eq!(error(&bytes[..3400], &mut plain), OfferError::TooShort);
    assert_eq!(error(&[], &mut plain), OfferError::TooShort);
    for (place, expected) in [
        (0, OfferError::UnsupportedVersion(0)),
        (1, OfferError::WrongCard),
        (33, OfferError::WrongCard),
        (81, OfferError::Malformed),
        (82, OfferError::BadSignature),
        (82 + 64, OfferError::BadSignature),
        (82 + 3373 + 10, OfferError::BadSignature),
    ] {
        let mut changed = bytes.clone();
        changed[place] ^= if place == 81 { 2 } else { 1 };
        assert_eq!(error(&changed, &mut plain), expected, "{place}");
    }
    let mut backwards = bytes.clone();
    backwards[73] = 0;
    backwards[74..81].fill(0);
    assert_eq!(error(&backwards, &mut plain), OfferError::BadValidity);
    let long = [bytes.as_slice(), &[0; 8 * 1024]].concat();
    assert_eq!(error(&long, &mut plain), OfferError::TooLong);
    let trailing = [bytes.as_slice(), &[0]].concat();
    assert_eq!(error(&trailing, &mut plain), OfferError::BadSignature);
    let other = Agent::new(3).card;
    assert_eq!(verify(&bytes, &other, now).map(drop), Err(OfferError::WrongCard));
    // Time, with the tolerance that clocks are given. The card ends with the offer.
    let past = end + CLOCK_TOLERANCE + core::time::Duration::from_millis(1);
    assert_eq!(verify(&bytes, &card, past).map(drop), Err(OfferError::CardNotValid));
    let before = now.saturating_sub(CLOCK_TOLERANCE + core::time::Duration::from_millis(1));
    assert_eq!(verify(&bytes, &card, before).map(drop), Err(OfferError::CardNotValid));
}

#[test]
fn a_member_is_not_added_twice() {
    let mut fleet = Fleet::new(2);
    let id = fleet.id;
    let offers = [fleet.agents[1].offer()];
    let bob = fleet.agents[1].id();
    let plan = Plan { add: &offers, ..Plan::default() };
    assert_eq!(fleet.agents[0].commit(id, &plan), Err(GroupError::Member(bob)));
    let nobody = AgentId::from_bytes([7; 32]);
    let plan = Plan { remove: &[nobody], ..Plan::default() };
    assert_eq!(fleet.agents[0].commit(id, &plan), Err(GroupError::NoMember(nobody)));
    assert_eq!(fleet.agents[0].commit(id, &Plan::default()), Err(GroupError::Empty));
}
