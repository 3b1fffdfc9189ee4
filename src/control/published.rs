//! Holds `docs/control.schema.json` to what the types say: each kind of line validates, and the
//! schema knows no kind that there is not.

use std::collections::BTreeSet;

use meshwork_protocols::fleet::GroupId;
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::posture::Posture;
use meshwork_protocols::time::WallTime;
use meshwork_protocols::wire::{ContentType, MessageId, RefusalReason};
use meshwork_router::{Choice, Level, Protocol, Reason, Standing};
use serde_json::{Value, json};

use super::*;

const SCHEMA: &str = include_str!("../../docs/control.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

// --- samples: the matches are exhaustive, so that a new kind does not compile without one ---

fn agent() -> AgentId {
    AgentId::from_bytes([7; 32])
}

fn named() -> Named {
    Named { agent: agent(), name: Some("bob".into()) }
}

fn nameless() -> Named {
    Named { agent: agent(), name: None }
}

const MESSAGE: MessageId = MessageId::from_bytes([0xab; 16]);
const GROUP: GroupId = GroupId::from_bytes([0xcd; 32]);

fn time() -> Moment {
    Moment(WallTime::from_secs(1_700_000_000))
}

fn requests() -> Vec<Request> {
    let peer = || "bob".to_owned();
    let contact = format!("{}@127.0.0.1:7400", agent());
    let send = Send {
        to: peer(),
        body: Body(b"hi".to_vec()),
        content_type: ContentType::default(),
        message: None,
        lifetime_seconds: None,
        ordered: false,
        wait: None,
    };
    let file = SendFile {
        to: peer(),
        file: "/out/report.pdf".into(),
        rename: Some("nightly.pdf".into()),
        name: Some("files".into()),
        via: Some(Via::Quic),
    };
    let wait = |level| Some(Wait { level, seconds: 3 });
    let whole = Send {
        body: Body(vec![0xff]),
        content_type: "text/plain".parse().unwrap(),
        message: Some(MESSAGE),
        lifetime_seconds: Some(60),
        ordered: true,
        wait: wait(WaitFor::Processed),
        ..send.clone()
    };
    let call = Call {
        to: peer(),
        service: "translate".into(),
        body: Body(b"hi".to_vec()),
        deadline_millis: None,
        via: None,
    };
    let relay = contact.clone();
    let to_group = SendToGroup {
        group: "crew".into(),
        body: Body(b"hi".to_vec()),
        content_type: ContentType::default(),
        message: None,
        lifetime_seconds: None,
        asks: None,
        wait_seconds: None,
    };
    let holder = contact.clone();
    let change = |change| {
        let (members, wait_seconds) = match change {
            GroupChange::Rotate | GroupChange::Leave => (vec![], None),
            GroupChange::Move => (vec![], Some(5)),
            _ => (vec![peer()], Some(5)),
        };
        let relay = (change == GroupChange::Move).then(|| holder.clone());
        let group = "crew".into();
        Request::ChangeGroup(ChangeGroup { group, change, members, relay, wait_seconds })
    };
    let trial = |kind| Request::TryEntry { group: "crew".into(), kind, sealed: Body(vec![0xff]) };
    vec![
        Request::Id {},
        Request::Card {},
        Request::Peers {},
        Request::Strangers {},
        Request::Meet { contact: contact.clone(), name: None },
        Request::Meet { contact, name: Some(peer()) },
        Request::Import { card: "-----BEGIN".into(), name: Some(peer()) },
        Request::Stand { peer: peer(), standing: Stand::Known },
        Request::Stand { peer: peer(), standing: Stand::Blocked },
        Request::Name { peer: peer(), name: peer() },
        Request::Forget { peer: peer() },
        Request::Send(Send { wait: wait(WaitFor::Delivered), ..send.clone() }),
        Request::Send(send),
        Request::Send(whole),
        Request::Status { message: MESSAGE },
        Request::Inbox { follow: true },
        Request::Processed { sender: agent(), message: MESSAGE },
        Request::Explain { peer: peer() },
        Request::Call(call.clone()),
        Request::Call(Call { via: Some(Via::Quic), deadline_millis: Some(1), ..call.clone() }),
        Request::Call(Call { via: Some(Via::Udp), ..call.clone() }),
        Request::Call(Call { via: Some(Via::Tcp), ..call }),
        Request::Serve { services: vec!["translate".into()] },
        Request::Answer { call: 7, body: Body(vec![0xff]) },
        Request::Decline { call: 7, why: Decline::Failed },
        Request::Decline { call: 7, why: Decline::NotAllowed },
        Request::Decline { call: 7, why: Decline::Busy },
        Request::SendFile(SendFile { via: None, ..file.clone() }),
        Request::SendFile(SendFile { via: Some(Via::Udp), rename: None, ..file.clone() }),
        Request::SendFile(SendFile { via: Some(Via::Tcp), name: None, ..file.clone() }),
        Request::SendFile(file),
        Request::ReceiveFiles { into: "/in".into(), name: None },
        Request::ReceiveFiles { into: "/in".into(), name: Some("other".into()) },
        Request::Prekeys {},
        Request::Relay {},
        Request::RotatePrekeys {},
        Request::PublishPrekeys {},
        Request::ExportPrekeys {},
        Request::ImportPrekeys { bundle: "-----BEGIN".into() },
        Request::Groups { group: None },
        Request::Groups { group: Some(peer()) },
        Request::CreateGroup { name: "crew".into(), relay: None },
        Request::CreateGroup { name: "crew".into(), relay: Some(relay) },
        change(GroupChange::Invite),
        change(GroupChange::Heal),
        change(GroupChange::Remove),
        change(GroupChange::Appoint),
        change(GroupChange::Dismiss),
        change(GroupChange::Rotate),
        change(GroupChange::Move),
        change(GroupChange::Leave),
        Request::JoinGroup { group: "crew".into() },
        Request::DeclineGroup { group: "crew".into() },
        Request::ForgetGroup { group: "crew".into() },
        Request::SendToGroup(SendToGroup {
            content_type: "text/plain".parse().unwrap(),
            message: Some(MESSAGE),
            lifetime_seconds: Some(60),
            asks: Some(WaitFor::Delivered),
            wait_seconds: Some(5),
            ..to_group.clone()
        }),
        Request::SendToGroup(to_group),
        Request::GroupLog { group: "crew".into(), after: 7, sealed: true },
        trial(EntryKind::Commit),
        trial(EntryKind::Message),
        Request::Watch {},
        Request::Stop {},
    ]
}

fn statuses() -> Vec<Status> {
    let levels = [
        Level::Queued,
        Level::Sent,
        Level::Delivered,
        Level::Processed,
        Level::Expired,
        Level::Refused(RefusalReason::Policy),
        Level::Relayed,
        Level::Delivered,
        Level::Queued,
        Level::Queued,
    ];
    let choices = [
        (Protocol::Live, Reason::SessionStands),
        (Protocol::Held, Reason::NotTriedYet),
        (Protocol::Held, Reason::Dialling),
        (Protocol::Deferred, Reason::PeerAway),
        (Protocol::Deferred, Reason::PeerAwayNoMail),
        (Protocol::Held, Reason::NoPath),
        (Protocol::Deferred, Reason::ThroughRelay),
        (Protocol::Deferred, Reason::SealedBefore),
        (Protocol::Deferred, Reason::RelaysAway),
        (Protocol::Held, Reason::PrekeysWanted),
    ];
    let pairs = levels.into_iter().zip(choices);
    pairs
        .map(|(level, (protocol, reason))| {
            Status::new(MESSAGE, named(), level, Choice { protocol, reason })
        })
        .collect()
}

fn happenings() -> Vec<Happening> {
    let words = || "words".to_owned();
    let moved = statuses().swap_remove(0);
    vec![
        Happening::Moved(moved),
        Happening::Arrived { sender: nameless(), message: MESSAGE },
        Happening::FirstContact { peer: nameless() },
        Happening::Connected { peer: named() },
        Happening::Disconnected { peer: named() },
        Happening::Unreachable { peer: named(), why: words() },
        Happening::Rejected { from: words(), why: words(), more: 1 },
        Happening::Group { group: GROUP, what: words() },
        Happening::CardRenewed { sequence: 1 },
        Happening::Suspect { peer: named(), what: words() },
        Happening::Trouble { what: words() },
        Happening::Missed { events: 2 },
    ]
}

fn replies() -> Vec<Reply> {
    let contact = format!("{}@127.0.0.1:7400", agent());
    let identity = Identity { agent: agent(), contacts: vec![contact.clone()], control: VERSION };
    let card = CardFacts {
        agent: agent(),
        sequence: 1,
        not_before: time(),
        not_after: time(),
        addresses: vec!["tcp:127.0.0.1:7400".into()],
        relays: vec![],
        suites: vec![1, 2],
        services: vec!["files 1".into()],
        region: Some("CH".into()),
        text: "-----BEGIN".into(),
    };
    let peer = |standing, held| Peer {
        who: named(),
        standing,
        contact: Some(contact.clone()),
        connected: true,
        held,
        dealings: Dealings { handshakes: 1, reuses: 2, bytes_in: 3, bytes_out: 4, transport: None },
    };
    let over = |transport| {
        let known = peer(Standing::Known, 0);
        let dealings = Dealings { transport: Some(transport), ..known.dealings };
        Reply::Peer(Peer { dealings, ..known })
    };
    let delivery = Delivery {
        message: MESSAGE,
        sender: named(),
        protocol: Protocol::Live,
        posture: Posture::HYBRID.into(),
        received: time(),
        created: time(),
        content_type: ContentType::default(),
        body: Body(b"hi".to_vec()),
        repeat: false,
        group: None,
    };
    let of_group = Delivery { protocol: Protocol::Fleet, group: Some(GROUP), ..delivery.clone() };
    let route = |dialling, relays| Route {
        to: named(),
        standing: Standing::Known,
        protocol: Protocol::Held,
        reason: Reason::NoPath,
        why: "words".into(),
        connected: false,
        dialling,
        stored: false,
        relays,
        waiting: 3,
    };
    let transfer = Transfer {
        direction: Direction::In,
        peer: named(),
        file: "report.pdf".into(),
        state: TransferState::Moving,
        bytes: 1,
        size: 2,
        path: None,
        why: None,
    };
    let bundle = |who| PeerBundle { who, bundle: 7, until: time(), one_time: true };
    let pool =
        |who, one_time| RelayPool { who, answers: true, one_time, last_resorts: 1, fetched: 2 };
    let prekeys = Prekeys {
        generations: 1,
        rotation_due: time(),
        pool_size: 200,
        available: 199,
        handed_out: 1,
        bundle: 7,
        not_before: time(),
        not_after: time(),
        peers: vec![bundle(named()), bundle(nameless())],
        relays: vec![pool(named(), Some(9)), pool(nameless(), None)],
    };
    let facts = |of| BundleFacts {
        of,
        number: 7,
        not_before: time(),
        not_after: time(),
        text: "-----BEGIN".into(),
    };
    let mut replies = vec![
        Reply::Prekeys(prekeys),
        Reply::Relay(figures(None)),
        Reply::Relay(figures(Some(crate::RelayStorageError::Poisoned))),
        Reply::Bundle(facts(named())),
        Reply::Bundle(facts(nameless())),
        Reply::Identity(identity),
        Reply::Card(card),
        Reply::Peer(peer(Standing::Known, 0)),
        Reply::Peer(peer(Standing::Stranger, 2)),
        Reply::Peer(Peer { contact: None, ..peer(Standing::Blocked, 0) }),
        over(Via::Quic),
        over(Via::Udp),
        over(Via::Tcp),
        Reply::Answer(CallAnswer {
            from: named(),
            service: "translate".into(),
            body: Body(b"hi".to_vec()),
            millis: 3,
        }),
        Reply::Asked(Asked {
            call: 7,
            caller: nameless(),
            service: "translate".into(),
            body: Body(b"hi".to_vec()),
            deadline_millis: 30_000,
        }),
        Reply::Withdrawn { call: 7 },
        Reply::Delivery(delivery),
        Reply::Delivery(of_group),
        Reply::Route(route(Search::Untried, MailRelays::None)),
        Reply::Route(route(Search::UnderWay, MailRelays::Usable)),
        Reply::Route(route(Search::Failed, MailRelays::Unreachable)),
        Reply::Transfer(Transfer { direction: Direction::Out, ..transfer.clone() }),
        Reply::Transfer(Transfer {
            state: TransferState::Kept,
            path: Some("/in/report.pdf".into()),
            ..transfer.clone()
        }),
        Reply::Transfer(Transfer {
            state: TransferState::Failed,
            why: Some("words".into()),
            ..transfer
        }),
        Reply::Group(group(GroupState::Founding)),
        Reply::Group(group(GroupState::Follows)),
        Reply::Group(group(GroupState::Stranded)),
        Reply::Invitation(Invitation {
            group: GROUP,
            name: "crew".into(),
            by: named(),
            received: time(),
            holder: nameless(),
        }),
        Reply::EntryTrial(EntryTrial { opens: true, what: "words".into() }),
        Reply::GroupMessage(GroupMessage {
            group: GROUP,
            message: MESSAGE,
            level: Progress::Relayed,
            asks: Some(WaitFor::Processed),
            delivered: 2,
            processed: 1,
            undelivered: vec![named()],
            unprocessed: vec![named(), nameless()],
        }),
        Reply::Done {},
    ];
    replies.extend(entries().into_iter().map(Reply::GroupEntry));
    replies.extend(statuses().into_iter().map(Reply::Status));
    replies.extend(
        happenings().into_iter().map(|it| Reply::Event(Event { at: time(), happening: it })),
    );
    replies.extend(Code::ALL.iter().map(|code| Reply::Error(Fault::new(*code, "words"))));
    replies
}

fn figures(failing: Option<crate::RelayStorageError>) -> RelayFigures {
    let mut metrics = crate::RelayMetrics::default();
    metrics.refusals.insert("not-now", 3);
    RelayFigures::new(&metrics, failing)
}

fn group(state: GroupState) -> Group {
    let in_again = state == GroupState::Follows;
    let member = |who, admin, own| GroupMember { who, admin, own, in_again: in_again && !own };
    Group {
        group: GROUP,
        name: "crew".into(),
        holder: nameless(),
        state,
        epoch: 3,
        members: vec![member(named(), true, false), member(nameless(), false, true)],
        moves: u16::from(state == GroupState::Follows),
        read: 9,
        waiting: 1,
        changes: 2,
        wanted: vec![nameless()],
        protocol: Protocol::Fleet,
        reason: Reason::GroupLog,
        why: "words".into(),
    }
}

fn entries() -> Vec<GroupEntry> {
    let entry = |kind| GroupEntry {
        index: 1,
        author: named(),
        at: time(),
        kind,
        epoch: None,
        on: None,
        admitted: vec![],
        removed: vec![],
        bytes: 7,
        sealed: Some(Body(vec![0xff])),
    };
    let commit = GroupEntry {
        epoch: Some(3),
        admitted: vec![named()],
        removed: vec![nameless()],
        ..entry(EntryKind::Commit)
    };
    let on = |kind| GroupEntry { on: Some(2), ..entry(kind) };
    vec![
        entry(EntryKind::Founding),
        commit,
        entry(EntryKind::Message),
        on(EntryKind::Confirmed),
        on(EntryKind::CannotProcess),
        on(EntryKind::PutsBack),
        on(EntryKind::Refounding),
    ]
}

/// Does not compile when a kind is added, to remind of its sample.
fn remind(request: &Request, reply: &Reply, happening: &Happening) {
    match request {
        Request::Id {} | Request::Card {} | Request::Peers {} | Request::Meet { .. } => {}
        Request::Import { .. } | Request::Stand { .. } | Request::Name { .. } => {}
        Request::Forget { .. } | Request::Send(_) | Request::Status { .. } => {}
        Request::Inbox { .. } | Request::Processed { .. } | Request::Explain { .. } => {}
        Request::Strangers {} | Request::Watch {} | Request::Stop {} => {}
        Request::Call(_) | Request::Serve { .. } => {}
        Request::SendFile(_) | Request::ReceiveFiles { .. } => {}
        Request::Answer { .. } | Request::Decline { .. } => {}
        Request::Prekeys {} | Request::RotatePrekeys {} | Request::PublishPrekeys {} => {}
        Request::ExportPrekeys {} | Request::ImportPrekeys { .. } | Request::Relay {} => {}
        Request::Groups { .. } | Request::CreateGroup { .. } | Request::ChangeGroup(_) => {}
        Request::JoinGroup { .. } | Request::DeclineGroup { .. } => {}
        Request::ForgetGroup { .. } | Request::SendToGroup(_) | Request::GroupLog { .. } => {}
        Request::TryEntry { .. } => {}
    }
    match reply {
        Reply::Identity(_) | Reply::Card(_) | Reply::Peer(_) | Reply::Status(_) => {}
        Reply::Delivery(_) | Reply::Route(_) | Reply::Event(_) | Reply::Transfer(_) => {}
        Reply::Answer(_) | Reply::Asked(_) | Reply::Withdrawn { .. } => {}
        Reply::Prekeys(_) | Reply::Bundle(_) | Reply::Relay(_) => {}
        Reply::Group(_) | Reply::Invitation(_) | Reply::GroupMessage(_) => {}
        Reply::GroupEntry(_) | Reply::EntryTrial(_) => {}
        Reply::Done {} | Reply::Error(_) => {}
    }
    match happening {
        Happening::Moved(_) | Happening::Arrived { .. } | Happening::FirstContact { .. } => {}
        Happening::Connected { .. } | Happening::Disconnected { .. } => {}
        Happening::Unreachable { .. } | Happening::Rejected { .. } => {}
        Happening::CardRenewed { .. } | Happening::Suspect { .. } | Happening::Group { .. } => {}
        Happening::Trouble { .. } | Happening::Missed { .. } => {}
    }
}

// --- a checker of the part of JSON Schema that the schema uses ---

/// Why `value` is not what `schema` says. What `properties` does not name is refused, so that
/// nothing goes undocumented.
fn check(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let rules = schema.as_object().expect("a schema is an object");
    for (keyword, rule) in rules {
        let fine = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => true,
            "properties" | "required" | "additionalProperties" => true,
            "$ref" => {
                let path = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(root, root.pointer(path).expect("a reference leads somewhere"), value)?;
                true
            }
            "oneOf" => {
                let fits = |one: &&Value| check(root, one, value).is_ok();
                rule.as_array().unwrap().iter().filter(fits).count() == 1
            }
            "const" => rule == value,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_u64() >= rule.as_u64(),
            "pattern" => value.as_str().is_some_and(|text| fits(rule.as_str().unwrap(), text)),
            "items" => {
                let items = value.as_array().ok_or("not an array")?;
                items.iter().try_for_each(|item| check(root, rule, item))?;
                true
            }
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_u64(),
                other => panic!("unknown type {other}"),
            },
            other => panic!("unknown keyword {other}"),
        };
        if !fine {
            return Err(format!("{value} breaks {keyword}: {rule}"));
        }
    }
    check_properties(root, schema, value)
}

