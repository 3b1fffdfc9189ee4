//! One step of the state machine: what it reads, what it changes, what it lets out and when.

use alloc::boxed::Box;
use alloc::vec::Vec;

use meshwork_protocols::identity::{AgentId, Relay};
use meshwork_protocols::relay::{Request, Rules};
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::time::Timestamp;
use meshwork_state::{Batch, Change, Namespace, Row, StoreError};

use crate::event::Event;
use crate::fleets::AskId;
use crate::ledger::Ledger;
use crate::needs::Needs;
use crate::output::{CloseReason, Output, PathId, RelayPool};
use crate::relays::{DepositId, Mail, TakeId};
use crate::stored::{Look, View};

/// A step under way. Dropping it changes nothing.
#[derive(Debug)]
pub(crate) struct Transition<'a> {
    ledger: &'a Ledger,
    /// When the step happens.
    pub(crate) now: Timestamp,
    batch: Batch,
    held: Vec<Output>,
    free: Vec<Output>,
}

/// What a finished step leaves.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The rows it changes.
    pub(crate) batch: Batch,
    /// What waits for them.
    pub(crate) held: Vec<Output>,
    /// What waits for nothing.
    pub(crate) free: Vec<Output>,
}

impl<'a> Transition<'a> {
    pub(crate) fn new(ledger: &'a Ledger, now: Timestamp) -> Self {
        Self { ledger, now, batch: Batch::new(), held: Vec::new(), free: Vec::new() }
    }

    /// One row, this step's own changes included.
    pub(crate) fn get(
        &self,
        namespace: Namespace,
        key: &[u8],
    ) -> Result<Option<SecretBytes>, StoreError> {
        match self.batch.change(namespace, key) {
            Some(Change::Put(value)) => Ok(Some(value.clone())),
            Some(Change::Delete) => Ok(None),
            None => self.ledger.get(namespace, key),
        }
    }

    /// The next durable rows of a namespace after a key.
    pub(crate) fn scan(
        &self,
        namespace: Namespace,
        after: Option<&[u8]>,
    ) -> Result<Vec<Row>, StoreError> {
        self.ledger.scan(namespace, after)
    }

    /// Writes a row.
    pub(crate) fn put(&mut self, namespace: Namespace, key: Vec<u8>, value: SecretBytes) {
        self.batch.put(namespace, key, value);
    }

    /// Removes a row.
    pub(crate) fn delete(&mut self, namespace: Namespace, key: Vec<u8>) {
        self.batch.delete(namespace, key);
    }

    /// Makes changes that a protocol worked out.
    pub(crate) fn adopt(&mut self, changes: Batch) {
        self.batch.merge(changes);
    }

    /// What a protocol sees of the rows.
    pub(crate) const fn view(&self) -> View<'_> {
        View::new(self, self.now.wall)
    }

    /// Transmits once this step, and every one before it, is durable.
    pub(crate) fn transmit(&mut self, path: PathId, frame: Vec<u8>) {
        self.held.push(Output::Transmit { path, frame });
    }

    /// Leaves a frame with a relay once this step, and every one before it, is durable.
    pub(crate) fn deposit(&mut self, deposit: DepositId, relay: Relay, mail: Mail) {
        let Mail { to, expires, frame } = mail;
        self.held.push(Output::Deposit { deposit, relay, to, expires, frame });
    }

    /// Acknowledges mail once this step, and every one before it, is durable.
    pub(crate) fn acknowledge(&mut self, relay: AgentId, entry: u64) {
        self.held.push(Output::Acknowledge { relay, entry });
    }

    /// Gives a relay prekeys once this step, and every one before it, is durable.
    pub(crate) fn publish(&mut self, relay: AgentId, bundle: Vec<u8>, pool: Option<RelayPool>) {
        self.held.push(Output::Publish { relay, bundle, pool });
    }

    /// Gives a relay rules once this step, and every one before it, is durable.
    pub(crate) fn set_rules(&mut self, relay: AgentId, rules: Box<Rules>) {
        self.held.push(Output::SetRules { relay, rules });
    }

    /// Asks a relay once this step, and every one before it, is durable.
    pub(crate) fn ask(&mut self, ask: AskId, relay: Relay, request: Request) {
        let request = Box::new(request);
        self.held.push(Output::AskRelay { ask, relay, request });
    }

    /// Asks a relay for prekeys at once.
    pub(crate) fn take_prekeys(&mut self, request: TakeId, relay: Relay, of: AgentId) {
        self.free.push(Output::TakePrekeys { request, relay, of });
    }

    /// Tells the application once this step, and every one before it, is durable.
    pub(crate) fn tell(&mut self, event: Event) {
        self.held.push(Output::Event(event));
    }

    /// Tells the application at once, of what no row depends on.
    pub(crate) fn tell_now(&mut self, event: Event) {
        self.free.push(Output::Event(event));
    }

    /// Closes a path at once.
    pub(crate) fn close(&mut self, path: PathId, reason: CloseReason) {
        self.free.push(Output::Close { path, reason });
    }

    /// Dials at once.
    pub(crate) fn dial(&mut self, peer: AgentId, needs: Needs) {
        self.free.push(Output::Dial { peer, needs });
    }

    pub(crate) fn finish(self) -> Finished {
        Finished { batch: self.batch, held: self.held, free: self.free }
    }
}

impl Look for Transition<'_> {
    fn look(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        self.get(namespace, key)
    }
}
