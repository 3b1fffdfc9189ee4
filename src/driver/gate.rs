//! Lets in who may try to prove itself, and turns out whom the caps choose.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meshwork_protocols::random::Random;
use meshwork_router::{Admission, Applicant, Limits};
use tokio::sync::oneshot;

/// The one gate of all listeners.
#[derive(Debug)]
pub(crate) struct Gate(Mutex<Guarded>);

#[derive(Debug)]
struct Guarded {
    admission: Admission,
    random: Box<dyn Random>,
    /// Dropped to turn one out.
    inside: HashMap<Applicant, oneshot::Sender<()>>,
}

impl Gate {
    pub(crate) fn new(limits: Limits, random: Box<dyn Random>) -> Self {
        let admission = Admission::new(limits);
        Self(Mutex::new(Guarded { admission, random, inside: HashMap::new() }))
    }

    /// Somebody came from `address`. Another may have to go for it.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Pass {
        let (stays, turned_out) = oneshot::channel();
        let mut guarded = self.lock();
        let Guarded { admission, random, inside } = &mut *guarded;
        let admitted = admission.admit(address, &mut **random);
        inside.insert(admitted.applicant, stays);
        if let Some(evicted) = admitted.evicted {
            inside.remove(&evicted);
        }
        Pass { gate: Arc::clone(self), applicant: admitted.applicant, turned_out }
    }

    fn lock(&self) -> MutexGuard<'_, Guarded> {
        // Each change under the lock is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What somebody holds who has not proved itself. Dropped when it did, or is gone.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    applicant: Applicant,
    turned_out: oneshot::Receiver<()>,
}

impl Pass {
    /// So many bytes are now buffered for the holder. Somebody may have to go for them.
    pub(crate) fn buffered(&self, bytes: usize) {
        let mut guarded = self.gate.lock();
        let Guarded { admission, random, inside } = &mut *guarded;
        if let Some(evicted) = admission.buffered(self.applicant, bytes, &mut **random) {
            inside.remove(&evicted);
        }
    }

    /// Waits until the holder has to go.
    pub(crate) async fn turned_out(&mut self) {
        // Nothing is ever sent: the other end is dropped.
        let _ = (&mut self.turned_out).await;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut guarded = self.gate.lock();
        guarded.admission.leave(self.applicant);
        guarded.inside.remove(&self.applicant);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use meshwork_protocols::provider::Provider;
    use meshwork_protocols::provider::pure::Pure;
    use meshwork_router::Limits;
    use tokio::time::timeout;

    use super::{Gate, Pass};

    const LIMITS: Limits = Limits { of_prefix: 2, of_all: 2, bytes: 100 };

    fn gate() -> Arc<Gate> {
        Arc::new(Gate::new(LIMITS, Pure.random()))
    }

    async fn must_go(pass: &mut Pass) -> bool {
        timeout(Duration::from_millis(10), pass.turned_out()).await.is_ok()
    }

    #[tokio::test]
    async fn one_more_than_may_be_turns_one_out_and_who_left_makes_room() {
        let gate = gate();
        let local = "127.0.0.1".parse().unwrap();
        let (mut one, mut other) = (gate.admit(local), gate.admit(local));
        assert!(!must_go(&mut one).await && !must_go(&mut other).await);
        let third = gate.admit(local);
        let gone = [must_go(&mut one).await, must_go(&mut other).await];
        assert_eq!(gone.iter().filter(|gone| **gone).count(), 1);
        drop((one, other, third));
        let (mut one, mut other) = (gate.admit(local), gate.admit(local));
        assert!(!must_go(&mut one).await && !must_go(&mut other).await);
    }

    #[tokio::test]
    async fn bytes_beyond_the_bound_turn_one_out() {
        let gate = gate();
        let mut pass = gate.admit("127.0.0.1".parse().unwrap());
        pass.buffered(100);
        assert!(!must_go(&mut pass).await);
        pass.buffered(101);
        assert!(must_go(&mut pass).await);
    }
}
