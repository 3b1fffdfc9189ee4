//! What an agent and a relay say to each other.

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{
    Answer, Append, Commit, Deposit, Entry, EntryIndex, Fetch, Kept, KeyKind, LogChain, LogId,
    Logged, MAX_ANSWER, MAX_REQUEST, MailNumber, MayAppend, Nudge, Publication, Publish,
    PublishMode, ReadLog, Refounding, Refusal, Request, Rules, RulesKey, SenderTag, Statement,
    StatementKind, StrangerQuota, TakeId, Taken,
};
use meshwork_protocols::time::WallTime;

/// A request has one encoding.
pub fn relay_request(data: &[u8]) {
    let Ok(request) = Request::decode(data) else { return };
    assert!(data.len() <= MAX_REQUEST);
    assert_eq!(request.encode(), data);
}

/// An answer has one encoding.
pub fn relay_answer(data: &[u8]) {
    let Ok(answer) = Answer::decode(data) else { return };
    assert!(data.len() <= MAX_ANSWER);
    assert_eq!(answer.encode(), data);
}

/// A nudge has one encoding.
pub fn relay_nudge(data: &[u8]) {
    let Ok(nudge) = Nudge::decode(data) else { return };
    assert_eq!(nudge.encode(), data);
}

pub(crate) fn requests() -> Vec<(&'static str, Vec<u8>)> {
    let publication = Publication::KeyPackages {
        packages: vec![vec![1; 40].into(), vec![2; 40].into()],
        last_resort: Some(vec![3; 40].into()),
    };
    let known = vec![SenderTag([1; 16]), SenderTag([2; 16])];
    let strangers = StrangerQuota { pieces: 16, bytes: 1 << 20 };
    let append = |entry| Request::Append(Append { log: LOG, entry });
    let deposit = Deposit { recipient: AGENT, expires: THEN, packet: vec![4; 40].into() };
    let numbers = vec![MailNumber(3), MailNumber(4)];
    [
        ("put_card", Request::PutCard(vec![0; 40].into())),
        ("get_card", Request::GetCard(AGENT)),
        ("publish", Request::Publish(Publish { mode: PublishMode::Add, publication })),
        ("take", Request::Take { target: AGENT, kind: KeyKind::Prekeys, id: TakeId([5; 16]) }),
        ("depth", Request::Depth(AGENT)),
        ("deposit", Request::Deposit(vec![deposit.clone(), deposit])),
        ("fetch", Request::Fetch(Fetch { mailbox: AGENT, after: MailNumber(2), most: 9, wait: 5 })),
        ("acknowledge", Request::Acknowledge { mailbox: AGENT, numbers }),
        (
            "rules",
            Request::SetRules(Rules { revision: 1, key: RulesKey([6; 32]), known, strangers }),
        ),
        ("commit", append(commit())),
        ("message", append(Entry::Message(vec![7; 40].into()))),
        ("statement", append(statement())),
        ("refounding", append(refounding())),
        (
            "read_log",
            Request::ReadLog(ReadLog { log: LOG, after: EntryIndex(1), most: 9, wait: 5 }),
        ),
        ("passed_log", Request::PassedLog { log: LOG, through: EntryIndex(1) }),
        ("put_blob", Request::PutBlob { hash: [8; 32], expires: THEN, bytes: vec![9; 40].into() }),
        ("get_blob", Request::GetBlob([8; 32])),
    ]
    .map(|(name, request)| (name, request.encode()))
    .to_vec()
}

pub(crate) fn answers() -> Vec<(&'static str, Vec<u8>)> {
    let kept =
        Kept { number: MailNumber(3), sender: AGENT, since: THEN, packet: vec![4; 40].into() };
    let logged = |entry| Logged { index: EntryIndex(2), author: AGENT, since: THEN, entry };
    let entries = vec![logged(commit()), logged(statement())];
    let refusal = Refusal::NotNow { retry_after: 9 };
    let package = Taken::KeyPackage { package: vec![1; 40].into(), last_resort: true };
    [
        ("done", Answer::Done),
        ("card", Answer::Card(Some(vec![0; 40].into()))),
        ("taken", Answer::Taken(package)),
        ("deposited", Answer::Deposited(vec![Ok(MailNumber(3)), Err(refusal)])),
        ("mail", Answer::Mail(vec![kept])),
        ("appended", Answer::Appended(EntryIndex(2))),
        (
            "entries",
            Answer::Entries {
                first: EntryIndex(1),
                last: EntryIndex(2),
                chain: LogChain::START,
                entries,
            },
        ),
        ("blob", Answer::Blob(None)),
        ("refused", Answer::Refused(Refusal::NotLast { last: EntryIndex(2) })),
    ]
    .map(|(name, answer)| (name, answer.encode()))
    .to_vec()
}

pub(crate) fn nudges() -> Vec<(&'static str, Vec<u8>)> {
    [("mail", Nudge::Mail), ("log", Nudge::Log(LOG)), ("low_pool", Nudge::LowPool)]
        .map(|(name, nudge)| (name, nudge.encode()))
        .to_vec()
}

fn commit() -> Entry {
    Entry::Commit(Commit {
        epoch: 1,
        builds_on: Some(EntryIndex(1)),
        admitted: vec![(AGENT, MayAppend::Admin)],
        removed: vec![AGENT],
        bytes: vec![1; 40].into(),
    })
}

fn statement() -> Entry {
    let kind = StatementKind::Confirmed;
    Entry::Statement(Statement { on: EntryIndex(1), kind, bytes: vec![2; 9].into() })
}

fn refounding() -> Entry {
    Entry::Refounding(Refounding {
        voids: EntryIndex(1),
        epoch: 2,
        listed: vec![(AGENT, MayAppend::Member)],
        bytes: vec![3; 40].into(),
    })
}

const AGENT: AgentId = AgentId::from_bytes([7; 32]);
const LOG: LogId = LogId([8; 32]);
const THEN: WallTime = WallTime::from_secs(1_800_000_000);
