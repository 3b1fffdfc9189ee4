//! What an honest peer never says about streams.

/// What an honest peer never says about streams: the session ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamViolation {
    /// Not the encoding of a frame.
    #[error("the peer's stream frame is malformed")]
    Malformed,
    /// A type that this version does not know.
    #[error("the peer sent a stream frame of an unknown type")]
    UnknownType,
    /// It opened a stream under an id that only we open.
    #[error("the peer opened a stream under an id of ours")]
    WrongParity,
    /// It opened a stream under an id that was used, or passed one over.
    #[error("the peer opened a stream out of its order")]
    OutOfOrder,
    /// It opened more streams at once than may be.
    #[error("the peer opened too many streams at once")]
    TooManyStreams,
    /// It spoke of a stream that was never opened.
    #[error("the peer spoke of a stream that was never opened")]
    UnknownStream,
    /// It sent bytes that it had no credit for.
    #[error("the peer sent more than it was allowed")]
    PastCredit,
    /// It spoke on after it had said that no more will come.
    #[error("the peer sent on a stream after its end")]
    AfterEnd,
    /// It took back credit, or what it had said that it took.
    #[error("the peer took back what it had allowed")]
    CreditWithdrawn,
    /// It took bytes, or an end, that were not sent.
    #[error("the peer took what was not sent")]
    TookUnsent,
}
