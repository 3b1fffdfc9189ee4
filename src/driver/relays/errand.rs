//! What the router wants of a relay, as requests; and what came of it, as news.

use std::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{
    Answer, Deposit, KeyKind, MAX_DEPOSITS, MailNumber, OneTime, Publication, Publish, PublishMode,
    Request, SignedKeys, TakeId, Taken,
};
use meshwork_protocols::time::WallTime;
use meshwork_router::{
    DepositId, RelayFailure, RelayNews, RelayPool, TakeId as Asked, TakenKey, TakenPrekeys,
};

use super::client::{Client, failure};
use crate::driver::happening::Happening;
use crate::driver::lines::Lines;

/// The most errands that are run together: what one request of deposits holds, and its like of
/// acknowledgements.
pub(super) const TOGETHER: usize = 2 * MAX_DEPOSITS;

/// The most bytes of packets in one request: with what is around each it stays below what a call
/// carries, and one of the largest goes alone.
const PACKETS: usize = 512 << 10;

/// Something to do at a relay.
#[derive(Debug)]
pub(super) enum Errand {
    /// Leave a packet for somebody.
    Deposit { deposit: DepositId, to: AgentId, expires: WallTime, frame: Vec<u8> },
    /// Ask for somebody's prekeys.
    Take { request: Asked, of: AgentId },
    /// Mail need not be kept any more.
    Acknowledge(u64),
    /// Keep own prekeys.
    Publish { bundle: Vec<u8>, pool: Option<RelayPool> },
}

/// Runs them: first what waits for a key, then what others wait for.
pub(super) async fn run(client: &Client, lines: &Lines, errands: Vec<Errand>) {
    let (mut deposits, mut numbers) = (Vec::new(), Vec::new());
    for errand in errands {
        match errand {
            Errand::Deposit { deposit, to, expires, frame } => {
                let packet = frame.into();
                deposits.push((deposit, Deposit { recipient: to, expires, packet }));
            }
            Errand::Acknowledge(number) => numbers.push(MailNumber(number)),
            Errand::Take { request, of } => take(client, lines, request, of).await,
            Errand::Publish { bundle, pool } => publish(client, lines, bundle, pool).await,
        }
    }
    for together in batches(deposits) {
        leave(client, lines, together).await;
    }
    if !numbers.is_empty() {
        numbers.sort_unstable();
        numbers.dedup();
        let count = numbers.len() as u64;
        lines.shared.relays.learn(client.agent(), |state| state.acknowledged += count);
        let request = Request::Acknowledge { mailbox: lines.shared.id, numbers };
        // One that is lost is made again when the mail comes again.
        let _ = client.ask(lines, &request, Duration::ZERO).await;
    }
}

/// So many together as a request holds.
fn batches(deposits: Vec<(DepositId, Deposit)>) -> Vec<Vec<(DepositId, Deposit)>> {
    let mut batches: Vec<Vec<_>> = Vec::new();
    let mut bytes = 0;
    for deposit in deposits {
        bytes += deposit.1.packet.len();
        match batches.last_mut() {
            Some(last) if last.len() < MAX_DEPOSITS && bytes <= PACKETS => last.push(deposit),
            _ => {
                bytes = deposit.1.packet.len();
                batches.push(vec![deposit]);
            }
        }
    }
    batches
}

async fn leave(client: &Client, lines: &Lines, deposits: Vec<(DepositId, Deposit)>) {
    let (ids, deposits): (Vec<_>, Vec<_>) = deposits.into_iter().unzip();
    let answer = client.ask(lines, &Request::Deposit(deposits), Duration::ZERO).await;
    let outcomes = match answer {
        Ok(Answer::Deposited(outcomes)) => outcomes,
        Ok(_) => return fail(lines, ids, RelayFailure::Refused).await,
        Err(why) => return fail(lines, ids, why).await,
    };
    // One that the relay is silent about is not there.
    let mut outcomes = outcomes.into_iter();
    for deposit in ids {
        let news = match outcomes.next() {
            Some(Ok(_)) => RelayNews::Deposited(deposit),
            Some(Err(refusal)) => RelayNews::NotDeposited { deposit, why: failure(refusal) },
            None => RelayNews::NotDeposited { deposit, why: RelayFailure::Gone },
        };
        lines.tell(Happening::Relay(news)).await;
    }
}

