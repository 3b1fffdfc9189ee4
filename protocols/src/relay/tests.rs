use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::deferred::agent::PoolKey;
use crate::deferred::agent::bundle::MAX_BUNDLE_LENGTH;
use crate::deferred::agent::pool::MAX_POOL;
use crate::deferred::{CurvePublic, PrekeyId};
use crate::identity::card::MAX_CARD_LENGTH;
use crate::identity::{AgentId, Sequence};
use crate::time::WallTime;

const AGENT: AgentId = AgentId::from_bytes([7; 32]);
const THEN: WallTime = WallTime::from_secs(1_800_000_000);

fn bytes(length: usize) -> Opaque {
    Opaque(vec![0xab; length])
}

fn deposit(length: usize) -> Deposit {
    Deposit { recipient: AGENT, expires: THEN, packet: bytes(length) }
}

fn fetch(most: usize, wait: u32) -> Request {
    let most = u16::try_from(most).unwrap();
    Request::Fetch(Fetch { mailbox: AGENT, after: MailNumber(u64::MAX), most, wait })
}

fn read(most: usize, wait: u32) -> Request {
    let most = u16::try_from(most).unwrap();
    Request::ReadLog(ReadLog { log: LogId([3; 32]), after: EntryIndex(9), most, wait })
}

fn prekeys(bundle: usize, pool: usize, keys: usize) -> Request {
    let key = (PrekeyId(u32::MAX), CurvePublic::from_u([4; 32]));
    let pool = Some(SignedKeys { pool: bytes(pool), keys: vec![key; keys] });
    let publication = Publication::Prekeys { bundle: bytes(bundle), pool };
    Request::Publish(Publish { mode: PublishMode::Add, publication })
}

fn packages(count: usize, length: usize, last_resort: usize) -> Request {
    let publication = Publication::KeyPackages {
        packages: vec![bytes(length); count],
        last_resort: Some(bytes(last_resort)),
    };
    Request::Publish(Publish { mode: PublishMode::Replace, publication })
}

fn numbers(count: u64) -> Request {
    let numbers = (1..=count).map(MailNumber).collect();
    Request::Acknowledge { mailbox: AGENT, numbers }
}

fn rules(known: usize) -> Request {
    let tag = |number: usize| {
        let mut tag = [0; 16];
        tag[..8].copy_from_slice(&number.to_be_bytes());
        SenderTag(tag)
    };
    Request::SetRules(Rules {
        revision: 4,
        key: RulesKey([5; 32]),
        known: (0..known).map(tag).collect(),
        strangers: StrangerQuota { pieces: 16, bytes: 1 << 20 },
    })
}

fn commit(listed: usize, length: usize) -> Entry {
    Entry::Commit(Commit {
        epoch: 6,
        builds_on: Some(EntryIndex(5)),
        admitted: vec![(AGENT, MayAppend::Admin); listed / 2],
        removed: vec![AGENT; listed - listed / 2],
        bytes: bytes(length),
    })
}

fn refounding(listed: usize, length: usize) -> Entry {
    Entry::Refounding(Refounding {
        voids: EntryIndex(5),
        epoch: 7,
        listed: vec![(AGENT, MayAppend::Member); listed],
        bytes: bytes(length),
    })
}

fn statement(length: usize) -> Entry {
    let kind = StatementKind::CannotProcess;
    Entry::Statement(Statement { on: EntryIndex(5), kind, bytes: bytes(length) })
}

fn append(entry: Entry) -> Request {
    Request::Append(Append { log: LogId([3; 32]), entry })
}

fn blob(length: usize) -> Request {
    Request::PutBlob { hash: [1; 32], expires: THEN, bytes: bytes(length) }
}

fn max_wait() -> u32 {
    u32::try_from(MAX_WAIT.as_millis()).unwrap()
}

/// Each at its bound.
fn requests() -> Vec<Request> {
    vec![
        Request::PutCard(bytes(MAX_CARD_LENGTH)),
        Request::GetCard(AGENT),
        prekeys(MAX_BUNDLE_LENGTH, 4_096, MAX_POOL),
        packages(60, MAX_PACKAGE, MAX_PACKAGE),
        packages(MAX_PACKAGES, 1, 0),
        Request::Take { target: AGENT, kind: KeyKind::Prekeys, id: TakeId([2; 16]) },
        Request::Depth(AGENT),
        Request::Deposit(vec![deposit(MAX_PACKET)]),
        Request::Deposit(vec![deposit(1_024); MAX_DEPOSITS]),
        fetch(MAX_FETCHED, max_wait()),
        fetch(1, 0),
        numbers(MAX_ACKNOWLEDGED as u64),
        rules(MAX_KNOWN),
        append(commit(MAX_LISTED, MAX_COMMIT)),
        append(refounding(MAX_LISTED, MAX_COMMIT)),
        append(statement(MAX_STATEMENT)),
        append(Entry::Message(bytes(MAX_COMMIT))),
        read(MAX_ENTRIES, max_wait()),
        Request::PassedLog { log: LogId([3; 32]), through: EntryIndex(8) },
        blob(MAX_BLOB),
        Request::GetBlob([1; 32]),
    ]
}

