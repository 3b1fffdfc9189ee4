//! Agents with a session to the relay each.

use std::time::Duration;

use meshwork::{Agent, AgentId, Contact, Transport};
use meshwork_protocols::relay::{Answer, Request, SERVICE};
use tokio::task::JoinSet;

/// How many open their session at once.
const STARTING: usize = 16;

/// So many agents whom the relay serves, and the relay.
pub(crate) async fn connected(contact: &str, count: usize) -> (AgentId, Vec<Agent>) {
    let contact: Contact = contact.parse().unwrap();
    let (relay, mut starting, mut agents) = (contact.agent, JoinSet::new(), vec![]);
    for _ in 0..count {
        if starting.len() >= STARTING {
            agents.push(starting.join_next().await.unwrap().unwrap());
        }
        let contact = contact.clone();
        starting.spawn(async move {
            let agent = Agent::builder().in_memory().start().await.unwrap();
            agent.meet(contact).await.unwrap();
            let own = Request::PutCard(agent.card().as_bytes().to_vec().into());
            assert_eq!(ask(&agent, relay, &own).await, Answer::Done);
            agent
        });
    }
    agents.extend(starting.join_all().await);
    (relay, agents)
}

pub(crate) async fn ask(agent: &Agent, relay: AgentId, request: &Request) -> Answer {
    let call = agent.call(relay, SERVICE, request.encode()).via(Transport::Tcp);
    let answer = call.deadline(Duration::from_secs(120)).await.unwrap();
    Answer::decode(&answer).unwrap()
}
