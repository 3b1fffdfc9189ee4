//! Three agents in one process form a group over a relay, and one of them is taken out again.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;

use meshwork::{Agent, Asks, Contact, GroupId, RelaySettings};

/// An agent whose card names the relay, which hands out what it is added by.
async fn member(relay: &Contact) -> Result<Agent, Box<dyn Error>> {
    Ok(Agent::builder().in_memory().listen("127.0.0.1:0").relay(relay.clone()).start().await?)
}

/// Invites an agent, and again while its offers are not at the relay yet; then it joins.
async fn bring_in(admin: &Agent, group: GroupId, invitee: &Agent) -> Result<(), Box<dyn Error>> {
    while invitee.groups().invitations().await?.is_empty() {
        let now = admin.groups().one(group).await?;
        if now.changes == 0 && !now.members.contains(&invitee.id()) {
            admin.groups().invite(group, [invitee.id()]).await?;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(invitee.groups().join(group).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let host = Agent::builder().in_memory().listen("127.0.0.1:0").start().await?;
    let _relaying = host.relay(RelaySettings::new(folder.path().join("relay.redb"))).await?;
    let contact = host.contact().ok_or("the relay listens nowhere")?;

    let (alice, bob, carol) =
        (member(&contact).await?, member(&contact).await?, member(&contact).await?);
    for one in [&alice, &bob, &carol] {
        for other in [&alice, &bob, &carol] {
            if one.id() != other.id() {
                one.meet(other.card()).await?;
            }
        }
    }

    let group = alice.groups().create("crew").await?;
    bring_in(&alice, group, &bob).await?;
    bring_in(&alice, group, &carol).await?;
    let now = alice.groups().until(group, |now| now.members.len() == 3).await?;
    println!("{}: {} members in epoch {}", now.name, now.members.len(), now.epoch);

    let hello = alice.groups().message(group).asks(Asks::Delivered).send("hello, crew").await?;
    for agent in [&bob, &carol] {
        let delivery = agent.inbox().next().await.ok_or("it has stopped")?;
        println!("{} reads: {}", agent.id(), delivery.text().unwrap_or("?"));
        delivery.processed().await?;
    }
    let settled = alice.groups().settled(hello).await?;
    let all = settled.delivered as usize + settled.undelivered.len();
    println!("delivered {} of {all}", settled.delivered);

    alice.groups().remove(group, [carol.id()]).await?;
    alice.groups().until(group, |now| now.members.len() == 2).await?;
    bob.groups().send(group, "without carol").await?;
    let delivery = alice.inbox().next().await.ok_or("it has stopped")?;
    println!("{} reads: {}", alice.id(), delivery.text().unwrap_or("?"));
    println!("carol has {} unread messages", usize::from(carol.unread().next().await.is_some()));
    Ok(())
}