fn beyond_a_bound() -> Vec<Request> {
    vec![
        Request::PutCard(bytes(MAX_CARD_LENGTH + 1)),
        prekeys(MAX_BUNDLE_LENGTH + 1, 1, 1),
        prekeys(1, 4_097, 1),
        prekeys(1, 1, MAX_POOL + 1),
        prekeys(1, 1, 0),
        packages(1, MAX_PACKAGE + 1, 0),
        packages(1, 0, MAX_PACKAGE + 1),
        packages(MAX_PACKAGES + 1, 1, 0),
        Request::Deposit(vec![deposit(MAX_PACKET + 1)]),
        Request::Deposit(vec![deposit(0); MAX_DEPOSITS + 1]),
        Request::Deposit(vec![]),
        fetch(MAX_FETCHED + 1, 0),
        fetch(0, 0),
        fetch(1, max_wait() + 1),
        numbers(MAX_ACKNOWLEDGED as u64 + 1),
        numbers(0),
        Request::Acknowledge { mailbox: AGENT, numbers: vec![MailNumber(2), MailNumber(2)] },
        rules(MAX_KNOWN + 1),
        append(commit(MAX_LISTED + 1, 0)),
        append(commit(0, MAX_COMMIT + 1)),
        append(refounding(MAX_LISTED + 1, 0)),
        append(refounding(0, MAX_COMMIT + 1)),
        append(statement(MAX_STATEMENT + 1)),
        append(Entry::Message(bytes(MAX_COMMIT + 1))),
        read(MAX_ENTRIES + 1, 0),
        read(0, 0),
        read(1, max_wait() + 1),
        blob(MAX_BLOB + 1),
    ]
}

fn kept(length: usize) -> Kept {
    Kept { number: MailNumber(u64::MAX), sender: AGENT, since: THEN, packet: bytes(length) }
}

fn taken(bundle: usize, path: usize) -> Answer {
    let key = PoolKey {
        id: PrekeyId(3),
        key: CurvePublic::from_u([4; 32]),
        place: 2,
        path: vec![[6; 32]; path],
    };
    let one_time = Some(OneTime { pool: bytes(100), key });
    Answer::Taken(Taken::Prekeys { bundle: bytes(bundle), one_time })
}

fn entries(entries: Vec<Entry>) -> Answer {
    let logged = |entry| Logged { index: EntryIndex(4), author: AGENT, since: THEN, entry };
    let (first, last) = (EntryIndex(1), EntryIndex(u64::MAX));
    let entries = entries.into_iter().map(logged).collect();
    Answer::Entries { first, last, chain: LogChain::START, entries }
}

fn answers() -> Vec<Answer> {
    let refusal = Refusal::NotNow { retry_after: 9 };
    let package = |last_resort| Taken::KeyPackage { package: bytes(MAX_PACKAGE), last_resort };
    vec![
        Answer::Done,
        Answer::Card(None),
        Answer::Card(Some(bytes(MAX_CARD_LENGTH))),
        Answer::Depth(Depth { prekeys: 3, packages: 2, last_resorts: 1 }),
        taken(MAX_BUNDLE_LENGTH, 10),
        Answer::Taken(package(true)),
        Answer::Deposited(vec![Ok(MailNumber(1)); MAX_DEPOSITS]),
        Answer::Deposited(vec![Err(refusal), Err(Refusal::OtherDepositor)]),
        Answer::Mail(vec![kept(MAX_PACKET)]),
        Answer::Mail(vec![kept(0); MAX_FETCHED]),
        Answer::Appended(EntryIndex(5)),
        entries(vec![commit(MAX_LISTED, MAX_COMMIT)]),
        entries(vec![Entry::Message(bytes(1)); MAX_ENTRIES]),
        Answer::Blob(None),
        Answer::Blob(Some(bytes(MAX_BLOB))),
        Answer::Refused(Refusal::OlderCard { newest: Sequence::new(u64::MAX) }),
        Answer::Refused(Refusal::NotLast { last: EntryIndex(5) }),
    ]
}

