//! Mail through relays: two agents that are never here together, and what becomes of a relay that
//! fails, refuses, repeats or lies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use meshwork_protocols::deferred::agent::pool::PoolTerms;
use meshwork_protocols::deferred::agent::{Bundle, Pool, PoolKey};
use meshwork_protocols::deferred::{CurvePublic, PrekeyId};
use meshwork_protocols::identity::{AgentId, Card, Relay, Unverified};
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::wire::Frame;
use meshwork_router::{
    DepositId, Event, FirstContact, Input, Level, Output, Policy, PrekeySettings, Protocol, Reason,
    RelayFailure, RelayMail, RelayNews, RelayPool, Request, Standing, Stored, TakeId, TakenKey,
    TakenPrekeys,
};

use crate::common::{DAY, Node, Seeded, card, card_with_relays, identity, signing_pair, text};

const SETTINGS: PrekeySettings = PrekeySettings { pool_size: 4, refill_threshold: 50 };
const FIRST: AgentId = AgentId::from_bytes([101; 32]);
const SECOND: AgentId = AgentId::from_bytes([102; 32]);

fn deferred(number: u8, card: &Arc<Card>) -> Stored {
    let (identity, pair) = (identity(number), signing_pair(number));
    let (provider, card) = (Arc::new(Pure), Arc::clone(card));
    let protocol = meshwork_router::Deferred::new(provider, identity, pair, card, SETTINGS);
    Stored::Deferred(Box::new(protocol.expect("the card names them").with_heartbeat(None)))
}

/// An agent whose mail both relays keep, and whom nobody answers.
fn node(number: u8, policy: Policy) -> Node {
    let card = card_with_relays(number, 1_000, &[1], &[FIRST, SECOND]);
    let mut node = Node::with_card(number, card, policy, deferred);
    node.be_alone();
    node.drain();
    node.commit();
    // The bundle, which each relay gets again when it is met.
    node.wishes.clear();
    node
}

/// A relay as others make it: a mailbox and a pool for each agent, by its id.
#[derive(Default)]
struct Service {
    up: bool,
    mail: BTreeMap<AgentId, Vec<(u64, AgentId, Vec<u8>)>>,
    entries: u64,
    bundles: BTreeMap<AgentId, Vec<u8>>,
    pools: BTreeMap<AgentId, Vec<TakenKey>>,
    /// Each id that it was given, by agent.
    given: BTreeMap<AgentId, Vec<PrekeyId>>,
    taken: BTreeMap<TakeId, TakenPrekeys>,
    deposits: usize,
    refuses: Option<RelayFailure>,
}

impl Service {
    fn new() -> Self {
        Self { up: true, ..Self::default() }
    }

    fn failure(&self) -> Result<(), RelayFailure> {
        if self.up { self.refuses.map_or(Ok(()), Err) } else { Err(RelayFailure::Gone) }
    }

    fn deposit(&mut self, from: AgentId, to: AgentId, frame: Vec<u8>) {
        self.deposits += 1;
        self.entries += 1;
        let mailbox = self.mail.entry(to).or_default();
        if !mailbox.iter().any(|(.., kept)| *kept == frame) {
            mailbox.push((self.entries, from, frame));
        }
    }

    fn take(&mut self, request: TakeId, of: AgentId) -> Result<TakenPrekeys, RelayFailure> {
        if let Some(before) = self.taken.get(&request) {
            return Ok(before.clone());
        }
        let bundle = self.bundles.get(&of).cloned().ok_or(RelayFailure::Refused)?;
        let one_time = self.pools.get_mut(&of).and_then(Vec::pop);
        let taken = TakenPrekeys { card: None, bundle, one_time };
        self.taken.insert(request, taken.clone());
        Ok(taken)
    }

