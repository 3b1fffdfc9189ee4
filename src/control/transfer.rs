//! Files on their way, as they are told outside the process.

use serde::{Deserialize, Serialize};

use super::Via;
use super::named::Named;

/// A file to send.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SendFile {
    /// To whom: an id, a local name, or a contact, whose card is fetched if it is not known.
    pub to: String,
    /// The file, by an absolute path that the agent's process can read.
    pub file: String,
    /// The name that it is to have there; its own where it does not say.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub rename: Option<String>,
    /// Which streams of the peer: `files` where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Over which transport, and no other; whichever stands or answers first where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
}

/// How far a file got.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Transfer {
    /// Which way it goes.
    pub direction: Direction,
    /// The other end.
    pub peer: Named,
    /// The name that it has, or is to have, at its receiver.
    pub file: String,
    /// How far.
    pub state: TransferState,
    /// How many bytes the receiver has taken.
    pub bytes: u64,
    /// How many it has.
    pub size: u64,
    /// Where it is kept, at its receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why it was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Which way a file goes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the peer.
    Out,
    /// From the peer.
    In,
}

/// How far a file got.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferState {
    /// On its way.
    Moving,
    /// Durable at its receiver, under its name, as it was sent.
    Kept,
    /// Not kept. What came stays at its receiver under its name and `.part`.
    Failed,
}
