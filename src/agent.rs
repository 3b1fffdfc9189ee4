//! The handle that an application holds.
//!
//! Knows how to ask the driver, and where the shared parts are; decides nothing.

mod addressee;
mod call;
mod counters;
mod datagram;
mod dealings;
mod delivery;
mod error;
mod event;
mod group;
mod inbox;
mod meeting;
mod message;
mod peer;
mod prekeys;
mod service;
mod watch;

pub use addressee::Addressee;
pub use call::Call;
pub use counters::Counters;
pub use datagram::{Datagram, Datagrams};
pub use dealings::Dealings;
pub use delivery::Delivery;
pub use error::{
    CallError, CloseError, DatagramError, FetchError, MeetError, PeerError, ProcessError,
    ReachError, SendError, StatusError, Stopped,
};
pub use event::Event;
pub use group::{GroupError, GroupMessage, Groups, Logged, LoggedKind, SealedEntry};
pub use inbox::Inbox;
pub use meeting::Whom;
pub(crate) use message::LIFETIME;
pub use message::Message;
pub use peer::{Peer, Stranger};
pub use prekeys::PrekeyError;
pub use service::{Asked, Declined, ServeError, Serving};
pub use watch::Watch;

pub(crate) use counters::Tally;
pub(crate) use datagram::Mailbox;
pub(crate) use dealings::{DealingsBook, DealingsTally, Standing as StandingSessions};

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use meshwork_protocols::identity::{AgentId, Card, Contact, Transport};
use meshwork_protocols::wire::MessageId;
use meshwork_router::{Answer, CommandError, Explanation, PrekeyStatus, Request, Standing, Status};
use meshwork_state::RestoreEvidence;
use tokio::sync::oneshot;

use crate::config::Builder;
use crate::driver::{Order, RelayState, Shared};
use crate::relay::{self, RelaySettings, RelayStartError, Relaying};
use crate::streams::{self, OpenStreamError, Stream, Streams, TakeStreamsError};

/// An agent that runs. Clones are handles of the same agent.
///
/// It runs until [`Agent::close`], or until the last handle is dropped. Dropping is safe at any
/// moment, as a crash is: what was accepted is durable, and the next start goes on from there.
#[derive(Clone)]
pub struct Agent {
    pub(crate) shared: Arc<Shared>,
    /// Dropped with the last handle, which stops the driver.
    pub(crate) _lease: Arc<Lease>,
}

/// What the driver watches: it runs as long as somebody holds one.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) _held: oneshot::Sender<()>,
}

impl Agent {
    /// Where an agent begins.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Who this is.
    pub fn id(&self) -> AgentId {
        self.shared.id
    }

    /// The card that speaks for it now.
    pub fn card(&self) -> Arc<Card> {
        Arc::clone(self.shared.identity.local().card())
    }

    /// One line by which others can meet it, with the first of its addresses. `None` for one that
    /// nobody can dial.
    pub fn contact(&self) -> Option<Contact> {
        let endpoint = self.card().addresses().first()?.endpoint.clone();
        Some(Contact { agent: self.id(), endpoint })
    }

    /// Where it listens.
    pub fn listening(&self) -> &[SocketAddr] {
        &self.shared.listening
    }

    /// Why its state was taken for a restored or copied one at this start, if it was.
    pub fn restored(&self) -> Option<RestoreEvidence> {
        self.shared.restored
    }

    /// Learns a peer, which becomes known: by a card, or by a contact from which its card is
    /// fetched and verified.
    ///
    /// Dropped on the way, the peer is known or not; both are consistent.
    pub async fn meet(&self, whom: impl Into<Whom>) -> Result<AgentId, MeetError> {
        meeting::meet(&self.shared, whom.into(), None).await
    }

    /// Learns a peer and gives it a local name, which no other peer may have.
    pub async fn meet_as(
        &self,
        whom: impl Into<Whom>,
        name: impl Into<String>,
    ) -> Result<AgentId, MeetError> {
        meeting::meet(&self.shared, whom.into(), Some(name.into())).await
    }

    /// Takes a message on for a known peer, with the options' defaults; see [`Agent::message`].
    ///
    /// When it returns, the message is durable here, and will be put into the peer's inbox exactly
    /// once, or end as expired or refused. Dropped before, the message was taken on or was not;
    /// to try again safely, send with an id of your own ([`Message::id`]).
    pub async fn send(
        &self,
        to: impl Into<Addressee>,
        body: impl Into<Vec<u8>>,
    ) -> Result<MessageId, SendError> {
        self.message(to).send(body).await
    }

