//! A sealed state: rows in the clear to its owner, sealed on the store, each commit numbered.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, RwLock};
use std::time::Duration;

use meshwork_protocols::lineage::{Incarnation, Lineage};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::SecretBytes;
use meshwork_protocols::time::{Timestamp, WallTime};

use crate::creation::{CreateError, Draft};
use crate::keyring::{KeyMaker, Keyring, SessionKey};
use crate::lineage::RestoreEvidence;
use crate::meta::{self, Format, Progress, Start};
use crate::migration::{VERSIONS, Versions};
use crate::opening::{self, OpenError, Unlocked};
use crate::unlock::Unlock;
use crate::view::View;
use crate::witness::{Testimony, Witness, WitnessError};
use crate::{Batch, CommitNumber, Namespace, Row, Rows, Sealing, Store, StoreError, StoreId};

/// The state of an agent: [`Rows`] to read, [`State::commit`] to change.
///
/// A commit that fails leaves a state that answers [`StoreError::Poisoned`] to everything until
/// [`State::reopen`]; the batch is then either wholly there or wholly not.
pub struct State {
    store: Box<dyn Store>,
    format: Format,
    maker: KeyMaker,
    keys: RwLock<Keyring>,
    /// One commit at a time draws its nonces and its number.
    committing: Mutex<Box<dyn Random>>,
    /// The number of the last commit that is known to be durable.
    durable: AtomicU64,
    opened: Opened,
    /// Whether a restore waits to be accepted.
    restored: AtomicBool,
    witness: Box<dyn Witness>,
    testified: Mutex<Testified>,
}

/// What a start found and made of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Opened {
    /// Why this is a restored or copied state, if it is one. Every start says so until
    /// [`State::accept_restore`].
    pub restored: Option<RestoreEvidence>,
    /// This start, the one before it, and the number of the commit that wrote them down.
    pub lineage: Lineage,
}

/// What the witness was told by this start.
#[derive(Debug, Default)]
struct Testified {
    number: Option<CommitNumber>,
    /// Monotonic time of the last attempt.
    at: Option<Duration>,
}

impl State {
    /// Makes a state on a store that has none. The witness is written first.
    pub fn create_on(
        store: Box<dyn Store>,
        witness: Box<dyn Witness>,
        unlock: &Unlock,
        mut sealing: Sealing,
        now: WallTime,
    ) -> Result<Self, CreateError> {
        if Format::read(&*store)?.is_some() {
            return Err(CreateError::Occupied);
        }
        let draft = Draft::new(unlock, &mut sealing, now)?;
        Self::testify_birth(&*witness, &draft)?;
        store.commit(&draft.batch)?;
        Ok(Self::born(store, witness, draft, sealing))
    }

    /// Opens the state on a store.
    pub fn open_on(
        store: Box<dyn Store>,
        witness: Box<dyn Witness>,
        unlock: &Unlock,
        sealing: Sealing,
    ) -> Result<Self, OpenError> {
        let unlocked = Unlocked::read(&*store, &VERSIONS, unlock, &sealing)?;
        let evidence = unlocked.judge(&*witness)?;
        Self::start(store, witness, unlocked, evidence, (&VERSIONS, sealing))
    }

    /// Number 0, before the store's first commit: from then on the witness can only lag.
    pub(crate) fn testify_birth(witness: &dyn Witness, draft: &Draft) -> Result<(), WitnessError> {
        witness.write(Testimony { store: draft.format.store, number: CommitNumber::ZERO })
    }

    /// The state whose first commit `store` holds.
    pub(crate) fn born(
        store: Box<dyn Store>,
        witness: Box<dyn Witness>,
        draft: Draft,
        sealing: Sealing,
    ) -> Self {
        let opened = Opened { restored: None, lineage: lineage_of(draft.start, Draft::number()) };
        Self::new(store, witness, (draft.format, draft.keys), opened, sealing)
    }

