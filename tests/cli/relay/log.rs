//! Two members that write to a log by turns: it has no gap and no fork, and each entry whose append
//! was answered stands in it once, where the answer said.

use std::collections::BTreeMap;
use std::sync::Arc;

use meshwork::{Agent, AgentId, Contact};
use meshwork_protocols::relay::{
    Answer, Append, Commit, Entry, EntryIndex, LogId, MayAppend, Opaque, ReadLog, Request,
    Statement, StatementKind,
};
use tokio::task::JoinHandle;

use super::{Storm, ask, client};

const LOG: LogId = LogId([4; 32]);

/// Messages between two commits.
const MESSAGES: u64 = 5;

pub(super) struct Load {
    writing: JoinHandle<Written>,
    reader: Agent,
    relay: AgentId,
}

/// What was answered: where each entry is, and what is in it.
type Written = BTreeMap<EntryIndex, Vec<u8>>;

impl Load {
    pub(super) async fn start(contact: &Contact, storm: &Arc<Storm>) -> Self {
        let (author, reader) = (client(contact).await, client(contact).await);
        let members = [author.id(), reader.id()];
        let relay = contact.agent;
        let writing =
            tokio::spawn(write(author, reader.clone(), relay, members, Arc::clone(storm)));
        Self { writing, reader, relay }
    }

    pub(super) async fn check(self, kills: u32) -> usize {
        let written = self.writing.await.unwrap();
        assert!(written.len() > kills as usize, "too few entries: {}", written.len());
        let (mut after, mut last_commit, mut read) = (0, 0, BTreeMap::new());
        loop {
            let request = ReadLog { log: LOG, after: EntryIndex(after), most: 1_024, wait: 0 };
            let answer = ask(&self.reader, self.relay, &Request::ReadLog(request)).await;
            let Answer::Entries { entries, .. } = answer else { panic!("{answer:?}") };
            if entries.is_empty() {
                break;
            }
            for logged in entries {
                after += 1;
                assert_eq!(logged.index.0, after, "a gap");
                if let Entry::Commit(commit) = &logged.entry {
                    assert_eq!(commit.builds_on.map_or(0, |on| on.0), last_commit, "a fork");
                    last_commit = after;
                }
                read.insert(logged.index, content(&logged.entry));
            }
        }
        assert_eq!(read, written);
        written.len()
    }
}

async fn write(
    author: Agent,
    reader: Agent,
    relay: AgentId,
    members: [AgentId; 2],
    storm: Arc<Storm>,
) -> Written {
    let (mut written, mut last_commit) = (Written::new(), None);
    for round in 0_u64.. {
        let admitted = members.iter().map(|member| (*member, MayAppend::Admin)).collect();
        let bytes = [b"commit".as_slice(), &round.to_be_bytes()].concat().into();
        let commit =
            Commit { epoch: round + 1, builds_on: last_commit, admitted, removed: vec![], bytes };
        let commit = append(&author, relay, Entry::Commit(commit), &mut written).await;
        let (kind, bytes) = (StatementKind::Confirmed, round.to_be_bytes().to_vec().into());
        let confirmed = Entry::Statement(Statement { on: commit, kind, bytes });
        append(&reader, relay, confirmed, &mut written).await;
        for number in 0..MESSAGES {
            let message = (round * MESSAGES + number).to_be_bytes();
            let message = [b"message".as_slice(), &message].concat();
            append(&author, relay, Entry::Message(message.into()), &mut written).await;
        }
        last_commit = Some(commit);
        if storm.is_over() {
            break;
        }
    }
    written
}

async fn append(agent: &Agent, relay: AgentId, entry: Entry, written: &mut Written) -> EntryIndex {
    let content = content(&entry);
    match ask(agent, relay, &Request::Append(Append { log: LOG, entry })).await {
        Answer::Appended(index) => {
            assert!(written.insert(index, content).is_none(), "two entries at {index:?}");
            index
        }
        other => panic!("{other:?}"),
    }
}

fn content(entry: &Entry) -> Vec<u8> {
    let Opaque(bytes) = match entry {
        Entry::Commit(commit) => &commit.bytes,
        Entry::Message(bytes) => bytes,
        Entry::Statement(statement) => &statement.bytes,
        Entry::Refounding(refounding) => &refounding.bytes,
    };
    bytes.clone()
}
