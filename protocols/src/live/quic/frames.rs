//! Frames in a stream: `length || frame`, the length as a variable-length integer (RFC 9000, section
//! 16) in its shortest form.
//!
//! QUIC has sealed the stream and keeps its order; a frame only needs an end. Knows nothing of what
//! a frame says.

use alloc::vec::Vec;
use core::mem;

use crate::live::record::RecordError;

/// The longest length that is written: one of four bytes.
const MAX_LENGTH: usize = (1 << 30) - 1;

/// Puts a frame behind what is in `out`.
pub(super) fn write(frame: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
    let length = u32::try_from(frame.len()).map_err(|_| RecordError::FrameTooLong)?;
    if frame.len() > MAX_LENGTH {
        return Err(RecordError::FrameTooLong);
    }
    let [_, _, high, low] = length.to_be_bytes();
    match length {
        0..64 => out.push(low),
        64..16_384 => out.extend_from_slice(&[0x40 | high, low]),
        _ => out.extend_from_slice(&(0x8000_0000 | length).to_be_bytes()),
    }
    out.extend_from_slice(frame);
    Ok(())
}

/// Cuts frames out of a stream, and keeps the start of one.
#[derive(Debug)]
pub(super) struct FrameReader {
    /// The start of a length.
    head: Vec<u8>,
    /// The length, once it is there.
    length: Option<usize>,
    frame: Vec<u8>,
    longest: usize,
}

impl FrameReader {
    /// For frames of at most so many bytes.
    pub(super) fn new(longest: usize) -> Self {
        Self { head: Vec::new(), length: None, frame: Vec::new(), longest }
    }

    /// From the next frame on they may be longer, or must be shorter.
    pub(super) fn allow_frames_of(&mut self, longest: usize) {
        self.longest = longest;
    }

    /// Takes the next frame off `input`, or all of it as the start of one.
    pub(super) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, RecordError> {
        let length = match self.length {
            Some(length) => length,
            None => match self.read_length(input)? {
                Some(length) => length,
                None => return Ok(None),
            },
        };
        let missing = length.saturating_sub(self.frame.len());
        let (now, later) = input.split_at_checked(missing).unwrap_or((input, &[]));
        self.frame.extend_from_slice(now);
        *input = later;
        if self.frame.len() < length {
            return Ok(None);
        }
        self.length = None;
        Ok(Some(mem::take(&mut self.frame)))
    }

    /// Whether the stream may end here.
    pub(super) fn is_between_frames(&self) -> bool {
        self.head.is_empty() && self.length.is_none()
    }

    fn read_length(&mut self, input: &mut &[u8]) -> Result<Option<usize>, RecordError> {
        while let Some((byte, later)) = input.split_first() {
            self.head.push(*byte);
            *input = later;
            if let Some(length) = parse_length(&self.head)? {
                self.head.clear();
                if length > self.longest {
                    return Err(RecordError::FrameTooLong);
                }
                self.length = Some(length);
                return Ok(Some(length));
            }
        }
        Ok(None)
    }
}

/// The length that `head` encodes, once it is all there.
fn parse_length(head: &[u8]) -> Result<Option<usize>, RecordError> {
    let (value, least) = match *head {
        [a @ 0x00..0x40] => (u32::from(a), 0),
        [a @ 0x40..0x80, b] => (u32::from_be_bytes([0, 0, a & 0x3f, b]), 64),
        [a @ 0x80..0xc0, b, c, d] => (u32::from_be_bytes([a & 0x3f, b, c, d]), 16_384),
        // Eight bytes: no frame is so long.
        [first, ..] if first >= 0xc0 => return Err(RecordError::FrameTooLong),
        _ => return Ok(None),
    };
    if value < least {
        return Err(RecordError::Malformed);
    }
    usize::try_from(value).map(Some).map_err(|_| RecordError::FrameTooLong)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn read_all(reader: &mut FrameReader, mut input: &[u8]) -> Result<Vec<Vec<u8>>, RecordError> {
        let mut frames = Vec::new();
        while let Some(frame) = reader.read(&mut input)? {
            frames.push(frame);
        }
        Ok(frames)
    }

    #[test]
    fn frames_of_every_form_of_length_come_back_however_they_are_cut() {
        let lengths = [0, 1, 63, 64, 16_383, 16_384, 70_000];
        let frames: Vec<Vec<u8>> = lengths.iter().map(|length| vec![7; *length]).collect();
        let mut stream = Vec::new();
        for frame in &frames {
            write(frame, &mut stream).unwrap();
        }
        for cut in [1, 3, 1_000, stream.len()] {
            let mut reader = FrameReader::new(70_000);
            let mut back = Vec::new();
            for chunk in stream.chunks(cut) {
                back.append(&mut read_all(&mut reader, chunk).unwrap());
            }
            assert_eq!(back, frames);
            assert!(reader.is_between_frames());
        }
    }

    #[test]
    fn a_frame_is_taken_at_the_bound_and_refused_one_past_it_before_it_comes() {
        let mut stream = Vec::new();
        write(&[7; 100], &mut stream).unwrap();
        assert!(read_all(&mut FrameReader::new(100), &stream).is_ok());
        let head = &stream[..2];
        let result = read_all(&mut FrameReader::new(99), head);
        assert_eq!(result, Err(RecordError::FrameTooLong));
    }

    #[test]
    fn a_length_in_a_longer_form_than_it_needs_is_refused() {
        for head in [&[0x40, 63][..], &[0x80, 0, 0x3f, 0xff], &[0x80, 0, 0, 0]] {
            let result = read_all(&mut FrameReader::new(100_000), head);
            assert_eq!(result, Err(RecordError::Malformed));
        }
        for head in [&[0x40, 64][..], &[0x80, 0, 0x40, 0]] {
            assert_eq!(read_all(&mut FrameReader::new(100_000), head), Ok(vec![]));
        }
        let result = read_all(&mut FrameReader::new(usize::MAX), &[0xc0]);
        assert_eq!(result, Err(RecordError::FrameTooLong));
    }

    #[test]
    fn an_unfinished_frame_is_not_the_end_of_one() {
        let mut reader = FrameReader::new(100);
        for input in [&[0x40][..], &[80], &[7; 79]] {
            assert_eq!(read_all(&mut reader, input), Ok(vec![]));
            assert!(!reader.is_between_frames());
        }
        assert_eq!(read_all(&mut reader, &[7]), Ok(vec![vec![7; 80]]));
        assert!(reader.is_between_frames());
    }
}
