//! Names that are safe to be created in a directory.

use std::fmt;
use std::str::FromStr;

/// The longest name in bytes: file systems take 255, and `.part` stands behind it meanwhile.
pub(super) const MAX_NAME: usize = 200;

/// What stands behind the name of a file that is not whole.
pub(super) const PARTIAL: &str = ".part";

/// A name that is safe to be created in a directory: it leads nowhere else, hides nothing, and does
/// not deceive who reads it in a listing.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FileName(String);

impl FileName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for FileName {
    type Err = FileNameError;

    fn from_str(text: &str) -> Result<Self, FileNameError> {
        if text.is_empty() || text.len() > MAX_NAME {
            return Err(FileNameError::Length);
        }
        // Separators of any system, and what a terminal would obey or show otherwise than it is.
        let unsafe_char = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control() || invisible(c);
        if text.chars().any(unsafe_char) {
            return Err(FileNameError::Character);
        }
        // Hidden ones, `.` and `..`.
        if text.starts_with('.') || text.ends_with(PARTIAL) {
            return Err(FileNameError::Reserved);
        }
        if text.starts_with([' ', '-', '~']) || text.ends_with([' ', '.']) {
            return Err(FileNameError::Deceptive);
        }
        Ok(Self(text.into()))
    }
}

/// Marks that turn the direction of text or take no room.
fn invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Why a text is no name for a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FileNameError {
    /// It is empty or too long.
    #[error("a file's name has 1 to {MAX_NAME} bytes")]
    Length,
    /// It has a character that could lead elsewhere, or is not seen.
    #[error("a file's name has no path in it and only characters that can be seen")]
    Character,
    /// It is hidden, or reserved for files that are not whole.
    #[error("a file's name does not start with a dot or end in {PARTIAL}")]
    Reserved,
    /// It starts or ends with what a listing or a command would take for something else.
    #[error("a file's name does not start with a space, '-' or '~', or end with a space or a dot")]
    Deceptive,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_names() {
        for name in ["report.pdf", "a", "ünïcode 文件.txt", "with space", "x-1_2.tar.gz", "a..b"]
        {
            assert_eq!(name.parse::<FileName>().unwrap().as_str(), name);
        }
        assert!("x".repeat(MAX_NAME).parse::<FileName>().is_ok());
    }

    #[test]
    fn what_could_lead_elsewhere_or_deceive_is_no_name() {
        let refused = |name: &str| name.parse::<FileName>().unwrap_err();
        for name in ["", &"x".repeat(MAX_NAME + 1)] {
            assert_eq!(refused(name), FileNameError::Length);
        }
        for name in
            ["a/b", "/etc/passwd", "a\\b", "C:x", "a\0", "a\nb", "\u{1b}[2J", "a\u{202e}fdp.exe"]
        {
            assert_eq!(refused(name), FileNameError::Character, "{name:?}");
        }
        for name in [".", "..", ".bashrc", "x.part", ".part"] {
            assert_eq!(refused(name), FileNameError::Reserved, "{name:?}");
        }
        for name in [" x", "x ", "-rf", "~root", "x."] {
            assert_eq!(refused(name), FileNameError::Deceptive, "{name:?}");
        }
    }
}
