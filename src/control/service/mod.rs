//! Does what a request asks of an agent.

mod calls;
mod events;
mod files;
mod groups;
mod inbox;
mod peers;
mod prekeys;
mod send;

use meshwork_protocols::identity::Card;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::reply::{CardFacts, Identity};
use super::{Fault, RelayFigures, Reply, Request, VERSION};
use crate::Agent;

/// How many lines of an answer are made ahead of their reader: with the largest bodies, 2 MiB.
const AHEAD: usize = 2;

/// Does what `request` asks for. `Stop` only answers: to end the process is its owner's.
///
/// Dropping the answer stops what is still going on; a message that was taken on stays so.
pub fn answer(agent: &Agent, request: Request) -> Answer {
    let (sender, replies) = mpsc::channel(AHEAD);
    let agent = agent.clone();
    let task = tokio::spawn(async move {
        let out = Out(sender);
        let last = match perform(&agent, request, &out).await {
            Ok(()) => Reply::Done {},
            Err(Ended::Fault(fault)) => Reply::Error(*fault),
            Err(Ended::Unread) => return,
        };
        // Nobody may be left to read it.
        let _ = out.0.send(last).await;
    });
    Answer { replies, task }
}

/// The lines of an answer, as they come: any number, then [`Reply::Done`] or [`Reply::Error`].
#[derive(Debug)]
pub struct Answer {
    replies: mpsc::Receiver<Reply>,
    task: JoinHandle<()>,
}

impl Answer {
    /// The next line; nothing after the last. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Reply> {
        self.replies.recv().await
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where the lines go.
#[derive(Clone)]
struct Out(mpsc::Sender<Reply>);

impl Out {
    async fn say(&self, reply: Reply) -> Result<(), Ended> {
        self.0.send(reply).await.map_err(|_| Ended::Unread)
    }
}

/// Why an answer ended early.
enum Ended {
    Fault(Box<Fault>),
    /// Nobody reads it any more.
    Unread,
}

impl<F: Into<Fault>> From<F> for Ended {
    fn from(fault: F) -> Self {
        Self::Fault(Box::new(fault.into()))
    }
}

async fn perform(agent: &Agent, request: Request, out: &Out) -> Result<(), Ended> {
    match request {
        Request::Id {} => out.say(Reply::Identity(identity(agent))).await,
        Request::Card {} => out.say(Reply::Card((&*agent.card()).into())).await,
        Request::Peers {} => peers::list(agent, out).await,
        Request::Strangers {} => peers::strangers(agent, out).await,
        Request::Meet { contact, name } => peers::meet(agent, &contact, name, out).await,
        Request::Import { card, name } => peers::import(agent, &card, name, out).await,
        Request::Stand { peer, standing } => peers::stand(agent, &peer, standing, out).await,
        Request::Name { peer, name } => peers::name(agent, &peer, name, out).await,
        Request::Forget { peer } => peers::forget(agent, &peer).await,
        Request::Explain { peer } => peers::explain(agent, &peer, out).await,
        Request::Send(message) => send::send(agent, message, out).await,
        Request::Status { message } => send::status(agent, message, out).await,
        Request::Inbox { follow } => inbox::show(agent, follow, out).await,
        Request::Processed { sender, message } => {
            Ok(agent.processed(sender, message).await.map_err(Fault::from)?)
        }
        Request::Call(call) => calls::call(agent, call, out).await,
        Request::Serve { services } => calls::serve(agent, services, out).await,
        Request::Answer { call, body } => calls::answer(agent, call, body.0),
        Request::Decline { call, why } => calls::decline(agent, call, why),
        Request::SendFile(file) => files::send(agent, file, out).await,
        Request::ReceiveFiles { into, name } => {
            files::receive(agent, &into, name.as_deref(), out).await
        }
        Request::Prekeys {} => prekeys::tell(agent, out).await,
        Request::Relay {} => relay(agent, out).await,
        Request::RotatePrekeys {} => prekeys::rotate(agent, out).await,
        Request::PublishPrekeys {} => prekeys::publish(agent, out).await,
        Request::ExportPrekeys {} => prekeys::export(agent, out).await,
        Request::ImportPrekeys { bundle } => prekeys::import(agent, &bundle, out).await,
        Request::Groups { group: None } => groups::list(agent, out).await,
        Request::Groups { group: Some(group) } => groups::one(agent, &group, out).await,
        Request::CreateGroup { name, relay } => {
            groups::create(agent, name, relay.as_deref(), out).await
        }
        Request::ChangeGroup(change) => groups::change(agent, change, out).await,
        Request::JoinGroup { group } => groups::join(agent, &group, out).await,
        Request::DeclineGroup { group } => groups::decline(agent, &group).await,
        Request::ForgetGroup { group } => groups::forget(agent, &group).await,
        Request::SendToGroup(message) => groups::send(agent, message, out).await,
        Request::GroupLog { group, after, sealed } => {
            groups::log(agent, &group, (after, sealed), out).await
        }
        Request::TryEntry { group, kind, sealed } => {
            groups::try_entry(agent, &group, (kind, sealed.0), out).await
        }
        Request::Watch {} => events::watch(agent, out).await,
        Request::Stop {} => Ok(()),
    }
}

async fn relay(agent: &Agent, out: &Out) -> Result<(), Ended> {
    match agent.shared.own_relay.figures() {
        Some((metrics, failing)) => {
            out.say(Reply::Relay(RelayFigures::new(&metrics, failing))).await
        }
        None => Ok(()),
    }
}

fn identity(agent: &Agent) -> Identity {
    let contacts = agent.contact().iter().map(ToString::to_string).collect();
    Identity { agent: agent.id(), contacts, control: VERSION }
}

impl From<&Card> for CardFacts {
    fn from(card: &Card) -> Self {
        let services = card.capabilities().services.iter();
        Self {
            agent: card.agent(),
            sequence: card.sequence().value(),
            not_before: card.validity().not_before.into(),
            not_after: card.validity().not_after.into(),
            addresses: card.addresses().iter().map(ToString::to_string).collect(),
            relays: card.relays().iter().map(|relay| relay.agent.to_string()).collect(),
            suites: card.suites().to_vec(),
            services: services.map(|it| format!("{} {}", it.name, it.version)).collect(),
            region: card.region().map(|region| region.to_string()),
            text: card.to_text(),
        }
    }
}
