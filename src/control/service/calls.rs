//! Calls, those of this agent and those that programs answer for it.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{Ended, Out};
use crate::control::outsourced::Open;
use crate::control::request::{Call, Decline};
use crate::control::{Body, Code, Fault, Reply, reply, roster};
use crate::{Agent, Asked, Declined};

/// How many calls may wait to be told to the program that answers them. Who calls then is told
/// that it is busy.
const UNTOLD: usize = 64;

/// Calls a peer.
pub(super) async fn call(agent: &Agent, call: Call, out: &Out) -> Result<(), Ended> {
    let to = roster::find_or_meet(agent, &call.to).await?;
    let mut calling = agent.call(to, call.service.clone(), call.body.0);
    if let Some(millis) = call.deadline_millis {
        calling = calling.deadline(Duration::from_millis(millis));
    }
    if let Some(via) = call.via {
        calling = calling.via(via.into());
    }
    let called = Instant::now();
    let body = calling.await.map_err(Fault::from)?;
    let millis = u64::try_from(called.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (from, service) = (roster::named(agent, to), call.service);
    out.say(Reply::Answer(reply::Answer { from, service, body: Body(body), millis })).await
}

/// Offers services whose calls the asker answers, until it asks something else or goes away.
pub(super) async fn serve(agent: &Agent, services: Vec<String>, out: &Out) -> Result<(), Ended> {
    let (lines, mut told) = mpsc::channel(UNTOLD);
    let mut serving = Vec::with_capacity(services.len());
    for service in &services {
        let (outsider, agent_too) = (lines.clone(), agent.clone());
        let handler = move |asked| outsource(agent_too.clone(), outsider.clone(), asked);
        serving.push(agent.serve(service, handler).map_err(|error| Fault::of(service, error))?);
    }
    // The handlers' ends alone keep it open.
    drop(lines);
    while let Some(line) = told.recv().await {
        out.say(line).await?;
    }
    Ok(())
}

/// Has a program answer.
async fn outsource(
    agent: Agent,
    lines: mpsc::Sender<Reply>,
    asked: Asked,
) -> Result<Vec<u8>, Declined> {
    let open = agent.shared.outsourced.open();
    let left = asked.deadline.monotonic.saturating_sub(agent.shared.clock.now().monotonic);
    let line = Reply::Asked(reply::Asked {
        call: open.call,
        caller: roster::named(&agent, asked.caller),
        service: asked.service.to_string(),
        body: Body(asked.body),
        deadline_millis: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
    });
    // What the program does not read in time is not waited for.
    lines.try_send(line).map_err(|_| Declined::Busy)?;
    let mut waiting = Waiting { open, lines: Some(lines.clone()) };
    let answer = tokio::select! {
        answer = waiting.open.answered() => answer,
        () = lines.closed() => Err(Declined::Failed),
    };
    waiting.lines = None;
    answer
}

/// A call that a program was told of. Dropped before it is answered, the program hears of that.
struct Waiting {
    open: Open,
    lines: Option<mpsc::Sender<Reply>>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(lines) = self.lines.take() {
            // Where it does not hear it, its answer is told to be too late.
            let _ = lines.try_send(Reply::Withdrawn { call: self.open.call });
        }
    }
}

/// A program's answer.
pub(super) fn answer(agent: &Agent, call: u64, body: Vec<u8>) -> Result<(), Ended> {
    settle(agent, call, Ok(body))
}

/// A program's refusal.
pub(super) fn decline(agent: &Agent, call: u64, why: Decline) -> Result<(), Ended> {
    settle(agent, call, Err(why.into()))
}

fn settle(agent: &Agent, call: u64, answer: Result<Vec<u8>, Declined>) -> Result<(), Ended> {
    if agent.shared.outsourced.answer(call, answer) {
        return Ok(());
    }
    Err(Fault::new(Code::UnknownCall, format!("no call {call} waits for an answer")).into())
}