async fn fail(lines: &Lines, ids: Vec<DepositId>, why: RelayFailure) {
    for deposit in ids {
        lines.tell(Happening::Relay(RelayNews::NotDeposited { deposit, why })).await;
    }
}

async fn take(client: &Client, lines: &Lines, request: Asked, of: AgentId) {
    let prekeys = taken(client, lines, request, of).await;
    let relay = client.agent();
    lines.tell(Happening::Relay(RelayNews::Taken { relay, of, prekeys })).await;
}

async fn taken(
    client: &Client,
    lines: &Lines,
    Asked(request): Asked,
    of: AgentId,
) -> Result<TakenPrekeys, RelayFailure> {
    let card = match client.ask(lines, &Request::GetCard(of), Duration::ZERO).await? {
        Answer::Card(card) => card.map(|card| card.0),
        _ => return Err(RelayFailure::Refused),
    };
    let take = Request::Take { target: of, kind: KeyKind::Prekeys, id: TakeId(request) };
    let Answer::Taken(Taken::Prekeys { bundle, one_time }) =
        client.ask(lines, &take, Duration::ZERO).await?
    else {
        return Err(RelayFailure::Refused);
    };
    let one_time = one_time.map(|OneTime { pool, key }| TakenKey { pool: pool.0, key });
    Ok(TakenPrekeys { card, bundle: bundle.0, one_time })
}

async fn publish(client: &Client, lines: &Lines, bundle: Vec<u8>, pool: Option<RelayPool>) {
    let number = pool.as_ref().map(|pool| pool.number);
    let replaces = pool.as_ref().is_some_and(|pool| pool.replaces);
    let mode = if replaces { PublishMode::Replace } else { PublishMode::Add };
    let pool = pool.map(|pool| SignedKeys { pool: pool.signed.into(), keys: pool.keys });
    let publication = Publication::Prekeys { bundle: bundle.into(), pool };
    let request = Request::Publish(Publish { mode, publication });
    let relay = client.agent();
    if let Ok(Answer::Depth(depth)) = client.ask(lines, &request, Duration::ZERO).await {
        lines.shared.relays.learn(relay, |state| {
            state.prekeys = Some(depth.prekeys);
            state.last_resorts = depth.last_resorts;
        });
        lines.tell(Happening::Relay(RelayNews::Published { relay, pool: number })).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deposits(sizes: &[usize]) -> Vec<(DepositId, Deposit)> {
        let recipient = AgentId::from_bytes([1; 32]);
        let deposit = |size: &usize| Deposit {
            recipient,
            expires: WallTime::from_secs(1),
            packet: vec![0; *size].into(),
        };
        (0..).map(DepositId).zip(sizes.iter().map(deposit)).collect()
    }

    fn lengths(sizes: &[usize]) -> Vec<usize> {
        batches(deposits(sizes)).iter().map(Vec::len).collect()
    }

    #[test]
    fn deposits_go_together_up_to_the_bounds_of_a_request_and_one_past_goes_alone() {
        assert_eq!(lengths(&[1; MAX_DEPOSITS]), [MAX_DEPOSITS]);
        assert_eq!(lengths(&[1; MAX_DEPOSITS + 1]), [MAX_DEPOSITS, 1]);
        assert_eq!(lengths(&[PACKETS / 2, PACKETS / 2, 1]), [2, 1]);
        assert_eq!(lengths(&[PACKETS + 1, 1, PACKETS + 1]), [1, 1, 1]);
        assert!(lengths(&[]).is_empty());
    }
}
