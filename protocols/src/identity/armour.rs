//! Bytes as lines of text, for files and mail: base64 between a line that begins and one that ends.

use alloc::string::String;

use data_encoding::BASE64;

use crate::secret::SecretBytes;

/// What a text holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Armour {
    Bundle,
    Card,
    Endorsement,
    Revocation,
    Root,
}

impl Armour {
    /// The text of `bytes`. Its buffer never grows, so that a secret leaves no copy behind.
    pub(crate) fn encode(self, bytes: &[u8]) -> String {
        let lines = bytes.len().div_ceil(BYTES_A_LINE);
        let capacity = lines * (CHARACTERS_A_LINE + 1) + 2 * MARKER_LENGTH;
        let mut text = String::with_capacity(capacity);
        for part in [BEGIN, self.title(), DASHES, "\n"] {
            text.push_str(part);
        }
        for line in bytes.chunks(BYTES_A_LINE) {
            BASE64.encode_append(line, &mut text);
            text.push('\n');
        }
        for part in [END, self.title(), DASHES, "\n"] {
            text.push_str(part);
        }
        text
    }

    /// The bytes of a text, which may have blank lines around it and either kind of line ends. At
    /// most `limit` bytes.
    pub(crate) fn decode(self, text: &str, limit: usize) -> Result<SecretBytes, ArmourError> {
        // 1. No more than the longest text, with a carriage return a line and some blank ones.
        if text.len() > 2 * limit + BLANK_LENGTH {
            return Err(ArmourError::TooLong);
        }
        // 2. The two marker lines.
        let text = text.trim_ascii();
        let body = self.strip_marker(text, BEGIN).ok_or(ArmourError::NoBegin)?;
        let body = self.strip_end(body).ok_or(ArmourError::NoEnd)?;
        // 3. The characters between them, without line ends; what holds them is wiped.
        let mut characters = alloc::vec::Vec::with_capacity(body.len());
        for line in body.lines() {
            characters.extend_from_slice(line.trim_ascii_end().as_bytes());
        }
        let characters = SecretBytes::new(characters);
        // 4. The bytes; base64 that none would have written is refused.
        let length = BASE64.decode_len(characters.len()).map_err(|_| ArmourError::BadBase64)?;
        let mut bytes = alloc::vec![0; length];
        let written = BASE64
            .decode_mut(characters.expose(), &mut bytes)
            .map_err(|_| ArmourError::BadBase64)?;
        bytes.truncate(written);
        let bytes = SecretBytes::new(bytes);
        if bytes.len() > limit { Err(ArmourError::TooLong) } else { Ok(bytes) }
    }

    fn strip_marker<'a>(self, text: &'a str, start: &str) -> Option<&'a str> {
        text.strip_prefix(start)?.strip_prefix(self.title())?.strip_prefix(DASHES)
    }

    fn strip_end(self, text: &str) -> Option<&str> {
        let body = text.strip_suffix(DASHES)?.strip_suffix(self.title())?.strip_suffix(END)?;
        // The marker is a line of its own.
        body.ends_with('\n').then_some(body)
    }

    fn title(self) -> &'static str {
        match self {
            Self::Bundle => "MESHWORK BUNDLE",
            Self::Card => "MESHWORK CARD",
            Self::Endorsement => "MESHWORK ENDORSEMENT",
            Self::Revocation => "MESHWORK REVOCATION",
            Self::Root => "MESHWORK ROOT KEY",
        }
    }
}

/// Why a text holds no bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ArmourError {
    /// It is longer than any of its kind.
    #[error("the text is too long")]
    TooLong,
    /// It does not start with the line that begins one of its kind.
    #[error("the text does not start with the line that should begin it")]
    NoBegin,
    /// It does not end with the line that ends one of its kind.
    #[error("the text does not end with the line that should end it")]
    NoEnd,
    /// What stands between is not base64.
    #[error("the text between the lines is not base64")]
    BadBase64,
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// As in RFC 7468.
const CHARACTERS_A_LINE: usize = 64;
const BYTES_A_LINE: usize = CHARACTERS_A_LINE / 4 * 3;

/// More than the longest marker line.
const MARKER_LENGTH: usize = 64;

/// Markers and blank lines around the text.
const BLANK_LENGTH: usize = 1_024;

#[cfg(test)]
mod tests;