fn check_properties(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let (Some(object), Some(properties)) = (value.as_object(), schema["properties"].as_object())
    else {
        return Ok(());
    };
    for (name, value) in object {
        let schema = properties.get(name).ok_or_else(|| format!("{name} is not documented"))?;
        check(root, schema, value).map_err(|why| format!("{name}: {why}"))?;
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if !object.contains_key(name.as_str().unwrap()) {
            return Err(format!("{name} is missing"));
        }
    }
    Ok(())
}

/// The patterns of the schema, as the types behind them read.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern {
        "^mw1[02-9ac-hj-np-z]{58}$" => text.parse::<AgentId>().is_ok(),
        "^mw1[02-9ac-hj-np-z]{58}@.+:[0-9]+$" => text.parse::<crate::Contact>().is_ok(),
        "^[0-9a-f]{64}$" => text.parse::<GroupId>().is_ok(),
        "^[0-9a-f]{32}$" => text.parse::<MessageId>().is_ok(),
        "^MESH-[0-9]{4}$" => text.parse::<Code>().is_ok(),
        "^[a-z][a-z0-9.-]{0,63}$" => text.parse::<crate::ServiceName>().is_ok(),
        "^[a-z][a-z0-9.-]{0,31}$" => roster::check_name(text.into()).is_ok(),
        r"^[0-9]{4,}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$" => {
            text.parse::<Moment>().is_ok()
        }
        other => panic!("unknown pattern {other}"),
    }
}

