//! Datagrams: bytes that arrive at most once, or not at all.

use std::sync::{Mutex, PoisonError};

use meshwork_protocols::identity::AgentId;
use meshwork_router::Needs;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::{Addressee, Agent, DatagramError, ReachError};
use crate::driver::{DatagramNotSent, Shared};

/// How many datagrams a reader may be behind: 1.1 MiB of the longest, kept once for all readers.
const BEHIND: usize = 1_024;

/// How often a session that ends just then is replaced by another before the sender is told.
const TRIES: usize = 3;

/// Bytes that a peer sent, of which nothing is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Datagram {
    /// Who sent it, proved.
    pub sender: AgentId,
    /// What it says.
    pub body: Vec<u8>,
}

/// The datagrams that known peers send, as they come.
///
/// A reader that does not keep up loses the oldest, and can tell how many.
#[derive(Debug)]
pub struct Datagrams {
    datagrams: broadcast::Receiver<Datagram>,
    missed: u64,
}

impl Datagrams {
    pub(super) fn open(shared: &Shared) -> Self {
        Self { datagrams: shared.datagrams.subscribe(), missed: 0 }
    }

    /// The next datagram; `None` once the agent has stopped. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Datagram> {
        loop {
            match self.datagrams.recv().await {
                Ok(datagram) => return Some(datagram),
                Err(RecvError::Lagged(missed)) => self.missed += missed,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// How many came and were lost here because this reader was behind.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

/// Where datagrams go that come in: to everybody who reads them, and to nobody where nobody does.
#[derive(Debug)]
pub(crate) struct Mailbox {
    /// Gone once the agent has stopped, which ends the readers.
    datagrams: Mutex<Option<broadcast::Sender<Datagram>>>,
}

impl Mailbox {
    pub(crate) fn new() -> Self {
        Self { datagrams: Mutex::new(Some(broadcast::channel(BEHIND).0)) }
    }

    pub(crate) fn put(&self, sender: AgentId, body: &[u8]) {
        if let Some(datagrams) = &*self.datagrams.lock().unwrap_or_else(PoisonError::into_inner)
            && datagrams.receiver_count() > 0
        {
            // The last reader may have gone meanwhile.
            let _ = datagrams.send(Datagram { sender, body: body.to_vec() });
        }
    }

    pub(crate) fn end(&self) {
        self.datagrams.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn subscribe(&self) -> broadcast::Receiver<Datagram> {
        match &*self.datagrams.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(datagrams) => datagrams.subscribe(),
            None => broadcast::channel(1).1,
        }
    }
}

/// Sends one. It returns when the datagram is on its way.
pub(super) async fn send(agent: &Agent, to: &Addressee, body: &[u8]) -> Result<(), DatagramError> {
    let shared = &agent.shared;
    for _ in 0..TRIES {
        let session = shared.reach(to, Needs::Any).await?;
        match session.send_datagram(body) {
            Ok(()) => return Ok(()),
            Err(DatagramNotSent::TooLarge) => return Err(DatagramError::TooLarge),
            Err(DatagramNotSent::Over) => {}
        }
    }
    Err(ReachError::Unreachable.into())
}
