//! As much of protocol buffers as the format uses: varints and byte strings.
//!
//! A known field of another type than its own is an error; an unknown one is skipped, and of one
//! that comes twice the last counts. Groups, which the format never had, are an error.

use alloc::vec::Vec;

use super::WireError;

/// Reads fields one after the other.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next field with its number. None at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, WireError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = u32::try_from(self.varint()?).map_err(|_| WireError::MalformedField)?;
        let (number, kind) = (key >> 3, key & 7);
        if number == 0 {
            return Err(WireError::MalformedField);
        }
        let value = match kind {
            0 => Value::Number(self.varint()?),
            1 => Value::Other(self.take(8)?),
            2 => {
                let length =
                    usize::try_from(self.varint()?).map_err(|_| WireError::MalformedField)?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Other(self.take(4)?),
            _ => return Err(WireError::MalformedField),
        };
        Ok(Some((number, value)))
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut value: u64 = 0;
        for (place, byte) in self.0.iter().take(10).enumerate() {
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if place == 9 && bits > 1 {
                return Err(WireError::MalformedField);
            }
            value |= bits << (7 * place);
            if byte & 0x80 == 0 {
                self.0 = self.0.get(place + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(WireError::MalformedField)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(WireError::MalformedField)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Value<'a> {
    /// A varint.
    Number(u64),
    /// A byte string.
    Bytes(&'a [u8]),
    /// Four or eight bytes, which no field of the format has.
    Other(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(super) fn number(self) -> Result<u32, WireError> {
        match self {
            Self::Number(value) => u32::try_from(value).map_err(|_| WireError::MalformedField),
            Self::Bytes(_) | Self::Other(_) => Err(WireError::MalformedField),
        }
    }

    pub(super) fn bytes(self) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) | Self::Other(_) => Err(WireError::MalformedField),
        }
    }
}

/// Writes a number, zero as well.
pub(super) fn put_number(out: &mut Vec<u8>, field: u8, value: u32) {
    out.push(field << 3);
    put_varint(out, u64::from(value));
}

/// Writes a byte string.
pub(super) fn put_bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    put_length(out, field, value.len());
    out.extend_from_slice(value);
}

/// Writes what stands before a byte string.
pub(super) fn put_length(out: &mut Vec<u8>, field: u8, length: usize) {
    out.push(field << 3 | 2);
    put_varint(out, length as u64);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{Fields, Value, WireError, put_bytes, put_number};

    #[test]
    fn what_is_written_is_read() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u32::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, 3, number);
            put_bytes(&mut out, 4, b"bytes");
            let mut fields = Fields::new(&out);
            let read = fields.next().unwrap().unwrap();
            assert_eq!((read.0, read.1.number()), (3, Ok(number)));
            assert_eq!(fields.next(), Ok(Some((4, Value::Bytes(b"bytes")))));
            assert_eq!(fields.next(), Ok(None));
        }
    }

    #[test]
    fn unknown_types_are_skipped_and_what_is_none_is_refused() {
        let mut fixed = Fields::new(&[0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7d, 1, 2, 3, 4]);
        assert!(matches!(fixed.next(), Ok(Some((15, Value::Other(_))))));
        assert!(matches!(fixed.next(), Ok(Some((15, Value::Other(_))))));
        let bad: [&[u8]; 8] = [
            &[0x00, 1],                                              // field 0
            &[0x0b],                                                 // a group
            &[0x0a, 5, 1],                                           // cut short
            &[0x08],                                                 // no value
            &[0x08, 0x80],                                           // no end
            &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2], // 65 bits
            &[0x0a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], // longer than anything
            &[0xff, 255, 255, 255, 255, 1],                          // a key of 36 bits
        ];
        for bytes in bad {
            assert_eq!(Fields::new(bytes).next(), Err(WireError::MalformedField), "{bytes:?}");
        }
    }

    #[test]
    fn a_field_of_another_type_is_refused() {
        assert_eq!(Value::Number(1).bytes(), Err(WireError::MalformedField));
        assert_eq!(Value::Bytes(b"").number(), Err(WireError::MalformedField));
        assert_eq!(Value::Other(b"").number(), Err(WireError::MalformedField));
        assert_eq!(Value::Number(1 << 32).number(), Err(WireError::MalformedField));
    }
}
