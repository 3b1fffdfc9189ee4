//! What stands in front of a file's content.

use super::name::{FileName, FileNameError, MAX_NAME};

/// What stands in front of a file's content.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    /// The name that the file is to have.
    pub name: FileName,
    /// How many bytes it has.
    pub size: u64,
}

/// The version of the format.
const VERSION: u8 = 1;

/// What has a fixed length: version, size, and the length of the name.
pub(super) const FIXED: usize = 1 + 8 + 2;

impl Header {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let name = self.name.as_str().as_bytes();
        let mut bytes = Vec::with_capacity(FIXED + name.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.size.to_be_bytes());
        // A name is short.
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(name);
        bytes
    }

    /// Reads one off the front of `bytes`; `None` where there is not all of it.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, HeaderError> {
        let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else { return Ok(None) };
        let length = Self::name_length(fixed)?;
        let Some(name) = rest.get(..length) else { return Ok(None) };
        let name =
            std::str::from_utf8(name).map_err(|_| HeaderError::Name(FileNameError::Character))?;
        let [_, size @ .., _, _] = *fixed;
        Ok(Some(Self { name: name.parse()?, size: u64::from_be_bytes(size) }))
    }

    /// How many bytes of the name follow.
    pub(super) fn name_length(fixed: &[u8; FIXED]) -> Result<usize, HeaderError> {
        let [version, .., high, low] = *fixed;
        if version != VERSION {
            return Err(HeaderError::Version);
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > MAX_NAME { Err(FileNameError::Length.into()) } else { Ok(length) }
    }
}

/// Why bytes are no header of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Another version, or something else.
    #[error("not a file of this version")]
    Version,
    /// The name is none.
    #[error(transparent)]
    Name(#[from] FileNameError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header { name: "report.pdf".parse().unwrap(), size: 0x0102_0304_0506_0708 }
    }

    #[test]
    fn a_header_survives_its_encoding_and_each_cut_waits_for_more() {
        let bytes = header().encode();
        assert_eq!(Header::decode(&bytes), Ok(Some(header())));
        for end in 0..bytes.len() {
            assert_eq!(Header::decode(&bytes[..end]), Ok(None));
        }
    }

    #[test]
    fn another_version_or_an_unsafe_name_is_refused() {
        let mut bytes = header().encode();
        bytes[0] = 2;
        assert_eq!(Header::decode(&bytes), Err(HeaderError::Version));
        let mut bytes = header().encode();
        bytes[FIXED] = b'/';
        assert_eq!(Header::decode(&bytes), Err(FileNameError::Character.into()));
        let mut bytes = header().encode();
        bytes[FIXED - 2] = 1;
        assert_eq!(Header::decode(&bytes), Err(FileNameError::Length.into()));
    }
}
