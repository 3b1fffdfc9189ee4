//! Prekeys, as an answer tells of them.

use meshwork_protocols::deferred::agent::{Bundle, BundleBody};
use meshwork_protocols::identity::Unverified;
use serde::{Deserialize, Serialize};

use super::{Moment, Named};
use crate::PrekeyStatus;

/// The prekeys of the agent: what others need to write to it while it is away. And what it has of
/// its peers'.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Prekeys {
    /// How many generations of signed prekeys still open mail.
    pub generations: usize,
    /// When the newest is replaced.
    pub rotation_due: Moment,
    /// How many one-time keys the pool is filled to.
    pub pool_size: usize,
    /// How many of them nobody has.
    pub available: usize,
    /// How many somebody has and has not used.
    pub handed_out: usize,
    /// The number of the newest bundle.
    pub bundle: u64,
    /// From when it counts.
    pub not_before: Moment,
    /// Until when.
    pub not_after: Moment,
    /// The peers that can be written to while they are away.
    pub peers: Vec<PeerBundle>,
    /// The relays that keep the agent's mail and hand out its prekeys, in their order.
    pub relays: Vec<RelayPool>,
}

/// What is known of the prekeys at a relay.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RelayPool {
    /// Which relay.
    #[serde(flatten)]
    pub who: Named,
    /// Whether it answered when it was last asked.
    pub answers: bool,
    /// How many one-time keys nobody has taken there, when it last said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_time: Option<u32>,
    /// How often it gave the last resort since the keys were published.
    pub last_resorts: u32,
    /// How many pieces of mail were fetched there since the start.
    pub fetched: u64,
}

/// What is known of a peer's prekeys.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PeerBundle {
    /// Who it is.
    #[serde(flatten)]
    pub who: Named,
    /// The number of its newest bundle.
    pub bundle: u64,
    /// Until when a session can begin with it.
    pub until: Moment,
    /// Whether a one-time key of it is here.
    pub one_time: bool,
}

/// A bundle of prekeys.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct BundleFacts {
    /// Whose it is.
    #[serde(flatten)]
    pub of: Named,
    /// Its number among those of its agent.
    pub number: u64,
    /// From when it counts.
    pub not_before: Moment,
    /// Until when.
    pub not_after: Moment,
    /// The bundle itself.
    pub text: String,
}

impl Prekeys {
    pub(super) fn new(
        status: &PrekeyStatus,
        peers: Vec<PeerBundle>,
        relays: Vec<RelayPool>,
    ) -> Self {
        Self {
            generations: status.generations,
            rotation_due: status.rotation_due.into(),
            pool_size: status.pool_size,
            available: status.available,
            handed_out: status.handed_out,
            bundle: status.bundle.0,
            not_before: status.not_before.into(),
            not_after: status.not_after.into(),
            peers,
            relays,
        }
    }
}

impl BundleFacts {
    /// What a bundle of this agent says.
    pub fn new(bundle: &Unverified<Bundle>, name: Option<String>) -> Self {
        let BundleBody { agent, number, not_before, not_after, .. } = *bundle.claimed_body();
        Self {
            of: Named { agent, name },
            number: number.0,
            not_before: not_before.into(),
            not_after: not_after.into(),
            text: bundle.to_text(),
        }
    }
}
