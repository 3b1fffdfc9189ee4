use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use meshwork_protocols::provider::FleetProvider;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::secret::{Secret, SecretBytes};
use meshwork_protocols::time::WallTime;
use meshwork_state::{
    Batch, MemoryStore, Namespace, Row, Rows, Sealing, State, Store, StoreError, StoreId,
    Testimony, Unlock, Witness, WitnessError,
};
use tokio::time::timeout;

use super::UNREADABLE;
use crate::config::{Setup, start_on};
use crate::{Agent, Event, Level, SendError, Stopped, Watch};

const PATIENCE: Duration = Duration::from_secs(30);
const FULL: StoreError = StoreError::Disk(std::io::ErrorKind::StorageFull);

/// How a [`Failing`] store fails next.
#[derive(Debug, Default)]
struct Fault {
    /// So many commits fail.
    commits: AtomicU32,
    /// Whether the batch of one that fails is there all the same.
    lands: AtomicU32,
    /// So many rows cannot be read.
    reads: AtomicU32,
    /// So many times it does not open again.
    reopens: AtomicU32,
}

fn take(counter: &AtomicU32) -> bool {
    counter.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)).is_ok()
}

/// A store that fails when it is told to.
#[derive(Debug, Default)]
struct Failing {
    store: MemoryStore,
    fault: Arc<Fault>,
    poisoned: AtomicU32,
}

impl Rows for Failing {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        if self.poisoned.load(Ordering::Acquire) > 0 {
            return Err(StoreError::Poisoned);
        }
        if namespace == Namespace::Seen && take(&self.fault.reads) {
            return Err(StoreError::Damaged);
        }
        self.store.get(namespace, key)
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        if self.poisoned.load(Ordering::Acquire) > 0 {
            return Err(StoreError::Poisoned);
        }
        self.store.scan(namespace, prefix, after, limit)
    }
}

impl Store for Failing {
    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        if take(&self.fault.commits) {
            if take(&self.fault.lands) {
                self.store.commit(batch)?;
            }
            self.poisoned.store(1, Ordering::Release);
            return Err(FULL);
        }
        self.store.commit(batch)
    }

    fn reopen(&self) -> Result<(), StoreError> {
        if take(&self.fault.reopens) {
            return Err(FULL);
        }
        self.poisoned.store(0, Ordering::Release);
        Ok(())
    }

    fn compact(&self) -> Result<(), StoreError> {
        self.store.compact()
    }
}

/// A witness that nobody asks twice.
#[derive(Debug)]
struct Silent;

impl Witness for Silent {
    fn read(&self, _: StoreId) -> Result<Option<Testimony>, WitnessError> {
        Ok(None)
    }

    fn write(&self, _: Testimony) -> Result<(), WitnessError> {
        Ok(())
    }
}

async fn agent() -> (Agent, Arc<Fault>) {
    let store = Failing::default();
    let fault = Arc::clone(&store.fault);
    let provider: Arc<dyn FleetProvider> = Arc::new(AwsLc);
    let (unlock, sealing) = (Unlock::Key(Secret::new([7; 32])), Sealing::new(provider.clone()));
    let now = WallTime::from_secs(1_800_000_000);
    let state = State::create_on(Box::new(store), Box::new(Silent), &unlock, sealing, now).unwrap();
    let mut builder = Agent::builder().listen("127.0.0.1:0").provider(provider);
    (start_on(state, Setup::of(&mut builder).unwrap()).await.unwrap(), fault)
}

/// One whose store fails, and one whose store does not, which know each other.
async fn pair() -> (Agent, Arc<Fault>, Agent) {
    let (one, fault) = agent().await;
    let other = Agent::builder().in_memory().listen("127.0.0.1:0").start().await.unwrap();
    one.meet(other.card()).await.unwrap();
    other.meet(one.card()).await.unwrap();
    (one, fault, other)
}

async fn until_told(watch: &mut Watch, wanted: impl Fn(Event) -> bool) {
    let waiting = async { while !wanted(watch.next().await.expect("it stopped")) {} };
    timeout(PATIENCE, waiting).await.expect("it was not told in time");
}

