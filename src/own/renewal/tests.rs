use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::{Root, Validity};
use meshwork_protocols::live::Suite;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::{FleetProvider, Provider};
use meshwork_protocols::time::WallTime;
use meshwork_state::{Batch, MemoryStore, Namespace, Rows, Store};

use meshwork_router::PrekeySettings;

use super::{FORGOTTEN, Presence, Rotation};
use crate::own::{Own, OwnError};

const NOW: WallTime = WallTime::from_secs(1_800_000_000);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn provider() -> Arc<dyn FleetProvider> {
    Arc::new(AwsLc)
}

fn root() -> Root {
    Root::generate(&AwsLc, &mut *AwsLc.random()).unwrap()
}

fn at(address: &str) -> Presence {
    Presence { addresses: Some(vec![address.parse().unwrap()]), ..Presence::default() }
}

/// An agent and the rows that keep it, with the root among them or not.
fn agent(brought: Option<Root>) -> (Own, MemoryStore) {
    let (own, batch) = Own::create(provider(), brought, &Presence::default(), NOW).unwrap();
    let store = MemoryStore::default();
    store.commit(&batch).unwrap();
    (own, store)
}

fn load(rows: &dyn Rows, brought: Option<Root>, now: WallTime) -> Result<Own, OwnError> {
    Own::load(rows, provider(), brought, now)
}

/// The agent with its next card.
fn renewed(mut own: Own, store: &MemoryStore, now: WallTime) -> Own {
    let next = own.next_card(&Presence::default(), Rotation::WhenDue, now).unwrap().unwrap();
    store.commit(&next.batch).unwrap();
    own.adopt(next);
    own
}

#[test]
fn an_agent_is_the_same_when_it_is_read_again() {
    let (own, store) = agent(None);
    let again = load(&store, None, NOW).unwrap();
    assert_eq!((again.agent(), again.card().hash()), (own.agent(), own.card().hash()));
    assert!(again.local().is_ok() && again.can_sign());
}

#[test]
fn an_agent_of_a_version_without_deferred_messages_gets_an_identity_for_them_and_a_card() {
    let (own, store) = agent(None);
    let named = own.card().deferred_identity().map(<[u8]>::to_vec);
    assert!(named.is_some() && own.deferred(PrekeySettings::default()).unwrap().is_some());
    assert!(Own::complete(&store, &AwsLc).unwrap().is_empty());
    let mut batch = Batch::new();
    batch.delete(Namespace::Own, *b"deferred-identity");
    store.commit(&batch).unwrap();
    store.commit(&Own::complete(&store, &AwsLc).unwrap()).unwrap();
    let own = load(&store, None, NOW).unwrap();
    assert!(own.deferred(PrekeySettings::default()).unwrap().is_none(), "the card names another");
    assert!(own.wants_card(&Presence::default(), NOW));
    let own = renewed(own, &store, NOW);
    assert!(own.deferred(PrekeySettings::default()).unwrap().is_some());
    assert_ne!(own.card().deferred_identity().map(<[u8]>::to_vec), named);
    assert!(!load(&store, None, NOW).unwrap().wants_card(&Presence::default(), NOW));
}

#[test]
fn a_card_is_renewed_in_the_middle_of_its_time_and_the_next_live_key_comes_into_use() {
    let (own, store) = agent(None);
    let middle = NOW + Validity::MAX / 2;
    let presence = Presence::default();
    assert!(!own.wants_card(&presence, middle.saturating_sub(Duration::from_millis(1))));
    assert!(own.wants_card(&presence, middle));
    let before = Arc::clone(own.card());
    let own = renewed(own, &store, middle);
    let after = own.card();
    assert!(after.sequence() > before.sequence());
    assert_eq!(Some(after.live_key()), before.next_live_key());
    assert_ne!(after.next_live_key(), before.next_live_key());
    assert_eq!(after.validity().not_after, middle + Validity::MAX);
    assert!(own.local().is_ok());
    assert_eq!(load(&store, None, middle).unwrap().card().hash(), after.hash());
}

