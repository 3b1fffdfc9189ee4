//! What tells a state that was put back from one that crashed.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use meshwork::{Agent, AgentId, Event, MessageId, RestoreEvidence};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::sleep;

use crate::common::{Home, builder, in_memory, introduce, next, start, wait_for};

/// Says to a child of this test where it lives.
const CHILD: &str = "MESHWORK_TEST_RESTORE_HOME";

/// How often the child is killed.
const KILLS: u32 = 5;

#[tokio::test]
async fn a_state_that_was_copied_back_is_recognised_and_goes_on() {
    let (home, bob) = (Home::new(), in_memory().await);
    let alice = home.listening().await;
    let peer = bob.id();
    introduce(&alice, &bob).await;
    let id = alice.send(peer, "before the copy").await.unwrap();
    alice.delivered(id).await.unwrap();
    alice.close().await.unwrap();
    copy(&home.state(), &home.path().join("copy"));

    let alice = home.listening().await;
    assert_eq!(alice.restored(), None);
    let id = alice.send(peer, "after the copy").await.unwrap();
    alice.delivered(id).await.unwrap();
    // The witness is written within a second, and needs no orderly end.
    sleep(Duration::from_millis(1_500)).await;
    drop(alice);
    start(|| home.builder()).await.close().await.unwrap();
    fs::remove_dir_all(home.state()).unwrap();
    fs::rename(home.path().join("copy"), home.state()).unwrap();

    let alice = home.listening().await;
    let evidence = alice.restored().expect("it was put back");
    assert!(matches!(evidence, RestoreEvidence::Behind { .. }), "{evidence}");
    let mut watch = alice.watch();
    let told = wait_for(&mut watch, |event| match event {
        Event::Restored(evidence) => Some(evidence),
        _ => None,
    });
    assert_eq!(told.await, evidence);
    // The peer has seen later commits than this state knows of.
    let mut watch = bob.watch();
    let id = alice.send(peer, "after the restore").await.unwrap();
    alice.delivered(id).await.unwrap();
    let suspicious = |event| matches!(event, Event::Lineage { .. }).then_some(());
    wait_for(&mut watch, suspicious).await;
    let mut inbox = bob.inbox();
    for text in ["before the copy", "after the copy", "after the restore"] {
        assert_eq!(next(&mut inbox).await.text(), Some(text));
    }
    // It was accepted as this agent's state.
    alice.close().await.unwrap();
    assert_eq!(home.listening().await.restored(), None);
}

#[tokio::test]
async fn a_state_without_its_witness_was_brought_from_elsewhere() {
    let home = Home::new();
    home.listening().await.close().await.unwrap();
    fs::remove_dir_all(home.witness()).unwrap();
    let alice = home.listening().await;
    assert_eq!(alice.restored(), Some(RestoreEvidence::WitnessMissing));
}

#[tokio::test]
async fn a_process_that_is_killed_never_looks_restored_and_its_messages_arrive_once() {
    if std::env::var_os(CHILD).is_some() {
        return be_the_child().await;
    }
    let (home, bob) = (Home::new(), in_memory().await);
    let alice = home.listening().await;
    introduce(&alice, &bob).await;
    let id = alice.id();
    alice.meet_as(bob.card(), "bob").await.unwrap();
    alice.close().await.unwrap();
    let mut promised: Vec<MessageId> = Vec::new();
    for _ in 0..KILLS {
        let mut child = spawn(&home);
        let mut lines = BufReader::new(
            tokio::process::ChildStdout::from_std(child.stdout.take().unwrap()).unwrap(),
        )
        .lines();
        for _ in 0..40 {
            let line = lines.next_line().await.unwrap().expect("the child died by itself");
            // The harness says something too.
            promised
                .extend(line.strip_prefix("accepted ").map(|id| id.parse::<MessageId>().unwrap()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        while let Some(line) = lines.next_line().await.unwrap() {
            promised
                .extend(line.strip_prefix("accepted ").and_then(|id| id.parse::<MessageId>().ok()));
        }
    }
    let alice = start(|| home.builder()).await;
    assert_eq!((alice.id(), alice.restored()), (id, None));
    for id in &promised {
        alice.delivered(*id).await.unwrap();
    }
    arrived_once(&bob, id, &promised).await;
}

async fn arrived_once(bob: &Agent, sender: AgentId, promised: &[MessageId]) {
    let mut unread = bob.unread();
    let mut arrived = Vec::new();
    while let Some(delivery) = unread.next().await {
        assert_eq!(delivery.sender, sender);
        arrived.push(delivery.id);
    }
    let distinct: std::collections::BTreeSet<_> = arrived.iter().copied().collect();
    assert_eq!(distinct.len(), arrived.len(), "nothing arrived twice");
    assert!(promised.iter().all(|id| distinct.contains(id)), "what was promised arrived");
}

/// Sends until it is killed, and says what was accepted.
#[allow(clippy::print_stdout, reason = "it is how the child tells")]
async fn be_the_child() {
    let home = std::env::var_os(CHILD).unwrap();
    let alice = builder(Path::new(&home)).start().await.unwrap();
    assert_eq!(alice.restored(), None);
    loop {
        let id = alice.send("bob", "from a process that dies").await.unwrap();
        println!("accepted {id}");
    }
}

fn spawn(home: &Home) -> Child {
    const NAME: &str =
        "restore::a_process_that_is_killed_never_looks_restored_and_its_messages_arrive_once";
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(CHILD, home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