#[tokio::test]
async fn a_send_whose_commit_fails_says_so_and_the_next_one_goes() {
    let (one, fault, other) = pair().await;
    let mut watch = one.watch();
    fault.commits.store(1, Ordering::Release);
    let failed = one.send(other.id(), "lost").await.unwrap_err();
    assert_eq!(failed, SendError::CommitFailed);
    assert!(failed.is_worth_a_retry());
    until_told(&mut watch, |event| event == Event::StoreRecovered(FULL)).await;
    let id = one.send(other.id(), "kept").await.unwrap();
    assert_eq!(one.delivered(id).await.unwrap().level, Level::Delivered);
    let mut unread = other.unread();
    assert_eq!(unread.next().await.unwrap().text(), Some("kept"));
    assert!(unread.next().await.is_none());
    assert_eq!(one.counters().failed_commits, 1);
}

#[tokio::test]
async fn a_send_whose_failed_commit_is_there_after_all_is_accepted_and_arrives_once() {
    let (one, fault, other) = pair().await;
    fault.lands.store(1, Ordering::Release);
    fault.commits.store(1, Ordering::Release);
    let id = one.send(other.id(), "there after all").await.unwrap();
    assert_eq!(one.delivered(id).await.unwrap().level, Level::Delivered);
    let mut unread = other.unread();
    assert_eq!(unread.next().await.unwrap().id, id);
    assert!(unread.next().await.is_none());
}

#[tokio::test]
async fn what_arrives_while_commits_fail_is_not_acknowledged_and_arrives_once() {
    let (one, fault, other) = pair().await;
    let id = other.send(one.id(), "first").await.unwrap();
    other.delivered(id).await.unwrap();
    for (commits, lands) in [(1, 0), (3, 0), (1, 1), (2, 2)] {
        fault.lands.store(lands, Ordering::Release);
        fault.commits.store(commits, Ordering::Release);
        let _ = timeout(Duration::from_millis(100), one.send(other.id(), "stir")).await;
        let id = other.send(one.id(), "again").await.unwrap();
        // On a session that loses nothing a receipt is waited for long: a new one asks sooner.
        if timeout(Duration::from_millis(500), other.delivered(id)).await.is_err() {
            other.stand(one.id(), crate::Standing::Blocked).await.unwrap();
            other.stand(one.id(), crate::Standing::Known).await.unwrap();
        }
        timeout(PATIENCE, other.delivered(id)).await.unwrap().unwrap();
    }
    let (mut unread, mut arrived) = (one.unread(), Vec::new());
    while let Some(delivery) = unread.next().await {
        arrived.push(delivery.id);
    }
    assert_eq!(arrived.len(), 5);
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived.len(), 5);
}

#[tokio::test]
async fn a_store_that_does_not_open_again_ends_the_agent_and_it_says_why() {
    let (one, fault, other) = pair().await;
    let mut watch = one.watch();
    fault.reopens.store(1, Ordering::Release);
    fault.commits.store(1, Ordering::Release);
    assert_eq!(one.send(other.id(), "lost").await, Err(Stopped.into()));
    until_told(&mut watch, |event| event == Event::Stopped(FULL)).await;
    assert!(timeout(PATIENCE, watch.next()).await.unwrap().is_none());
    assert_eq!(one.send(other.id(), "lost").await, Err(Stopped.into()));
    assert!(one.inbox().next().await.is_none());
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_read_again_and_not_for_ever() {
    let (one, fault, other) = pair().await;
    let mut watch = one.watch();
    fault.reads.store(1, Ordering::Release);
    let id = other.send(one.id(), "readable again").await.unwrap();
    until_told(&mut watch, |event| event == Event::StoreRecovered(StoreError::Damaged)).await;
    other.stand(one.id(), crate::Standing::Blocked).await.unwrap();
    other.stand(one.id(), crate::Standing::Known).await.unwrap();
    timeout(PATIENCE, other.delivered(id)).await.unwrap().unwrap();

    fault.reads.store(u32::MAX, Ordering::Release);
    let mut failures = 0;
    loop {
        other.send(one.id(), "never readable").await.unwrap();
        match timeout(Duration::from_millis(200), watch.next()).await {
            Ok(Some(Event::StoreRecovered(_))) => failures += 1,
            Ok(Some(Event::Stopped(error))) => break assert_eq!(error, StoreError::Damaged),
            Ok(event) => assert!(event.is_some(), "it stopped without a word"),
            Err(_) => {}
        }
        assert!(failures <= UNREADABLE);
    }
}
