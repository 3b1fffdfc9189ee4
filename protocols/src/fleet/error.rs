//! Why something did not happen, by who is at fault.

use crate::identity::{AgentId, CardHash};
use crate::provider::CryptoError;
use crate::time::WallTime;

use super::charter::CharterError;
use super::rows::StoreError;

/// Who is at fault, and so what to do.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Fault {
    /// Who made the bytes: report it by name.
    PeerMisbehaved,
    /// Nobody: wait for what is missing, and try again.
    NotNow,
    /// The caller.
    Misuse,
    /// We are: file a bug.
    Broken,
}

/// Why an operation on a group failed. The group is as it was before.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// There is no such group here, or this agent was removed from it.
    #[error("this agent is in no such group")]
    NoGroup,
    /// This agent is in the group already.
    #[error("this agent is in the group already")]
    Joined,
    /// The card at hand does not name the fleet key at hand.
    #[error("the card does not name this fleet key")]
    KeyNotInCard,
    /// The group knows this agent by another fleet key. A commit that is given that key takes the
    /// card's in its place; until then the earlier card and key write in the group.
    #[error("the group knows this agent by another fleet key")]
    OtherKey,
    /// Only an admin may.
    #[error("only an admin of the group may do this")]
    NotAdmin,
    /// The last admin names another before it leaves.
    #[error("the last admin names another one first")]
    LastAdmin,
    /// Whom to add is a member.
    #[error("{0} is a member already")]
    Member(AgentId),
    /// Whom to remove is none.
    #[error("{0} is no member")]
    NoMember(AgentId),
    /// A commit of one's own waits for the log.
    #[error("a commit of this agent waits for the log")]
    Pending,
    /// There is no commit of one's own that waits.
    #[error("no commit of this agent waits")]
    NothingPending,
    /// Nothing is to be changed.
    #[error("the commit would change nothing")]
    Empty,
    /// Too many at once.
    #[error("more are to be added than one commit may add")]
    TooMany,
    /// A payload, or an entry that came, is longer than any may be.
    #[error("longer than any may be")]
    TooLong,
    /// What should be a charter is none.
    #[error("{0}")]
    Charter(#[from] CharterError),
    /// Fetch this card, then process the entry again.
    #[error("the entry needs a card that is not at hand")]
    MissingCard(CardHash),
    /// Fetch these proofs of entry, then process the entry again.
    #[error("the entry needs proofs that are not at hand")]
    MissingProofs([u8; 32]),
    /// Made in an epoch that this group has not reached: entries before it are missing.
    #[error("made in epoch {theirs}, and the group is in {ours}")]
    EpochAhead {
        /// The group's.
        ours: u64,
        /// The entry's.
        theirs: u64,
    },
    /// Made in an epoch that is over: a commit that lost, or a message too late.
    #[error("made in epoch {theirs}, and the group is in {ours}")]
    EpochOver {
        /// The group's.
        ours: u64,
        /// The entry's.
        theirs: u64,
    },
    /// This agent came back by a commit of another state than this one.
    #[error("this agent came back by it, in a state that is not here")]
    CameBack,
    /// Not what it should be.
    #[error("the bytes are malformed")]
    Malformed,
    /// Another suite's.
    #[error("suite 0x{0:04x} is not the one of fleets")]
    UnknownSuite(u16),
    /// Another group's.
    #[error("it is another group's")]
    OtherGroup,
    /// A Welcome for no key package that this agent has.
    #[error("the invitation is for no key package of this agent")]
    NotForUs,
    /// A message that was opened before, or lies too far ahead of what was.
    #[error("the message was opened before, or its key is not kept")]
    Replayed,
    /// It does not open, is not signed, or breaks a rule of MLS.
    #[error("it is no valid message of the group")]
    Invalid,
    /// It breaks a rule of ours.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The rows failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The provider failed.
    #[error("{0}")]
    Crypto(#[from] CryptoError),
    /// Something that cannot be.
    #[error("an internal error")]
    Internal,
}

impl GroupError {
    /// Who is at fault, and so what to do.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoGroup
            | Self::Joined
            | Self::KeyNotInCard
            | Self::OtherKey
            | Self::NotAdmin
            | Self::LastAdmin
            | Self::Member(_)
            | Self::NoMember(_)
            | Self::NothingPending
            | Self::Empty
            | Self::TooMany => Fault::Misuse,
            Self::Pending
            | Self::MissingCard(_)
            | Self::MissingProofs(_)
            | Self::EpochAhead { .. }
            | Self::EpochOver { .. }
            | Self::CameBack => Fault::NotNow,
            Self::TooLong
            | Self::Charter(_)
            | Self::Malformed
            | Self::UnknownSuite(_)
            | Self::OtherGroup
            | Self::NotForUs
            | Self::Replayed
            | Self::Invalid
            | Self::Refused(_) => Fault::PeerMisbehaved,
            Self::Store(_) | Self::Crypto(_) | Self::Internal => Fault::Broken,
        }
    }
}

