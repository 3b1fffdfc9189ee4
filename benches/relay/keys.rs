//! A rush for the last one-time keys of one agent: each goes out once.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use meshwork::deferred::PrekeyId;
use meshwork::{Agent, AgentId};
use meshwork_protocols::deferred::CurveKey;
use meshwork_protocols::deferred::agent::pool::PoolTerms;
use meshwork_protocols::deferred::agent::{Bundle, Pool, PrekeyStore};
use meshwork_protocols::identity::{
    CardBody, HybridSeeds, LiveKey, Root, Sequence, SigningPair, Validity,
};
use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::relay::{
    Answer, KeyKind, Publication, Publish, PublishMode, Request, SignedKeys, TakeId, Taken,
};
use meshwork_protocols::secret::Secret;
use meshwork_relay::storage::RedbStorage;
use meshwork_relay::{Asked, Outcome, Relay};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::clients::{ask, connected};
use crate::now;
use crate::process::{Other, argument, start_relay, unlimited};

const AGENTS: usize = 1_000;
const KEYS: usize = 200;

/// What is handed out of one agent's keys in an hour, unless its relay was told otherwise.
const IN_AN_HOUR: usize = 50;

pub(crate) fn measure() -> bool {
    let raised = rush(AGENTS, KEYS);
    rush(IN_AN_HOUR, IN_AN_HOUR) && raised
}

/// Whether so many keys go out, with this limit for each target.
fn rush(limit: usize, expected: usize) -> bool {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let owner = publish(&folder.path().join("relay.redb"));
    let (relay, contact) = start_relay(folder.path(), limit);
    let name: Vec<_> = owner.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let held = Other::start("keys", &[&contact, &name.concat(), &expected.to_string()]).wait();
    relay.end() && held
}

pub(crate) async fn ask_at_once() -> bool {
    let (owner, expected) = (argument(2), argument(3).parse().unwrap());
    let owner: Vec<_> =
        (0..32).map(|place| u8::from_str_radix(&owner[2 * place..][..2], 16).unwrap()).collect();
    let target = AgentId::from_bytes(owner.try_into().unwrap());
    let (relay, agents) = connected(&argument(1), AGENTS).await;
    let start = Arc::new(Barrier::new(agents.len()));
    let mut asking = JoinSet::new();
    for agent in agents {
        asking.spawn(take(agent, relay, target, Arc::clone(&start)));
    }
    let taken = asking.join_all().await;
    let keys: Vec<_> = taken.iter().flatten().collect();
    let distinct = keys.iter().collect::<BTreeSet<_>>().len();
    let last_resorts = taken.len() - keys.len();
    println!(
        "{AGENTS} agents ask for {KEYS} keys: {distinct} distinct ones, {last_resorts} last resorts   \
         (asked: {expected} and {})",
        AGENTS - expected
    );
    (keys.len(), distinct, last_resorts) == (expected, expected, AGENTS - expected)
}

async fn take(
    agent: Agent,
    relay: AgentId,
    target: AgentId,
    start: Arc<Barrier>,
) -> Option<PrekeyId> {
    start.wait().await;
    let request = Request::Take { target, kind: KeyKind::Prekeys, id: TakeId([1; 16]) };
    match ask(&agent, relay, &request).await {
        Answer::Taken(Taken::Prekeys { one_time, .. }) => one_time.map(|key| key.key.id),
        other => panic!("{other:?}"),
    }
}

/// Lets a relay have the keys of an agent before it starts; whose they are.
fn publish(file: &Path) -> AgentId {
    let (provider, now) = (AwsLc, now());
    let mut random = provider.random();
    let seeds =
        |byte| HybridSeeds { ed25519: Secret::new([byte; 32]), ml_dsa: Secret::new([byte; 32]) };
    let root = Root::from_seeds(&provider, seeds(1)).unwrap();
    let pair = SigningPair::from_seeds(&provider, seeds(2)).unwrap();
    let identity = CurveKey::from_secret(&provider, Secret::new([3; 32]));
    let live = LiveKey::from_secret(&provider, Secret::new([4; 32]));
    let validity = Validity::starting(now.wall, Validity::MAX);
    let mut body = CardBody::new(Sequence::new(1), validity, pair.public().clone(), *live.public());
    body.deferred_identity = Some(identity.public().encode().to_vec());
    let card = root.sign_card(&provider, body, &mut *random).unwrap();
    let store = PrekeyStore::generate(&provider, now.wall, &mut *random).unwrap();
    let store = store.refill(&provider, KEYS, now.wall, &mut *random);
    let owner = (card.agent(), card.sequence(), *identity.public());
    let bundle = store.bundle_body(owner, None, now.wall).unwrap();
    let bundle = Bundle::sign(&provider, &pair, bundle, &mut *random).unwrap();
    let terms =
        PoolTerms { agent: card.agent(), card: card.sequence(), not_after: validity.not_after };
    let keys = store.pool();
    let (pool, _) = Pool::sign(&provider, &pair, &keys, terms, &mut *random).unwrap();
    let pool = Some(SignedKeys { pool: pool.as_bytes().to_vec().into(), keys });
    let publication = Publication::Prekeys { bundle: bundle.as_bytes().to_vec().into(), pool };
    let storage = RedbStorage::open(file, 1 << 20).unwrap();
    let mut relay = Relay::new(storage, Arc::new(provider), unlimited());
    let requests = [
        Request::PutCard(card.as_bytes().to_vec().into()),
        Request::Publish(Publish { mode: PublishMode::Add, publication }),
    ];
    for request in requests {
        let outcomes = relay.serve(now, &[Asked { caller: card.agent(), request }]).unwrap();
        assert!(
            matches!(outcomes[..], [Outcome::Answer(Answer::Done | Answer::Depth(_))]),
            "{outcomes:?}"
        );
    }
    card.agent()
}
