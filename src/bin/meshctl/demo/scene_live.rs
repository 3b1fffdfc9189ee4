//! The scene: two agents talk over each transport, through somebody who tampers with all of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use meshwork::control::{Code, Fault};
use meshwork::identity::Transport;
use meshwork::{Address, Agent, FirstContact};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::echo::{self, ECHO, Heard};
use super::proxy::Proxy;
use crate::output::{Halt, Output};
use crate::table::Table;

/// The transports that this build speaks.
const TRANSPORTS: [Transport; 3] = [Transport::Quic, Transport::Udp, Transport::Tcp];

/// How often each thing is said.
const ROUNDS: usize = 8;

/// How often a call is made again whose session the one in the middle ended.
const TRIES: usize = 40;

/// Between two tries: a session takes some milliseconds to be made anew.
const PAUSE: Duration = Duration::from_millis(100);

/// How long is waited for what may be lost, and for what must arrive.
const PATIENCE: Duration = Duration::from_secs(8);

/// What came over one transport, and what the one in the middle did.
#[derive(Debug, Default, Serialize)]
pub(super) struct Row {
    over: String,
    messages: usize,
    calls: usize,
    datagrams: usize,
    /// Streams whose every byte came back; none where the transport carries no streams.
    streams: Option<usize>,
    /// What arrived and was never said so.
    changed: usize,
    flipped: u64,
    repeated: u64,
    forged: u64,
    /// Sessions that were opened, all told.
    sessions: u64,
}

impl Row {
    /// Datagrams may be lost; the rest may not.
    fn holds(&self) -> bool {
        self.messages == ROUNDS
            && self.calls == ROUNDS
            && self.streams.is_none_or(|streams| streams == ROUNDS)
            && self.changed == 0
    }

    fn came_of_it(&self) -> String {
        match self.sessions {
            0 | 1 => "nothing: the session went on".into(),
            more => format!("{} sessions ended, and were made anew", more - 1),
        }
    }
}

/// Plays it.
pub(super) async fn play(output: Output) -> Result<(), Halt> {
    output.say(
        "\nTwo agents talk through somebody who flips, repeats and forges what it carries.\n",
    )?;
    let mut rows = Vec::new();
    for transport in TRANSPORTS {
        rows.push(over(transport).await?);
    }
    let mut table = Table::with_heads(&[
        "OVER",
        "FLIPPED",
        "REPEATED",
        "FORGED",
        "WHAT CAME OF IT",
        "MESSAGES",
        "CALLS",
        "DATAGRAMS",
        "STREAMS",
        "CHANGED",
    ]);
    for row in &rows {
        output.object(row)?;
        let of = |count: usize| format!("{count} of {ROUNDS}");
        table.row([
            row.over.clone(),
            row.flipped.to_string(),
            row.repeated.to_string(),
            row.forged.to_string(),
            row.came_of_it(),
            of(row.messages),
            of(row.calls),
            of(row.datagrams),
            row.streams.map_or_else(|| "refused".into(), of),
            row.changed.to_string(),
        ]);
    }
    table.lines().try_for_each(|line| output.say(line))?;
    if rows.iter().all(Row::holds) {
        return output.say("\nIt got nowhere: what arrived is what was said, and once.");
    }
    Err(Fault::new(Code::DemoFailed, "somebody in the middle had an effect").into())
}