    fn publish(&mut self, of: AgentId, card: &Card, bundle: Vec<u8>, pool: Option<RelayPool>) {
        self.bundles.insert(of, bundle);
        let Some(RelayPool { replaces, signed, keys, .. }) = pool else { return };
        let kept = self.pools.entry(of).or_default();
        if replaces {
            kept.clear();
        }
        self.given.entry(of).or_default().extend(keys.iter().map(|(id, _)| *id));
        Unverified::<Pool>::parse(&signed).unwrap().verify(&Pure, card).expect("it is signed");
        let with_paths = with_paths(of, card, &keys);
        kept.extend(with_paths.into_iter().map(|key| TakenKey { pool: signed.clone(), key }));
    }
}

/// The keys with their ways to the root: the tree depends on nothing but the keys.
fn with_paths(of: AgentId, card: &Card, keys: &[(PrekeyId, CurvePublic)]) -> Vec<PoolKey> {
    let terms =
        PoolTerms { agent: of, card: card.sequence(), not_after: card.validity().not_after };
    Pool::sign(&Pure, &signing_pair(9), keys, terms, &mut Seeded(1)).unwrap().1
}

/// Two agents that are never here together, and two relays.
struct Scene {
    a: Node,
    b: Node,
    relays: BTreeMap<AgentId, Service>,
}

impl Scene {
    /// Both know each other's cards, have met nobody, and have published at both relays.
    fn new() -> Self {
        let mut this = Self::strangers(Policy::default());
        let (card_a, card_b) = (Arc::clone(&this.a.card), Arc::clone(&this.b.card));
        this.a.meet(&card_b);
        this.b.meet(&card_a);
        this
    }

    fn strangers(policy: Policy) -> Self {
        let relays = [(FIRST, Service::new()), (SECOND, Service::new())].into();
        let mut this = Self { a: node(1, policy), b: node(2, policy), relays };
        this.publish();
        this
    }

    fn publish(&mut self) {
        for node in [&mut self.a, &mut self.b] {
            meet_relays(node, &mut self.relays);
        }
    }

    fn relay(&mut self, relay: AgentId) -> &mut Service {
        self.relays.get_mut(&relay).unwrap()
    }

    /// Both relays refuse all from now on, or nothing more.
    fn relays_refuse(&mut self, why: Option<RelayFailure>) {
        for relay in [FIRST, SECOND] {
            self.relay(relay).refuses = why;
        }
    }

    /// `a` is here alone: what it wants of the relays is done.
    fn a_is_here(&mut self) {
        be_here(&mut self.a, &mut self.relays);
    }

    fn b_is_here(&mut self) {
        be_here(&mut self.b, &mut self.relays);
    }
}

fn meet_relays(node: &mut Node, relays: &mut BTreeMap<AgentId, Service>) {
    for (relay, service) in relays.iter().filter(|(_, service)| service.up) {
        let depth = service.pools.get(&node.id()).map_or(0, Vec::len);
        node.handle(Input::Relay(RelayNews::Met {
            relay: *relay,
            depth,
            offers: 9,
            is_back: true,
        }));
        node.commit();
    }
    serve(node, relays);
}

/// Fetches, and does what the node wants, until it wants nothing.
fn be_here(node: &mut Node, relays: &mut BTreeMap<AgentId, Service>) {
    node.commit();
    serve(node, relays);
    for relay in [FIRST, SECOND] {
        let service = &relays[&relay];
        let mail = service.mail.get(&node.id()).filter(|_| service.up).cloned();
        for (entry, from, frame) in mail.unwrap_or_default() {
            let mail = RelayMail { relay, entry, from, frame: &frame };
            node.handle(Input::Relay(RelayNews::Mail(mail)));
        }
        serve(node, relays);
    }
}

