//! What the tests share: agents with a place to live, and patience.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use meshwork::identity::Transport;
use meshwork::{Agent, AgentId, Builder, Delivery, Event, Inbox, MessageId, StartError, Watch};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// Longer than anything here takes, on a machine that others use too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where an agent lives.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn witness(&self) -> PathBuf {
        self.folder.path().join("witness")
    }

    pub(crate) fn builder(&self) -> Builder {
        builder(self.folder.path())
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// An agent that can be dialled.
    pub(crate) async fn listening(&self) -> Agent {
        start(|| self.builder().listen("127.0.0.1:0")).await
    }

    /// The same agent again, where it was.
    pub(crate) async fn listening_at(&self, address: std::net::SocketAddr) -> Agent {
        start(|| self.builder().listen(&address.to_string())).await
    }
}

/// An agent that lives in a folder.
pub(crate) fn builder(folder: &Path) -> Builder {
    Agent::builder().state(folder.join("state")).witness(folder.join("witness"))
}

/// Starts an agent, once the one before on the same state has let go of it.
pub(crate) async fn start(builder: impl Fn() -> Builder) -> Agent {
    let started = async {
        loop {
            match builder().start().await {
                Ok(agent) => return agent,
                Err(error) if error.is_worth_a_retry() => sleep(Duration::from_millis(5)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(PATIENCE, started).await.expect("the agent did not start in time")
}

/// An agent in memory that can be dialled.
pub(crate) async fn in_memory() -> Agent {
    Agent::builder().in_memory().listen("127.0.0.1:0").start().await.unwrap()
}

/// Two agents in memory that know each other.
pub(crate) async fn acquainted() -> (Agent, Agent) {
    let (one, other) = (in_memory().await, in_memory().await);
    introduce(&one, &other).await;
    (one, other)
}

/// An agent in memory that speaks one transport.
pub(crate) async fn in_memory_over(transport: Transport) -> Agent {
    let builder = Agent::builder().in_memory().listen("127.0.0.1:0").transports(&[transport]);
    builder.start().await.unwrap()
}

/// The same over one transport.
pub(crate) async fn acquainted_over(transport: Transport) -> (Agent, Agent) {
    let (one, other) = (in_memory_over(transport).await, in_memory_over(transport).await);
    introduce(&one, &other).await;
    (one, other)
}

/// Each learns the other's card.
pub(crate) async fn introduce(one: &Agent, other: &Agent) {
    one.meet(other.card()).await.unwrap();
    other.meet(one.card()).await.unwrap();
}

pub(crate) async fn next(inbox: &mut Inbox) -> Delivery {
    timeout(PATIENCE, inbox.next()).await.expect("nothing arrived in time").expect("it stopped")
}

/// Reads and marks until so many different messages were marked; how often each was handed out
/// after it had been marked must be never.
pub(crate) async fn read(
    agent: &Agent,
    wanted: usize,
    read: &mut BTreeMap<(AgentId, MessageId), Vec<u8>>,
) {
    let mut inbox = agent.inbox();
    while read.len() < wanted {
        let delivery = next(&mut inbox).await;
        delivery.processed().await.unwrap();
        let before = read.insert((delivery.sender, delivery.id), delivery.body);
        assert_eq!(before, None, "{} was handed out after it was marked", delivery.id);
    }
}

/// Waits for an event.
pub(crate) async fn wait_for<T>(watch: &mut Watch, mut is: impl FnMut(Event) -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = is(watch.next().await.expect("the agent stopped")) {
                return found;
            }
        }
    };
    timeout(PATIENCE, waiting).await.expect("it did not happen in time")
}

/// Waits until something holds.
pub(crate) async fn until(holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("it did not come to hold in time");
}

pub(crate) fn is_locked(error: &StartError) -> bool {
    matches!(error, StartError::Open(meshwork::OpenError::Locked))
}
