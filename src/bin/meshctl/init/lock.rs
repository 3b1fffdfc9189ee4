//! What a new state is locked with.

use std::io;
use std::path::PathBuf;

use meshwork::Unlock;
use meshwork::control::{Code, Fault};
use meshwork_state::key_file;

use crate::context::Context;
use crate::crypto::provider;
use crate::secret_input;

/// What the new state is locked with.
pub(super) enum Lock {
    Passphrase(Unlock),
    UsualKeyFile(PathBuf),
    KeyFile(PathBuf),
}

impl Lock {
    /// As the command line says, or else as there is somebody to type.
    pub(super) fn choose(context: &Context) -> Result<Self, Fault> {
        if let Some(path) = &context.passphrase_file {
            return Ok(Self::Passphrase(Unlock::Passphrase(secret_input::first_line(path)?)));
        }
        if let Some(path) = &context.key_file {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            return make_key_file(path).map(Self::KeyFile);
        }
        if secret_input::at_a_terminal() && !context.output.is_json() {
            return Ok(Self::Passphrase(Unlock::Passphrase(secret_input::new_passphrase()?)));
        }
        make_key_file(secret_input::usual_key_file(&context.state)).map(Self::UsualKeyFile)
    }

    /// What opens it.
    pub(super) fn unlock(&self) -> Unlock {
        match self {
            Self::Passphrase(unlock) => unlock.clone(),
            Self::UsualKeyFile(path) | Self::KeyFile(path) => Unlock::KeyFile(path.clone()),
        }
    }

    /// The key file, where later commands cannot know it.
    pub(super) fn named(&self) -> Option<PathBuf> {
        match self {
            Self::KeyFile(path) => Some(path.clone()),
            _ => None,
        }
    }

    /// What its owner should know of it.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Passphrase(_) => "your passphrase; nobody can open the state without it".into(),
            Self::UsualKeyFile(path) => format!(
                "{} (made here, mode 0600, as no terminal was there to type a passphrase)",
                path.display()
            ),
            Self::KeyFile(path) => format!("{} (mode 0600; keep it)", path.display()),
        }
    }
}

/// Makes a key file; one that an earlier attempt left will do.
fn make_key_file(path: PathBuf) -> Result<PathBuf, Fault> {
    let provider = provider();
    match key_file::create(&path, &*provider, &mut *provider.random()) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Fault::new(Code::KeyFile, format!("{}: {error}", path.display())))
        }
        _ => Ok(path),
    }
}
