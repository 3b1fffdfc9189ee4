//! Agents that leave mail, and one that fetches and acknowledges it: each piece whose deposit was
//! answered comes into its inbox once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use meshwork::time::WallTime;
use meshwork::{Agent, AgentId, Contact};
use meshwork_protocols::relay::{Answer, Deposit, Fetch, MailNumber, Request};
use tokio::task::{JoinHandle, JoinSet};

use super::{Storm, ask, client};

const SENDERS: u8 = 4;
/// Pieces of one request.
const TOGETHER: u8 = 16;

/// What tells one piece from the others: it stands first in its packet.
type Name = [u8; 6];

pub(super) struct Load {
    /// What each sender left.
    senders: JoinSet<Vec<Name>>,
    left: Arc<AtomicBool>,
    /// What came into the inbox, in its order.
    inbox: JoinHandle<Vec<Name>>,
}

impl Load {
    pub(super) async fn start(contact: &Contact, storm: &Arc<Storm>) -> Self {
        let (owner, relay) = (client(contact).await, contact.agent);
        let recipient = owner.id();
        let card = Request::PutCard(owner.card().as_bytes().to_vec().into());
        assert_eq!(ask(&owner, relay, &card).await, Answer::Done);
        let mut senders = JoinSet::new();
        for number in 0..SENDERS {
            let sender = client(contact).await;
            senders.spawn(leave_mail(sender, number, relay, recipient, Arc::clone(storm)));
        }
        let left = Arc::new(AtomicBool::new(false));
        let inbox = tokio::spawn(fetch(owner, relay, Arc::clone(&left)));
        Self { senders, left, inbox }
    }

    pub(super) async fn check(self) -> usize {
        let answered: Vec<_> = self.senders.join_all().await.into_iter().flatten().collect();
        self.left.store(true, Ordering::Relaxed);
        let inbox = self.inbox.await.unwrap();
        let count = answered.len();
        let once: BTreeSet<_> = inbox.iter().copied().collect();
        assert_eq!(once.len(), inbox.len(), "a packet came twice");
        assert_eq!(once, answered.into_iter().collect(), "mail was lost");
        count
    }
}

/// Leaves some pieces after the others, until they are answered; all of them.
async fn leave_mail(
    sender: Agent,
    number: u8,
    relay: AgentId,
    recipient: AgentId,
    storm: Arc<Storm>,
) -> Vec<Name> {
    let mut answered = Vec::new();
    for round in 0_u32.. {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let expires = WallTime::from_secs(since.as_secs() + 3_600);
        let [a, b, c, d] = round.to_be_bytes();
        let names = (0..TOGETHER).map(|piece| [number, piece, a, b, c, d]);
        let deposit = |name: Name| {
            let packet = [name.as_slice(), &[7; 1_000]].concat().into();
            Deposit { recipient, expires, packet }
        };
        let request = Request::Deposit(names.clone().map(deposit).collect());
        let answer = ask(&sender, relay, &request).await;
        let Answer::Deposited(outcomes) = answer else { panic!("{answer:?}") };
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        answered.extend(names);
        storm.deposits.fetch_add(TOGETHER.into(), Ordering::Relaxed);
        if storm.is_over() {
            break;
        }
    }
    answered
}

/// Fetches and acknowledges, until all is left and nothing is there any more. A number that came
/// before is known, as to an agent that was killed before it acknowledged.
async fn fetch(owner: Agent, relay: AgentId, left: Arc<AtomicBool>) -> Vec<Name> {
    let (mut inbox, mut known) = (Vec::new(), BTreeSet::new());
    loop {
        let is_last = left.load(Ordering::Relaxed);
        let fetch = Fetch { mailbox: owner.id(), after: MailNumber(0), most: 1_024, wait: 100 };
        let answer = ask(&owner, relay, &Request::Fetch(fetch)).await;
        let Answer::Mail(mail) = answer else { panic!("{answer:?}") };
        let numbers: Vec<_> = mail.iter().map(|kept| kept.number).collect();
        for kept in mail {
            if known.insert(kept.number) {
                inbox.push(*kept.packet.0.first_chunk().unwrap());
            }
        }
        if !numbers.is_empty() {
            let request = Request::Acknowledge { mailbox: owner.id(), numbers };
            assert_eq!(ask(&owner, relay, &request).await, Answer::Done);
        } else if is_last {
            return inbox;
        }
    }
}
