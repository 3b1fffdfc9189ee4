//! What can be wrong with a card.

use core::fmt;

use crate::identity::{ArmourError, EncodingError, StatementError};
use crate::provider::CryptoError;
use crate::time::WallTime;

/// Why bytes are not a card to go by, or a body cannot become one. Apart from
/// [`CardError::NotYetValid`] and [`CardError::Expired`], which another moment may judge otherwise,
/// it is the fault of whoever made the card.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// It is longer than a card may be.
    #[error("a card of {length} bytes is too long")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// Its text is not the armour of a card.
    #[error("the text is not a card: {0}")]
    Armour(#[from] ArmourError),
    /// Its frame or its signature is wrong.
    #[error("the card is not its agent's: {0}")]
    Statement(#[from] StatementError),
    /// Its body is not encoded as a body is.
    #[error("the card is malformed: {0}")]
    Encoding(#[from] EncodingError),
    /// There is more of a part than a card may have.
    #[error("the card has more than {limit} of its {part}")]
    OverLimit {
        /// Which part.
        part: CardPart,
        /// How much there may be.
        limit: usize,
    },
    /// A list names one thing twice.
    #[error("the card repeats one of its {0}")]
    Repeated(CardPart),
    /// The signing pair or a part of it is the root.
    #[error("the card names a root key as a signing key")]
    RootAsSigningPair,
    /// It ends before it starts.
    #[error("the card's validity ends before it starts")]
    ValidityEndsBeforeItStarts,
    /// It is valid for longer than a card may be.
    #[error("the card is valid for longer than 30 days")]
    ValidityTooLong,
    /// It starts later than now.
    #[error("the card is not valid before {0}")]
    NotYetValid(WallTime),
    /// It has ended.
    #[error("the card expired at {0}")]
    Expired(WallTime),
    /// The provider made no signature.
    #[error("the card could not be signed: {0}")]
    Signing(#[from] CryptoError),
}

/// A part of a card that has a limit.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum CardPart {
    /// Bytes of the deferred identity key.
    DeferredIdentity,
    /// Bytes of the fleet key.
    FleetKey,
    /// Addresses.
    Addresses,
    /// Relays.
    Relays,
    /// Addresses of one relay.
    RelayAddresses,
    /// Suites.
    Suites,
    /// Services.
    Services,
    /// Endorsements.
    Endorsements,
    /// Extension fields.
    Extensions,
}

impl fmt::Display for CardPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeferredIdentity => "bytes of the deferred identity",
            Self::FleetKey => "bytes of the fleet key",
            Self::Addresses => "addresses",
            Self::Relays => "relays",
            Self::RelayAddresses => "addresses of a relay",
            Self::Suites => "suites",
            Self::Services => "services",
            Self::Endorsements => "endorsements",
            Self::Extensions => "extension fields",
        })
    }
}