    /// A message to be sent with other options than the defaults.
    pub fn message(&self, to: impl Into<Addressee>) -> Message<'_> {
        Message::new(self, to.into())
    }

    /// Calls a service of a known peer: awaited, it gives the answer. See [`Call`] for its options.
    ///
    /// A call is durable at neither end: it is made now, over the session that stands or one that
    /// is opened for it, and runs at most once. [`CallError::may_have_run`] says of one that has no
    /// answer whether the peer may have done what was asked.
    pub fn call(
        &self,
        peer: impl Into<Addressee>,
        service: impl Into<String>,
        body: impl Into<Vec<u8>>,
    ) -> Call<'_> {
        Call::new(self, peer.into(), service.into(), body.into())
    }

    /// Keeps mail, prekeys, group logs and blobs for other agents, until what is returned is
    /// dropped. Any agent may use it, within the limits; it sees no plaintext.
    pub async fn relay(&self, settings: RelaySettings) -> Result<Relaying, RelayStartError> {
        let agent = self.clone();
        let runtime = &self.shared.runtime;
        // Opening the file may wait for the disk.
        let offered = runtime.spawn_blocking(move || relay::offer(&agent, settings)).await;
        offered.unwrap_or(Err(RelayStartError::Stopped))
    }

    /// Offers a service to the known peers, until what is returned is dropped. Each call runs in a
    /// task of its own, many at once; it is dropped where it stands when its caller cancels it or
    /// its deadline passes.
    ///
    /// Strangers and blocked peers that call get no answer. A handler that is to tell known callers
    /// apart looks at [`Asked::caller`].
    pub fn serve<H, F>(&self, service: &str, handler: H) -> Result<Serving, ServeError>
    where
        H: Fn(Asked) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<u8>, Declined>> + Send + 'static,
    {
        service::serve(self, service, handler)
    }

    /// Sends a datagram to a known peer: at most [`crate::MAX_DATAGRAM`] bytes that arrive at most
    /// once, or not at all, and behind which nothing waits. It returns when the datagram is on its
    /// way; a session is opened for it where none stands.
    pub async fn datagram(
        &self,
        peer: impl Into<Addressee>,
        body: impl AsRef<[u8]>,
    ) -> Result<(), DatagramError> {
        datagram::send(self, &peer.into(), body.as_ref()).await
    }

    /// The datagrams that known peers send from now on.
    pub fn datagrams(&self) -> Datagrams {
        Datagrams::open(&self.shared)
    }

    /// How far a message of this agent's got; `None` for one that is not known, or was forgotten
    /// 7 days after it could last have lived.
    pub async fn status(&self, id: MessageId) -> Result<Option<Status>, StatusError> {
        let answer = self.shared.ask(|answer| Order::Status { id, answer }).await?;
        Ok(answer?)
    }

    /// Waits until a message is in the peer's inbox, or has ended.
    pub async fn delivered(&self, id: MessageId) -> Result<Status, StatusError> {
        watch::wait(self, id, |level| level.is_end() || level == meshwork_router::Level::Delivered)
            .await
    }

    /// Waits until the peer's application has marked a message as processed, or it has ended.
    pub async fn settled(&self, id: MessageId) -> Result<Status, StatusError> {
        watch::wait(self, id, meshwork_router::Level::is_end).await
    }

    /// What arrived and is not yet processed, then what arrives. Each inbox begins with the first
    /// unread message; an application wants one.
    pub fn inbox(&self) -> Inbox {
        Inbox::open(&self.shared)
    }

    /// What arrived and is not yet processed; ends there.
    pub fn unread(&self) -> Inbox {
        Inbox::open_unread(&self.shared)
    }

    /// Marks a message as processed, as [`Delivery::processed`] does.
    pub async fn processed(&self, sender: AgentId, id: MessageId) -> Result<(), ProcessError> {
        delivery::process(&self.shared, sender, id).await
    }

    /// Opens a stream of bytes to a known peer, over a session that carries streams (QUIC or TCP),
    /// which is looked for where none stands. Who takes streams of that name there gets it; that
    /// nobody does is seen by reading or writing.
    ///
    /// Dropped on the way, no stream was opened.
    pub async fn open_stream(
        &self,
        peer: impl Into<Addressee>,
        name: &str,
    ) -> Result<Stream, OpenStreamError> {
        streams::open(&self.shared, &peer.into(), name, None).await
    }

    /// Opens a stream as [`Agent::open_stream`] does, over this transport and no other.
    pub async fn open_stream_via(
        &self,
        peer: impl Into<Addressee>,
        name: &str,
        via: Transport,
    ) -> Result<Stream, OpenStreamError> {
        streams::open(&self.shared, &peer.into(), name, Some(via)).await
    }

    /// Takes the streams that known peers open under this name, until it is dropped. Streams of a
    /// name that nobody takes are refused by name.
    pub fn streams(&self, name: &str) -> Result<Streams, TakeStreamsError> {
        self.shared.streams.take(name)
    }

    /// The groups of this agent.
    pub fn groups(&self) -> Groups {
        Groups::of(self.clone())
    }

    /// What happens from now on, and what stands since the start.
    pub fn watch(&self) -> Watch {
        Watch::open(&self.shared)
    }

    /// How a message to this peer would go now, and why.
    pub async fn explain(&self, peer: impl Into<Addressee>) -> Result<Explanation, PeerError> {
        let peer = self.shared.find(&peer.into()).ok_or(PeerError::UnknownPeer)?;
        Ok(self.shared.ask(|answer| Order::Explain { peer, answer }).await?)
    }

    /// What is kept of a peer; `None` for one that is not kept.
    pub async fn peer(&self, peer: impl Into<Addressee>) -> Result<Option<Peer>, PeerError> {
        peer::one(&self.shared, &peer.into()).await
    }

    /// The peers that are kept, in the order of their ids.
    pub async fn peers(&self) -> Result<Vec<Peer>, PeerError> {
        peer::all(&self.shared).await
    }

    /// The newest card of a peer that was not refused; `None` for one that is not kept. It may not
    /// count any more.
    pub async fn card_of(&self, peer: impl Into<Addressee>) -> Result<Option<Card>, PeerError> {
        peer::card(&self.shared, &peer.into()).await
    }

    /// Changes how a peer stands with this agent. To accept a stranger is to deliver what was held.
    pub async fn stand(
        &self,
        peer: impl Into<Addressee>,
        standing: Standing,
    ) -> Result<(), PeerError> {
        let peer = self.shared.find(&peer.into()).ok_or(PeerError::UnknownPeer)?;
        self.change(Request::Stand { peer, standing }).await
    }

    /// The local name of a peer, if it has one.
    pub fn name_of(&self, peer: AgentId) -> Option<String> {
        self.shared.peers.name_of(&peer)
    }

    /// Gives a peer another local name, or none.
    pub async fn name(
        &self,
        peer: impl Into<Addressee>,
        name: Option<String>,
    ) -> Result<(), PeerError> {
        let peer = self.shared.find(&peer.into()).ok_or(PeerError::UnknownPeer)?;
        self.change(Request::Name { peer, name }).await
    }

    /// Forgets a peer; what was sent to it and is not delivered expires.
    pub async fn forget(&self, peer: impl Into<Addressee>) -> Result<(), PeerError> {
        let peer = self.shared.find(&peer.into()).ok_or(PeerError::UnknownPeer)?;
        self.change(Request::Forget(peer)).await
    }

    /// The strangers that wrote and wait for [`Agent::stand`].
    pub async fn strangers(&self) -> Result<Vec<Stranger>, Stopped> {
        self.shared.ask(|answer| Order::Strangers { answer }).await
    }

    /// The keys by which others write to this agent while it is away, and whose of its peers' are
    /// known here.
    pub async fn prekeys(&self) -> Result<PrekeyStatus, PrekeyError> {
        prekeys::status(&self.shared).await
    }

    /// Waits until the mail that the agent's relays have now is fetched and durable, as far as they
    /// answer. Mail that cannot be taken yet, for a full inbox, keeps it waiting.
    pub async fn fetched(&self) {
        let relays: Vec<_> = self.relays().into_iter().map(|(relay, _)| relay).collect();
        self.shared.relays.until_dealt_with(&relays).await;
    }

    /// The relays that this agent's card names, in their order, with what is known of each.
    pub fn relays(&self) -> Vec<(AgentId, RelayState)> {
        let card = self.card();
        let named = card.relays().iter().map(|relay| relay.agent);
        named.map(|relay| (relay, self.shared.relays.state(&relay))).collect()
    }

    /// Replaces the signed prekeys now, as happens weekly, and signs a bundle that offers them. What
    /// was sealed to the old ones still opens.
    pub async fn rotate_prekeys(&self) -> Result<(), PrekeyError> {
        prekeys::rotate(&self.shared).await
    }

    /// Signs a bundle that offers the prekeys of now and counts for another two weeks, and gives it to
    /// every known peer that is here; the others get it when they are.
    pub async fn publish_prekeys(&self) -> Result<(), PrekeyError> {
        prekeys::publish(&self.shared).await
    }

    /// The newest bundle of prekeys, signed and without one-time keys, to be imported by others who
    /// know this agent. Inside a live session agents exchange theirs by themselves.
    pub async fn export_bundle(&self) -> Result<Vec<u8>, PrekeyError> {
        prekeys::export(&self.shared).await
    }

    /// Takes a bundle of a known peer, verified against the peer's card. One that is forged, expired
    /// or older than the one that is known changes nothing.
    pub async fn import_bundle(&self, bundle: &[u8]) -> Result<AgentId, PrekeyError> {
        prekeys::import(&self.shared, bundle).await
    }

    /// What was counted since the start.
    pub fn counters(&self) -> Counters {
        self.shared.tally.counters()
    }

    /// Stops the agent in good order: what is being made durable becomes so, sessions end with an
    /// encrypted end of their streams, the session keys are replaced, the witness is written and
    /// the state given up, so that it can be opened again when this returns.
    ///
    /// Other handles answer [`Stopped`] from then on. Dropped on the way, the agent closes all the
    /// same.
    pub async fn close(self) -> Result<(), CloseError> {
        match self.shared.ask(|answer| Order::Close { answer }).await {
            Ok(closed) => closed,
            Err(stopped) => Err(stopped.into()),
        }
    }

    async fn change(&self, request: Request) -> Result<(), PeerError> {
        self.shared.request(request).await?.map(drop).map_err(PeerError::from)
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Agent").field(&self.id()).finish()
    }
}

/// What the driver answers a request with.
pub(crate) type Answered = Result<Answer, CommandError>;
