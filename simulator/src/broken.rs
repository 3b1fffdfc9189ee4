//! Agents that are broken on purpose. Each breaks one rule that the checker must miss at once;
//! a checker that lets one pass is worth nothing.
//!
//! They are broken outside the product: in the simulator's driver, or by a store, a protocol or a
//! source of randomness that is put under it.

mod forgetful;
mod hasty;
mod unarchived;

pub use self::forgetful::Forgetful;
pub use self::hasty::Hasty;
pub use self::unarchived::Unarchived;

use meshwork_state::Namespace;

/// How an agent is broken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Broken {
    /// The driver tells the router that a batch is durable before it is.
    ReleasesBeforeTheCommit,
    /// The driver tells the router so although the commit failed.
    IgnoresFailedCommits,
    /// The driver loses what a commit released.
    DropsOutputs,
    /// The driver does not tell the witness how far the state is.
    TellsNoWitness,
    /// The witness is told of commits before they are durable.
    TellsTheWitnessEarly,
    /// A frame that is sent again on a datagram session goes out as the same bytes.
    EchoesDatagrams,
    /// The store does not keep what is put into the inbox.
    ForgetsInbox,
    /// The store does not keep which messages were seen.
    ForgetsSeen,
    /// The store does not keep what waits for its turn in the order.
    ForgetsGaps,
    /// The store keeps stored sessions one commit late, so that a restart brings back a used key.
    KeepsSessionsLate,
    /// The store does not keep that sending sessions were given up after a restore.
    ArchivesNothing,
    /// The randomness of each start is that of the first.
    RandomnessRepeats,
    /// The driver tells relays that mail need not be kept as soon as it has it.
    AcknowledgesMailAtOnce,
    /// Relays answer a batch before it is durable.
    RelayAnswersEarly,
    /// The store keeps the keys of groups one commit late.
    KeepsGroupsLate,
    /// The driver loses what puts commits back into a log that lost them.
    PutsNoCommitBack,
}

impl Broken {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::ReleasesBeforeTheCommit,
        Self::IgnoresFailedCommits,
        Self::DropsOutputs,
        Self::TellsNoWitness,
        Self::TellsTheWitnessEarly,
        Self::EchoesDatagrams,
        Self::ForgetsInbox,
        Self::ForgetsSeen,
        Self::ForgetsGaps,
        Self::KeepsSessionsLate,
        Self::ArchivesNothing,
        Self::RandomnessRepeats,
        Self::AcknowledgesMailAtOnce,
        Self::RelayAnswersEarly,
        Self::KeepsGroupsLate,
        Self::PutsNoCommitBack,
    ];

    /// The rows that its store does not keep, or keeps late.
    pub(crate) const fn forgets(self) -> Option<(Namespace, Forgets)> {
        match self {
            Self::ForgetsInbox => Some((Namespace::Inbox, Forgets::Always)),
            Self::ForgetsSeen => Some((Namespace::Seen, Forgets::Always)),
            Self::ForgetsGaps => Some((Namespace::Gap, Forgets::Always)),
            Self::KeepsSessionsLate => Some((Namespace::Session, Forgets::ForOneCommit)),
            Self::KeepsGroupsLate => Some((Namespace::Fleet, Forgets::ForOneCommit)),
            _ => None,
        }
    }
}

/// How a store forgets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Forgets {
    /// The row is never written.
    Always,
    /// The row is written with the commit after.
    ForOneCommit,
}