fn serve(node: &mut Node, relays: &mut BTreeMap<AgentId, Service>) {
    node.commit();
    while let Some(wish) = node.wishes.pop_front() {
        let own = node.id();
        match wish {
            Output::Deposit { deposit, relay, to, frame, .. } => {
                let service = relays.get_mut(&relay.agent).unwrap();
                let news = match service.failure() {
                    Ok(()) => {
                        service.deposit(own, to, frame);
                        RelayNews::Deposited(deposit)
                    }
                    Err(why) => RelayNews::NotDeposited { deposit, why },
                };
                node.handle(Input::Relay(news));
            }
            Output::TakePrekeys { request, relay: Relay { agent: relay, .. }, of } => {
                let service = relays.get_mut(&relay).unwrap();
                let prekeys = service.failure().and_then(|()| service.take(request, of));
                node.handle(Input::Relay(RelayNews::Taken { relay, of, prekeys }));
            }
            Output::Acknowledge { relay, entry } => {
                let mailbox = relays.get_mut(&relay).unwrap().mail.entry(own).or_default();
                mailbox.retain(|(kept, ..)| *kept != entry);
            }
            Output::Publish { relay, bundle, pool } => {
                let service = relays.get_mut(&relay).unwrap();
                if service.failure().is_ok() {
                    let number = pool.as_ref().map(|pool| pool.number);
                    service.publish(own, &node.card, bundle, pool);
                    let news = RelayNews::Published { relay, pool: number };
                    node.handle(Input::Relay(news));
                }
            }
            other => panic!("{other:?}"),
        }
        node.commit();
    }
}

fn reason(node: &Node, id: meshwork_protocols::wire::MessageId) -> (Protocol, Reason) {
    let choice = node.router.status(id).unwrap().unwrap().choice;
    (choice.protocol, choice.reason)
}

#[test]
fn a_message_reaches_a_peer_that_is_never_here_together_with_its_sender_and_so_does_the_receipt() {
    let mut scene = Scene::new();
    let id = scene.a.send(text(scene.b.id(), "hello")).unwrap();
    scene.a_is_here();
    assert_eq!(scene.a.level(id), Some(Level::Relayed));
    assert_eq!(reason(&scene.a, id), (Protocol::Deferred, Reason::ThroughRelay));
    scene.a.restart();
    assert_eq!(scene.a.level(id), Some(Level::Relayed), "it is durable that it is");
    scene.b_is_here();
    assert_eq!(scene.b.bodies(), ["hello"]);
    assert!(scene.relays[&FIRST].mail[&scene.b.id()].is_empty(), "it is acknowledged");
    scene.a_is_here();
    assert_eq!(scene.a.level(id), Some(Level::Delivered));
    // The first relay of the card was used alone.
    assert_eq!(scene.relays[&SECOND].deposits, 0);
    // What the application says of it comes back as well, and is settled.
    scene.b.request(Request::Process { sender: scene.a.id(), id });
    scene.b_is_here();
    scene.a_is_here();
    assert_eq!(scene.a.level(id), Some(Level::Processed));
    scene.b_is_here();
    assert_eq!(scene.relays[&FIRST].mail.values().map(Vec::len).sum::<usize>(), 0);
}

#[test]
fn a_message_leaves_for_a_relay_only_when_the_key_that_sealed_it_is_durably_used() {
    let mut scene = Scene::new();
    scene.a.send(text(scene.b.id(), "first")).unwrap();
    scene.a_is_here();
    let ticket = Request::Send(text(scene.b.id(), "second"));
    scene.a.request(ticket);
    assert!(scene.a.wishes.is_empty());
    scene.a.commit();
    assert!(matches!(scene.a.wishes.front(), Some(Output::Deposit { .. })));
}

#[test]
fn mail_is_acknowledged_only_when_what_it_brought_is_durable() {
    let mut scene = Scene::new();
    scene.a.send(text(scene.b.id(), "hello")).unwrap();
    scene.a_is_here();
    let (entry, from, frame) = scene.relays[&FIRST].mail[&scene.b.id()][0].clone();
    let mail = RelayMail { relay: FIRST, entry, from, frame: &frame };
    scene.b.handle(Input::Relay(RelayNews::Mail(mail)));
    let acknowledges =
        |node: &Node| node.wishes.iter().any(|wish| matches!(wish, Output::Acknowledge { .. }));
    assert!(!acknowledges(&scene.b));
    scene.b.fail_commit(false);
    assert!(!acknowledges(&scene.b));
    scene.b.handle(Input::Relay(RelayNews::Mail(mail)));
    scene.b.commit();
    assert!(acknowledges(&scene.b));
    assert_eq!(scene.b.bodies(), ["hello"]);
}

