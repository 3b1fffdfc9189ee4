//! Agents that are never up together, and relays between them. What stands in for a relay here is
//! an agent that keeps everything in memory; `meshwork-relay` is the one that loses nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use meshwork::deferred::agent::Pool;
use meshwork::identity::{Card, Unverified};
use meshwork::{Agent, AgentId, Contact, Level, MessageId, Protocol, Reason, Serving};
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::relay::{
    Answer, Depth, Kept, MailNumber, OneTime, Opaque, Publication, PublishMode, Refusal, Request,
    SERVICE, SignedKeys, Taken,
};
use meshwork_protocols::time::WallTime;
use tokio::time::{Instant, sleep};

use crate::common::{Home, next, until};

/// What a relay keeps, in memory.
#[derive(Default)]
struct Stock {
    cards: BTreeMap<AgentId, Opaque>,
    bundles: BTreeMap<AgentId, Opaque>,
    pools: BTreeMap<AgentId, Vec<OneTime>>,
    mail: BTreeMap<AgentId, Vec<Kept>>,
    deposits: u64,
}

/// A relay.
struct Relay {
    home: Home,
    agent: Agent,
    kept: Arc<Mutex<Stock>>,
    _serving: Serving,
}

impl Relay {
    async fn new() -> Self {
        let home = Home::new();
        let agent = home.listening().await;
        Self::serve(home, agent, Arc::default())
    }

    /// It is there again, with what it had.
    async fn again(self) -> Self {
        let Self { home, agent, kept, .. } = self;
        let place = agent.listening()[0];
        // Its sockets go with its last handle.
        drop(agent);
        let agent = home.listening_at(place).await;
        Self::serve(home, agent, kept)
    }

    fn serve(home: Home, agent: Agent, kept: Arc<Mutex<Stock>>) -> Self {
        let shared = Arc::clone(&kept);
        let serving = agent.serve(SERVICE, move |asked| {
            let kept = Arc::clone(&shared);
            async move { Ok(answer(&kept, asked.caller, &asked.body).await.encode()) }
        });
        Self { home, agent, kept, _serving: serving.unwrap() }
    }

    fn contact(&self) -> Contact {
        self.agent.contact().unwrap()
    }

    /// It hears these.
    async fn hears(&self, agents: &[&Agent]) {
        for agent in agents {
            self.agent.meet(agent.card()).await.unwrap();
        }
    }

    fn waiting(&self, agent: AgentId) -> usize {
        self.kept.lock().unwrap().mail.get(&agent).map_or(0, Vec::len)
    }

    fn deposits(&self) -> u64 {
        self.kept.lock().unwrap().deposits
    }
}

async fn answer(kept: &Mutex<Stock>, caller: AgentId, request: &[u8]) -> Answer {
    let request = match Request::decode(request).unwrap() {
        Request::Fetch(fetch) => {
            let until = Instant::now() + Duration::from_millis(fetch.wait.into());
            loop {
                let mail = kept.lock().unwrap().mail.get(&caller).cloned().unwrap_or_default();
                let mail: Vec<_> =
                    mail.into_iter().filter(|kept| kept.number > fetch.after).collect();
                if !mail.is_empty() || Instant::now() >= until {
                    return Answer::Mail(mail);
                }
                sleep(Duration::from_millis(10)).await;
            }
        }
        request => request,
    };
    kept.lock().unwrap().answer(caller, request)
}

