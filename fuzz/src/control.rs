//! The lines of the control socket, by which any program drives an agent.

use meshwork::control::{
    Body, Code, Delivery, Direction, Fault, Identity, Named, Reply, Request, Send, SendFile, Stand,
    Status, Transfer, TransferState, VERSION, Via, Wait, WaitFor,
};
use meshwork::{Choice, Level, Protocol, Reason};
use meshwork_protocols::wire::MessageId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::agent::Agent;
use crate::seeds;

/// A request that was read is written in a way that reads back as the same.
pub fn control_request(data: &[u8]) {
    reads_back_as_the_same::<Request>(data);
}

/// A reply that was read is written in a way that reads back as the same.
pub fn control_reply(data: &[u8]) {
    reads_back_as_the_same::<Reply>(data);
}

fn reads_back_as_the_same<T: DeserializeOwned + PartialEq + Serialize>(line: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(line) else { return };
    let written = serde_json::to_string(&read).unwrap();
    assert!(serde_json::from_str::<T>(&written).is_ok_and(|again| again == read), "{written}");
}

/// Requests as seeds.
pub(crate) fn requests() -> Vec<(&'static str, Vec<u8>)> {
    let peer = || "bob".to_owned();
    let send = |body: &[u8]| Send {
        to: Agent::peer().id().to_string(),
        body: Body(body.to_vec()),
        content_type: "text/plain".parse().unwrap(),
        message: Some(MESSAGE),
        lifetime_seconds: Some(3_600),
        ordered: true,
        wait: Some(Wait { level: WaitFor::Delivered, seconds: 30 }),
    };
    let file = SendFile {
        to: peer(),
        file: "/out/report.pdf".to_owned(),
        rename: Some("nightly.pdf".to_owned()),
        name: Some("files".to_owned()),
        via: Some(Via::Quic),
    };
    let contact = "mw1..@agent.example.org:7400".to_owned();
    [
        ("id", Request::Id {}),
        ("inbox", Request::Inbox { follow: true }),
        ("meet", Request::Meet { contact, name: Some(peer()) }),
        ("receive_files", Request::ReceiveFiles { into: "/in".to_owned(), name: None }),
        ("processed", Request::Processed { sender: Agent::peer().id(), message: MESSAGE }),
        ("send_base64", Request::Send(send(&[0, 255]))),
        ("send_file", Request::SendFile(file)),
        ("send_text", Request::Send(send(b"hello"))),
        ("stand", Request::Stand { peer: peer(), standing: Stand::Known }),
    ]
    .map(|(name, request)| (name, serde_json::to_vec(&request).unwrap()))
    .to_vec()
}

/// Replies as seeds.
pub(crate) fn replies() -> Vec<(&'static str, Vec<u8>)> {
    let agent = Agent::peer().id();
    let who = Named { agent, name: Some("bob".to_owned()) };
    let contacts = vec![format!("{agent}@192.0.2.1:7400")];
    let choice = Choice { protocol: Protocol::Live, reason: Reason::SessionStands };
    let fault = Fault::new(Code::BadArguments, "a field is not known");
    let status = Status::new(MESSAGE, who.clone(), Level::Processed, choice);
    let transfer = Transfer {
        direction: Direction::In,
        peer: who.clone(),
        file: "report.pdf".to_owned(),
        state: TransferState::Failed,
        bytes: 1,
        size: 2,
        path: Some("/in/report.pdf".to_owned()),
        why: Some("words".to_owned()),
    };
    [
        ("delivery", Reply::Delivery(delivery(who))),
        ("done", Reply::Done {}),
        ("error", Reply::Error(fault)),
        ("identity", Reply::Identity(Identity { agent, contacts, control: VERSION })),
        ("status", Reply::Status(status)),
        ("transfer", Reply::Transfer(transfer)),
    ]
    .map(|(name, reply)| (name, serde_json::to_vec(&reply).unwrap()))
    .to_vec()
}

fn delivery(sender: Named) -> Delivery {
    let row = seeds::delivery();
    Delivery {
        message: row.message.id,
        sender,
        protocol: row.protocol,
        posture: row.posture.into(),
        received: row.received.into(),
        created: row.message.created.into(),
        content_type: row.message.content_type,
        body: Body(row.message.body),
        repeat: true,
        group: row.group,
    }
}

const MESSAGE: MessageId = MessageId::from_bytes([1; 16]);