#[test]
fn the_second_relay_takes_what_the_first_does_not_and_the_first_is_tried_again() {
    let mut scene = Scene::new();
    scene.relay(FIRST).up = false;
    let id = scene.a.send(text(scene.b.id(), "one")).unwrap();
    scene.a_is_here();
    assert_eq!(scene.a.level(id), Some(Level::Relayed));
    assert_eq!(scene.relays[&SECOND].deposits, 1);
    scene.relay(FIRST).up = true;
    scene.a.pass(Duration::from_secs(10));
    scene.a.send(text(scene.b.id(), "two")).unwrap();
    scene.a_is_here();
    assert_eq!(scene.relays[&FIRST].deposits, 1);
    scene.b_is_here();
    scene.b.restart();
    let mut bodies = scene.b.bodies();
    bodies.sort_unstable();
    assert_eq!(bodies, ["one", "two"]);
}

#[test]
fn prekeys_whose_answer_was_lost_with_a_commit_are_asked_for_again() {
    let mut scene = Scene::new();
    let id = scene.a.send(text(scene.b.id(), "hello")).unwrap();
    let asks =
        |node: &Node| node.wishes.iter().any(|wish| matches!(wish, Output::TakePrekeys { .. }));
    assert!(asks(&scene.a));
    // The answer comes while nothing can be read.
    scene.a.wishes.clear();
    scene.a.request(Request::Send(text(scene.b.id(), "lost")));
    scene.a.fail_commit(false);
    scene.a.pass(Duration::from_secs(1));
    scene.a.commit();
    assert!(asks(&scene.a));
    scene.a_is_here();
    assert_eq!(scene.a.level(id), Some(Level::Relayed));
}

#[test]
fn with_no_relay_a_message_is_sealed_and_waits_and_leaves_when_one_is_back() {
    let mut scene = Scene::new();
    scene.a.send(text(scene.b.id(), "before")).unwrap();
    scene.a_is_here();
    scene.relay(FIRST).up = false;
    scene.relay(SECOND).up = false;
    let id = scene.a.send(text(scene.b.id(), "hello")).unwrap();
    scene.a_is_here();
    assert_eq!(scene.a.level(id), Some(Level::Queued));
    assert_eq!(reason(&scene.a, id), (Protocol::Deferred, Reason::RelaysAway));
    scene.relay(SECOND).up = true;
    for _ in 0..8 {
        scene.a.pass(Duration::from_secs(2));
        scene.a_is_here();
    }
    assert_eq!(scene.a.level(id), Some(Level::Relayed));
}

#[test]
fn a_message_without_a_receipt_goes_to_the_next_relay_and_arrives_once() {
    let mut scene = Scene::new();
    let id = scene.a.send(text(scene.b.id(), "hello")).unwrap();
    scene.a_is_here();
    scene.a.pass(Duration::from_secs(61));
    scene.a_is_here();
    assert_eq!((scene.relays[&FIRST].deposits, scene.relays[&SECOND].deposits), (1, 1));
    let kept = |relay| scene.relays[&relay].mail[&scene.b.id()][0].2.clone();
    assert_eq!(kept(FIRST), kept(SECOND), "as the same bytes");
    scene.b_is_here();
    assert_eq!(scene.b.bodies(), ["hello"]);
    assert!(scene.relays.values().all(|service| service.mail[&scene.b.id()].is_empty()));
    scene.a_is_here();
    assert_eq!(scene.a.level(id), Some(Level::Delivered));
}

