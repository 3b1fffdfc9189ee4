//! Passphrases and key files: where they come from. Nothing here is ever printed.

use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use meshwork::control::{Code, Fault};
use meshwork::secret::SecretBytes;
use meshwork::{Unlock, UnlockKind};

use crate::context::Context;
use crate::settings::Settings;

/// What opens the state, of the kind that it asks for.
pub(crate) fn unlock(context: &Context, kind: UnlockKind) -> Result<Unlock, Fault> {
    match kind {
        UnlockKind::Passphrase => passphrase(context).map(Unlock::Passphrase),
        _ if context.passphrase_file.is_some() => {
            let cause = "this state opens with a key file, not with a passphrase";
            Err(Fault::new(Code::NoKey, cause).advise("leave --passphrase-file out"))
        }
        _ => Ok(Unlock::KeyFile(key_file(context)?)),
    }
}

fn passphrase(context: &Context) -> Result<SecretBytes, Fault> {
    if context.key_file.is_some() {
        let cause = "this state opens with a passphrase, not with a key file";
        return Err(Fault::new(Code::NoKey, cause).advise("leave --key-file out"));
    }
    if let Some(path) = &context.passphrase_file {
        return first_line(path);
    }
    if !at_a_terminal() {
        return Err(Fault::new(Code::NoKey, "this state asks for its passphrase"));
    }
    ask("Passphrase: ")
}

/// A new passphrase, typed twice the same.
pub(crate) fn new_passphrase() -> Result<SecretBytes, Fault> {
    let typed = ask("New passphrase: ")?;
    if typed.is_empty() {
        let cause = "an empty passphrase protects nothing";
        return Err(Fault::new(Code::NoKey, cause)
            .advise("type one, or have a key file made with --key-file FILE"));
    }
    if ask("The same again: ")? != typed {
        return Err(Fault::new(Code::NoKey, "the two passphrases differ").advise("try again"));
    }
    Ok(typed)
}

/// The key file in use: as named, as `init` was told, or the usual one.
fn key_file(context: &Context) -> Result<PathBuf, Fault> {
    if let Some(named) = &context.key_file {
        return Ok(named.clone());
    }
    let told = Settings::read(&context.state)?.key_file;
    Ok(told.unwrap_or_else(|| usual_key_file(&context.state)))
}

/// Where the key file is unless somebody says otherwise.
pub(crate) fn usual_key_file(state: &Path) -> PathBuf {
    state.join("key")
}

/// Whether somebody is there to type.
pub(crate) fn at_a_terminal() -> bool {
    io::stdin().is_terminal()
}

fn ask(prompt: &str) -> Result<SecretBytes, Fault> {
    let typed = rpassword::prompt_password(prompt);
    typed
        .map(|text| SecretBytes::new(text.into_bytes()))
        .map_err(|error| Fault::new(Code::NoKey, format!("the passphrase cannot be read: {error}")))
}

/// The first line of a file, without its end.
pub(crate) fn first_line(path: &Path) -> Result<SecretBytes, Fault> {
    let bad = |why: String| Fault::new(Code::KeyFile, format!("{}: {why}", path.display()));
    let text = whole_file(path).map_err(|error| bad(error.to_string()))?;
    let line = text.expose().split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(bad("its first line is empty".into()));
    }
    Ok(SecretBytes::new(line.to_vec()))
}

/// A small file whole, in one buffer of the full length: one that grows leaves copies behind.
pub(crate) fn whole_file(path: &Path) -> io::Result<SecretBytes> {
    let mut text = SecretBytes::new(vec![0; LONGEST + 1]);
    let mut file = std::fs::File::open(path)?;
    let mut length = 0;
    while let Some(rest) = text.expose_mut().get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            read => length += read,
        }
    }
    match text.expose().get(..length) {
        Some(read) if length <= LONGEST => Ok(SecretBytes::new(read.to_vec())),
        _ => Err(io::Error::other(format!("it is longer than {LONGEST} bytes"))),
    }
}

/// More than anybody types, less than a file that was named by mistake.
const LONGEST: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(content: &[u8]) -> Result<Vec<u8>, Code> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        first_line(file.path()).map(|line| line.expose().to_vec()).map_err(|fault| fault.code)
    }

    #[test]
    fn the_first_line_counts_whatever_its_end() {
        for content in [&b"secret"[..], b"secret\n", b"secret\r\n", b"secret\nmore\n"] {
            assert_eq!(line_of(content), Ok(b"secret".to_vec()));
        }
        assert_eq!(line_of(b" s p \n"), Ok(b" s p ".to_vec()));
    }

    #[test]
    fn the_bound_holds_at_and_one_past_and_nothing_is_no_passphrase() {
        assert_eq!(line_of(&[b'x'; LONGEST]).unwrap().len(), LONGEST);
        assert_eq!(line_of(&[b'x'; LONGEST + 1]), Err(Code::KeyFile));
        assert_eq!(line_of(b""), Err(Code::KeyFile));
        assert_eq!(line_of(b"\nsecret"), Err(Code::KeyFile));
    }
}
