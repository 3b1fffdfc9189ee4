//! A key in a file: 32 random bytes as a line of text with a checksum, for the owner's eyes alone.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use data_encoding::HEXLOWER_PERMISSIVE;
use meshwork_protocols::provider::Provider;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};

use crate::folder;

/// Draws a key and writes it to a new file, mode 0600, durable when this returns.
pub fn create(
    path: &Path,
    provider: &dyn Provider,
    random: &mut dyn Random,
) -> io::Result<Secret<32>> {
    let key = Secret::random(random);
    let text = text(provider, &key);
    let mut file = folder::private().write(true).create_new(true).open(path)?;
    file.write_all(text.expose())?;
    file.sync_all()?;
    folder::sync_parent(path)?;
    Ok(key)
}

/// Reads the key in the file at `path`.
pub fn read(path: &Path, provider: &dyn Provider) -> Result<Secret<32>, KeyFileError> {
    let unreadable = |error: io::Error| KeyFileError::Unreadable(error.kind());
    let file = fs::File::open(path).map_err(unreadable)?;
    // On the open file, not on the path, which could name another by now.
    refuse_others(&file.metadata().map_err(unreadable)?)?;
    let mut text = SecretBytes::new(vec![0; MAX_LENGTH + 1]);
    let length = read_all(file, text.expose_mut()).map_err(unreadable)?;
    parse(provider, text.expose().get(..length).unwrap_or_default())
}

/// The text of a key's file: `meshwork-key-1 <64 hexadecimal digits> <16 of checksum>`, and a line
/// end.
pub fn text(provider: &dyn Provider, key: &Secret<32>) -> SecretBytes {
    let mut text = Vec::with_capacity(MAX_LENGTH);
    text.extend_from_slice(LABEL);
    text.push(b' ');
    append_hex(&mut text, key.expose());
    text.push(b' ');
    append_hex(&mut text, &checksum(provider, key));
    text.push(b'\n');
    SecretBytes::new(text)
}

/// The key in the text of a file.
pub fn parse(provider: &dyn Provider, text: &[u8]) -> Result<Secret<32>, KeyFileError> {
    if text.len() > MAX_LENGTH {
        return Err(KeyFileError::Malformed);
    }
    split(text)
        .filter(|(key, sum)| *sum == checksum(provider, key))
        .map(|(key, _)| key)
        .ok_or(KeyFileError::Malformed)
}

/// Why a key file gave no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The operating system did not hand it out.
    #[error("the key file cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    /// Users other than the owner can open it.
    #[error("the key file can be read by others; `chmod 600` it, and consider the key seen")]
    OpenToOthers,
    /// It is no key file, or a character of it changed.
    #[error("the key file is damaged or not a key file")]
    Malformed,
}

#[cfg(unix)]
fn refuse_others(metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyFileError::OpenToOthers) }
}

#[cfg(not(unix))]
fn refuse_others(_: &fs::Metadata) -> Result<(), KeyFileError> {
    Ok(())
}

/// Fills `out` from the file as far as it goes. `read_to_end` would leave copies behind.
fn read_all(mut file: fs::File, out: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The key of a text and the checksum that it states.
fn split(text: &[u8]) -> Option<(Secret<32>, [u8; 8])> {
    let rest = text.trim_ascii().strip_prefix(LABEL)?.strip_prefix(b" ")?;
    let (digits, rest) = rest.split_first_chunk::<64>()?;
    let mut key = Secret::new([0; 32]);
    HEXLOWER_PERMISSIVE.decode_mut(digits, key.expose_mut()).ok()?;
    let mut sum = [0; 8];
    let stated: &[u8; 16] = rest.strip_prefix(b" ")?.try_into().ok()?;
    HEXLOWER_PERMISSIVE.decode_mut(stated, &mut sum).ok()?;
    Some((key, sum))
}

fn append_hex(text: &mut Vec<u8>, bytes: &[u8]) {
    let start = text.len();
    text.resize(start + 2 * bytes.len(), 0);
    if let Some(out) = text.get_mut(start..) {
        HEXLOWER_PERMISSIVE.encode_mut(bytes, out);
    }
}

/// Tells a mistyped or torn key from a wrong one.
fn checksum(provider: &dyn Provider, key: &Secret<32>) -> [u8; 8] {
    let hash = provider.digest(&[b"meshwork/v1/key-file\0", key.expose()]);
    let [a, b, c, d, e, f, g, h, ..] = hash;
    [a, b, c, d, e, f, g, h]
}

/// How a key file begins.
const LABEL: &[u8] = b"meshwork-key-1";

/// The longest key file: the line, with room for a line end of any kind.
const MAX_LENGTH: usize = LABEL.len() + 1 + 64 + 1 + 16 + 2;

#[cfg(test)]
mod tests {
    use meshwork_protocols::provider::Provider;
    use meshwork_protocols::provider::pure::Pure;
    use meshwork_protocols::secret::Secret;

    use super::{KeyFileError, create, parse, read, text};

    #[test]
    fn a_created_key_file_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = create(&path, &Pure, &mut *Pure.random()).unwrap();
        assert_eq!(read(&path, &Pure), Ok(key));
    }

    #[test]
    fn a_key_file_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = create(&path, &Pure, &mut *Pure.random()).unwrap();
        let error = create(&path, &Pure, &mut *Pure.random()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(read(&path, &Pure), Ok(key));
    }

    #[test]
    #[cfg(unix)]
    fn a_key_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, &Pure, &mut *Pure.random()).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path, &Pure), Err(KeyFileError::OpenToOthers), "{mode:o}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read(&path, &Pure).is_ok());
    }

    #[test]
    fn the_text_is_as_documented() {
        let text = text(&Pure, &Secret::new([0xab; 32]));
        let text = std::str::from_utf8(text.expose()).unwrap();
        let sum = "ab312b5fce4b4c4d";
        assert_eq!(text, format!("meshwork-key-1 {} {sum}\n", "ab".repeat(32)));
    }

    #[test]
    fn no_changed_or_missing_character_goes_unseen() {
        let text = text(&Pure, &Secret::new([0xab; 32]));
        let text = text.expose();
        for at in 0..text.len() - 1 {
            let mut changed = text.to_vec();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(parse(&Pure, &changed), Err(KeyFileError::Malformed), "character {at}");
            assert_eq!(parse(&Pure, &text[..at]), Err(KeyFileError::Malformed), "cut at {at}");
        }
    }

    #[test]
    fn a_longer_file_is_not_a_key_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, &Pure, &mut *Pure.random()).unwrap();
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(b"   ");
        std::fs::write(&path, text).unwrap();
        assert_eq!(read(&path, &Pure), Err(KeyFileError::Malformed));
    }
}