    /// The first commits of a start: what brings an older format up, then its incarnation.
    pub(crate) fn start(
        store: Box<dyn Store>,
        witness: Box<dyn Witness>,
        mut unlocked: Unlocked,
        evidence: Option<RestoreEvidence>,
        (versions, mut sealing): (&Versions, Sealing),
    ) -> Result<Self, OpenError> {
        let random = &mut *sealing.random;
        versions.bring_up(&*store, &mut unlocked, random)?;
        let incarnation = Incarnation::random(random);
        let start = Start { incarnation, parent: unlocked.last_start };
        let number = unlocked.number.next();
        let progress = Progress { number, version: unlocked.format.version };
        // A restore that was reported before is the one to report: what came after it no longer
        // tells why.
        let restored = unlocked.restored.or(evidence);
        let mut batch = Batch::new();
        unlocked.keys.put_meta(&mut batch, meta::START, &start, random)?;
        unlocked.keys.put_meta(&mut batch, meta::PROGRESS, &progress, random)?;
        if let Some(evidence) = restored {
            unlocked.keys.put_meta(&mut batch, meta::RESTORED, &evidence, random)?;
        }
        store.commit(&batch)?;
        let opened = Opened { restored, lineage: lineage_of(start, number) };
        Ok(Self::new(store, witness, (unlocked.format, unlocked.keys), opened, sealing))
    }

    fn new(
        store: Box<dyn Store>,
        witness: Box<dyn Witness>,
        (format, keys): (Format, Keyring),
        opened: Opened,
        sealing: Sealing,
    ) -> Self {
        Self {
            store,
            format,
            maker: KeyMaker::new(&sealing, format.store),
            keys: RwLock::new(keys),
            committing: Mutex::new(sealing.random),
            durable: AtomicU64::new(opened.lineage.number),
            opened,
            restored: AtomicBool::new(opened.restored.is_some()),
            witness,
            testified: Mutex::default(),
        }
    }

    /// The store's id.
    pub fn store_id(&self) -> StoreId {
        self.format.store
    }

    /// What this start found.
    pub fn opening(&self) -> Opened {
        self.opened
    }

    /// Where the state stands now: this start, the one before, and the last durable commit.
    pub fn lineage(&self) -> Lineage {
        Lineage { number: self.number().as_u64(), ..self.opened.lineage }
    }

    /// Makes all changes durable, whole, and says the number of the commit.
    pub fn commit(&self, batch: &Batch) -> Result<CommitNumber, StoreError> {
        // The changes are in the order of namespaces, and Meta is the first.
        if batch.changes().next().is_some_and(|(namespace, ..)| namespace == Namespace::Meta) {
            return Err(StoreError::Reserved);
        }
        let mut random = self.committing()?;
        let keys = self.keys.read().map_err(|_| StoreError::Poisoned)?;
        let sealed = keys.seal(batch, &mut **random)?;
        self.commit_sealed(sealed, &keys, &mut **random)
    }

    /// Opens the store again from its last valid root, after a commit that failed.
    pub fn reopen(&self) -> Result<(), StoreError> {
        let _alone = self.committing()?;
        let mut keys = self.keys.write().map_err(|_| StoreError::Poisoned)?;
        self.store.reopen()?;
        // Whether the failed commit is there decides both.
        let progress: Progress = opening::required(&*self.store, &keys, meta::PROGRESS)?;
        keys.session = SessionKey::read(&*self.store, &keys.data, &self.maker)?;
        self.durable.store(progress.number.as_u64(), Ordering::Release);
        Ok(())
    }

    /// Gives back the space of removed and replaced rows, and with it their bytes.
    pub fn compact(&self) -> Result<(), StoreError> {
        let _alone = self.committing()?;
        self.store.compact()
    }

    /// How old the session key is. At [`SESSION_KEY_LIFETIME`] it is due to be replaced.
    pub fn session_key_age(&self, now: WallTime) -> Result<Duration, StoreError> {
        let keys = self.keys.read().map_err(|_| StoreError::Poisoned)?;
        Ok(now.saturating_since(keys.session.since))
    }

    /// Replaces the session key: seals all rows of sessions anew in one transaction, drops the old
    /// key and compacts, so that neither it nor what it sealed remains in the file. Where the
    /// compaction alone fails the key is replaced all the same, and [`State::compact`] is left.
    pub fn rotate_session_key(&self, now: WallTime) -> Result<(), StoreError> {
        let mut random = self.committing()?;
        let random = &mut **random;
        {
            // Nobody reads between the commit and the adoption of the key.
            let mut keys = self.keys.write().map_err(|_| StoreError::Poisoned)?;
            let (fresh, record) = SessionKey::draw(&keys.data, &self.maker, now, random)?;
            let mut sealed = Batch::new();
            sealed.put(Namespace::Meta, meta::SESSION_KEY, record);
            let view = View { sealed: &*self.store, keys: &keys };
            for namespace in Namespace::OF_SESSIONS {
                for (key, value) in view.scan(namespace, &[], None, usize::MAX)? {
                    let record = fresh.seal(namespace, &key, &value, random)?;
                    sealed.put(namespace, key, record);
                }
            }
            self.commit_sealed(sealed, &keys, random)?;
            keys.session = fresh;
        }
        self.store.compact()
    }