/// The rule of ours that a commit or a message breaks. Each member finds the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A leaf without a credential of ours.
    #[error("a leaf has no credential that this version reads")]
    NoCredential,
    /// A leaf that names a card of somebody else.
    #[error("a leaf claims the card of {0}")]
    ForeignCard(AgentId),
    /// A leaf whose key its card does not name.
    #[error("the card of {0} does not name the key of its leaf")]
    KeyNotInCard(AgentId),
    /// A key package with a lifetime of its own, which members' clocks would judge differently.
    #[error("the key package of {0} has a lifetime that ends")]
    Lifetime(AgentId),
    /// A key package without its hybrid signature.
    #[error("no hybrid signature answers for the key package of {0}")]
    NotSigned(AgentId),
    /// A change by a member who is no admin.
    #[error("{0} is no admin")]
    NotAdmin(AgentId),
    /// A leaf that changes hands.
    #[error("{0} took the leaf of another member")]
    LeafOfAnother(AgentId),
    /// A proposal that no commit of ours has.
    #[error("the commit has a proposal that none may have")]
    Proposal,
    /// A proposal on its own.
    #[error("a proposal stands outside a commit")]
    LoneProposal,
    /// An agent that would be in the group twice.
    #[error("{0} would be a member twice")]
    Twice(AgentId),
    /// Nobody who may change the group would be left.
    #[error("no admin would be left")]
    NoAdmin,
    /// Who comes in by itself is no member that comes back, and is not invited.
    #[error("{0} is no member that comes back, and not invited")]
    Uninvited(AgentId),
    /// An agent that was removed, and could come in again by itself.
    #[error("{0} is removed and still invited")]
    StillInvited(AgentId),
    /// A log that goes to another place than the next one.
    #[error("the log does not move on by one")]
    Log,
    /// A commit by which a member comes back, without the signing pair's signature.
    #[error("no hybrid signature answers for the return of {0}")]
    ReturnNotSigned(AgentId),
    /// Associated data that does not fit the commit.
    #[error("the commit's associated data is not what it should be")]
    AssociatedData,
    /// A member's commit or message in the form in which only those who come back write.
    #[error("a member wrote in clear")]
    InClear,
    /// An entry that says it is something else.
    #[error("the entry is not what it says it is")]
    WrongKind,
}

/// Why bytes are no offer, or an offer none to use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// The card at hand does not name the fleet key at hand.
    #[error("the card does not name this fleet key")]
    KeyNotInCard,
    /// Longer than an offer may be.
    #[error("the offer is too long")]
    TooLong,
    /// There is no room for its parts.
    #[error("the offer is cut short")]
    TooShort,
    /// A format that this version does not read.
    #[error("format version {0} of an offer is not one that this version reads")]
    UnsupportedVersion(u8),
    /// Not encoded as an offer is.
    #[error("the offer is malformed")]
    Malformed,
    /// It ends before it begins, or counts for longer than an offer may.
    #[error("the offer's validity is not one of at most 30 days")]
    BadValidity,
    /// Another card's.
    #[error("the offer names another card")]
    WrongCard,
    /// The card does not count now: fetch a newer one, and an offer under it.
    #[error("the card of the offer does not count now")]
    CardNotValid,
    /// It starts later than now.
    #[error("the offer is not valid before {0}")]
    NotYetValid(WallTime),
    /// It has ended.
    #[error("the offer expired at {0}")]
    Expired(WallTime),
    /// A half of the signature does not verify.
    #[error("the offer's signature does not verify")]
    BadSignature,
    /// Another suite's.
    #[error("suite 0x{0:04x} is not the one of fleets")]
    UnknownSuite(u16),
    /// The key package's own signatures do not verify, or it breaks a rule of MLS.
    #[error("the key package is not valid")]
    BadKeyPackage,
    /// The key package is not what the offer says.
    #[error("the key package is not the one that the offer answers for")]
    WrongLeaf,
    /// The rows failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The provider made no signature.
    #[error("the offer could not be signed: {0}")]
    Signing(#[from] CryptoError),
    /// Something that cannot be.
    #[error("an internal error")]
    Internal,
}