fn line(value: &impl serde::Serialize) -> Value {
    let mut line = serde_json::to_value(value).unwrap();
    line["id"] = json!(7);
    line
}

// --- the claims ---

#[test]
fn every_kind_of_request_and_reply_is_as_published() {
    let schema = schema();
    for request in requests() {
        let value = line(&request);
        check(&schema, &schema["$defs"]["request"], &value).unwrap_or_else(|why| panic!("{why}"));
        check(&schema, &schema, &value).unwrap_or_else(|why| panic!("{why}"));
    }
    for reply in replies() {
        let value = line(&reply);
        check(&schema, &schema, &value).unwrap_or_else(|why| panic!("{value}: {why}"));
    }
    remind(&requests()[0], &replies()[0], &happenings()[0]);
}

#[test]
fn the_schema_knows_no_kind_that_there_is_not() {
    let schema = schema();
    let kinds = |of: &str, tag: &str| -> BTreeSet<String> {
        let all = schema["$defs"][of]["oneOf"].as_array().unwrap();
        let nested = all.iter().flat_map(|one| one["oneOf"].as_array().into_iter().flatten());
        let all: Vec<_> = all.iter().chain(nested).collect();
        let tags = all.iter().filter_map(|one| one["properties"][tag]["const"].as_str());
        tags.map(str::to_owned).collect()
    };
    let said = |lines: Vec<Value>, tag: &str| -> BTreeSet<String> {
        lines.iter().filter_map(|line| line[tag].as_str()).map(str::to_owned).collect()
    };
    let replies: Vec<_> = replies().iter().map(line).collect();
    assert_eq!(kinds("request", "do"), said(requests().iter().map(line).collect(), "do"));
    assert_eq!(kinds("reply", "is"), said(replies.clone(), "is"));
    assert_eq!(kinds("reply", "event"), said(replies, "event"));
}

#[test]
fn what_is_not_as_published_is_found() {
    let schema = schema();
    let good = json!({"id": 1, "do": "status", "message": MESSAGE.to_string()});
    assert!(check(&schema, &schema, &good).is_ok());
    for (field, value) in [
        ("id", json!("1")),
        ("id", json!(-1)),
        ("do", json!("levitate")),
        ("message", json!("5f")),
        ("more", json!(true)),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert!(check(&schema, &schema, &bad).is_err(), "{bad}");
    }
    let mut bad = good;
    bad.as_object_mut().unwrap().remove("message");
    assert!(check(&schema, &schema, &bad).is_err(), "{bad}");
}

#[test]
fn every_request_and_reply_reads_back() {
    for request in requests() {
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request, "{text}");
    }
    for reply in replies() {
        let text = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), reply, "{text}");
    }
}

#[test]
fn a_field_that_is_not_known_is_refused_in_each_request() {
    for request in requests() {
        let mut value = serde_json::to_value(&request).unwrap();
        value["surely_unknown"] = json!(1);
        assert!(serde_json::from_value::<Request>(value.clone()).is_err(), "{value}");
    }
}
