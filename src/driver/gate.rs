//! Lets in who may try to prove itself, and turns out whom the caps choose.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meshwork_protocols::random::Random;
use meshwork_router::{Admission, Applicant, Limits};
use tokio::sync::{mpsc, oneshot};

/// The one gate of all listeners.
#[derive(Debug)]
pub(crate) struct Gate(Mutex<Guarded>);

#[derive(Debug)]
struct Guarded {
    admission: Admission,
    random: Box<dyn Random>,
    inside: HashMap<Applicant, Holder>,
}

/// How one hears that it has to go.
#[derive(Debug)]
enum Holder {
    /// It waits for this to be dropped.
    Waits(#[allow(dead_code, reason = "its drop is what is waited for")] oneshot::Sender<()>),
    /// It is told its name.
    Told(mpsc::UnboundedSender<Applicant>),
}

impl Guarded {
    fn admit(&mut self, address: IpAddr, holder: Holder) -> Applicant {
        let Self { admission, random, inside } = self;
        let admitted = admission.admit(address, &mut **random);
        inside.insert(admitted.applicant, holder);
        admitted.evicted.into_iter().for_each(|evicted| self.turn_out(evicted));
        admitted.applicant
    }

    fn turn_out(&mut self, evicted: Applicant) {
        if let Some(Holder::Told(told)) = self.inside.remove(&evicted) {
            // Nobody listens: it is gone already.
            let _ = told.send(evicted);
        }
    }
}

impl Gate {
    pub(crate) fn new(limits: Limits, random: Box<dyn Random>) -> Self {
        let admission = Admission::new(limits);
        Self(Mutex::new(Guarded { admission, random, inside: HashMap::new() }))
    }

    /// Somebody came from `address`. Another may have to go for it.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Pass {
        let (stays, turned_out) = oneshot::channel();
        let applicant = self.lock().admit(address, Holder::Waits(stays));
        Pass { gate: Arc::clone(self), applicant, turned_out }
    }

    /// The same for one that is told its name where it has to go, and says itself when it is gone.
    pub(crate) fn admit_told(
        &self,
        address: IpAddr,
        told: mpsc::UnboundedSender<Applicant>,
    ) -> Applicant {
        self.lock().admit(address, Holder::Told(told))
    }

    /// So many bytes are now held for this one. Others may have to go for them.
    pub(crate) fn buffered(&self, applicant: Applicant, bytes: usize) {
        let mut guarded = self.lock();
        let Guarded { admission, random, .. } = &mut *guarded;
        let evicted = admission.buffered(applicant, bytes, &mut **random);
        evicted.into_iter().for_each(|evicted| guarded.turn_out(evicted));
    }

    /// This one proved itself, or is gone.
    pub(crate) fn leave(&self, applicant: Applicant) {
        let mut guarded = self.lock();
        guarded.admission.leave(applicant);
        guarded.inside.remove(&applicant);
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
    /// So many bytes are now held for the holder. Others may have to go for them.
    pub(crate) fn buffered(&self, bytes: usize) {
        self.gate.buffered(self.applicant, bytes);
    }

    /// Waits until the holder has to go.
    pub(crate) async fn turned_out(&mut self) {
        // Nothing is ever sent: the other end is dropped.
        let _ = (&mut self.turned_out).await;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.leave(self.applicant);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use meshwork_protocols::provider::Provider;
    use meshwork_protocols::provider::aws::AwsLc;
    use meshwork_router::Limits;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::{Gate, Pass};

    const LIMITS: Limits = Limits { of_prefix: 2, of_all: 2, bytes_of_prefix: 100, bytes: 100 };

    fn gate() -> Arc<Gate> {
        Arc::new(Gate::new(LIMITS, AwsLc.random()))
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
    async fn who_is_told_shares_the_bounds_with_who_waits() {
        let gate = gate();
        let local = "127.0.0.1".parse().unwrap();
        let (told, mut heard) = mpsc::unbounded_channel();
        let first = gate.admit_told(local, told.clone());
        let second = gate.admit_told(local, told);
        let mut pass = gate.admit(local);
        assert!(!must_go(&mut pass).await);
        let gone = heard.try_recv().unwrap();
        assert!([first, second].contains(&gone) && heard.try_recv().is_err());
        gate.buffered(if gone == first { second } else { first }, 101);
        assert!(must_go(&mut pass).await || heard.try_recv().is_ok());
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
