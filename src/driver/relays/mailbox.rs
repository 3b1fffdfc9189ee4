//! The mailbox that a relay keeps for this agent, looked into as long as the card names the relay.

use std::sync::Arc;

use meshwork_protocols::relay::Nudge;
use meshwork_protocols::time::Timestamp;
use meshwork_router::{Brought, Mailbox, RelayNews, Turn};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::client::Client;
use crate::driver::happening::Happening;
use crate::driver::lines::Lines;

/// Fetches until the agent closes, or its card names the relay no more.
pub(super) async fn fetch(client: Arc<Client>, mut nudges: mpsc::Receiver<Nudge>, lines: Lines) {
    tokio::select! {
        _ = fetch_on(&client, &mut nudges, &lines) => {}
        () = lines.closing() => {}
    }
}

/// `None` where nobody is left to hand mail to.
async fn fetch_on(
    client: &Client,
    nudges: &mut mpsc::Receiver<Nudge>,
    lines: &Lines,
) -> Option<()> {
    let (relay, clock) = (client.agent(), lines.shared.clock);
    let mut mailbox = Mailbox::new(lines.shared.id);
    loop {
        let card = Arc::clone(lines.shared.identity.local().card());
        if !card.relays().iter().any(|named| named.agent == relay) {
            return Some(());
        }
        let now = clock.now();
        match mailbox.turn(now.monotonic, &card) {
            Turn::RestUntil(monotonic) => {
                let end = clock.instant(Timestamp { monotonic, ..now });
                tokio::select! {
                    () = sleep_until(end) => {}
                    Some(nudge) = nudges.recv() => mailbox.nudged(nudge),
                }
            }
            Turn::Ask(request) => {
                let asked = client.ask(lines, &request);
                tokio::select! {
                    answer = asked => {
                        let brought = mailbox.answered(clock.now().monotonic, answer);
                        take(lines, client, brought).await?;
                    }
                    // A long poll is given up for the pool alone: mail ends it by itself.
                    () = low_pool(nudges, &mut mailbox) => {}
                }
            }
        }
    }
}

/// Waits until the relay says that our pool runs low.
async fn low_pool(nudges: &mut mpsc::Receiver<Nudge>, mailbox: &mut Mailbox) {
    while let Some(nudge) = nudges.recv().await {
        mailbox.nudged(nudge);
        if nudge == Nudge::LowPool {
            return;
        }
    }
    std::future::pending::<()>().await;
}

async fn take(lines: &Lines, client: &Client, brought: Brought) -> Option<()> {
    let relay = client.agent();
    let Brought { depth, is_back, mail, is_at_end, failed, .. } = brought;
    lines.shared.relays.learn(relay, |state| {
        state.answers = !failed;
        state.looked |= is_at_end || failed;
        state.fetched += mail.len() as u64;
        if let Some(depth) = &depth {
            state.has(depth);
        }
    });
    if let Some(depth) = depth {
        let count = |count| usize::try_from(count).unwrap_or(usize::MAX);
        let (depth, offers) = (count(depth.prekeys), count(depth.packages));
        lines.tell(Happening::Relay(RelayNews::Met { relay, depth, offers, is_back })).await;
    }
    for kept in mail {
        lines.hand_over_mail(relay, kept).await?;
    }
    Some(())
}
