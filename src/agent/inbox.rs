//! The messages that arrived, one after the other.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use meshwork_state::{Namespace, Rows, StoreError};
use tokio::sync::{mpsc, watch};

use super::Delivery;
use crate::driver::{Arrivals, Shared};

/// How many messages are read ahead of the application: of the largest, 16 MiB.
const AHEAD: usize = 8;

/// The messages of an agent's inbox: those not yet processed, in the order of arrival, then each
/// as it arrives. Bodies are read when they are due, so that a long inbox costs little memory.
///
/// A message stays in the inbox until it is processed: a later inbox begins with it again. The
/// stream ends when the agent stops.
#[derive(Debug)]
pub struct Inbox {
    deliveries: mpsc::Receiver<Delivery>,
}

impl Inbox {
    pub(super) fn open(shared: &Arc<Shared>) -> Self {
        let (reader, deliveries) = Reader::new(shared);
        shared.runtime.spawn(reader.run());
        Self { deliveries }
    }

    pub(super) fn open_unread(shared: &Arc<Shared>) -> Self {
        let (mut reader, deliveries) = Reader::new(shared);
        // Announced or not: at a start, rows are there before the driver has announced them.
        shared.runtime.spawn(async move { while reader.hand_out_slice().await == Some(true) {} });
        Self { deliveries }
    }

    /// The next message; `None` once the agent has stopped. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.recv().await
    }
}

impl Stream for Inbox {
    type Item = Delivery;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.deliveries.poll_recv(context)
    }
}

/// Reads rows and hands them out, until nobody wants them or the agent stops.
#[derive(Debug)]
struct Reader {
    arrivals: watch::Receiver<Arrivals>,
    /// Not held while it waits, so that an inbox keeps no agent alive.
    shared: Weak<Shared>,
    /// The arrival number from which rows are not yet handed out.
    next: u64,
    sender: mpsc::Sender<Delivery>,
}

impl Reader {
    fn new(shared: &Arc<Shared>) -> (Self, mpsc::Receiver<Delivery>) {
        let (sender, deliveries) = mpsc::channel(AHEAD);
        let arrivals = shared.arrivals.clone();
        (Self { arrivals, shared: Arc::downgrade(shared), next: 0, sender }, deliveries)
    }

    async fn run(mut self) {
        while self.hand_out().await.is_some() {
            let next = self.next;
            tokio::select! {
                there = self.arrivals.wait_for(|arrivals| arrivals.end > next) => {
                    if there.is_err() {
                        return;
                    }
                }
                () = self.sender.closed() => return,
            }
        }
    }

    /// Hands out what is announced; `None` when it is over.
    async fn hand_out(&mut self) -> Option<()> {
        loop {
            // What is announced is durable, and so are the rows.
            let end = self.arrivals.borrow().end;
            if self.next >= end {
                return Some(());
            }
            if !self.hand_out_slice().await? {
                self.next = self.next.max(end);
            }
        }
    }

    /// Hands out the next few rows, and says whether there were any; `None` when it is over.
    async fn hand_out_slice(&mut self) -> Option<bool> {
        // Nothing is read before there is room for it.
        drop(self.sender.reserve().await.ok()?);
        let shared = self.shared.upgrade()?;
        let rows = match shared.read(slice(self.next, self.sender.capacity())).await.ok()? {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(%error, "the inbox cannot be read; trying again");
                drop(shared);
                tokio::time::sleep(RETRY).await;
                return Some(true);
            }
        };
        let any = !rows.is_empty();
        let repeat_below = self.arrivals.borrow().repeat_below;
        for (arrival, delivery) in rows {
            self.next = arrival + 1;
            let delivery = Delivery::new(delivery, arrival < repeat_below, Arc::clone(&shared));
            self.sender.send(delivery).await.ok()?;
        }
        Some(any)
    }
}

/// Reads at most `limit` messages from the arrival number `next` on.
fn slice(
    next: u64,
    limit: usize,
) -> impl FnOnce(&dyn Rows) -> Result<Vec<(u64, meshwork_router::Delivery)>, StoreError> {
    move |rows| {
        let key = next.checked_sub(1).map(meshwork_router::Delivery::key);
        // The row with the empty key is the router's count.
        let after = key.as_ref().map_or(&[][..], <[u8; 8]>::as_slice);
        let rows = rows.scan(Namespace::Inbox, &[], Some(after), limit.max(1))?;
        rows.into_iter()
            .map(|(key, value)| {
                let key = key.as_slice().try_into().map_err(|_| StoreError::Damaged)?;
                Ok((u64::from_be_bytes(key), meshwork_router::Delivery::decode(&value)?))
            })
            .collect()
    }
}

/// How long to wait when the store could not be read: it is being opened again.
const RETRY: Duration = Duration::from_millis(100);
