//! Those who dial us: each gets a session, under the caps, and silence where it does not hold.

use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::live::{Directory, Fault, SessionError, SessionEvent, TcpSession};
use meshwork_transports::{Connection, Listener};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::gate::Pass;
use super::line::Line;
use super::lines::Lines;
use super::wire::{Wire, WireError};
use crate::agent::Tally;

/// How long to wait where no connection can be taken: the process has no more sockets, and those
/// that end give some back.
const NO_SOCKETS: Duration = Duration::from_millis(50);

/// Takes connections until the agent closes, and returns when the last of them is over. Dropping
/// the future drops them all.
pub(crate) async fn accept(listener: Listener, lines: Lines) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(connection) => {
                    let pass = lines.gate.admit(connection.remote().ip());
                    connections.spawn(answer(connection, pass, lines.clone()));
                }
                Err(error) => {
                    tracing::debug!(%error, "no connection was taken");
                    sleep(NO_SOCKETS).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = lines.closing() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn answer(connection: Connection, pass: Pass, lines: Lines) {
    let shared = &lines.shared;
    Tally::count(&shared.tally.accepted);
    let ours = shared.identity.local();
    let directory: Arc<dyn Directory> = Arc::clone(&shared.peers) as _;
    let (now, random) = (shared.clock.now(), ours.provider().random());
    let session = TcpSession::accept(Arc::clone(&ours), directory, now, random);
    let mut wire = Wire::new(session, connection, shared.clock);
    let opened = tokio::select! {
        opened = wire.open(Some(pass)) => opened,
        () = lines.closing() => return,
    };
    match opened {
        Ok(SessionEvent::Established(peer)) => Line::carry(lines, wire, peer, ours).await,
        Ok(SessionEvent::CardServed) => {
            Tally::count(&shared.tally.cards_served);
            wire.end().await;
        }
        // The peer is asked to come again with its card.
        Ok(SessionEvent::CardUnknown) => wire.end().await,
        Ok(_) => Tally::count(&shared.tally.abandoned),
        Err(WireError::TurnedOut) => Tally::count(&shared.tally.evicted),
        Err(WireError::Connection(_)) => {
            lines.rejected(wire.remote(), SessionError::Truncated).await;
        }
        Err(WireError::Session(error)) => lines.rejected(wire.remote(), error).await,
    }
}

impl Lines {
    /// Counts and tells of somebody who did not prove who it is.
    async fn rejected(&self, from: std::net::SocketAddr, why: SessionError) {
        let tally = &self.shared.tally;
        let counter = match why.fault() {
            Fault::PeerMisbehaved => &tally.rejected,
            Fault::NotNow | Fault::Broken => &tally.abandoned,
        };
        Tally::count(counter);
        self.shared.notices.tell_of_rejection(from, why, self.shared.clock.now());
        self.contradicted(why).await;
    }
}
