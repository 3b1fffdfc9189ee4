//! Calls of peers that programs at the socket answer, by numbers that are given once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::Declined;

/// What a program makes of a call.
pub(crate) type Answer = Result<Vec<u8>, Declined>;

/// The calls that wait for an answer from a program.
#[derive(Debug, Default)]
pub(crate) struct Outsourced(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    next: u64,
    open: HashMap<u64, oneshot::Sender<Answer>>,
}

/// A call that waits. Dropped, it waits no more.
#[derive(Debug)]
pub(super) struct Open {
    table: Arc<Outsourced>,
    pub(super) call: u64,
    answered: oneshot::Receiver<Answer>,
}

impl Outsourced {
    pub(super) fn open(self: &Arc<Self>) -> Open {
        let (answer, answered) = oneshot::channel();
        let mut table = self.table();
        let call = table.next;
        table.next += 1;
        table.open.insert(call, answer);
        Open { table: Arc::clone(self), call, answered }
    }

    /// Answers a call; whether it waits.
    pub(super) fn answer(&self, call: u64, answer: Answer) -> bool {
        let waiting = self.table().open.remove(&call);
        waiting.is_some_and(|waiting| waiting.send(answer).is_ok())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    pub(super) async fn answered(&mut self) -> Answer {
        (&mut self.answered).await.unwrap_or(Err(Declined::Failed))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.table.table().open.remove(&self.call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_is_answered_once_and_not_after_it_was_given_up() {
        let calls = Arc::new(Outsourced::default());
        let (mut one, other) = (calls.open(), calls.open());
        assert!(calls.answer(one.call, Ok(vec![1])));
        assert!(!calls.answer(one.call, Ok(vec![2])));
        assert_eq!(one.answered().await, Ok(vec![1]));
        let given_up = other.call;
        drop(other);
        assert!(!calls.answer(given_up, Ok(vec![])));
        assert!(calls.table().open.is_empty());
    }
}
