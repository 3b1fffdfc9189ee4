//! Two agents in one process: one offers a service, the other calls it, many times at once.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use meshwork::{Agent, Asked, CallError, Declined};

/// Adds up the numbers of a line. What is no number fails, which the caller learns, and no more.
async fn add(asked: Asked) -> Result<Vec<u8>, Declined> {
    let mut sum: u64 = 0;
    for number in asked.text().unwrap_or_default().split_whitespace() {
        sum += number.parse::<u64>()?;
    }
    Ok(sum.to_string().into_bytes())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let alice = Agent::builder().in_memory().start().await?;
    let bob = Agent::builder().in_memory().listen("127.0.0.1:0").start().await?;
    // Who calls must be known at the other end too: strangers get silence.
    alice.meet(bob.card()).await?;
    bob.meet(alice.card()).await?;

    // Offered until the guard is dropped.
    let _serving = bob.serve("add", add)?;

    let answer = alice.call(bob.id(), "add", "1 2 3").await?;
    println!("1 + 2 + 3 = {}", String::from_utf8_lossy(&answer));

    let many = (0..100_u64).map(|number| {
        let (alice, bob) = (alice.clone(), bob.id());
        tokio::spawn(async move { alice.call(bob, "add", format!("{number} {number}")).await })
    });
    let mut answered = 0;
    for call in many.collect::<Vec<_>>() {
        answered += usize::from(call.await?.is_ok());
    }
    println!("{answered} of 100 calls at once were answered");

    // Whether it is safe to call again, whatever the service does, is part of each error.
    let call = alice.call(bob.id(), "add", "1 two").deadline(Duration::from_secs(5));
    match call.await {
        Err(error @ CallError::Refused(_)) => {
            println!("1 + two: {error}; it may have run: {}", error.may_have_run());
        }
        other => println!("1 + two: {other:?}"),
    }

    let dealings = alice.peer(bob.id()).await?.ok_or("bob is known")?.dealings;
    println!("{} handshake, reused {} times", dealings.handshakes, dealings.reuses);
    Ok(())
}
