//! Chooses how a message reaches a peer. Knows nothing of keys, sockets or disks: it sees a
//! [`Situation`] and returns a [`Route`].

use core::fmt;

use meshwork_protocols::identity::AgentId;
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
    /// What a stored session could do; `None` where none can be begun, or no protocol for it is
    /// linked.
    pub stored: Option<StoredSituation>,
    /// What the relays could do that keep the peer's mail.
    pub relays: RelaySituation,
    /// Where the destination is a group: how its log stands.
    pub fleet: Option<LogSituation>,
}

/// How the log of a group stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogSituation {
    /// Its holder answered when it was last asked.
    Answers,
    /// It did not.
    Away,
    /// This agent cannot follow it any more.
    Lost,
}

/// What the relays could do that a peer's card names.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RelaySituation {
    /// The card names none, or the message is too large for any.
    #[default]
    None,
    /// The first, in the order of the card, that did not fail lately.
    Usable(AgentId),
    /// Each failed lately, or takes nothing for this peer now.
    Unreachable,
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
    /// The way it takes; `None` while it waits for one.
    pub way: Option<Way>,
}

/// What carries a message.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Way {
    /// A path that stands.
    Path(PathId),
    /// A relay that keeps the peer's mail.
    Relay(AgentId),
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
    /// A group of agents. It stands last because rows hold the places of those above.
    Fleet,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Deferred => "deferred",
            Self::Held => "held",
            Self::Fleet => "fleet",
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
    /// The peer does not answer; the message is sealed for it and left with one of its relays.
    ThroughRelay,
    /// Neither the peer nor any of its relays answers; the message is sealed and waits.
    RelaysAway,
    /// The peer does not answer, and what seals for it is being asked of its relays.
    PrekeysWanted,
    /// The destination is a group: the message goes into its log.
    GroupLog,
    /// The destination is a group, and the holder of its log does not answer; sealed, and tried again.
    GroupLogAway,
    /// The destination is a group that this agent has to be brought into anew.
    GroupLost,
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
            Self::ThroughRelay => "the peer does not answer; sealed and left with its relay",
            Self::RelaysAway => {
                "neither the peer nor a relay of its answers; sealed, and tried again"
            }
            Self::PrekeysWanted => {
                "the peer does not answer; its relays are asked for keys to seal with"
            }
            Self::GroupLog => "the destination is a group; sealed for its members, into its log",
            Self::GroupLogAway => {
                "the holder of the group's log does not answer; sealed, and tried again"
            }
            Self::GroupLost => "this agent has to be brought into the group anew",
        })
    }
}

/// Chooses.
pub fn choose(situation: &Situation) -> Route {
    if let Some(log) = situation.fleet {
        return choose_log(log);
    }
    let (protocol, way, reason) = match (situation.live, situation.dialling) {
        (Some(path), _) => (Protocol::Live, Some(Way::Path(path)), Reason::SessionStands),
        (None, Dialling::Untried) => (Protocol::Held, None, Reason::NotTriedYet),
        (None, Dialling::UnderWay) => (Protocol::Held, None, Reason::Dialling),
        (None, Dialling::Failed) => choose_mail(situation),
    };
    let outgrown = situation.too_large && situation.live.is_none();
    let reason = if outgrown { Reason::TooLargeForSession } else { reason };
    Route { choice: Choice { protocol, reason }, way }
}

/// Chooses for a group, whose members are all reached by one entry of its log.
fn choose_log(log: LogSituation) -> Route {
    let (protocol, reason) = match log {
        LogSituation::Answers => (Protocol::Fleet, Reason::GroupLog),
        LogSituation::Away => (Protocol::Fleet, Reason::GroupLogAway),
        LogSituation::Lost => (Protocol::Held, Reason::GroupLost),
    };
    Route { choice: Choice { protocol, reason }, way: None }
}

