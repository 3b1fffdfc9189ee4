//! Whom an agent knows, and how it names them.

use meshwork::{
    Agent, FetchError, MeetError, PeerError, Protocol, Reason, SendError, Standing, Whom,
};

use crate::common::{acquainted, in_memory, introduce, next};

#[tokio::test]
async fn a_contact_is_enough_to_meet_a_peer() {
    let (alice, bob) = (in_memory().await, in_memory().await);
    let contact = bob.contact().unwrap();
    assert_eq!(alice.meet(&contact).await, Ok(bob.id()));
    let peers = alice.peers().await.unwrap();
    assert_eq!(peers.len(), 1);
    assert_eq!((peers[0].id, peers[0].standing), (bob.id(), Standing::Known));
    assert_eq!(peers[0].contact, Some(contact.to_string()));
    assert_eq!(peers[0].card, Some(bob.card().sequence()));
    assert_eq!(alice.card_of(bob.id()).await.unwrap().unwrap().hash(), bob.card().hash());
    assert_eq!(bob.counters().cards_served, 1);
}

#[tokio::test]
async fn a_contact_that_names_somebody_else_gets_silence_and_no_card() {
    let (alice, bob, carol) = (in_memory().await, in_memory().await, in_memory().await);
    let mut contact = bob.contact().unwrap();
    contact.agent = carol.id();
    let met = alice.meet(contact).await;
    assert!(matches!(met, Err(MeetError::Fetch(FetchError::Session(_)))), "{met:?}");
    assert_eq!(alice.peers().await, Ok(Vec::new()));
    assert_eq!(bob.counters().cards_served, 0);
}

#[tokio::test]
async fn where_nobody_listens_nobody_is_met() {
    let (alice, bob) = (in_memory().await, in_memory().await);
    let contact = bob.contact().unwrap();
    bob.close().await.unwrap();
    let met = alice.meet(contact).await.unwrap_err();
    assert!(matches!(met, MeetError::Fetch(FetchError::Unreachable(_))), "{met:?}");
    assert!(met.is_worth_a_retry());
}

#[tokio::test]
async fn nobody_meets_itself() {
    let alice = in_memory().await;
    assert_eq!(alice.meet(alice.card()).await, Err(MeetError::Oneself));
    assert_eq!(alice.meet(alice.contact().unwrap()).await, Err(MeetError::Oneself));
}

#[tokio::test]
async fn a_local_name_names_one_peer() {
    let (alice, bob, carol) = (in_memory().await, in_memory().await, in_memory().await);
    introduce(&bob, &alice).await;
    alice.meet_as(bob.card(), "bob").await.unwrap();
    let taken = alice.meet_as(Whom::from(carol.card()), "bob").await;
    assert_eq!(taken, Err(MeetError::NameTaken));
    alice.send("bob", "by name").await.unwrap();
    assert_eq!(next(&mut bob.inbox()).await.text(), Some("by name"));
    alice.name("bob", Some("robert".into())).await.unwrap();
    assert_eq!(alice.name_of(bob.id()), Some("robert".into()));
    assert_eq!(alice.send("bob", "").await, Err(SendError::UnknownPeer));
    alice.name("robert", None).await.unwrap();
    assert_eq!(alice.name("robert", None).await, Err(PeerError::UnknownPeer));
}

#[tokio::test]
async fn what_is_sent_to_nobody_or_to_a_blocked_peer_is_refused() {
    let (alice, bob) = acquainted().await;
    let stranger = in_memory().await.id();
    assert_eq!(alice.send(stranger, "").await, Err(SendError::UnknownPeer));
    alice.stand(bob.id(), Standing::Blocked).await.unwrap();
    assert_eq!(alice.send(bob.id(), "").await, Err(SendError::Blocked));
    alice.forget(bob.id()).await.unwrap();
    assert_eq!(alice.send(bob.id(), "").await, Err(SendError::UnknownPeer));
    assert_eq!(alice.forget(bob.id()).await, Err(PeerError::UnknownPeer));
}

#[tokio::test]
async fn an_explanation_says_how_a_message_would_go() {
    let alice = Agent::builder().in_memory().start().await.unwrap();
    let bob = in_memory().await;
    introduce(&alice, &bob).await;
    let before = alice.explain(bob.id()).await.unwrap();
    assert_eq!(before.choice.protocol, Protocol::Held);
    assert_eq!(
        (before.choice.reason, before.standing),
        (Reason::NotTriedYet, Some(Standing::Known))
    );
    let id = alice.send(bob.id(), "").await.unwrap();
    alice.delivered(id).await.unwrap();
    let after = alice.explain(bob.id()).await.unwrap();
    assert_eq!(after.choice.reason, Reason::SessionStands);
    assert_eq!(after.choice.protocol, Protocol::Live);
}