#[test]
fn a_full_mailbox_is_passed_over_for_its_owner_alone() {
    let mut scene = Scene::new();
    let retry_after = Duration::from_secs(30);
    scene.relay(FIRST).refuses = Some(RelayFailure::NotNow { retry_after });
    let id = scene.a.send(text(scene.b.id(), "hello")).unwrap();
    scene.a_is_here();
    assert_eq!(scene.a.level(id), Some(Level::Relayed));
    assert_eq!(scene.relays[&SECOND].deposits, 1);
}

#[test]
fn each_relay_gets_a_pool_of_its_own_and_no_key_is_given_to_two() {
    let mut scene = Scene::new();
    for _ in 0..5 {
        scene.relay(FIRST).pools.clear();
        scene.a.restart();
        scene.publish();
    }
    let id = scene.a.id();
    let given: Vec<_> =
        scene.relays.values().flat_map(|service| service.given[&id].clone()).collect();
    let distinct: BTreeSet<_> = given.iter().collect();
    assert_eq!(given.len(), distinct.len());
    assert_eq!(scene.relays[&SECOND].given[&id].len(), 4);
    assert!(scene.relays[&FIRST].given[&id].len() >= 20);
}

#[test]
fn a_pool_that_a_relay_has_not_confirmed_is_given_again_as_it_is() {
    let mut node = node(1, Policy::default());
    let mut pools = Vec::new();
    for _ in 0..3 {
        node.handle(Input::Relay(RelayNews::Met {
            relay: FIRST,
            depth: 0,
            offers: 9,
            is_back: true,
        }));
        node.commit();
        let Some(Output::Publish { pool, .. }) = node.wishes.pop_back() else { panic!() };
        pools.push(pool.unwrap());
        node.restart();
    }
    pools.dedup();
    assert_eq!(pools.len(), 1);
    assert!(pools[0].replaces, "what the relay had before nobody here knows");
    let published = RelayNews::Published { relay: FIRST, pool: Some(pools[0].number) };
    node.handle(Input::Relay(published));
    node.commit();
    node.handle(Input::Relay(RelayNews::Met { relay: FIRST, depth: 4, offers: 9, is_back: true }));
    let Some(Output::Publish { pool, .. }) = node.wishes.pop_back() else { panic!() };
    assert_eq!(pool, None);
}

#[test]
fn who_is_no_relay_of_ours_gets_no_pool() {
    let mut node = node(1, Policy::default());
    let other = AgentId::from_bytes([103; 32]);
    node.handle(Input::Relay(RelayNews::Met { relay: other, depth: 0, offers: 9, is_back: true }));
    node.commit();
    assert!(node.wishes.is_empty());
}

#[test]
fn without_one_time_keys_the_bundle_alone_begins_a_session() {
    let mut scene = Scene::new();
    scene.relay(FIRST).pools.clear();
    scene.a.send(text(scene.b.id(), "hello")).unwrap();
    scene.a_is_here();
    scene.b_is_here();
    assert_eq!(scene.b.bodies(), ["hello"]);
}

#[test]
fn prekeys_that_the_peer_did_not_sign_are_not_used_and_another_relay_is_asked() {
    let mut scene = Scene::new();
    let (a, b) = (scene.a.id(), scene.b.id());
    // The first relay gives the keys of somebody else, then keys under a pool of somebody else.
    for forged in [true, false] {
        let of_a = scene.relays[&FIRST].bundles[&a].clone();
        let keys_of_a = scene.relays[&FIRST].pools[&a].clone();
        let relay = scene.relay(FIRST);
        if forged {
            relay.bundles.insert(b, of_a);
        } else {
            relay.pools.insert(b, keys_of_a);
        }
        relay.taken.clear();
        let mut alone = node(3, Policy::default());
        let card_b = Arc::clone(&scene.b.card);
        alone.meet(&card_b);
        let id = alone.send(text(b, "hello")).unwrap();
        be_here(&mut alone, &mut scene.relays);
        assert_eq!(alone.level(id), Some(Level::Relayed));
        assert_eq!(scene.relays[&FIRST].deposits, 0, "it is not trusted with mail either");
        let parsed = Unverified::<Bundle>::parse(&scene.relays[&SECOND].bundles[&b]).unwrap();
        assert_eq!(parsed.claimed_agent(), b);
        scene.publish();
    }
    assert_eq!(scene.relays[&SECOND].deposits, 2);
}

