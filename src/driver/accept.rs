//! Those who dial us: each gets a session, under the caps, and silence where it does not hold.

use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::live::{Fault, Local, SessionError, SessionEvent};
use meshwork_transports::{Connection, Listener, QuicEndpoint, QuicIncoming};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::carrier::{Carrier, CarrierError, QuicCarrier, TcpCarrier};
use super::gate::Pass;
use super::line::Line;
use super::lines::Lines;
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
                    connections.spawn(answer_tcp(connection, pass, lines.clone()));
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

/// The same over QUIC.
pub(crate) async fn accept_quic(endpoint: QuicEndpoint, lines: Lines) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => {
                    let pass = lines.gate.admit(incoming.remote().ip());
                    connections.spawn(answer_quic(incoming, pass, lines.clone()));
                }
                None => break,
            },
            Some(_) = connections.join_next() => {}
            () = lines.closing() => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn answer_quic(incoming: QuicIncoming, pass: Pass, lines: Lines) {
    let (ours, remote) = (lines.shared.identity.local(), incoming.remote());
    match QuicCarrier::accept(&lines.shared, Arc::clone(&ours), incoming) {
        Ok(carrier) => answer(Carrier::Quic(carrier), ours, pass, lines).await,
        Err(error) => lines.rejected(remote, error).await,
    }
}

async fn answer_tcp(connection: Connection, pass: Pass, lines: Lines) {
    let ours = lines.shared.identity.local();
    let carrier = TcpCarrier::accept(&lines.shared, Arc::clone(&ours), connection);
    answer(Carrier::Tcp(Box::new(carrier)), ours, pass, lines).await;
}

/// Answers who came, whatever carries it, until that is over.
async fn answer(mut carrier: Carrier, ours: Arc<Local>, pass: Pass, lines: Lines) {
    let tally = &lines.shared.tally;
    Tally::count(&tally.accepted);
    let opened = tokio::select! {
        opened = carrier.open(Some(pass)) => opened,
        () = lines.closing() => return,
    };
    match opened {
        Ok(SessionEvent::Established(peer)) => {
            Line::carry(lines.clone(), carrier, peer, ours).await;
        }
        Ok(SessionEvent::CardServed) => {
            Tally::count(&tally.cards_served);
            carrier.end().await;
        }
        // The peer is asked to come again with its card.
        Ok(SessionEvent::CardUnknown) => carrier.end().await,
        Ok(_) => Tally::count(&tally.abandoned),
        Err(CarrierError::TurnedOut) => Tally::count(&tally.evicted),
        Err(CarrierError::Connection(_)) => {
            lines.rejected(carrier.remote(), SessionError::Truncated).await;
        }
        Err(CarrierError::Session(error)) => lines.rejected(carrier.remote(), error).await,
    }
}

impl Lines {
    /// Counts and tells of somebody who did not prove who it is.
    pub(super) async fn rejected(&self, from: std::net::SocketAddr, why: SessionError) {
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
