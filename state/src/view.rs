//! The rows of a sealed store as their owner sees them: opened.

use meshwork_protocols::secret::SecretBytes;

use crate::keyring::Keyring;
use crate::{Namespace, Row, Rows, StoreError};

/// Opens each row that is read. [`Namespace::Meta`] is not for its readers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) sealed: &'a dyn Rows,
    pub(crate) keys: &'a Keyring,
}

impl Rows for View<'_> {
    fn get(&self, namespace: Namespace, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        if namespace == Namespace::Meta {
            return Err(StoreError::Reserved);
        }
        let record = self.sealed.get(namespace, key)?;
        record.map(|record| self.keys.open(namespace, key, &record)).transpose()
    }

    fn scan(
        &self,
        namespace: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        if namespace == Namespace::Meta {
            return Err(StoreError::Reserved);
        }
        let open = |(key, record): Row| {
            let value = self.keys.open(namespace, &key, &record)?;
            Ok((key, value))
        };
        self.sealed.scan(namespace, prefix, after, limit)?.into_iter().map(open).collect()
    }
}
