//! What happens.

use std::time::SystemTime;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::time::WallTime;

use super::{Ended, Out};
use crate::control::{Event, Happening, Moment, Reply, reply, roster};
use crate::{Agent, Event as Told, Suspicion};

/// Tells what happens from now on.
pub(super) async fn watch(agent: &Agent, out: &Out) -> Result<(), Ended> {
    let mut watch = agent.watch();
    while let Some(told) = watch.next().await {
        let happening = happening(agent, told);
        out.say(Reply::Event(Event { at: now(), happening })).await?;
    }
    Ok(())
}

fn happening(agent: &Agent, told: Told) -> Happening {
    let named = |id: AgentId| roster::named(agent, id);
    let suspect = |peer, what: String| Happening::Suspect { peer: named(peer), what };
    match told {
        Told::Moved { id, to, level, choice } => {
            Happening::Moved(reply::Status::new(id, named(to), level, choice))
        }
        Told::Arrived { sender, id } => Happening::Arrived { sender: named(sender), message: id },
        Told::FirstContact(peer) => Happening::FirstContact { peer: named(peer) },
        Told::Connected(peer) => Happening::Connected { peer: named(peer) },
        Told::Disconnected(peer) => Happening::Disconnected { peer: named(peer) },
        Told::Unreachable { peer, why } => {
            Happening::Unreachable { peer: named(peer), why: why.to_string() }
        }
        Told::Rejected { from, why, more } => {
            Happening::Rejected { from: from.to_string(), why: why.to_string(), more }
        }
        Told::Lineage { peer, suspicion } => suspect(peer, words(suspicion).into()),
        Told::Equivocation(peer) => suspect(
            peer,
            "two cards of one number differ; both are refused until a higher one comes".into(),
        ),
        Told::Misbehaved { peer, how } => suspect(peer, how.to_string()),
        Told::Broken { peer, why } => suspect(peer, format!("the session broke: {why}")),
        Told::Group { group, what } => Happening::Group { group, what: what.to_string() },
        Told::Missed(events) => Happening::Missed { events },
        told => trouble(told),
    }
}

/// What does not fit one history.
fn words(suspicion: Suspicion) -> &'static str {
    match suspicion {
        Suspicion::PeerRestored => "its state is older than when we last met: it was put back",
        Suspicion::PeerCloned => "its state runs twice",
        Suspicion::WeAreRestored => {
            "it has seen a later state of ours: ours was put back or copied"
        }
        _ => "its history and ours do not fit",
    }
}

/// What concerns this agent itself.
fn trouble(told: Told) -> Happening {
    match told {
        Told::CardRenewed(sequence) => Happening::CardRenewed { sequence: sequence.value() },
        Told::Restored(evidence) => {
            Happening::Trouble { what: format!("the state was put back from a copy: {evidence}") }
        }
        Told::RootWanted { until } => Happening::Trouble {
            what: format!("the card ends at {} and the root is kept apart", Moment(until)),
        },
        Told::StoreRecovered(error) => {
            Happening::Trouble { what: format!("the store failed and was opened again: {error}") }
        }
        Told::PrekeysNotMade(error) => {
            Happening::Trouble { what: format!("new prekeys could not be made: {error}") }
        }
        Told::WitnessFailed(error) => Happening::Trouble { what: error.to_string() },
        other => Happening::Trouble { what: format!("{other:?}") },
    }
}

/// The time of day; the epoch where the clock is before it.
fn now() -> Moment {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Moment(WallTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}
