//! What was ignored, and how often: what is not answered is at least counted.

/// Why a datagram was ignored. None of them changes anything.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Ignored {
    /// It has not the form of one of ours.
    Malformed,
    /// It names keys or a handshake that are not here, or not there yet or any more.
    Unknown,
    /// It was changed, or sealed by another.
    NotAuthentic,
    /// It has come before, or is too old to tell.
    Replayed,
    /// Its sender may have no answer now: there are too many, or it shows no cookie that holds.
    Unwelcome,
    /// It repeats what was answered.
    Repeated,
    /// It is a message 1 whose suite is not listed, or that the handshake refuses.
    Refused,
    /// It is an answer beyond those that are tried.
    TooMany,
    /// What it says is not due, or makes no sense.
    Unexpected,
}

/// How often each happened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct UdpTally {
    /// See [`Ignored::Malformed`].
    pub malformed: u64,
    /// See [`Ignored::Unknown`].
    pub unknown: u64,
    /// See [`Ignored::NotAuthentic`].
    pub not_authentic: u64,
    /// See [`Ignored::Replayed`].
    pub replayed: u64,
    /// See [`Ignored::Unwelcome`].
    pub unwelcome: u64,
    /// See [`Ignored::Repeated`].
    pub repeated: u64,
    /// See [`Ignored::Refused`].
    pub refused: u64,
    /// See [`Ignored::TooMany`].
    pub too_many: u64,
    /// See [`Ignored::Unexpected`].
    pub unexpected: u64,
    /// Cookies sent in place of an answer.
    pub cookies: u64,
    /// First messages that were answered.
    pub answered: u64,
    /// Who had to go, or did not prove itself in time.
    pub abandoned: u64,
    /// Peers that moved to another address.
    pub moved: u64,
    /// Sessions that got new keys.
    pub renewed: u64,
}

impl UdpTally {
    pub(super) fn count(&mut self, why: Ignored) {
        *match why {
            Ignored::Malformed => &mut self.malformed,
            Ignored::Unknown => &mut self.unknown,
            Ignored::NotAuthentic => &mut self.not_authentic,
            Ignored::Replayed => &mut self.replayed,
            Ignored::Unwelcome => &mut self.unwelcome,
            Ignored::Repeated => &mut self.repeated,
            Ignored::Refused => &mut self.refused,
            Ignored::TooMany => &mut self.too_many,
            Ignored::Unexpected => &mut self.unexpected,
        } += 1;
    }

    /// All that was ignored.
    pub fn ignored(&self) -> u64 {
        self.malformed
            + self.unknown
            + self.not_authentic
            + self.replayed
            + self.unwelcome
            + self.repeated
            + self.refused
            + self.too_many
            + self.unexpected
    }
}