#[test]
fn a_newer_card_comes_with_the_keys_and_one_of_another_agent_is_nothing() {
    let mut scene = Scene::new();
    let b = scene.b.id();
    let renewed = card_with_relays(2, 2_000, &[1], &[SECOND]);
    let Some(bundle) = scene.relays[&FIRST].bundles.get(&b).cloned() else { panic!() };
    scene.a.send(text(b, "hello")).unwrap();
    let news = |card: &Card| {
        let card = Some(card.as_bytes().to_vec());
        let prekeys = Ok(TakenPrekeys { card, bundle: bundle.clone(), one_time: None });
        Input::Relay(RelayNews::Taken { relay: FIRST, of: b, prekeys })
    };
    let (before, other) = (scene.a.rows(), card(7, 5_000, &[1]));
    scene.a.handle(news(&other));
    scene.a.commit();
    assert_ne!(scene.a.rows(), before, "the bundle is taken");
    scene.a.wishes.clear();
    scene.a.handle(news(&renewed));
    scene.a.commit();
    scene.a.send(text(b, "again")).unwrap();
    let to = |wish: &Output| match wish {
        Output::Deposit { relay, .. } => Some(relay.agent),
        _ => None,
    };
    assert_eq!(scene.a.wishes.iter().filter_map(to).collect::<Vec<_>>(), [SECOND]);
}

#[test]
fn mail_of_a_stranger_is_held_with_the_card_in_it_and_enters_once_it_is_accepted() {
    let mut scene = Scene::strangers(Policy::default());
    let card_b = Arc::clone(&scene.b.card);
    scene.a.meet(&card_b);
    for body in ["may I?", "please"] {
        scene.a.send(text(scene.b.id(), body)).unwrap();
    }
    scene.a_is_here();
    scene.b_is_here();
    assert!(scene.b.bodies().is_empty());
    assert_eq!(scene.b.router.strangers().next(), Some((&scene.a.id(), 2)));
    assert!(scene.relays[&FIRST].mail[&scene.b.id()].is_empty());
    assert!(!scene.relays[&FIRST].mail.contains_key(&scene.a.id()), "a stranger hears nothing");
    scene.b.request(Request::Stand { peer: scene.a.id(), standing: Standing::Known });
    scene.b_is_here();
    assert_eq!(scene.b.bodies(), ["may I?", "please"]);
}

#[test]
fn mail_that_is_none_changes_nothing_and_is_not_kept() {
    let mut scene = Scene::new();
    let before = scene.b.rows();
    let clear = Frame::Clear(meshwork_protocols::wire::Payload::Heartbeat).encode();
    let sealed = Frame::Sealed(vec![7; 300]).encode();
    for (entry, frame) in (1..).zip([vec![], vec![0xff; 9], clear, sealed]) {
        for from in [scene.a.id(), AgentId::from_bytes([77; 32])] {
            let mail = RelayMail { relay: FIRST, entry, from, frame: &frame };
            scene.b.handle(Input::Relay(RelayNews::Mail(mail)));
            scene.b.commit();
            let wish = scene.b.wishes.pop_front();
            assert!(matches!(wish, Some(Output::Acknowledge { .. })), "{wish:?}");
        }
    }
    assert_eq!(scene.b.rows(), before);
    let late = RelayNews::Deposited(DepositId(99));
    scene.b.handle(Input::Relay(late));
    assert!(!scene.b.events.iter().any(|event| matches!(event, Event::Misbehaved { .. })));
}

