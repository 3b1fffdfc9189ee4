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

    /// Writes them, unless they say nothing.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Fault> {
        if *self == Self::default() {
            return Ok(());
        }
        let path = directory.join(FILE);
        let written = serde_json::to_vec_pretty(self)
            .map_err(io::Error::from)
            .and_then(|text| std::fs::write(&path, text));
        written.map_err(|error| Fault::new(Code::Disk, format!("{}: {error}", path.display())))
    }
}

const FILE: &str = "settings.json";