/// Chooses for a peer that is away.
fn choose_mail(situation: &Situation) -> (Protocol, Option<Way>, Reason) {
    match (situation.stored, situation.relays) {
        (Some(StoredSituation { mail: Some(path) }), _) => {
            (Protocol::Deferred, Some(Way::Path(path)), Reason::PeerAway)
        }
        (Some(_), RelaySituation::Usable(relay)) => {
            (Protocol::Deferred, Some(Way::Relay(relay)), Reason::ThroughRelay)
        }
        (Some(_), RelaySituation::Unreachable) => (Protocol::Deferred, None, Reason::RelaysAway),
        (Some(_), RelaySituation::None) => (Protocol::Deferred, None, Reason::PeerAwayNoMail),
        (None, RelaySituation::Usable(_)) => (Protocol::Held, None, Reason::PrekeysWanted),
        (None, _) => (Protocol::Held, None, Reason::NoPath),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: PathId = PathId(1);
    const MAIL: PathId = PathId(2);
    const RELAY: AgentId = AgentId::from_bytes([3; 32]);

    #[test]
    fn the_table() {
        use Dialling::{Failed, UnderWay, Untried};
        use RelaySituation::{None as NoRelay, Unreachable, Usable};
        let mail = Some(StoredSituation { mail: Some(MAIL) });
        let seals = Some(StoredSituation { mail: None });
        let live = Some(SESSION);
        let session = Some(Way::Path(SESSION));
        let left = Some(Way::Path(MAIL));
        let relay = Usable(RELAY);
        let relayed = Some(Way::Relay(RELAY));
        let rows = [
            // live session, dialling, stored, relays => protocol, way, reason
            (live, Untried, None, NoRelay, Protocol::Live, session, Reason::SessionStands),
            (live, Failed, mail, relay, Protocol::Live, session, Reason::SessionStands),
            (None, Untried, None, NoRelay, Protocol::Held, None, Reason::NotTriedYet),
            (None, Untried, mail, relay, Protocol::Held, None, Reason::NotTriedYet),
            (None, UnderWay, None, NoRelay, Protocol::Held, None, Reason::Dialling),
            (None, UnderWay, mail, relay, Protocol::Held, None, Reason::Dialling),
            (None, Failed, None, NoRelay, Protocol::Held, None, Reason::NoPath),
            (None, Failed, None, Unreachable, Protocol::Held, None, Reason::NoPath),
            (None, Failed, None, relay, Protocol::Held, None, Reason::PrekeysWanted),
            (None, Failed, seals, NoRelay, Protocol::Deferred, None, Reason::PeerAwayNoMail),
            (None, Failed, seals, Unreachable, Protocol::Deferred, None, Reason::RelaysAway),
            (None, Failed, seals, relay, Protocol::Deferred, relayed, Reason::ThroughRelay),
            (None, Failed, mail, NoRelay, Protocol::Deferred, left, Reason::PeerAway),
            (None, Failed, mail, relay, Protocol::Deferred, left, Reason::PeerAway),
        ];
        for (live, dialling, stored, relays, protocol, way, reason) in rows {
            let situation =
                Situation { live, too_large: false, dialling, stored, relays, fleet: None };
            let expected = Route { choice: Choice { protocol, reason }, way };
            assert_eq!(choose(&situation), expected, "{situation:?}");
            // Beside a session that is too small for it, the message goes the same way, and says so.
            let too_small = Situation { too_large: true, ..situation };
            let reason = if live.is_some() { reason } else { Reason::TooLargeForSession };
            let expected = Route { choice: Choice { protocol, reason }, way };
            assert_eq!(choose(&too_small), expected, "{too_small:?}");
        }
    }

    #[test]
    fn a_message_to_a_group_goes_into_its_log_whatever_else_stands() {
        for (log, protocol, reason) in [
            (LogSituation::Answers, Protocol::Fleet, Reason::GroupLog),
            (LogSituation::Away, Protocol::Fleet, Reason::GroupLogAway),
            (LogSituation::Lost, Protocol::Held, Reason::GroupLost),
        ] {
            for live in [None, Some(SESSION)] {
                let situation = Situation { live, fleet: Some(log), ..Situation::default() };
                let expected = Route { choice: Choice { protocol, reason }, way: None };
                assert_eq!(choose(&situation), expected);
            }
        }
    }
}
