//! The prekeys of the agent and of its peers, as an application sees and changes them.

use meshwork_protocols::deferred::agent::BundleError;
use meshwork_protocols::identity::AgentId;
use meshwork_router::{Answer, CommandError, PrekeyStatus, Request};
use meshwork_state::StoreError;

use super::Stopped;
use crate::driver::{Order, Shared};

/// Why prekeys could not be told or changed. Nothing was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PrekeyError {
    /// The agent takes no mail while it is away: its root is kept apart, and was not here since the
    /// agent got an identity for that. Start it once with the root.
    #[error("the card names no key for mail; start once with the root")]
    NoMail,
    /// The bundle is of an agent that is not known: meet it first.
    #[error("the bundle is of an agent that is not known")]
    UnknownPeer,
    /// The card that is held of the bundle's agent does not count: fetch a newer one.
    #[error("the card that is held of the bundle's agent does not count now")]
    CardRefused,
    /// The bundle is none to seal to.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The store failed: try again; if it stays so the disk is full or broken.
    #[error("the change could not be made durable: {0}")]
    Store(#[from] StoreError),
    /// The transaction failed and was rolled back: try again.
    #[error("the change could not be made durable; try again")]
    CommitFailed,
    /// The agent has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A bug.
    #[error("a bug: the router answered what was not asked")]
    Broken,
}

impl PrekeyError {
    /// Whether the same request can succeed later.
    pub const fn is_worth_a_retry(&self) -> bool {
        let later = matches!(self, Self::Bundle(BundleError::NotYetValid(_)));
        later || matches!(self, Self::Store(_) | Self::CommitFailed)
    }
}

impl From<CommandError> for PrekeyError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NoMail => Self::NoMail,
            CommandError::UnknownPeer => Self::UnknownPeer,
            CommandError::CardRefused => Self::CardRefused,
            CommandError::Bundle(error) => Self::Bundle(error),
            CommandError::Store(error) => Self::Store(error),
            CommandError::CommitFailed => Self::CommitFailed,
            _ => Self::Broken,
        }
    }
}

pub(super) async fn status(shared: &Shared) -> Result<PrekeyStatus, PrekeyError> {
    let told = shared.ask(|answer| Order::Prekeys { answer }).await??;
    told.ok_or(PrekeyError::NoMail)
}

pub(super) async fn export(shared: &Shared) -> Result<Vec<u8>, PrekeyError> {
    let told = shared.ask(|answer| Order::Bundle { answer }).await??;
    told.ok_or(PrekeyError::NoMail)
}

pub(super) async fn rotate(shared: &Shared) -> Result<(), PrekeyError> {
    shared.request(Request::RotatePrekeys).await?.map(drop).map_err(PrekeyError::from)
}

pub(super) async fn publish(shared: &Shared) -> Result<(), PrekeyError> {
    shared.request(Request::PublishPrekeys).await?.map(drop).map_err(PrekeyError::from)
}

pub(super) async fn import(shared: &Shared, bundle: &[u8]) -> Result<AgentId, PrekeyError> {
    match shared.request(Request::ImportBundle(bundle.to_vec())).await?? {
        Answer::Imported(peer) => Ok(peer),
        _ => Err(PrekeyError::Broken),
    }
}