async fn over(transport: Transport) -> Result<Row, Halt> {
    let proxy = Proxy::start().await.map_err(|error| setup(&error))?;
    let there = format!("{transport}:{}", proxy.address);
    let there: Address = there.parse().map_err(|error| setup(&error))?;
    let builder = || Agent::builder().in_memory().transports(&[transport]);
    let bob = builder().listen("127.0.0.1:0").advertise(there).first_contact(FirstContact::Accept);
    let bob = bob.start().await.map_err(|error| setup(&error))?;
    let alice = builder().start().await.map_err(|error| setup(&error))?;
    if let Some(address) = bob.listening().first() {
        proxy.lead_to(*address);
    }
    alice.meet(bob.card()).await.map_err(|error| setup(&error))?;
    bob.meet(alice.card()).await.map_err(|error| setup(&error))?;
    let _echo = bob.serve(ECHO, |asked| async { Ok(asked.body) }).map_err(|error| setup(&error))?;
    let streams = bob.streams(ECHO).map_err(|error| setup(&error))?;
    // Dropped, it ends.
    let mut answering = JoinSet::new();
    answering.spawn(echo::answer(streams));
    let mut row = Row { over: transport.to_string(), ..Row::default() };
    talk([&alice, &bob], transport, &proxy, &mut row).await?;
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let tried = &proxy.tried;
    (row.flipped, row.repeated, row.forged) =
        (read(&tried.flipped), read(&tried.repeated), read(&tried.forged));
    row.sessions = alice.counters().established;
    for agent in [alice, bob] {
        agent.close().await.map_err(|error| setup(&error))?;
    }
    Ok(row)
}

async fn talk(
    [alice, bob]: [&Agent; 2],
    transport: Transport,
    proxy: &Proxy,
    row: &mut Row,
) -> Result<(), Halt> {
    let mut datagrams = bob.datagrams();
    for round in 0..ROUNDS {
        // A session stands before anybody meddles with it.
        if round == 1 {
            proxy.tamper();
        }
        let said = format!("number {round}");
        alice.send(bob.id(), said.as_str()).await.map_err(|error| setup(&error))?;
        match call(alice, bob, &said).await {
            Some(answer) if answer == said.as_bytes() => row.calls += 1,
            Some(_) => row.changed += 1,
            None => {}
        }
        stream(alice, bob, transport, &said, row).await;
        // It may be lost, and so may the session.
        let _ = timeout(PATIENCE, alice.datagram(bob.id(), &said)).await;
    }
    proxy.rest();
    let (messages, changed) = read(bob).await;
    row.messages = messages;
    row.changed += changed;
    while let Ok(Some(datagram)) = timeout(Duration::from_millis(100), datagrams.next()).await {
        match was_said(&datagram.body) {
            true => row.datagrams += 1,
            false => row.changed += 1,
        }
    }
    Ok(())
}

/// A call of what may safely run twice: made again where its session ended.
async fn call(alice: &Agent, bob: &Agent, said: &str) -> Option<Vec<u8>> {
    for _ in 0..TRIES {
        match alice.call(bob.id(), ECHO, said).deadline(Duration::from_secs(2)).await {
            Ok(answer) => return Some(answer),
            Err(error) if error.is_worth_a_retry() => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(_) => return None,
        }
    }
    None
}

/// A stream there and back, made again where its session ended.
async fn stream(alice: &Agent, bob: &Agent, transport: Transport, said: &str, row: &mut Row) {
    for _ in 0..TRIES {
        match echo::ask(alice, bob, transport, said.as_bytes()).await {
            Heard::Back(back) if back == said.as_bytes() => {
                *row.streams.get_or_insert_default() += 1;
                return;
            }
            Heard::Back(_) => row.changed += 1,
            Heard::Refused => return,
            Heard::CutOff => tokio::time::sleep(PAUSE).await,
        }
    }
    // It counts as one that did not come back.
    row.streams.get_or_insert_default();
}

/// How many messages arrived once as they were said, and how many otherwise.
async fn read(bob: &Agent) -> (usize, usize) {
    let (mut inbox, mut arrived, mut changed) = (bob.inbox(), BTreeMap::new(), 0);
    while arrived.len() < ROUNDS
        && let Ok(Some(delivery)) = timeout(PATIENCE, inbox.next()).await
    {
        if was_said(&delivery.body) {
            *arrived.entry(delivery.body.clone()).or_insert(0) += 1;
        } else {
            changed += 1;
        }
        // Marked or not, it was counted.
        let _ = delivery.processed().await;
    }
    let once = arrived.values().filter(|times| **times == 1).count();
    (once, changed + arrived.len() - once)
}

fn was_said(body: &[u8]) -> bool {
    (0..ROUNDS).any(|round| format!("number {round}").as_bytes() == body)
}

fn setup(error: &dyn std::fmt::Display) -> Fault {
    Fault::new(Code::DemoSetup, error.to_string())
}
