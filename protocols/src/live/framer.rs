//! Handshake messages in a stream of bytes: `u16 length || message`.
//!
//! TCP and QUIC share it. Knows nothing of what a message says.

use alloc::vec::Vec;
use core::mem;

use super::handshake::MAX_HANDSHAKE_MESSAGE;
use super::session::SessionError;

/// Cuts handshake messages out of the stream, and keeps the start of one.
#[derive(Debug, Default)]
pub(super) struct Framer {
    pub(super) held: Vec<u8>,
}

impl Framer {
    /// Takes the next message off `input`, or all of it as the start of one.
    pub(super) fn take(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, SessionError> {
        loop {
            let (length, missing) = match self.held.first_chunk() {
                None => (None, 2 - self.held.len()),
                Some(header) => {
                    let length = usize::from(u16::from_be_bytes(*header));
                    if length > MAX_HANDSHAKE_MESSAGE {
                        return Err(SessionError::MessageTooLong);
                    }
                    (Some(length), 2 + length - self.held.len())
                }
            };
            if missing == 0 && length.is_some() {
                return Ok(Some(mem::take(&mut self.held).split_off(2)));
            }
            let Some((now, later)) =
                input.split_at_checked(missing.min(input.len())).filter(|(now, _)| !now.is_empty())
            else {
                return Ok(None);
            };
            self.held.extend_from_slice(now);
            *input = later;
        }
    }
}

/// Puts a message behind what is in `out`.
pub(super) fn frame(message: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
    let length = u16::try_from(message.len()).map_err(|_| SessionError::MessageTooLong)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(message);
    Ok(())
}