#[test]
fn a_state_that_was_put_back_takes_its_pools_away_from_the_relays() {
    let mut scene = Scene::new();
    scene.a.restart_as(true);
    scene.a.commit();
    scene.a.handle(Input::Relay(RelayNews::Met {
        relay: FIRST,
        depth: 4,
        offers: 9,
        is_back: true,
    }));
    scene.a.commit();
    let Some(Output::Publish { pool: Some(pool), .. }) = scene.a.wishes.pop_back() else {
        panic!()
    };
    assert!(pool.replaces);
}

#[test]
fn a_pool_is_replaced_before_its_signature_ends() {
    let mut scene = Scene::new();
    scene.a.pass(DAY * 8);
    scene.a.commit();
    scene.a.wishes.clear();
    scene.a.handle(Input::Relay(RelayNews::Met {
        relay: FIRST,
        depth: 4,
        offers: 9,
        is_back: true,
    }));
    scene.a.commit();
    let Some(Output::Publish { pool: Some(pool), .. }) = scene.a.wishes.pop_back() else {
        panic!()
    };
    assert!(pool.replaces);
}

fn meet(node: &mut Node, relay: AgentId, is_back: bool) {
    node.handle(Input::Relay(RelayNews::Met { relay, depth: 4, offers: 9, is_back }));
    node.commit();
}

#[test]
fn a_relay_is_given_the_rules_when_it_is_met_until_it_keeps_them_and_when_it_was_away() {
    let mut node = node(1, Policy::default());
    let other = card(2, 1_000, &[1]);
    node.meet(&other);
    assert!(node.rules.is_empty(), "no relay was met");
    meet(&mut node, FIRST, true);
    let (relay, rules) = node.rules.pop().unwrap();
    assert_eq!(relay, FIRST);
    assert!(rules.knows(&Pure, &other.agent()) && !rules.knows(&Pure, &SECOND));
    assert_eq!((rules.known.len(), rules.strangers.pieces), (1, 1_000));
    // They were lost: what follows has a later revision.
    meet(&mut node, FIRST, false);
    let (_, again) = node.rules.pop().unwrap();
    assert!(again.revision > rules.revision);
    let revision = again.revision;
    node.handle(Input::Relay(RelayNews::Ruled { relay: FIRST, revision }));
    meet(&mut node, FIRST, false);
    assert!(node.rules.is_empty(), "it keeps them");
    meet(&mut node, FIRST, true);
    assert_eq!(node.rules, [(FIRST, again)], "it may have lost them");
}

#[test]
fn rules_follow_contacts_that_change_together_and_are_no_longer_those_of_who_was_blocked() {
    let mut node = node(1, Policy::default());
    let others = [2, 3, 4].map(|number| card(number, 1_000, &[1]));
    meet(&mut node, FIRST, true);
    meet(&mut node, SECOND, true);
    let before = node.rules.drain(..).map(|(_, rules)| rules.revision).max();
    others.iter().for_each(|card| node.meet(card));
    node.pass(Duration::from_secs(1));
    let relays: Vec<_> = node.rules.iter().map(|(relay, _)| *relay).collect();
    assert_eq!(relays, [FIRST, SECOND], "once, for all three");
    assert!(node.rules.iter().all(|(_, rules)| rules.known.len() == 3));
    assert!(node.rules.iter().all(|(_, rules)| Some(rules.revision) > before));
    node.rules.clear();
    let (peer, standing) = (others[0].agent(), Standing::Blocked);
    node.request(Request::Stand { peer, standing });
    node.commit();
    node.pass(Duration::from_secs(1));
    assert!(!node.rules.is_empty());
    assert!(node.rules.iter().all(|(_, rules)| !rules.knows(&Pure, &peer)));
}

#[test]
fn rules_leave_strangers_what_the_policy_would_make_of_it() {
    let pieces = |first_contact| {
        let mut policy = Policy::default();
        policy.first_contact = first_contact;
        let mut node = node(1, policy);
        meet(&mut node, FIRST, true);
        node.rules.pop().unwrap().1.strangers.pieces
    };
    assert_eq!(pieces(FirstContact::Drop), 0);
    assert_eq!(pieces(FirstContact::Hold), 1_000);
    assert_eq!(pieces(FirstContact::Accept), u32::MAX);
}

