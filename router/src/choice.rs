//! Chooses how a message reaches a peer. Knows nothing of keys, sockets or disks: it sees a
//! [`Situation`] and returns a [`Route`].

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::output::PathId;

/// What is known of the ways to one peer at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Situation {
    /// The live session that stands and carries the message, if one does.
    pub live: Option<PathId>,
    /// Whether a live session stands that does not carry a message this large.
    pub too_large: bool,
    /// How the search for one that carries it goes.
    pub dialling: Dialling,
    /// What a stored session could do; `None` where no protocol for it is linked.
    pub stored: Option<StoredSituation>,
}

/// How the search for a live session goes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize)]
pub enum Dialling {
    /// Nobody looked yet.
    #[default]
    Untried,
    /// The peer's addresses are being tried.
    UnderWay,
    /// The last search found nothing; the next one comes by itself.
    Failed,
}

/// What a stored session could do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StoredSituation {
    /// The way that takes sealed packets, if one is open.
    pub mail: Option<PathId>,
}

/// How a message goes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Route {
    /// What was chosen, and why.
    pub choice: Choice,
    /// The path it takes; `None` while it waits for one.
    pub path: Option<PathId>,
}

/// What was chosen, and why: what a receipt, a trace and `route explain` show.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Choice {
    /// What protects the message.
    pub protocol: Protocol,
    /// Why.
    pub reason: Reason,
}

/// What protects a message on its way.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Protocol {
    /// A Noise session with a peer that is online.
    Live,
    /// A stored session with a peer that is not.
    Deferred,
    /// Nothing yet: it waits in the outbox.
    Held,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Deferred => "deferred",
            Self::Held => "held",
        })
    }
}

/// Why a route was chosen; each is a row of the table in the tests.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// A live session with the peer stands.
    SessionStands,
    /// No session stands, and the peer's addresses are about to be tried.
    NotTriedYet,
    /// The peer's addresses are being tried.
    Dialling,
    /// The peer does not answer, so the message is sealed for it and left where it gets its mail.
    PeerAway,
    /// The peer does not answer; the message is sealed for it and waits for a path.
    PeerAwayNoMail,
    /// A live session with the peer stands, and carries what was sealed while it was away.
    SealedBefore,
    /// The peer does not answer, and nothing can seal for a peer that is away.
    NoPath,
    /// A live session with the peer stands that does not carry a message this large; it takes
    /// another way, once there is one.
    TooLargeForSession,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SessionStands => "a live session with the peer stands",
            Self::NotTriedYet => "no session stands yet; the peer's addresses are tried next",
            Self::Dialling => "no session stands yet; the peer's addresses are being tried",
            Self::PeerAway => "the peer does not answer; sealed and left with its mail",
            Self::PeerAwayNoMail => "the peer does not answer; sealed, and waits for a path",
            Self::SealedBefore => "sealed while the peer was away; a live session carries it",
            Self::NoPath => "the peer does not answer; held here and tried again",
            Self::TooLargeForSession => {
                "too large for the live session that stands; takes another way"
            }
        })
    }
}

/// Chooses.
pub fn choose(situation: &Situation) -> Route {
    let (protocol, path, reason) = match (situation.live, situation.dialling, situation.stored) {
        (Some(path), _, _) => (Protocol::Live, Some(path), Reason::SessionStands),
        (None, Dialling::Untried, _) => (Protocol::Held, None, Reason::NotTriedYet),
        (None, Dialling::UnderWay, _) => (Protocol::Held, None, Reason::Dialling),
        (None, Dialling::Failed, None) => (Protocol::Held, None, Reason::NoPath),
        (None, Dialling::Failed, Some(StoredSituation { mail: None })) => {
            (Protocol::Deferred, None, Reason::PeerAwayNoMail)
        }
        (None, Dialling::Failed, Some(StoredSituation { mail })) => {
            (Protocol::Deferred, mail, Reason::PeerAway)
        }
    };
    let outgrown = situation.too_large && situation.live.is_none();
    let reason = if outgrown { Reason::TooLargeForSession } else { reason };
    Route { choice: Choice { protocol, reason }, path }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: PathId = PathId(1);
    const MAIL: PathId = PathId(2);

    #[test]
    fn the_table() {
        let mail = Some(StoredSituation { mail: Some(MAIL) });
        let no_mail = Some(StoredSituation { mail: None });
        let rows = [
            // live session, dialling, stored => protocol, path, reason
            (
                Some(SESSION),
                Dialling::Untried,
                None,
                Protocol::Live,
                Some(SESSION),
                Reason::SessionStands,
            ),
            (
                Some(SESSION),
                Dialling::Failed,
                mail,
                Protocol::Live,
                Some(SESSION),
                Reason::SessionStands,
            ),
            (None, Dialling::Untried, None, Protocol::Held, None, Reason::NotTriedYet),
            (None, Dialling::Untried, mail, Protocol::Held, None, Reason::NotTriedYet),
            (None, Dialling::UnderWay, None, Protocol::Held, None, Reason::Dialling),
            (None, Dialling::UnderWay, mail, Protocol::Held, None, Reason::Dialling),
            (None, Dialling::Failed, None, Protocol::Held, None, Reason::NoPath),
            (None, Dialling::Failed, no_mail, Protocol::Deferred, None, Reason::PeerAwayNoMail),
            (None, Dialling::Failed, mail, Protocol::Deferred, Some(MAIL), Reason::PeerAway),
        ];
        for (live, dialling, stored, protocol, path, reason) in rows {
            let situation = Situation { live, too_large: false, dialling, stored };
            let expected = Route { choice: Choice { protocol, reason }, path };
            assert_eq!(choose(&situation), expected, "{situation:?}");
            // Beside a session that is too small for it, the message goes the same way, and says so.
            let too_small = Situation { too_large: true, ..situation };
            let reason = if live.is_some() { reason } else { Reason::TooLargeForSession };
            let expected = Route { choice: Choice { protocol, reason }, path };
            assert_eq!(choose(&too_small), expected, "{too_small:?}");
        }
    }
}
