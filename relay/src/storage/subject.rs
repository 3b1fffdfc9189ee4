//! Names of logs and values: short, of a fixed shape, and made of hashes and ids only.

use std::fmt;

/// The name of a log.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Subject([u8; Subject::LENGTH]);

impl Subject {
    /// Bytes of a name.
    pub const LENGTH: usize = 33;

    /// The log of this kind and id.
    pub const fn new(kind: u8, id: &[u8; 32]) -> Self {
        let mut name = [0; Self::LENGTH];
        let (first, rest) = name.split_at_mut(1);
        first.copy_from_slice(&[kind]);
        rest.copy_from_slice(id);
        Self(name)
    }

    /// The name with these bytes.
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// What kind of log it is.
    pub const fn kind(&self) -> u8 {
        let [kind, ..] = self.0;
        kind
    }

    /// Whose it is.
    pub fn id(&self) -> [u8; 32] {
        let [_, id @ ..] = self.0;
        id
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, one, two, ..] = self.0;
        write!(f, "{kind}/{one:02x}{two:02x}")
    }
}

/// The name of a value: a kind, an id, and a hash where one id has several.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key([u8; Key::LENGTH]);

impl Key {
    /// Bytes of a name.
    pub const LENGTH: usize = 65;

    /// The value of this kind and id.
    pub const fn new(kind: u8, id: &[u8; 32]) -> Self {
        Self::of_several(kind, id, &[0; 32])
    }

    /// One of several values of this kind and id.
    pub const fn of_several(kind: u8, id: &[u8; 32], which: &[u8; 32]) -> Self {
        let mut name = [0; Self::LENGTH];
        let (first, rest) = name.split_at_mut(1);
        first.copy_from_slice(&[kind]);
        let (one, two) = rest.split_at_mut(32);
        one.copy_from_slice(id);
        two.copy_from_slice(which);
        Self(name)
    }

    /// The name with these bytes.
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// What kind of value it is.
    pub const fn kind(&self) -> u8 {
        let [kind, ..] = self.0;
        kind
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, one, two, ..] = self.0;
        write!(f, "{kind}/{one:02x}{two:02x}")
    }
}
