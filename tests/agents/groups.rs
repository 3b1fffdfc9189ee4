//! Groups of agents over a relay that one of them runs apart.

use meshwork::{Agent, GroupId, Protocol, RelaySettings, Relaying};

use crate::common::{Home, next, start, until};

/// An agent that is a relay.
async fn relay(home: &Home) -> (Agent, Relaying) {
    let agent = home.listening().await;
    let relaying = agent.relay(RelaySettings::new(home.path().join("relay.redb"))).await.unwrap();
    (agent, relaying)
}

/// An agent whose card names the relay.
async fn served(home: &Home, relay: &Agent) -> Agent {
    let contact = relay.contact().unwrap();
    start(|| home.builder().listen("127.0.0.1:0").relay(contact.clone())).await
}

/// Each knows each.
async fn introduce(agents: &[&Agent]) {
    for one in agents {
        for other in agents.iter().filter(|other| other.id() != one.id()) {
            one.meet(other.card()).await.unwrap();
        }
    }
}

/// Brings an agent in, however long its offers take to reach the relay.
async fn bring_in(admin: &Agent, group: GroupId, invitee: &Agent) {
    until(async || {
        let there = admin.groups().one(group).await.unwrap();
        if !there.members.contains(&invitee.id()) && there.changes == 0 {
            admin.groups().invite(group, [invitee.id()]).await.unwrap();
        }
        !invitee.groups().invitations().await.unwrap().is_empty()
    })
    .await;
    invitee.groups().join(group).await.unwrap();
}

#[tokio::test]
async fn agents_form_a_group_and_one_that_is_removed_hears_nothing_more() {
    let homes = [Home::new(), Home::new(), Home::new(), Home::new()];
    let (relay_agent, _relaying) = relay(&homes[0]).await;
    let alice = served(&homes[1], &relay_agent).await;
    let bob = served(&homes[2], &relay_agent).await;
    let carol = served(&homes[3], &relay_agent).await;
    introduce(&[&alice, &bob, &carol]).await;

    let group = alice.groups().create("crew").await.unwrap();
    bring_in(&alice, group, &bob).await;
    bring_in(&alice, group, &carol).await;
    alice.groups().send(group, "hello, crew").await.unwrap();
    for agent in [&bob, &carol] {
        let delivery = next(&mut agent.inbox()).await;
        assert_eq!((delivery.text(), delivery.group), (Some("hello, crew"), Some(group)));
        assert_eq!((delivery.sender, delivery.protocol), (alice.id(), Protocol::Fleet));
        delivery.processed().await.unwrap();
    }

    // One is away, and comes back to what was said meanwhile.
    bob.close().await.unwrap();
    alice.groups().send(group, "while you were away").await.unwrap();
    let bob = served(&homes[2], &relay_agent).await;
    assert_eq!(next(&mut bob.inbox()).await.text(), Some("while you were away"));

    // One is taken out, and hears nothing of what comes then.
    next(&mut carol.inbox()).await.processed().await.unwrap();
    alice.groups().remove(group, [carol.id()]).await.unwrap();
    until(async || carol.groups().all().await.unwrap().is_empty()).await;
    bob.groups().send(group, "without carol").await.unwrap();
    assert_eq!(next(&mut alice.inbox()).await.text(), Some("without carol"));
    assert!(carol.unread().next().await.is_none());
}
