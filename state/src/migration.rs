//! Versions of a state's format, and the steps from each to the next.
//!
//! A state of a newer version is refused before anything is written. An older one is brought up
//! step by step, each step one transaction together with the version that it leads to: a crash
//! between two leaves a state of the version between them.

use meshwork_protocols::random::Random;

use crate::meta::{self, Format, Progress};
use crate::opening::Unlocked;
use crate::view::View;
use crate::{Batch, Namespace, Rows, Store, StoreError};

/// A step from one version to the next: reads the rows and says what changes.
pub(crate) type Step = fn(&dyn Rows, &mut Batch) -> Result<(), StoreError>;

/// The versions that are known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Versions {
    /// The oldest that is read.
    oldest: u16,
    /// The step from each to the next, from the oldest on.
    steps: &'static [Step],
}

impl Versions {
    /// The version that is written.
    pub(crate) fn current(&self) -> u16 {
        let steps = u16::try_from(self.steps.len()).unwrap_or(u16::MAX);
        self.oldest.saturating_add(steps)
    }

    /// Whether a state of `version` can be read, by itself or after steps.
    pub(crate) fn know(&self, version: u16) -> bool {
        (self.oldest..=self.current()).contains(&version)
    }

    /// Brings an unlocked state to the current version.
    pub(crate) fn bring_up(
        &self,
        store: &dyn Store,
        unlocked: &mut Unlocked,
        random: &mut dyn Random,
    ) -> Result<(), StoreError> {
        let done = unlocked.format.version.saturating_sub(self.oldest);
        for step in self.steps.iter().skip(usize::from(done)) {
            let mut batch = Batch::new();
            step(&View { sealed: store, keys: &unlocked.keys }, &mut batch)?;
            let mut sealed = unlocked.keys.seal(&batch, random)?;
            let format = Format { version: unlocked.format.version + 1, ..unlocked.format };
            sealed.put(Namespace::Meta, meta::FORMAT, format.record());
            let number = unlocked.number.next();
            let progress = Progress { number, version: format.version };
            unlocked.keys.put_meta(&mut sealed, meta::PROGRESS, &progress, random)?;
            store.commit(&sealed)?;
            (unlocked.format, unlocked.number) = (format, number);
        }
        Ok(())
    }
}

/// The versions of this build: the first one, and no step yet.
pub(crate) const VERSIONS: Versions = Versions { oldest: 1, steps: &[] };
