//! What stands outside the state directory and remembers how far the state had got.
//!
//! A state directory that is copied back is, byte for byte, one that once was. Only something
//! outside it can tell. The witness holds the store's id and a commit number that was durable:
//! it lags, and never leads, so that a crash never looks like a restore.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{CommitNumber, StoreId, folder};

/// Keeps one [`Testimony`].
pub trait Witness: fmt::Debug + Send + Sync {
    /// What was last written for `store`, or nothing. One that is there and makes no sense is an
    /// error of kind [`io::ErrorKind::InvalidData`].
    fn read(&self, store: StoreId) -> Result<Option<Testimony>, WitnessError>;

    /// Replaces what was written, whole and durable when this returns.
    fn write(&self, testimony: Testimony) -> Result<(), WitnessError>;
}

/// What a witness says: that store had this number of commits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Testimony {
    /// Which store.
    pub store: StoreId,
    /// How far it was.
    pub number: CommitNumber,
}

/// The witness could not be read or written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the witness file cannot be read or written: {0}")]
pub struct WitnessError(pub io::ErrorKind);

impl From<io::Error> for WitnessError {
    fn from(error: io::Error) -> Self {
        Self(error.kind())
    }
}

/// A witness in a file: one line, `meshwork-witness-1 <store id> <number>`.
#[derive(Clone, Debug)]
pub struct FileWitness {
    place: WitnessPlace,
}

#[derive(Clone, Debug)]
enum WitnessPlace {
    /// In this folder, by the store's id.
    Folder(PathBuf),
    /// In this file, whatever the store.
    File(PathBuf),
}

impl FileWitness {
    /// In the user's data folder: `$XDG_DATA_HOME`, or `~/.local/share`, then
    /// `meshwork/witness/<store id>`. There is none for a user without a home.
    pub fn in_user_data() -> Option<Self> {
        let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
        // The XDG specification has relative paths ignored.
        let data = data
            .filter(|path| path.is_absolute())
            .or_else(|| Some(std::env::home_dir()?.join(".local").join("share")))?;
        Some(Self::in_folder(data.join("meshwork").join("witness")))
    }

    /// In this folder, which is made when the witness is first written.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { place: WitnessPlace::Folder(folder.into()) }
    }

    /// In this file.
    pub fn at(file: impl Into<PathBuf>) -> Self {
        Self { place: WitnessPlace::File(file.into()) }
    }

    fn path(&self, store: StoreId) -> PathBuf {
        match &self.place {
            WitnessPlace::Folder(folder) => folder.join(store.to_string()),
            WitnessPlace::File(file) => file.clone(),
        }
    }
}

impl Witness for FileWitness {
    fn read(&self, store: StoreId) -> Result<Option<Testimony>, WitnessError> {
        match fs::read(self.path(store)) {
            Ok(text) => Ok(Some(parse(&text).ok_or(WitnessError(io::ErrorKind::InvalidData))?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&self, testimony: Testimony) -> Result<(), WitnessError> {
        let path = self.path(testimony.store);
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            folder::create(parent)?;
        }
        // A new file, its sync, the rename, the folder's sync: the old testimony or the new one
        // is there at any moment, and the new one to stay.
        let fresh = fresh_beside(&path);
        let mut file = folder::private().write(true).create(true).truncate(true).open(&fresh)?;
        file.write_all(text(testimony).as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        Ok(folder::sync_parent(&path)?)
    }
}

fn fresh_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn text(testimony: Testimony) -> String {
    format!("{LABEL} {} {}\n", testimony.store, testimony.number)
}

fn parse(text: &[u8]) -> Option<Testimony> {
    let line = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
    let mut words = line.split(' ');
    if words.next()? != LABEL {
        return None;
    }
    let store = StoreId::parse(words.next()?)?;
    let number = words.next()?.parse::<u64>().ok()?.into();
    words.next().is_none().then_some(Testimony { store, number })
}

/// How the file begins.
const LABEL: &str = "meshwork-witness-1";

#[cfg(test)]
mod tests {
    use super::{FileWitness, Testimony, Witness, parse, text};
    use crate::StoreId;

    const STORE: StoreId = StoreId::from_bytes([0xab; 16]);

    #[test]
    fn what_was_written_last_is_read() {
        let folder = tempfile::tempdir().unwrap();
        for witness in [
            FileWitness::in_folder(folder.path().join("a").join("b")),
            FileWitness::at(folder.path().join("c")),
        ] {
            assert_eq!(witness.read(STORE), Ok(None));
            for number in [0, 7, 3] {
                let testimony = Testimony { store: STORE, number: number.into() };
                witness.write(testimony).unwrap();
                assert_eq!(witness.read(STORE), Ok(Some(testimony)));
            }
        }
    }

    #[test]
    fn the_text_is_as_documented_and_nothing_else_is_read() {
        let testimony = Testimony { store: STORE, number: 41.into() };
        let good = format!("meshwork-witness-1 {} 41\n", "ab".repeat(16));
        assert_eq!(text(testimony), good);
        assert_eq!(parse(good.as_bytes()), Some(testimony));
        for end in 0..good.len() {
            assert_eq!(parse(&good.as_bytes()[..end]), None);
        }
        assert_eq!(parse(good.replace("41", "41 1").as_bytes()), None);
        assert_eq!(parse(good.replace("witness-1", "witness-2").as_bytes()), None);
    }
}
