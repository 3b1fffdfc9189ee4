//! A relay in a process of its own, killed while agents leave mail.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use meshwork::identity::Transport::Tcp;
use meshwork::time::WallTime;
use meshwork::{Agent, AgentId, Contact};
use meshwork_protocols::relay::{Answer, Deposit, Fetch, Kept, MailNumber, Request, SERVICE};
use tokio::time::sleep;

use super::home::{Home, PATIENCE};

const SENDERS: u8 = 4;
/// Pieces of one request.
const TOGETHER: u8 = 16;
const KILLS: u64 = 8;
/// Pieces answered in each life of the relay, so that each of its ends comes under load.
const A_LIFE: usize = 8 * TOGETHER as usize;

/// What the senders share with the test.
#[derive(Default)]
struct Progress {
    answered: AtomicUsize,
    over: AtomicBool,
}

impl Progress {
    async fn until(&self, answered: usize) {
        let enough = async {
            while self.answered.load(Ordering::Relaxed) < answered {
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.expect("nothing more is answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigkills_of_a_relay_lose_no_deposit_that_was_answered_and_double_none() {
    let home = Home::with(&["relay"]);
    let mut relay = home.up_with("relay", &["--relay"]);
    let contact: Contact = relay.contact.parse().unwrap();
    let owner = client(&contact).await;
    let card = Request::PutCard(owner.card().as_bytes().to_vec().into());
    assert_eq!(ask(&owner, contact.agent, &card).await, Answer::Done);
    let progress = Arc::new(Progress::default());
    let mut senders = tokio::task::JoinSet::new();
    for number in 0..SENDERS {
        let sender = client(&contact).await;
        senders.spawn(leave_mail(sender, number, contact.agent, owner.id(), Arc::clone(&progress)));
    }
    for kill in 0..KILLS {
        progress.until(progress.answered.load(Ordering::Relaxed) + A_LIFE).await;
        // And then at some point of the work.
        sleep(Duration::from_millis(7 * (kill * 5 % 8))).await;
        relay.kill();
        relay = home.up_with("relay", &["--relay"]);
    }
    progress.over.store(true, Ordering::Relaxed);
    let answered: Vec<Vec<u8>> = senders.join_all().await.into_iter().flatten().collect();
    let mail = fetch_all(&owner, contact.agent).await;
    let packets: Vec<_> = mail.iter().map(|kept| kept.packet.0.clone()).collect();
    let once: BTreeSet<_> = packets.iter().cloned().collect();
    assert_eq!(once.len(), packets.len(), "a packet was kept twice");
    assert_eq!(once, answered.into_iter().collect(), "mail was lost");
}

async fn client(relay: &Contact) -> Agent {
    // Over TCP the end of a process is known at once.
    let agent = Agent::builder().in_memory().transports(&[Tcp]).start().await.unwrap();
    agent.meet(relay.clone()).await.unwrap();
    agent
}

/// Leaves some pieces after the others, until they are answered; all of them.
async fn leave_mail(
    sender: Agent,
    number: u8,
    relay: AgentId,
    recipient: AgentId,
    progress: Arc<Progress>,
) -> Vec<Vec<u8>> {
    let mut answered = Vec::new();
    for round in 0_u32.. {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let expires = WallTime::from_secs(since.as_secs() + 3_600);
        let packet = |piece: u8| [&[number, piece][..], &round.to_be_bytes(), &[7; 1_000]].concat();
        let packets: Vec<_> = (0..TOGETHER).map(packet).collect();
        let deposit =
            |packet: &Vec<u8>| Deposit { recipient, expires, packet: packet.clone().into() };
        let request = Request::Deposit(packets.iter().map(deposit).collect());
        let answer = ask(&sender, relay, &request).await;
        let Answer::Deposited(outcomes) = answer else { panic!("{answer:?}") };
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        answered.extend(packets);
        progress.answered.fetch_add(TOGETHER.into(), Ordering::Relaxed);
        if progress.over.load(Ordering::Relaxed) {
            break;
        }
    }
    answered
}

async fn fetch_all(owner: &Agent, relay: AgentId) -> Vec<Kept> {
    let (mut mail, mut after) = (Vec::new(), MailNumber(0));
    loop {
        let fetch = Fetch { mailbox: owner.id(), after, most: 1_024, wait: 0 };
        let Answer::Mail(more) = ask(owner, relay, &Request::Fetch(fetch)).await else { panic!() };
        let Some(last) = more.last() else { return mail };
        after = last.number;
        mail.extend(more);
    }
}

/// Asks until there is an answer: the relay may be gone, and be back.
async fn ask(agent: &Agent, relay: AgentId, request: &Request) -> Answer {
    let asking = async {
        loop {
            let call =
                agent.call(relay, SERVICE, request.encode()).deadline(Duration::from_secs(5));
            match call.await {
                Ok(answer) => return Answer::decode(&answer).unwrap(),
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("the relay did not come back")
}
