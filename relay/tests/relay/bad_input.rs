//! Each line of what bad input gets: refused by name, nothing changed, counted.

use meshwork_protocols::relay::*;
use meshwork_relay::storage::{MemoryStorage, Storage, Subject};
use meshwork_relay::{Limits, Relay};

use crate::common::*;

/// Asks for something that is refused, and checks that nothing changed and that it was counted.
fn refused(
    relay: &mut Relay<MemoryStorage>,
    caller: meshwork_protocols::identity::AgentId,
    request: Request,
    refusal: Refusal,
) {
    let before = relay.metrics();
    let answer = ask(relay, caller, request);
    match &answer {
        Answer::Deposited(outcomes) => assert_eq!(outcomes.as_slice(), [Err(refusal)]),
        answer => assert_eq!(answer, &Answer::Refused(refusal)),
    }
    let after = relay.metrics();
    assert_eq!(after.stored_entries, before.stored_entries);
    assert_eq!(after.stored_bytes, before.stored_bytes);
    assert_eq!(after.batches, before.batches, "something was written");
    let count = |metrics: &meshwork_relay::Metrics| {
        metrics.refusals.get(refusal.name()).copied().unwrap_or_default()
    };
    assert_eq!(count(&after), count(&before) + 1);
}

#[test]
fn someone_elses_mailbox_is_neither_read_nor_acknowledged() {
    let (owner, thief) = (Agent::new(1, 3), someone(1));
    let mut relay = serving(&owner, Limits::default());
    deposit(&mut relay, someone(2), owner.id(), b"sealed").unwrap();
    refused(&mut relay, thief, fetch(owner.id(), 0), Refusal::NotYours);
    refused(&mut relay, thief, acknowledge(owner.id(), &[1]), Refusal::NotYours);
    refused(&mut relay, thief, Request::Depth(owner.id()), Refusal::NotYours);
    assert_eq!(fetched(&mut relay, owner.id()).len(), 1);
}

#[test]
fn an_acknowledgement_of_mail_that_never_was_is_refused() {
    let owner = Agent::new(1, 3);
    let mut relay = serving(&owner, Limits::default());
    deposit(&mut relay, someone(2), owner.id(), b"sealed").unwrap();
    refused(&mut relay, owner.id(), acknowledge(owner.id(), &[1, 2]), Refusal::NoSuchMail);
    assert_eq!(fetched(&mut relay, owner.id()).len(), 1);
}

#[test]
fn a_deposit_repeated_by_another_depositor_is_refused_before_and_after_it_was_fetched() {
    let owner = Agent::new(1, 3);
    let mut relay = serving(&owner, Limits::default());
    deposit(&mut relay, someone(2), owner.id(), b"sealed").unwrap();
    let again = Request::Deposit(vec![mail(owner.id(), b"sealed")]);
    refused(&mut relay, someone(3), again.clone(), Refusal::OtherDepositor);
    assert_eq!(ask(&mut relay, owner.id(), acknowledge(owner.id(), &[1])), Answer::Done);
    refused(&mut relay, someone(3), again, Refusal::OtherDepositor);
    assert_eq!(deposit(&mut relay, someone(2), owner.id(), b"sealed"), Ok(MailNumber(1)));
    assert!(fetched(&mut relay, owner.id()).is_empty());
}

#[test]
fn mail_for_who_is_not_served_or_with_a_bad_expiry_is_refused() {
    let owner = Agent::new(1, 3);
    let mut relay = serving(&owner, Limits::default());
    let to = |recipient, expires| {
        Request::Deposit(vec![Deposit { expires, ..mail(recipient, b"sealed") }])
    };
    let sender = someone(2);
    refused(&mut relay, sender, to(someone(9), NOW.wall + DAY), Refusal::NotServed);
    refused(&mut relay, sender, to(owner.id(), NOW.wall), Refusal::BadExpiry);
    refused(&mut relay, sender, to(owner.id(), NOW.wall + 31 * DAY), Refusal::BadExpiry);
}

