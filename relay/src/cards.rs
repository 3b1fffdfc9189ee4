//! Cards that agents put here: with one, an agent is served.

use meshwork_protocols::identity::{
    AgentId, Card, CardError, CardMark, Newest, Supersession, Unverified, supersede,
};
use meshwork_protocols::provider::Provider;
use meshwork_protocols::relay::{Answer, Opaque, Refusal};
use meshwork_protocols::time::WallTime;

use crate::decision::{Decision, Stop};
use crate::entry;
use crate::storage::{Change, Condition, Most, Record, Storage, StorageError, Subject, Then};

/// Keeps the caller's card, if it is newer than the one that is here.
pub(crate) fn put(
    storage: &dyn Storage,
    provider: &dyn Provider,
    caller: AgentId,
    bytes: &Opaque,
    now: WallTime,
) -> Result<Decision, Stop> {
    // 1. It is the caller's own, signed, and counts now.
    let card = Unverified::<Card>::parse(&bytes.0)
        .and_then(|card| card.verify(provider, now))
        .map_err(refusal)?;
    if card.agent() != caller {
        return Err(Refusal::NotYours.into());
    }
    // 2. None that is here is newer, and there are no two of one number.
    let subject = entry::card(&caller);
    let newest = newest(storage, &subject)?;
    let held = newest.as_ref().map(|record| held(provider, &record.bytes)).transpose()?;
    match held.as_ref().map(|held| supersede(Newest::Card(held.into()), CardMark::from(&card))) {
        None | Some(Supersession::Replaces) => {}
        Some(Supersession::Unchanged) => return Ok(Decision::answer(Answer::Done)),
        Some(Supersession::Stale) => {
            let newest = held.map_or(card.sequence(), |held| held.sequence());
            return Err(Refusal::OlderCard { newest }.into());
        }
        Some(_) => return Err(Refusal::ConflictingCard.into()),
    }
    let last = storage.last(&subject)?;
    Ok(Decision::change(replace(subject, last, bytes.0.clone()), Answer::Done))
}

/// The card of `agent` as it was put here, which verified then.
pub(crate) fn of(
    storage: &dyn Storage,
    provider: &dyn Provider,
    agent: &AgentId,
) -> Result<Option<Card>, StorageError> {
    let record = newest(storage, &entry::card(agent))?;
    record.map(|record| held(provider, &record.bytes)).transpose()
}

/// The bytes of the same.
pub(crate) fn bytes_of(
    storage: &dyn Storage,
    agent: &AgentId,
) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(newest(storage, &entry::card(agent))?.map(|record| record.bytes))
}

/// A change after which a log holds this record alone.
pub(crate) fn replace(subject: Subject, last: u64, record: Vec<u8>) -> Change {
    Change {
        condition: Some(Condition::Append { subject, sequence: last + 1, record }),
        then: vec![Then::Truncate { subject, through: last }],
    }
}

/// The last record of a log that is replaced as a whole.
pub(crate) fn newest(
    storage: &dyn Storage,
    subject: &Subject,
) -> Result<Option<Record>, StorageError> {
    // A crash can leave the record before it.
    let after = storage.last(subject)?.saturating_sub(1);
    Ok(storage.read(subject, after, Most { entries: 1, bytes: usize::MAX })?.pop())
}

/// Cards that are here were verified when they came: this one is read as it would have been then.
fn held(provider: &dyn Provider, bytes: &[u8]) -> Result<Card, StorageError> {
    let claim = Unverified::<Card>::parse(bytes).map_err(|_| StorageError::Damaged)?;
    let then = claim.claimed_validity().not_after;
    claim.verify(provider, then).map_err(|_| StorageError::Damaged)
}

fn refusal(error: CardError) -> Refusal {
    match error {
        CardError::NotYetValid(_) | CardError::Expired(_) => Refusal::NotValid,
        CardError::Statement(_) => Refusal::Unsigned,
        _ => Refusal::Malformed,
    }
}