impl Stock {
    fn answer(&mut self, caller: AgentId, request: Request) -> Answer {
        match request {
            Request::PutCard(card) => {
                self.cards.insert(caller, card);
                Answer::Done
            }
            Request::GetCard(of) => Answer::Card(self.cards.get(&of).cloned()),
            Request::Depth(_) => self.depth(caller),
            Request::Publish(publish) => {
                if let Publication::Prekeys { bundle, pool } = publish.publication {
                    self.bundles.insert(caller, bundle);
                    let kept = self.pools.entry(caller).or_default();
                    if publish.mode == PublishMode::Replace {
                        kept.clear();
                    }
                    if let Some(pool) = pool {
                        self.add(caller, &pool);
                    }
                }
                self.depth(caller)
            }
            Request::Take { target, .. } => match self.bundles.get(&target).cloned() {
                Some(bundle) => {
                    let one_time = self.pools.get_mut(&target).and_then(Vec::pop);
                    Answer::Taken(Taken::Prekeys { bundle, one_time })
                }
                None => Answer::Refused(Refusal::NotServed),
            },
            Request::Deposit(deposits) => {
                let kept = deposits.into_iter().map(|deposit| {
                    self.deposits += 1;
                    let number = MailNumber(self.deposits);
                    let since = WallTime::from_secs(1);
                    let kept = Kept { number, sender: caller, since, packet: deposit.packet };
                    self.mail.entry(deposit.recipient).or_default().push(kept);
                    Ok(number)
                });
                Answer::Deposited(kept.collect())
            }
            Request::Acknowledge { numbers, .. } => {
                let mailbox = self.mail.entry(caller).or_default();
                mailbox.retain(|kept| !numbers.contains(&kept.number));
                Answer::Done
            }
            _ => Answer::Refused(Refusal::Malformed),
        }
    }

    fn add(&mut self, of: AgentId, SignedKeys { pool, keys }: &SignedKeys) {
        let card = Unverified::<Card>::parse(self.cards[&of].as_ref()).unwrap();
        let now = WallTime::from_secs(card.claimed_validity().not_before.as_secs());
        let card = card.verify(&AwsLc, now).unwrap();
        let signed = Unverified::<Pool>::parse(pool.as_ref()).unwrap().verify(&AwsLc, &card);
        let with_paths = signed.unwrap().with_paths(&AwsLc, keys).unwrap();
        let keys = with_paths.into_iter().map(|key| OneTime { pool: pool.clone(), key });
        self.pools.entry(of).or_default().extend(keys);
    }

    fn depth(&self, of: AgentId) -> Answer {
        let count = self.pools.get(&of).map_or(0, Vec::len);
        Answer::Depth(Depth { prekeys: u32::try_from(count).unwrap(), ..Depth::default() })
    }
}

/// Waits until a relay has what others write to this agent with.
async fn is_published(agent: &Agent, relays: usize) {
    until(async || {
        let ready =
            |(_, state): &(AgentId, meshwork::RelayState)| state.prekeys.is_some_and(|it| it > 0);
        agent.relays().iter().filter(|it| ready(it)).count() >= relays
    })
    .await;
}

async fn is_at(agent: &Agent, id: MessageId, level: Level) {
    until(async || agent.status(id).await.unwrap().unwrap().level == level).await;
}

/// Alice and Bob, who know each other's cards and were never up together, with their relays.
struct Scene {
    homes: [Home; 2],
    relays: Vec<Relay>,
}

impl Scene {
    async fn new(relays: usize) -> Self {
        let mut this = Self { homes: [Home::new(), Home::new()], relays: Vec::new() };
        for _ in 0..relays {
            this.relays.push(Relay::new().await);
        }
        // Each was up once, alone, and its relays know its card.
        let mut cards = Vec::new();
        for home in &this.homes {
            let contacts = this.relays.iter().map(Relay::contact);
            let builder = contacts.fold(home.builder(), meshwork::Builder::relay);
            let agent = builder.start().await.unwrap();
            for relay in &this.relays {
                relay.hears(&[&agent]).await;
            }
            is_published(&agent, relays).await;
            cards.push(agent.card());
            agent.close().await.unwrap();
        }
        for (home, card) in this.homes.iter().zip(cards.into_iter().rev()) {
            let agent = home.builder().start().await.unwrap();
            agent.meet(card).await.unwrap();
            agent.close().await.unwrap();
        }
        this
    }

