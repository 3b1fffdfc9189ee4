//! The mailbox that a relay keeps for this agent: its card is there, its pool is full, and mail is
//! fetched as it comes.

use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::identity::Card;
use meshwork_protocols::relay::{Answer, Fetch, MailNumber, Request};
use meshwork_router::{RelayFailure, RelayNews};
use tokio::time::{Instant, sleep};

use super::client::Client;
use crate::driver::happening::Happening;
use crate::driver::lines::Lines;

/// How long the relay waits for mail before it says that there is none.
const WAIT: Duration = Duration::from_secs(45);

/// The most pieces fetched at once: what is not acknowledged yet is fetched once all the same.
const MOST: u16 = 256;

/// How often the mailbox is read from its start, for what could not be taken when it came, and the
/// pool is looked at.
const FROM_THE_START: Duration = Duration::from_secs(5 * 60);

/// The first wait after a relay did not answer; it doubles.
const FIRST_REST: Duration = Duration::from_millis(500);

/// The longest wait: a relay that is back is used again within it.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Fetches until the agent closes, or its card names the relay no more.
pub(super) async fn fetch(client: Arc<Client>, lines: Lines) {
    tokio::select! {
        () = fetch_on(&client, &lines) => {}
        () = lines.closing() => {}
    }
}

async fn fetch_on(client: &Client, lines: &Lines) {
    let (relay, mut rest) = (client.agent(), FIRST_REST);
    loop {
        let card = Arc::clone(lines.shared.identity.local().card());
        if !card.relays().iter().any(|named| named.agent == relay) {
            return;
        }
        let round = round(client, lines, &card).await;
        let answers = round.is_ok();
        lines.shared.relays.learn(relay, |state| {
            (state.answers, state.looked) = (answers, state.looked || !answers);
        });
        if answers {
            rest = FIRST_REST;
        } else {
            sleep(rest).await;
            rest = (rest * 2).min(LONGEST_REST);
        }
    }
}

/// Once from the start: what the relay is to have, then mail for a while, as long as the card stays.
async fn round(client: &Client, lines: &Lines, card: &Arc<Card>) -> Result<(), RelayFailure> {
    let (own, relay) = (lines.shared.id, client.agent());
    let request = Request::PutCard(card.as_bytes().to_vec().into());
    client.ask(lines, &request, Duration::ZERO).await?;
    let depth = client.ask(lines, &Request::Depth(own), Duration::ZERO).await?;
    let Answer::Depth(depth) = depth else { return Err(RelayFailure::Refused) };
    lines.shared.relays.learn(relay, |state| {
        state.answers = true;
        state.prekeys = Some(depth.prekeys);
        state.last_resorts = depth.last_resorts;
    });
    let depth = usize::try_from(depth.prekeys).unwrap_or(usize::MAX);
    lines.tell(Happening::Relay(RelayNews::Met { relay, depth })).await;
    let (mut after, until) = (MailNumber(0), Instant::now() + FROM_THE_START);
    let mut wait_for = Duration::ZERO;
    let is_same = || lines.shared.identity.local().card().sequence() == card.sequence();
    while Instant::now() < until && is_same() {
        let wait = u32::try_from(wait_for.as_millis()).unwrap_or(0);
        let request = Request::Fetch(Fetch { mailbox: own, after, most: MOST, wait });
        let Answer::Mail(mail) = client.ask(lines, &request, wait_for).await? else {
            return Err(RelayFailure::Refused);
        };
        // What is there already comes first, without a wait.
        wait_for = if mail.is_empty() { WAIT } else { Duration::ZERO };
        lines.shared.relays.learn(relay, |state| {
            state.fetched += mail.len() as u64;
            state.looked |= mail.is_empty();
        });
        for kept in mail {
            after = after.max(kept.number);
            lines.hand_over_mail(relay, kept).await.ok_or(RelayFailure::Gone)?;
        }
    }
    Ok(())
}
