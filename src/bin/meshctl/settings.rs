//! What later starts go by: a small file beside the state. Nothing in it is secret.

use std::io;
use std::path::{Path, PathBuf};

use meshwork::control::{Code, Fault};
use serde::{Deserialize, Serialize};

/// The settings of an agent.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// What the agent is called on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Where `up` last listened, or is to listen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<String>,
    /// Where others reach it, if that is somewhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) advertise: Option<String>,
    /// What the agent speaks, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transports: Option<String>,
    /// The key file, where it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_file: Option<PathBuf>,
}

impl Settings {
    /// Reads those of the agent in `directory`; a missing file says nothing.
    pub(crate) fn read(directory: &Path) -> Result<Self, Fault> {
        let path = directory.join(FILE);
        let bad = |error: String| {
            Fault::new(Code::InputFile, format!("{} cannot be used: {error}", path.display()))
        };
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| bad(error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(bad(error.to_string())),
        }
    }

    /// Writes them where they say something new: into a new file that takes the old one's place,
    /// so that a kill leaves the one or the other.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Fault> {
        if *self == Self::read(directory)? {
            return Ok(());
        }
        let (path, fresh) = (directory.join(FILE), directory.join(FRESH));
        let written = serde_json::to_vec_pretty(self)
            .map_err(io::Error::from)
            .and_then(|text| std::fs::write(&fresh, text))
            .and_then(|()| std::fs::rename(&fresh, &path));
        written.map_err(|error| Fault::new(Code::Disk, format!("{}: {error}", path.display())))
    }
}

const FILE: &str = "settings.json";

/// What becomes it.
const FRESH: &str = "settings.json.new";

#[cfg(test)]
mod tests {
    use super::Settings;

    #[test]
    fn what_was_written_is_read_and_nothing_is_written_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        Settings::default().write(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let settings = Settings { name: Some("alice".into()), ..Settings::default() };
        settings.write(folder.path()).unwrap();
        assert_eq!(Settings::read(folder.path()).unwrap(), settings);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{", r#"{"surely_unknown": 1}"#] {
            std::fs::write(folder.path().join(super::FILE), text).unwrap();
            assert!(Settings::read(folder.path()).is_err(), "{text}");
        }
    }
}
