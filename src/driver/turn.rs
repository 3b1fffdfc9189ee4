//! The loop: what happens, in; what is to be done, out.

use std::future;

use meshwork_router::{Command, Event as Told, Input, Output, Ticket};
use tokio::time;

use super::group_commit::Finished;
use super::{Driver, Order};
use crate::agent::{Event, Stranger, Tally};

/// How many orders are taken at a time before the disk is given what they led to.
const ORDERS_A_TURN: usize = 256;

impl Driver {
    /// Runs until it is told to stop or nobody is left who could.
    pub(super) async fn run(mut self) {
        self.carry_out();
        loop {
            self.commits.start();
            let wake = self.router.next_timeout().map(|at| self.shared.clock.instant(at));
            let timer = async {
                match wake {
                    Some(at) => time::sleep_until(at).await,
                    None => future::pending().await,
                }
            };
            tokio::select! {
                finished = self.commits.finished() => self.committed(finished),
                order = self.orders.recv() => {
                    let mut next = order;
                    for _ in 0..ORDERS_A_TURN {
                        let Some(order) = next else { break };
                        self.order(order);
                        next = self.orders.try_recv().ok();
                    }
                }
                () = timer => self.router.handle(self.shared.clock.now(), Input::Tick),
                _ = &mut self.lease => break,
            }
            self.carry_out();
        }
        self.shared.notices.end();
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Request { request, answer } => {
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                self.answers.insert(ticket, answer);
                let command = Command { ticket, request };
                self.router.handle(self.shared.clock.now(), Input::Command(command));
            }
            Order::Explain { peer, answer } => {
                let _ = answer.send(self.router.explain(&peer));
            }
            Order::Status { id, answer } => {
                let _ = answer.send(self.router.status(id));
            }
            Order::Strangers { answer } => {
                let strangers = self.router.strangers();
                let strangers = strangers.map(|(id, messages)| Stranger::new(*id, messages));
                let _ = answer.send(strangers.collect());
            }
            Order::Close { answer } => {
                let _ = answer.send(Ok(()));
            }
        }
    }

    /// Does what the router wants done.
    fn carry_out(&mut self) {
        while let Some(output) = self.router.poll() {
            match output {
                Output::Commit(id, batch) => self.commits.gather(id, batch),
                Output::Event(event) => self.told(event),
                Output::Transmit { .. } | Output::Dial(_) | Output::Close { .. } => {}
            }
        }
    }

    fn committed(&mut self, finished: Finished) {
        Tally::count(&self.shared.tally.commits);
        if finished.result.is_ok() {
            let _ = self.shared.peers.follow(finished.batch());
            if let Some((_, last)) = finished.ids() {
                self.router.handle(self.shared.clock.now(), Input::Committed(last));
            }
        }
    }

    fn told(&mut self, event: Told) {
        let event = match event {
            Told::Answered { ticket, answer } => {
                if let Some(waiting) = self.answers.remove(&ticket) {
                    let _ = waiting.send(answer);
                }
                return;
            }
            Told::Arrived { arrival, sender, id, repeat } => {
                self.arrivals.send_modify(|arrivals| arrivals.announce(arrival, repeat));
                Event::Arrived { sender, id }
            }
            Told::Moved { id, to, level, choice } => Event::Moved { id, to, level, choice },
            Told::FirstContact(peer) => Event::FirstContact(peer),
            Told::Connected(peer) => Event::Connected(peer),
            Told::Disconnected(peer) => Event::Disconnected(peer),
            Told::Lineage { peer, suspicion } => Event::Lineage { peer, suspicion },
            Told::Equivocation(peer) => Event::Equivocation(peer),
            Told::Misbehaved { peer, how } => Event::Misbehaved { peer, how },
            _ => return,
        };
        self.shared.notices.tell(event);
    }
}
