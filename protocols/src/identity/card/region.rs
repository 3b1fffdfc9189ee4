//! Where an agent says that its data stays.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// A country by its two upper-case letters (ISO 3166-1 alpha-2). Only the form is checked: the list
/// of countries changes.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "[u8; 2]", into = "[u8; 2]")]
pub struct Region([u8; 2]);

impl TryFrom<[u8; 2]> for Region {
    type Error = RegionError;

    fn try_from(letters: [u8; 2]) -> Result<Self, RegionError> {
        if letters.iter().all(u8::is_ascii_uppercase) {
            Ok(Self(letters))
        } else {
            Err(RegionError)
        }
    }
}

impl From<Region> for [u8; 2] {
    fn from(region: Region) -> Self {
        region.0
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        <[u8; 2]>::try_from(text.as_bytes()).map_err(|_| RegionError)?.try_into()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.0.map(char::from);
        write!(f, "{first}{second}")
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({self})")
    }
}

/// A text that is not two upper-case letters.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a region is two upper-case letters, as in ISO 3166-1")]
pub struct RegionError;

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::{Region, RegionError};

    #[test]
    fn a_region_is_two_upper_case_letters() {
        assert_eq!("CH".parse::<Region>().unwrap().to_string(), "CH");
        for text in ["", "C", "CHE", "ch", "C1", "\u{c4}"] {
            assert_eq!(text.parse::<Region>(), Err(RegionError), "{text:?}");
        }
    }
}
