//! Whose turn it is: one request of each caller after the other, however many one has waiting.

use std::collections::{HashMap, VecDeque};

use meshwork_protocols::identity::AgentId;

/// Requests that wait, by caller.
#[derive(Debug)]
pub(crate) struct Fair<T> {
    waiting: HashMap<AgentId, VecDeque<T>>,
    turns: VecDeque<AgentId>,
}

impl<T> Fair<T> {
    pub(crate) fn new() -> Self {
        Self { waiting: HashMap::new(), turns: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, caller: AgentId, request: T) {
        let queue = self.waiting.entry(caller).or_default();
        if queue.is_empty() {
            self.turns.push_back(caller);
        }
        queue.push_back(request);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// The next request, of the caller who waited longest for its turn.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let caller = self.turns.pop_front()?;
        let queue = self.waiting.get_mut(&caller)?;
        let request = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&caller);
        } else {
            self.turns.push_back(caller);
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_with_many_requests_delays_another_by_one_of_them() {
        let (busy, quiet) = (AgentId::from_bytes([1; 32]), AgentId::from_bytes([2; 32]));
        let mut fair = Fair::new();
        for number in 0..1_000 {
            fair.push(busy, number);
        }
        fair.push(quiet, 5_000);
        fair.push(quiet, 5_001);
        let order: Vec<_> = std::iter::from_fn(|| fair.pop()).collect();
        assert_eq!(order[..5], [0, 5_000, 1, 5_001, 2]);
        assert_eq!(order.len(), 1_002);
        assert!(fair.is_empty() && fair.waiting.is_empty());
    }
}
