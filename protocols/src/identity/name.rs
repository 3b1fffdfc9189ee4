//! Names that people give: roles and services.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an authority lets an agent be.
pub type Role = Name<32>;

/// What an agent offers.
pub type ServiceName = Name<64>;

/// A name of at most `MAX` characters: it starts with a lower-case letter and goes on with those,
/// digits, `-` and `.`. So no two names look alike, and none can break a line, a table or a
/// policy file.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name<const MAX: usize>(String);

impl<const MAX: usize> Name<MAX> {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Name<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<const MAX: usize> FromStr for Name<MAX> {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX {
            return Err(NameError::TooLong);
        }
        if !text.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Err(NameError::BadStart);
        }
        if text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.')) {
            Ok(Self(text.into()))
        } else {
            Err(NameError::BadCharacter)
        }
    }
}

impl<const MAX: usize> TryFrom<String> for Name<MAX> {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl<const MAX: usize> From<Name<MAX>> for String {
    fn from(name: Name<MAX>) -> Self {
        name.0
    }
}

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It is too long.
    #[error("the name is too long")]
    TooLong,
    /// It is empty, or does not start with a lower-case letter.
    #[error("a name starts with a lower-case letter")]
    BadStart,
    /// A character that no name has.
    #[error("a name has only lower-case letters, digits, '-' and '.'")]
    BadCharacter,
}

#[cfg(test)]
mod tests {
    use super::{Name, NameError};

    #[test]
    fn a_name_keeps_to_its_length_and_its_characters() {
        let cases = [
            ("a", Ok(())),
            ("abcdefgh", Ok(())),
            ("ops-2.eu", Ok(())),
            ("abcdefghi", Err(NameError::TooLong)),
            ("", Err(NameError::BadStart)),
            ("2ops", Err(NameError::BadStart)),
            ("Ops", Err(NameError::BadStart)),
            ("-a", Err(NameError::BadStart)),
            ("oPs", Err(NameError::BadCharacter)),
            ("a b", Err(NameError::BadCharacter)),
            ("a\n", Err(NameError::BadCharacter)),
            ("a\u{e4}", Err(NameError::BadCharacter)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Name<8>>().map(|_| ()), expected, "{text:?}");
        }
    }
}
