//! What a signature is for.

/// What a signature is for. A signature made for one purpose is none for another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Purpose {
    /// A root names an agent's keys.
    Card,
    /// A root takes cards back.
    Revocation,
    /// An authority gives an agent a role.
    Endorsement,
    /// A signing pair answers for a live session.
    Hello,
    /// A signing pair answers for the keys of deferred messages.
    Bundle,
    /// A signing pair answers for a pool of one-time keys.
    Pool,
    /// A signing pair answers for a deferred session that it begins.
    Introduction,
    /// A signing pair answers for the keys by which an agent is added to a fleet.
    KeyPackage,
    /// A signing pair answers for a commit by which a member comes back into a fleet.
    Rejoin,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Card,
        Self::Revocation,
        Self::Endorsement,
        Self::Hello,
        Self::Bundle,
        Self::Pool,
        Self::Introduction,
        Self::KeyPackage,
        Self::Rejoin,
    ];

    /// Its name inside the signed bytes, where a zero byte ends it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Revocation => "revocation",
            Self::Endorsement => "endorsement",
            Self::Hello => "hello",
            Self::Bundle => "bundle",
            Self::Pool => "pool",
            Self::Introduction => "introduction",
            Self::KeyPackage => "key-package",
            Self::Rejoin => "rejoin",
        }
    }
}
