//! Agents that take one-time keys: no key goes to two requests, and who repeats one gets the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use meshwork::deferred::PrekeyId;
use meshwork::{Agent, AgentId, Contact, Transport};
use meshwork_protocols::relay::{Answer, KeyKind, Refusal, Request, TakeId, Taken};
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep};

use super::{Storm, ask, client};

/// Keys that one agent asks for: as many as one is given in an hour.
const EACH: u8 = 5;

/// Agents that ask at once.
const TAKERS: usize = 2;

pub(super) struct Load {
    /// Fills its pool as it runs low.
    _owner: Agent,
    takers: JoinSet<Vec<PrekeyId>>,
}

impl Load {
    pub(super) async fn start(contact: &Contact, storm: &Arc<Storm>) -> Self {
        let builder =
            Agent::builder().in_memory().transports(&[Transport::Tcp]).relay(contact.clone());
        let owner = builder.start().await.unwrap();
        let mut takers = JoinSet::new();
        for _ in 0..TAKERS {
            takers.spawn(take_keys(contact.clone(), owner.id(), Arc::clone(storm)));
        }
        Self { _owner: owner, takers }
    }

    pub(super) async fn check(self, kills: u32) -> usize {
        let keys: Vec<_> = self.takers.join_all().await.into_iter().flatten().collect();
        let mut times = BTreeMap::new();
        for key in &keys {
            *times.entry(*key).or_insert(0) += 1;
        }
        let twice: Vec<_> = times.into_iter().filter(|(_, times)| *times > 1).collect();
        assert!(twice.is_empty(), "keys that went out to two requests: {twice:?}");
        assert!(keys.len() >= kills as usize / 4, "too few keys were taken: {}", keys.len());
        keys.len()
    }
}

/// One agent after the other takes its keys, until the storm is over.
async fn take_keys(contact: Contact, owner: AgentId, storm: Arc<Storm>) -> Vec<PrekeyId> {
    let mut keys = Vec::new();
    while !storm.is_over() {
        let taker = client(&contact).await;
        for id in 0..EACH {
            let first = take(&taker, contact.agent, owner, id).await;
            let again = take(&taker, contact.agent, owner, id).await;
            assert_eq!(first, again, "who repeated its request got another key");
            keys.extend(first);
        }
        taker.close().await.unwrap();
        // The owner fills its pool meanwhile.
        sleep(Duration::from_millis(100)).await;
    }
    keys
}

/// A key, or nothing where the pool is empty now.
async fn take(taker: &Agent, relay: AgentId, target: AgentId, id: u8) -> Option<PrekeyId> {
    loop {
        let request = Request::Take { target, kind: KeyKind::Prekeys, id: TakeId([id; 16]) };
        match ask(taker, relay, &request).await {
            Answer::Taken(Taken::Prekeys { one_time, .. }) => {
                return one_time.map(|key| key.key.id);
            }
            // Before its owner published anything.
            Answer::Refused(Refusal::NoKeys) => sleep(Duration::from_millis(20)).await,
            other => panic!("{other:?}"),
        }
    }
}