#[test]
fn what_is_durable_at_a_relay_is_not_said_to_be_sent_again() {
    let mut scene = Scene::new();
    let id = scene.a.send(text(scene.b.id(), "hello")).unwrap();
    scene.a_is_here();
    assert_eq!(scene.a.level(id), Some(Level::Relayed));
    let moved = |node: &Node| {
        let moved = |event: &Event| matches!(event, Event::Moved { id: of, .. } if *of == id);
        node.events.iter().filter(|event| moved(event)).count()
    };
    scene.a.restart();
    scene.a_is_here();
    assert_eq!(moved(&scene.a), 0, "what is tried again is no news");
    assert_eq!(scene.a.level(id), Some(Level::Relayed));
}

#[test]
fn mail_that_no_session_opens_stays_at_its_relay_until_its_sender_was_told_and_seals_anew() {
    let mut scene = Scene::new();
    let id = scene.a.send(text(scene.b.id(), "hello")).unwrap();
    scene.a_is_here();
    // The state of the receiver is lost, and with it what would open the message.
    scene.b.lose_state();
    let card_a = Arc::clone(&scene.a.card);
    scene.b.meet(&card_a);
    scene.publish();
    scene.b_is_here();
    let waits = |scene: &Scene| scene.relays[&FIRST].mail[&scene.b.id()].len();
    assert_eq!((scene.b.bodies().len(), waits(&scene)), (0, 1), "it is not acknowledged");
    // It has nothing to tell the sender with: its prekeys are asked for.
    scene.b.pass(Duration::from_secs(60));
    assert!(matches!(scene.b.wishes.front(), Some(Output::TakePrekeys { .. })));
    scene.b_is_here();
    scene.b.pass(Duration::from_millis(1));
    scene.b_is_here();
    scene.b_is_here();
    assert_eq!(waits(&scene), 0, "the sender is told");
    scene.a_is_here();
    scene.b_is_here();
    assert_eq!(scene.b.bodies(), ["hello"]);
    scene.a_is_here();
    assert_eq!(scene.a.level(id), Some(Level::Delivered));
}

#[test]
fn a_receipt_that_no_relay_takes_is_left_once_one_is_back() {
    let mut scene = Scene::new();
    let id = scene.a.send(text(scene.b.id(), "hello")).unwrap();
    scene.a_is_here();
    scene.relays_refuse(Some(RelayFailure::Refused));
    scene.b_is_here();
    assert_eq!(scene.b.bodies(), ["hello"]);
    scene.relays_refuse(None);
    scene.b.pass(Duration::from_secs(5 * 60));
    scene.b_is_here();
    scene.a_is_here();
    assert_eq!(scene.a.level(id), Some(Level::Delivered));
}

#[test]
fn what_was_received_is_acknowledged_anew_where_a_restart_forgot_the_receipt() {
    let mut scene = Scene::new();
    let id = scene.a.send(text(scene.b.id(), "hello")).unwrap();
    scene.a_is_here();
    scene.relays_refuse(Some(RelayFailure::Refused));
    scene.b_is_here();
    scene.b.restart();
    scene.relays_refuse(None);
    scene.b_is_here();
    scene.a_is_here();
    assert_eq!(scene.a.level(id), Some(Level::Delivered));
}

#[test]
fn what_is_owed_and_found_no_way_is_not_taken_for_said() {
    let mut scene = Scene::new();
    let id = scene.a.send(text(scene.b.id(), "hello")).unwrap();
    scene.a_is_here();
    scene.b_is_here();
    scene.a_is_here();
    scene.relays_refuse(Some(RelayFailure::Refused));
    scene.b.request(Request::Process { sender: scene.a.id(), id });
    scene.b_is_here();
    scene.relays_refuse(None);
    scene.b.pass(Duration::from_secs(5 * 60));
    scene.b_is_here();
    scene.a_is_here();
    assert_eq!(scene.a.level(id), Some(Level::Processed));
}
