//! Two agents in one process: one sends, the other reads, and the sender learns of it.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use meshwork::{Agent, FirstContact};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let alice = Agent::builder().in_memory().start().await?;
    let bob = Agent::builder()
        .in_memory()
        .listen("127.0.0.1:0")
        .first_contact(FirstContact::Accept)
        .start()
        .await?;

    let contact = bob.contact().ok_or("bob listens nowhere")?;
    let id = alice.meet(contact).await?;
    let message = alice.send(id, "hello, bob").await?;

    let delivery = bob.inbox().next().await.ok_or("bob has stopped")?;
    println!("{}: {} ({})", delivery.sender, delivery.text().unwrap_or("?"), delivery.posture);
    delivery.processed().await?;

    let status = alice.settled(message).await?;
    println!("{message}: {:?}, because {}", status.level, status.choice.reason);
    Ok(())
}