#[test]
fn another_address_makes_a_new_card_with_the_same_keys_and_none_makes_none() {
    let (own, _) = agent(None);
    let presence = at("tcp:192.0.2.1:7400");
    assert!(own.wants_card(&presence, NOW) && !own.wants_card(&Presence::default(), NOW));
    let before = Arc::clone(own.card());
    let next = own.next_card(&presence, Rotation::WhenDue, NOW).unwrap().unwrap();
    assert_eq!(own.card().hash(), before.hash(), "nothing changes before it is durable");
    let mut own = own;
    own.adopt(next);
    assert_eq!(Some(own.card().addresses()), presence.addresses.as_deref());
    assert_eq!(own.card().live_key(), before.live_key());
    assert_eq!(own.card().sequence().value(), before.sequence().value() + 1);
}

#[test]
fn a_machine_that_other_suites_suit_gets_a_new_card_that_lists_them_best_first() {
    let (mut own, _) = agent(None);
    for has_aes in [true, false] {
        let suites = Suite::best_first(has_aes);
        let presence = Presence { suites: Some(suites.to_vec()), ..Presence::default() };
        assert!(own.wants_card(&presence, NOW));
        let next = own.next_card(&presence, Rotation::WhenDue, NOW).unwrap().unwrap();
        own.adopt(next);
        assert_eq!(own.card().suites(), suites.map(Suite::byte));
        assert!(!own.wants_card(&presence, NOW) && !own.wants_card(&Presence::default(), NOW));
    }
}

#[test]
fn a_state_that_was_put_back_leaves_behind_the_cards_that_it_forgot() {
    let (own, store) = agent(None);
    // Signed after the copy was made, in the same second.
    let forgotten = own.next_card(&at("tcp:192.0.2.1:1"), Rotation::Now, NOW).unwrap().unwrap();
    let mut put_back = load(&store, None, NOW).unwrap();
    store.commit(&put_back.fall_behind()).unwrap();
    // A start that ends here does not make it forget.
    let put_back = load(&store, None, NOW).unwrap();
    assert!(put_back.wants_card(&Presence::default(), NOW));
    let put_back = renewed(put_back, &store, NOW);
    assert!(put_back.card().sequence() > forgotten.card.sequence());
    assert_eq!(put_back.card().sequence().value(), NOW.as_secs() + FORGOTTEN.as_secs());
    assert!(!put_back.wants_card(&Presence::default(), NOW));
    assert!(!load(&store, None, NOW).unwrap().wants_card(&Presence::default(), NOW));
}

#[test]
fn a_root_that_is_kept_apart_is_not_in_the_rows_and_signs_while_it_is_here() {
    let root = root();
    let seeds = root.seeds().clone();
    let (own, store) = agent(Some(root));
    assert!(own.can_sign());
    let without = load(&store, None, NOW).unwrap();
    assert!(!without.can_sign());
    let presence = at("tcp:192.0.2.1:7400");
    assert!(without.wants_card(&presence, NOW));
    assert!(without.next_card(&presence, Rotation::WhenDue, NOW).unwrap().is_none());
    let again = Root::from_seeds(&AwsLc, seeds).unwrap();
    assert!(
        load(&store, Some(again), NOW)
            .unwrap()
            .next_card(&presence, Rotation::WhenDue, NOW)
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_card_that_ended_asks_for_the_root() {
    let (_, with_root) = agent(None);
    let apart = root();
    let seeds = apart.seeds().clone();
    let (_, without_root) = agent(Some(apart));
    let late = NOW + Validity::MAX + DAY;
    let own = load(&with_root, None, late).unwrap();
    assert!(own.wants_card(&Presence::default(), late));
    assert!(renewed(own, &with_root, late).card().check_validity(late).is_ok());
    assert!(matches!(load(&without_root, None, late), Err(OwnError::Card(_))));
    let again = Root::from_seeds(&AwsLc, seeds).unwrap();
    assert!(load(&without_root, Some(again), late).is_ok());
}

#[test]
fn the_root_of_another_agent_is_refused() {
    let (own, store) = agent(None);
    let refused = load(&store, Some(root()), NOW).map(|_| ());
    assert_eq!(refused, Err(OwnError::AnotherRoot(own.agent())));
}