#[test]
fn a_card_with_a_lower_number_another_of_the_same_or_a_changed_one_is_refused() {
    let owner = Agent::new(5, 3);
    let mut relay = serving(&owner, Limits::default());
    let older = Request::PutCard(owner.card_numbered(4));
    let newest = owner.card.sequence();
    refused(&mut relay, owner.id(), older, Refusal::OlderCard { newest });
    let other = Agent { pair: Agent::new(6, 1).pair, ..Agent::new(5, 3) };
    let same_number = Request::PutCard(other.card_numbered(5));
    refused(&mut relay, owner.id(), same_number, Refusal::ConflictingCard);
    let mut changed = owner.card.as_bytes().to_vec();
    *changed.last_mut().unwrap() ^= 1;
    refused(&mut relay, owner.id(), Request::PutCard(changed.into()), Refusal::Unsigned);
    refused(&mut relay, someone(1), owner.put_card(), Refusal::NotYours);
    // The same one again is no fault.
    assert_eq!(ask(&mut relay, owner.id(), owner.put_card()), Answer::Done);
    let newer = owner.card_numbered(7);
    assert_eq!(ask(&mut relay, owner.id(), Request::PutCard(newer.clone())), Answer::Done);
    let card = ask(&mut relay, someone(1), Request::GetCard(owner.id()));
    assert_eq!(card, Answer::Card(Some(newer)));
}

#[test]
fn an_unsigned_bundle_or_pool_is_refused() {
    let owner = Agent::new(1, 5);
    let mut relay = serving(&owner, Limits::default());
    let bundle: Opaque = owner.bundle.as_bytes().to_vec().into();
    let publish = |bundle: &Opaque, pool| {
        let publication = Publication::Prekeys { bundle: bundle.clone(), pool: Some(pool) };
        Request::Publish(Publish { mode: PublishMode::Replace, publication })
    };
    let changed = |bytes: &Opaque| {
        let mut changed = bytes.clone();
        *changed.0.last_mut().unwrap() ^= 1;
        changed
    };
    let pool = owner.signed_keys();
    let me = owner.id();
    refused(&mut relay, me, publish(&changed(&bundle), pool.clone()), Refusal::Unsigned);
    let unsigned = SignedKeys { pool: changed(&pool.pool), ..pool.clone() };
    refused(&mut relay, me, publish(&bundle, unsigned), Refusal::Unsigned);
    // A key that the signature is not over.
    let mut exchanged = pool.clone();
    exchanged.keys.swap(0, 1);
    refused(&mut relay, me, publish(&bundle, exchanged), Refusal::Unsigned);
    // Somebody else's.
    let other = Agent::new(2, 5);
    refused(&mut relay, me, publish(&bundle, other.signed_keys()), Refusal::Unsigned);
    let theirs: Opaque = other.bundle.as_bytes().to_vec().into();
    refused(&mut relay, me, publish(&theirs, pool), Refusal::Unsigned);
    // Without a card nothing is verified.
    refused(&mut relay, other.id(), other.publish(), Refusal::NotServed);
    assert!(taken(&mut relay, someone(1), me, 1).is_some(), "the keys of before are there");
}

#[test]
fn a_blob_whose_hash_is_wrong_is_refused() {
    let mut relay = relay();
    let put = |hash, bytes: &[u8]| Request::PutBlob {
        hash,
        expires: NOW.wall + DAY,
        bytes: bytes.to_vec().into(),
    };
    refused(&mut relay, someone(1), put([7; 32], b"sealed"), Refusal::WrongHash);
    let blob = ask(&mut relay, someone(1), Request::GetBlob([7; 32]));
    assert_eq!(blob, Answer::Blob(None));
}

#[test]
fn older_rules_are_refused_and_keys_of_who_has_none() {
    let owner = Agent::new(1, 3);
    let mut relay = serving(&owner, Limits::default());
    let rules = |revision| {
        let strangers = StrangerQuota { pieces: 0, bytes: 0 };
        let known = [].iter();
        Request::SetRules(Rules::new(
            PROVIDER,
            revision,
            RulesKey([revision as u8; 32]),
            known,
            strangers,
        ))
    };
    assert_eq!(ask(&mut relay, owner.id(), rules(4)), Answer::Done);
    refused(&mut relay, owner.id(), rules(3), Refusal::Older);
    refused(&mut relay, someone(2), rules(9), Refusal::NotServed);
    refused(&mut relay, someone(2), take(someone(3), 1), Refusal::NoKeys);
    let stranger = Request::Deposit(vec![mail(owner.id(), b"sealed")]);
    refused(&mut relay, someone(2), stranger, Refusal::Unwanted);
}

#[test]
fn names_of_logs_and_values_show_no_more_than_their_start() {
    let subject = Subject::new(1, &[0xab; 32]);
    assert_eq!(format!("{subject:?}"), "1/abab");
    assert_eq!(MemoryStorage::new().totals().unwrap().entries, 0);
}
