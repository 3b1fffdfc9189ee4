//! What agents cost that are connected and wait for mail.

use std::time::Duration;

use meshwork::{Agent, AgentId};
use meshwork_protocols::relay::{Answer, Fetch, MailNumber, Request};
use tokio::task::JoinSet;

use crate::clients::{ask, connected};
use crate::process::{Other, argument, say, start_relay, until_end};

/// How long each waits for mail before it asks again, as the client of an agent does.
const WAIT: Duration = Duration::from_secs(45);

/// How many agents a process has at most: each opens two files.
const SHARE: usize = 5_000;

/// How long everything stands still before it is measured.
const CALM: Duration = Duration::from_secs(3);

pub(crate) fn measure(count: Option<usize>) -> bool {
    let count = count.unwrap_or(10_000);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (relay, contact) = start_relay(folder.path(), 50);
    let before = relay.resident();
    let mut clients: Vec<_> = (0..count)
        .step_by(SHARE)
        .map(|first| SHARE.min(count - first))
        .map(|share| Other::start("idle", &[&contact, &share.to_string()]))
        .collect();
    let connected: usize = clients.iter_mut().map(|it| it.line().parse::<usize>().unwrap()).sum();
    let grown = relay.resident() - before;
    println!(
        "{connected} connected agents, each waiting for mail: the relay grew by {grown:.0} MiB   \
         (asked: at most 200)"
    );
    let stayed: Vec<_> = clients.into_iter().map(Other::end).collect();
    relay.end() && !stayed.contains(&false) && connected == count && grown <= 200.0
}

pub(crate) async fn wait_for_mail() -> bool {
    let count = argument(2).parse().unwrap();
    let (relay, agents) = connected(&argument(1), count).await;
    let mut waiting = JoinSet::new();
    for agent in agents {
        waiting.spawn(wait(agent, relay));
    }
    tokio::time::sleep(CALM).await;
    say(&waiting.len().to_string());
    // One that was turned away has panicked.
    tokio::select! {
        () = until_end() => true,
        Some(gone) = waiting.join_next() => gone.is_ok(),
    }
}

async fn wait(agent: Agent, relay: AgentId) {
    loop {
        let wait = WAIT.as_millis() as u32;
        let fetch = Fetch { mailbox: agent.id(), after: MailNumber(0), most: 256, wait };
        assert_eq!(ask(&agent, relay, &Request::Fetch(fetch)).await, Answer::Mail(vec![]));
    }
}