#[test]
fn each_request_at_its_bounds_decodes_to_what_was_encoded() {
    for request in requests() {
        let encoded = request.encode();
        assert!(encoded.len() <= MAX_REQUEST, "{}", encoded.len());
        assert!(Request::decode(&encoded) == Ok(request));
    }
}

#[test]
fn each_request_one_past_a_bound_is_refused() {
    for (number, request) in beyond_a_bound().into_iter().enumerate() {
        let result = Request::decode(&request.encode()).map(drop);
        assert_eq!(result, Err(RelayWireError::OverBound), "number {number}");
    }
    let long = vec![VERSION; MAX_REQUEST + 1];
    assert_eq!(Request::decode(&long).map(drop), Err(RelayWireError::OverBound));
}

#[test]
fn each_answer_at_its_bounds_decodes_and_one_past_them_is_refused() {
    for answer in answers() {
        let encoded = answer.encode();
        assert!(encoded.len() <= MAX_ANSWER, "{}", encoded.len());
        assert!(Answer::decode(&encoded) == Ok(answer));
    }
    let beyond = [
        Answer::Card(Some(bytes(MAX_CARD_LENGTH + 1))),
        taken(MAX_BUNDLE_LENGTH + 1, 0),
        taken(0, 11),
        Answer::Deposited(vec![Ok(MailNumber(1)); MAX_DEPOSITS + 1]),
        Answer::Mail(vec![kept(0); MAX_FETCHED + 1]),
        entries(vec![Entry::Message(bytes(0)); MAX_ENTRIES + 1]),
        entries(vec![commit(0, MAX_COMMIT + 1)]),
        Answer::Blob(Some(bytes(MAX_BLOB + 1))),
    ];
    for answer in beyond {
        assert_eq!(Answer::decode(&answer.encode()).map(drop), Err(RelayWireError::OverBound));
    }
}

#[test]
fn a_request_cut_short_lengthened_or_of_another_version_is_refused() {
    for request in requests().into_iter().filter(|request| request.encode().len() < 8_192) {
        let encoded = request.encode();
        for end in 0..encoded.len() {
            assert_eq!(Request::decode(&encoded[..end]), Err(RelayWireError::Malformed));
        }
        let longer = [encoded.as_slice(), &[0]].concat();
        assert_eq!(Request::decode(&longer), Err(RelayWireError::Malformed));
        let mut other = encoded.clone();
        other[0] = 2;
        assert_eq!(Request::decode(&other), Err(RelayWireError::UnsupportedVersion(2)));
    }
    // A number that is longer than it must be, and a variant that there is none of.
    for bytes in [&[VERSION, 0x80, 0x00, 0x00][..], &[VERSION, 14], &[VERSION, 0xff, 0x01]] {
        assert_eq!(Request::decode(bytes), Err(RelayWireError::Malformed));
    }
}

#[test]
fn a_nudge_decodes_to_what_was_encoded() {
    for nudge in [Nudge::Mail, Nudge::Log(LogId([9; 32])), Nudge::LowPool] {
        assert_eq!(Nudge::decode(&nudge.encode()), Ok(nudge));
    }
    assert_eq!(Nudge::decode(&[VERSION, 3]), Err(RelayWireError::Malformed));
    assert_eq!(Nudge::decode(&[VERSION; 65]), Err(RelayWireError::OverBound));
}

#[test]
fn the_names_of_the_services_are_names_of_services() {
    for name in [SERVICE, MAIL_SERVICE] {
        assert_eq!(name.parse::<crate::identity::ServiceName>().unwrap().as_str(), name);
    }
}

#[cfg(feature = "pure")]
#[test]
fn rules_know_whom_they_were_given_and_show_none_of_them() {
    let provider = &crate::provider::pure::Pure;
    let known: Vec<_> = (0..50).map(|number| AgentId::from_bytes([number; 32])).collect();
    let strangers = StrangerQuota { pieces: 1, bytes: 1 };
    let of = |key| Rules::new(provider, 1, RulesKey([key; 32]), known.iter().rev(), strangers);
    let (rules, others) = (of(1), of(2));
    assert!(known.iter().all(|sender| rules.knows(provider, sender)));
    assert!(!rules.knows(provider, &AgentId::from_bytes([50; 32])));
    assert!(Request::decode(&Request::SetRules(rules.clone()).encode()).is_ok());
    // The same senders under another key have nothing in common.
    assert!(rules.known.iter().all(|tag| !others.known.contains(tag)));
    let encoded = Request::SetRules(rules).encode();
    assert!(
        known.iter().skip(2).all(|id| !encoded.windows(8).any(|part| part == &id.as_bytes()[..8]))
    );
}