    async fn alice(&self) -> Agent {
        self.homes[0].builder().start().await.unwrap()
    }

    async fn bob(&self) -> Agent {
        self.homes[1].builder().start().await.unwrap()
    }
}

#[tokio::test]
async fn agents_that_are_never_up_together_write_to_each_other_and_hear_of_it() {
    let scene = Scene::new(1).await;
    let alice = scene.alice().await;
    let bob = alice.peers().await.unwrap()[0].id;
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(alice.send(bob, text).await.unwrap());
    }
    for id in &ids {
        is_at(&alice, *id, Level::Relayed).await;
    }
    let choice = alice.status(ids[0]).await.unwrap().unwrap().choice;
    assert_eq!((choice.protocol, choice.reason), (Protocol::Deferred, Reason::ThroughRelay));
    alice.close().await.unwrap();

    let bob = scene.bob().await;
    let mut inbox = bob.inbox();
    for text in ["one", "two", "three"] {
        let delivery = next(&mut inbox).await;
        assert_eq!(delivery.text(), Some(text));
        assert_eq!(delivery.protocol, Protocol::Deferred);
        delivery.processed().await.unwrap();
    }
    until(async || scene.relays[0].waiting(bob.id()) == 0).await;
    // Six receipts: that each came, and that each was dealt with.
    until(async || scene.relays[0].deposits() >= 9).await;
    bob.close().await.unwrap();

    let alice = scene.alice().await;
    for id in ids {
        let status = alice.settled(id).await.unwrap();
        assert_eq!(status.level, Level::Processed);
    }
    alice.close().await.unwrap();
}

#[tokio::test]
async fn with_one_of_two_relays_gone_mail_goes_through_the_other_and_what_the_first_had_arrives_once()
 {
    let mut scene = Scene::new(2).await;
    let alice = scene.alice().await;
    let peer = alice.peers().await.unwrap()[0].id;
    let first = alice.send(peer, "through the first").await.unwrap();
    is_at(&alice, first, Level::Relayed).await;
    assert_eq!(scene.relays[0].deposits(), 1);
    // The first goes, with what it has.
    let gone = scene.relays.remove(0);
    gone.agent.clone().close().await.unwrap();
    let second = alice.send(peer, "through the second").await.unwrap();
    is_at(&alice, second, Level::Relayed).await;
    assert_eq!(scene.relays[0].deposits(), 1);
    alice.close().await.unwrap();

    let bob = scene.bob().await;
    let delivery = next(&mut bob.inbox()).await;
    assert_eq!(delivery.text(), Some("through the second"));
    assert_eq!(gone.waiting(bob.id()), 1);
    until(async || scene.relays[0].deposits() == 2).await;
    let alice = scene.alice().await;
    alice.delivered(second).await.unwrap();
    // Who starts again tries again: what the first has is with the second too.
    alice.delivered(first).await.unwrap();
    // It comes back, and what it had is fetched once more.
    let back = gone.again().await;
    until(async || back.waiting(bob.id()) == 0).await;
    let mut unread = bob.unread();
    let mut texts = Vec::new();
    while let Some(delivery) = unread.next().await {
        texts.push(delivery.text().unwrap().to_owned());
    }
    texts.sort_unstable();
    assert_eq!(texts, ["through the first", "through the second"]);
    bob.close().await.unwrap();
    alice.close().await.unwrap();
}

#[tokio::test]
async fn what_a_relay_that_is_called_asks_of_its_caller_is_refused() {
    let scene = Scene::new(1).await;
    let alice = scene.alice().await;
    let _echo = alice.serve("echo", |asked| async { Ok(asked.body) }).unwrap();
    is_published(&alice, 1).await;
    let relay = &scene.relays[0].agent;
    let refused = relay.call(alice.id(), "echo", "hello").await;
    assert!(refused.is_err(), "{refused:?}");
    alice.close().await.unwrap();
}
