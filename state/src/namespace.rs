//! The kinds of rows that exist. The numbers are on disk: one is never given to another kind.

/// Where a row belongs.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
#[non_exhaustive]
pub enum Namespace {
    /// The store's own: format, store id, sealed data keys, commit number, incarnation.
    Meta = 0,
    /// The agent's own keys, cards and settings.
    Own = 1,
    /// Peers: card, local name, standing, what is remembered of their state.
    Peer = 2,
    /// Messages accepted and not yet settled, by id.
    Outbox = 3,
    /// What became of messages sent, without their bodies, by id.
    Sent = 4,
    /// Messages received and not yet processed, in the order of arrival.
    Inbox = 5,
    /// Messages seen, by sender and id.
    Seen = 6,
    /// Receipts owed, by sender and id.
    Owed = 7,
    /// First contacts held for the owner to decide, by arrival.
    Held = 8,
    /// Ciphertexts seen, by hash.
    Ciphertext = 9,
    /// States of stored sessions, by peer.
    Session = 10,
    /// Ordered messages that wait for an earlier one, by sender and place; and how far each
    /// conversation got, by sender.
    Gap = 11,
    /// The agent's own prekeys, and the bundle that offers them.
    Prekey = 12,
    /// By peer: its newest bundle with a one-time key for us, and the one-time key that it has of
    /// ours.
    Bundle = 13,
    /// First messages that used own prekeys, by what they used.
    UsedPrekey = 14,
    /// What the members of fleets compute with: secrets, trees, key packages.
    Fleet = 15,
    /// What is kept of fleets beside: places in their logs, what is to be done there, invitations.
    Group = 16,
}

impl Namespace {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 17] = [
        Self::Meta,
        Self::Own,
        Self::Peer,
        Self::Outbox,
        Self::Sent,
        Self::Inbox,
        Self::Seen,
        Self::Owed,
        Self::Held,
        Self::Ciphertext,
        Self::Session,
        Self::Gap,
        Self::Prekey,
        Self::Bundle,
        Self::UsedPrekey,
        Self::Fleet,
        Self::Group,
    ];

    /// Those that are sealed under the session key, which is replaced daily and at teardown, so
    /// that an old copy of the file does not bring back a key that was used.
    pub const OF_SESSIONS: [Self; 3] = [Self::Session, Self::Prekey, Self::Fleet];

    /// The number on disk.
    pub const fn number(self) -> u8 {
        self as u8
    }
}
