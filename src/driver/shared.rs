//! What handles, connections and the driver share.

use std::net::SocketAddr;
use std::sync::Arc;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::Provider;
use meshwork_router::Request;
use meshwork_state::{RestoreEvidence, Rows, StoreError};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Arrivals, Clock, Identity, Notices, Order, PeerIndex, RelayBook, Services, Sessions, Sockets,
    Vault,
};
use crate::agent::{Addressee, Answered, DealingsBook, Mailbox, Stopped, Tally};
use crate::config::Transports;
use crate::relay::OwnRelay;
use crate::streams::StreamDesk;

/// What handles, connections and the driver share. None of it keeps the agent running.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: AgentId,
    pub(crate) runtime: Handle,
    pub(crate) clock: Clock,
    pub(crate) vault: Arc<Vault>,
    pub(crate) identity: Identity,
    pub(crate) peers: Arc<PeerIndex>,
    pub(crate) notices: Notices,
    pub(crate) sessions: Sessions,
    pub(crate) relays: RelayBook,
    pub(crate) own_relay: OwnRelay,
    pub(crate) services: Services,
    pub(crate) datagrams: Mailbox,
    pub(crate) dealings: DealingsBook,
    /// Calls that programs at the control socket answer.
    #[cfg(unix)]
    pub(crate) outsourced: Arc<crate::control::Outsourced>,
    pub(crate) tally: Tally,
    pub(crate) arrivals: watch::Receiver<Arrivals>,
    pub(crate) streams: Arc<StreamDesk>,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) listening: Vec<SocketAddr>,
    pub(crate) transports: Transports,
    /// What sessions are dialled from.
    pub(crate) sockets: Sockets,
    pub(crate) restored: Option<RestoreEvidence>,
}

impl Shared {
    pub(crate) fn provider(&self) -> Arc<dyn Provider> {
        Arc::clone(self.identity.local().provider())
    }

    /// The peer that is named.
    pub(crate) fn find(&self, addressee: &Addressee) -> Option<AgentId> {
        match addressee {
            Addressee::Id(id) => Some(*id),
            Addressee::Name(name) => self.peers.named(name),
        }
    }

    /// Asks the driver, and waits for its answer.
    pub(crate) async fn ask<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<T>) -> Order,
    ) -> Result<T, Stopped> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(order(answer)).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }

    /// Asks the router.
    pub(crate) async fn request(&self, request: Request) -> Result<Answered, Stopped> {
        self.ask(|answer| Order::Request { request, answer }).await
    }

    /// Reads rows, where a disk that makes one wait delays nobody else.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        reader: impl FnOnce(&dyn Rows) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Result<T, StoreError>, Stopped> {
        let vault = Arc::clone(&self.vault);
        self.runtime.spawn_blocking(move || reader(&*vault)).await.map_err(|_| Stopped)
    }
}