    /// Whether [`State::write_witness`] is due. Asked at least twice a second, it keeps the
    /// witness no more than a second behind.
    pub fn witness_due(&self, now: Timestamp) -> bool {
        let testified = self.testified();
        let rested = testified.at.is_none_or(|at| now.monotonic >= at + WITNESS_INTERVAL);
        rested
            && !self.restored.load(Ordering::Acquire)
            && testified.number.is_none_or(|number| number < self.number())
    }

    /// Tells the witness the number of the last durable commit; nothing while a restore waits to
    /// be accepted.
    pub fn write_witness(&self, now: Timestamp) -> Result<(), WitnessError> {
        if self.restored.load(Ordering::Acquire) {
            return Ok(());
        }
        self.testified().at = Some(now.monotonic);
        self.testify()
    }

    /// Takes a restored state for this agent's state from now on, once what a restore asks for is
    /// durable: tells the witness, and removes the mark that has every start report the restore.
    pub fn accept_restore(&self) -> Result<(), AcceptError> {
        if !self.restored.load(Ordering::Acquire) {
            return Ok(());
        }
        // In this order: a crash between the two reports the restore once more, and no restore
        // is ever forgotten.
        self.testify()?;
        let mut random = self.committing()?;
        let keys = self.keys.read().map_err(|_| StoreError::Poisoned)?;
        let mut sealed = Batch::new();
        sealed.delete(Namespace::Meta, meta::RESTORED);
        self.commit_sealed(sealed, &keys, &mut **random)?;
        self.restored.store(false, Ordering::Release);
        Ok(())
    }

    /// Closes the state: tells the witness and gives up the store.
    pub fn close(self) -> Result<(), WitnessError> {
        if self.restored.load(Ordering::Acquire) { Ok(()) } else { self.testify() }
    }

    fn number(&self) -> CommitNumber {
        self.durable.load(Ordering::Acquire).into()
    }

    fn committing(&self) -> Result<MutexGuard<'_, Box<dyn Random>>, StoreError> {
        self.committing.lock().map_err(|_| StoreError::Poisoned)
    }

    fn testified(&self) -> MutexGuard<'_, Testified> {
        // What is behind it is whole at any moment.
        self.testified.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Numbers the commit inside its transaction. The caller is alone.
    fn commit_sealed(
        &self,
        mut sealed: Batch,
        keys: &Keyring,
        random: &mut dyn Random,
    ) -> Result<CommitNumber, StoreError> {
        let number = self.number().next();
        let progress = Progress { number, version: self.format.version };
        keys.put_meta(&mut sealed, meta::PROGRESS, &progress, random)?;
        self.store.commit(&sealed)?;
        self.durable.store(number.as_u64(), Ordering::Release);
        Ok(number)
    }

    fn testify(&self) -> Result<(), WitnessError> {
        // Held while it is written, so that of two numbers the higher is written last.
        let mut testified = self.testified();
        let number = self.number();
        self.witness.write(Testimony { store: self.format.store, number })?;
        testified.number = Some(number);
        Ok(())
    }
}

impl Rows for State {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        let keys = self.keys.read().map_err(|_| StoreError::Poisoned)?;
        View { sealed: &*self.store, keys: &keys }.get(namespace, key)
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let keys = self.keys.read().map_err(|_| StoreError::Poisoned)?;
        View { sealed: &*self.store, keys: &keys }.scan(namespace, prefix, after, limit)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("store_id", &self.store_id())
            .field("lineage", &self.lineage())
            .finish_non_exhaustive()
    }
}

/// Why a restored state was not accepted. It is reported again at the next start.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The witness could not be written.
    #[error(transparent)]
    Witness(#[from] WitnessError),
}

fn lineage_of(start: Start, number: CommitNumber) -> Lineage {
    Lineage { incarnation: start.incarnation, parent: start.parent, number: number.as_u64() }
}

/// How long one session key is used, by design: an old copy of the file brings back a day at most.
pub const SESSION_KEY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the witness rests between two writes: half of the second that it may lag.
const WITNESS_INTERVAL: Duration = Duration::from_millis(500);
