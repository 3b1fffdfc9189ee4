//! Records: how frames travel inside a byte stream.
//!
//! A record is a `u16` length and a Noise message of that length. Its plaintext is a chunk of at
//! most [`MAX_CHUNK`] bytes with the record's kind behind it; the kind stands last so that a frame
//! is decrypted where it is collected. A frame is one or more chunks. The end of the stream is a
//! record too, so that a truncation is seen, and so is the mark after which a direction has its
//! next key. Owns both keys of a session; knows nothing of what a frame says.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use super::cipher_state::{CipherError, CipherState};
use super::suite::Suite;
use crate::provider::{CryptoError, Provider, TAG_LENGTH};
use crate::secret::Secret;

/// The most bytes of a frame in one record: 16 KiB of plaintext with the kind. Larger records gain
/// nothing, for they leave the cache.
pub const MAX_CHUNK: usize = 16 * 1024 - 1;

/// How much one key seals before the direction must move on to the next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyLimits {
    /// Records, without the mark.
    pub records: u64,
    /// Bytes of frames.
    pub bytes: u64,
}

impl Default for KeyLimits {
    /// 2^20 records or 1 GiB: far below what either cipher bears, and a rekey costs nothing. The
    /// limits are part of the protocol, since each side holds the other to them.
    fn default() -> Self {
        Self { records: 1 << 20, bytes: 1 << 30 }
    }
}

/// Seals frames into records.
#[derive(Debug)]
pub struct RecordWriter {
    cipher: CipherState,
    limits: KeyLimits,
    used: KeyUse,
}

impl RecordWriter {
    /// A writer before its first record.
    pub fn new(
        provider: Arc<dyn Provider>,
        suite: Suite,
        key: &Secret<32>,
        limits: KeyLimits,
    ) -> Self {
        Self { cipher: CipherState::new(provider, suite, key), limits, used: KeyUse::default() }
    }

    /// Appends the records of `frame` to `out`.
    pub fn seal_frame(&mut self, frame: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
        let records = frame.len() / MAX_CHUNK + 1;
        out.reserve(frame.len() + records * RECORD_OVERHEAD);
        let mut rest = frame;
        while let Some((chunk, after)) =
            rest.split_at_checked(MAX_CHUNK).filter(|(_, after)| !after.is_empty())
        {
            self.seal_chunk(Kind::Part, chunk, out)?;
            rest = after;
        }
        self.seal_chunk(Kind::Last, rest, out)
    }

    /// Appends the end of the stream to `out`. Nothing may follow it.
    pub fn seal_end(mut self, out: &mut Vec<u8>) -> Result<(), RecordError> {
        self.seal_chunk(Kind::End, &[], out)
    }

    fn seal_chunk(
        &mut self,
        kind: Kind,
        chunk: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        if !self.used.admits(chunk.len(), self.limits) {
            self.seal_record(Kind::Rekey, &[], out)?;
            self.cipher.rekey()?;
            self.used = KeyUse::default();
        }
        self.used.count(chunk.len());
        self.seal_record(kind, chunk, out)
    }

    fn seal_record(
        &mut self,
        kind: Kind,
        chunk: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        let length =
            u16::try_from(chunk.len() + 1 + TAG_LENGTH).map_err(|_| RecordError::Internal)?;
        let before = out.len();
        out.extend_from_slice(&length.to_be_bytes());
        let start = out.len();
        out.extend_from_slice(chunk);
        out.push(kind as u8);
        let plaintext = out.get_mut(start..).ok_or(RecordError::Internal)?;
        let tag = self.cipher.seal(plaintext).inspect_err(|_| {
            // What was not sealed must not be sent.
            out.truncate(before);
        })?;
        out.extend_from_slice(&tag);
        Ok(())
    }
}

/// Opens records as their bytes come and puts frames together.
///
/// It holds at most one frame and one record of what came.
#[derive(Debug)]
pub struct RecordReader {
    pub(super) cipher: CipherState,
    limits: KeyLimits,
    used: KeyUse,
    max_frame: usize,
    opened: u64,
    header: Header,
    /// The opened part of the frame, then what came of the present record.
    frame: Vec<u8>,
    /// Where in `frame` the present record starts.
    record_start: usize,
}

/// What a record completed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Incoming {
    /// A frame.
    Frame(Vec<u8>),
    /// The peer's end of the stream.
    End,
}

impl RecordReader {
    /// A reader before the first record, of frames of at most `max_frame` bytes.
    pub fn new(
        provider: Arc<dyn Provider>,
        suite: Suite,
        key: &Secret<32>,
        limits: KeyLimits,
        max_frame: usize,
    ) -> Self {
        Self {
            cipher: CipherState::new(provider, suite, key),
            limits,
            used: KeyUse::default(),
            max_frame,
            opened: 0,
            header: Header::default(),
            frame: Vec::new(),
            record_start: 0,
        }
    }

    /// Allows frames of `max_frame` bytes from now on.
    pub fn allow_frames_of(&mut self, max_frame: usize) {
        self.max_frame = max_frame;
    }

    /// How many records opened so far: each is a sign of life that nobody else can give.
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// Takes bytes off the front of `input` until they complete something or there are no more.
    /// After an error the stream is lost: nothing behind it can open.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Incoming>, RecordError> {
        while let Some(length) = self.header.take(input) {
            let length = usize::from(length);
            self.check_length(length)?;
            let missing = length.saturating_sub(self.frame.len() - self.record_start);
            let taken = missing.min(input.len());
            let (now, later) = input.split_at_checked(taken).unwrap_or((input, &[]));
            self.frame.extend_from_slice(now);
            *input = later;
            if taken < missing {
                return Ok(None);
            }
            self.header = Header::default();
            if let Some(incoming) = self.complete_record()? {
                return Ok(Some(incoming));
            }
        }
        Ok(None)
    }

    /// Judged before the record's bytes are kept, so that no length makes the reader hold more
    /// than it may.
    fn check_length(&self, length: usize) -> Result<(), RecordError> {
        let chunk = length.checked_sub(1 + TAG_LENGTH).ok_or(RecordError::WrongLength)?;
        if chunk > MAX_CHUNK {
            return Err(RecordError::WrongLength);
        }
        if self.record_start + chunk > self.max_frame {
            return Err(RecordError::FrameTooLong);
        }
        Ok(())
    }

    fn complete_record(&mut self) -> Result<Option<Incoming>, RecordError> {
        let (kind, chunk) = self.open_record()?;
        match kind {
            // Only the last chunk of a frame may be short, so that a frame costs no more records
            // than it must.
            Kind::Part if chunk == MAX_CHUNK => self.use_key(chunk)?,
            Kind::Last => {
                self.use_key(chunk)?;
                self.record_start = 0;
                return Ok(Some(Incoming::Frame(mem::take(&mut self.frame))));
            }
            Kind::Rekey if chunk == 0 => {
                self.cipher.rekey()?;
                self.used = KeyUse::default();
            }
            Kind::End if self.frame.is_empty() => {
                self.use_key(chunk)?;
                return Ok(Some(Incoming::End));
            }
            Kind::Part | Kind::Rekey | Kind::End => return Err(RecordError::Malformed),
        }
        self.record_start = self.frame.len();
        Ok(None)
    }

    /// Opens the record at the end of `frame`, where its chunk stays; its kind and the chunk's
    /// length.
    fn open_record(&mut self) -> Result<(Kind, usize), RecordError> {
        let record = self.frame.get_mut(self.record_start..).ok_or(RecordError::Internal)?;
        let (plaintext, tag) = record.split_last_chunk_mut().ok_or(RecordError::WrongLength)?;
        self.cipher.open(plaintext, tag)?;
        self.opened += 1;
        let (kind, chunk) = plaintext.split_last().ok_or(RecordError::WrongLength)?;
        let (kind, chunk) = (Kind::from_byte(*kind).ok_or(RecordError::Malformed)?, chunk.len());
        self.frame.truncate(self.record_start + chunk);
        Ok((kind, chunk))
    }

    fn use_key(&mut self, chunk: usize) -> Result<(), RecordError> {
        if !self.used.admits(chunk, self.limits) {
            return Err(RecordError::RekeyOverdue);
        }
        self.used.count(chunk);
        Ok(())
    }
}

/// What one key has sealed so far.
#[derive(Debug, Default)]
struct KeyUse {
    records: u64,
    bytes: u64,
}

impl KeyUse {
    fn admits(&self, chunk: usize, limits: KeyLimits) -> bool {
        self.records < limits.records && self.bytes + chunk as u64 <= limits.bytes
    }

    fn count(&mut self, chunk: usize) {
        self.records += 1;
        self.bytes += chunk as u64;
    }
}

/// The length in front of a record, as it comes.
#[derive(Debug, Default)]
enum Header {
    #[default]
    Empty,
    Half(u8),
    Whole(u16),
}

impl Header {
    fn take(&mut self, input: &mut &[u8]) -> Option<u16> {
        loop {
            let byte = match self {
                Self::Whole(length) => return Some(*length),
                Self::Empty | Self::Half(_) => input.split_off_first()?,
            };
            *self = match self {
                Self::Half(first) => Self::Whole(u16::from_be_bytes([*first, *byte])),
                _ => Self::Half(*byte),
            };
        }
    }
}

/// What a record is, in the last byte of its plaintext.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
enum Kind {
    /// A full chunk of a frame, and not its last.
    Part = 0x00,
    /// The last chunk of a frame.
    Last = 0x01,
    /// Empty: the next record is under the direction's next key.
    Rekey = 0x02,
    /// Empty: nothing follows.
    End = 0x03,
}

impl Kind {
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x00 => Some(Self::Part),
            0x01 => Some(Self::Last),
            0x02 => Some(Self::Rekey),
            0x03 => Some(Self::End),
            _ => None,
        }
    }
}

/// Why a stream of records broke.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The peer announced a record that is longer or shorter than one can be.
    #[error("the peer's record has a wrong length")]
    WrongLength,
    /// The record was changed, replayed, left out, or sealed under another key.
    #[error("the peer's record does not authenticate")]
    NotAuthentic,
    /// The peer sealed a record that makes no sense.
    #[error("the peer's record is malformed")]
    Malformed,
    /// The peer sent a frame longer than it may be now.
    #[error("the peer's frame is too long")]
    FrameTooLong,
    /// The peer went on sealing under a key that has done its share.
    #[error("the peer did not move on to its next key")]
    RekeyOverdue,
    /// All counters are used: a new session must replace this one.
    #[error("the session has used all its counters")]
    Exhausted,
    /// The provider failed where it should not.
    #[error("the provider failed in a session: {0}")]
    ProviderFailed(CryptoError),
    /// A bug here.
    #[error("the record layer failed inside")]
    Internal,
}

impl From<CipherError> for RecordError {
    fn from(error: CipherError) -> Self {
        match error {
            CipherError::NotAuthentic => Self::NotAuthentic,
            CipherError::Exhausted => Self::Exhausted,
            CipherError::Provider(error) => Self::ProviderFailed(error),
        }
    }
}

/// The length, the kind and the tag around each chunk.
const RECORD_OVERHEAD: usize = 2 + 1 + TAG_LENGTH;

#[cfg(all(feature = "aws-lc-rs", feature = "pure"))]
#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::live::fixture::{aws, pure};

    const MAX_FRAME: usize = 100_000;

    fn writer(limits: KeyLimits) -> RecordWriter {
        RecordWriter::new(aws(), Suite::AesGcm, &Secret::new([7; 32]), limits)
    }

    fn reader(limits: KeyLimits) -> RecordReader {
        RecordReader::new(aws(), Suite::AesGcm, &Secret::new([7; 32]), limits, MAX_FRAME)
    }

    fn pair() -> (RecordWriter, RecordReader) {
        (writer(KeyLimits::default()), reader(KeyLimits::default()))
    }

    fn sealed(writer: &mut RecordWriter, frame: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        writer.seal_frame(frame, &mut out).unwrap();
        out
    }

    /// Reads all of `stream`, or stops at the first error.
    fn read_all(reader: &mut RecordReader, stream: &[u8]) -> Result<Vec<Incoming>, RecordError> {
        let mut rest = stream;
        let mut all = Vec::new();
        while let Some(incoming) = reader.read(&mut rest)? {
            all.push(incoming);
        }
        assert!(rest.is_empty());
        Ok(all)
    }

    fn frame(length: usize) -> Vec<u8> {
        (0..length).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect()
    }

    const LENGTHS: [usize; 7] =
        [0, 1, 100, MAX_CHUNK - 1, MAX_CHUNK, MAX_CHUNK + 1, 3 * MAX_CHUNK + 5];

    #[test]
    fn frames_arrive_however_the_stream_is_cut() {
        for cut in [1, 2, 3, 17, 4_096, usize::MAX] {
            let (mut writer, mut reader) = pair();
            let mut stream = Vec::new();
            for length in LENGTHS {
                writer.seal_frame(&frame(length), &mut stream).unwrap();
            }
            writer.seal_end(&mut stream).unwrap();

            let mut arrived = Vec::new();
            for piece in stream.chunks(cut.min(stream.len())) {
                arrived.extend(read_all(&mut reader, piece).unwrap());
            }
            let mut expected: Vec<_> =
                LENGTHS.iter().map(|length| Incoming::Frame(frame(*length))).collect();
            expected.push(Incoming::End);
            assert!(arrived == expected, "cut into {cut}");
        }
    }

    #[test]
    fn a_frame_costs_one_record_for_each_chunk() {
        let mut writer = writer(KeyLimits::default());
        for (length, records) in LENGTHS.into_iter().zip([1, 1, 1, 1, 1, 2, 4]) {
            assert_eq!(sealed(&mut writer, &frame(length)).len(), length + records * 19);
        }
    }

    #[test]
    fn each_flipped_bit_of_a_record_breaks_the_stream() {
        let whole = sealed(&mut writer(KeyLimits::default()), &frame(40));
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            // A longer announced length waits for bytes, and breaks when they come.
            changed.resize(MAX_CHUNK + 100, 0);
            assert!(read_all(&mut reader(KeyLimits::default()), &changed).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_replayed_or_dropped_or_reordered_record_breaks_the_stream() {
        let mut writer = writer(KeyLimits::default());
        let [first, second] = [sealed(&mut writer, b"first"), sealed(&mut writer, b"second")];
        for stream in [
            [first.as_slice(), &first].concat(),
            second.clone(),
            [second.as_slice(), &first].concat(),
        ] {
            let mut reader = reader(KeyLimits::default());
            assert_eq!(read_all(&mut reader, &stream), Err(RecordError::NotAuthentic));
        }
    }

    #[test]
    fn a_frame_is_taken_at_the_bound_and_refused_one_past_it() {
        let (mut writer, mut reader) = pair();
        let at = sealed(&mut writer, &frame(MAX_FRAME));
        assert_eq!(read_all(&mut reader, &at), Ok(vec![Incoming::Frame(frame(MAX_FRAME))]));
        let past = sealed(&mut writer, &frame(MAX_FRAME + 1));
        assert_eq!(read_all(&mut reader, &past), Err(RecordError::FrameTooLong));
        assert!(reader.frame.len() <= MAX_FRAME, "the reader holds what it refused");
    }

    #[test]
    fn a_bound_that_was_raised_holds_for_the_next_frame() {
        let (mut writer, mut reader) = pair();
        reader.allow_frames_of(10);
        assert!(read_all(&mut reader, &sealed(&mut writer, &frame(10))).is_ok());
        reader.allow_frames_of(11);
        assert!(read_all(&mut reader, &sealed(&mut writer, &frame(11))).is_ok());
        let past = sealed(&mut writer, &frame(12));
        assert_eq!(read_all(&mut reader, &past), Err(RecordError::FrameTooLong));
    }

    #[test]
    fn lengths_that_no_record_has_are_refused_at_once() {
        for length in [0, 1, 16, 16 * 1024 + 17, 65_535_u16] {
            let mut reader = reader(KeyLimits::default());
            let result = read_all(&mut reader, &length.to_be_bytes());
            assert_eq!(result, Err(RecordError::WrongLength), "{length}");
        }
        for length in [17, 16 * 1024 + 16_u16] {
            let mut reader = reader(KeyLimits::default());
            assert_eq!(read_all(&mut reader, &length.to_be_bytes()), Ok(vec![]), "{length}");
        }
    }

    #[test]
    fn sealed_nonsense_is_refused() {
        let nonsense: [&[(Kind, usize)]; 4] = [
            &[(Kind::Part, MAX_CHUNK - 1)],
            &[(Kind::Rekey, 1)],
            &[(Kind::End, 1)],
            &[(Kind::Part, MAX_CHUNK), (Kind::End, 0)],
        ];
        for records in nonsense {
            let (mut writer, mut reader) = pair();
            let mut stream = Vec::new();
            for (kind, length) in records {
                writer.seal_record(*kind, &frame(*length), &mut stream).unwrap();
            }
            let result = read_all(&mut reader, &stream);
            assert_eq!(result, Err(RecordError::Malformed), "{records:?}");
        }
    }

    #[test]
    fn an_unknown_kind_is_refused() {
        let (mut writer, mut reader) = pair();
        let mut plaintext = [0x04];
        let tag = writer.cipher.seal(&mut plaintext).unwrap();
        let stream = [&17_u16.to_be_bytes(), &plaintext[..], &tag].concat();
        assert_eq!(read_all(&mut reader, &stream), Err(RecordError::Malformed));
    }

    #[test]
    fn what_could_not_be_sealed_is_not_left_to_be_sent() {
        let mut writer = writer(KeyLimits::default());
        writer.cipher.counter = u64::MAX;
        let mut out = Vec::new();
        assert_eq!(writer.seal_frame(b"secret", &mut out), Err(RecordError::Exhausted));
        assert!(out.is_empty());
    }

    #[test]
    fn keys_move_on_by_records_and_by_bytes_also_inside_a_frame() {
        // Twelve full chunks and the end; the end has no bytes, so that it still fits by bytes.
        for (limits, marks) in [
            (KeyLimits { records: 1, bytes: u64::MAX }, 12),
            (KeyLimits { records: 3, bytes: u64::MAX }, 4),
            (KeyLimits { records: u64::MAX, bytes: MAX_CHUNK as u64 }, 11),
        ] {
            let (mut writer, mut reader) = (writer(limits), reader(limits));
            let mut stream = Vec::new();
            for _ in 0..4 {
                writer.seal_frame(&frame(3 * MAX_CHUNK), &mut stream).unwrap();
            }
            writer.seal_end(&mut stream).unwrap();
            assert_eq!(read_all(&mut reader, &stream).unwrap().len(), 5, "{limits:?}");
            assert_eq!(reader.opened(), 13 + marks, "{limits:?}");
        }
    }

    #[test]
    fn a_writer_that_does_not_move_on_is_refused_one_past_the_limit() {
        for (limits, frames, length) in [
            (KeyLimits { records: 3, bytes: u64::MAX }, 3, 1),
            (KeyLimits { records: u64::MAX, bytes: 30 }, 3, 10),
        ] {
            let (mut writer, mut reader) = (writer(KeyLimits::default()), reader(limits));
            for _ in 0..frames {
                assert!(read_all(&mut reader, &sealed(&mut writer, &frame(length))).is_ok());
            }
            let past = sealed(&mut writer, &frame(length));
            assert_eq!(read_all(&mut reader, &past), Err(RecordError::RekeyOverdue));
        }
    }

    #[test]
    fn what_the_old_key_sealed_does_not_open_after_the_rekey() {
        for suite in Suite::ALL {
            let key = Secret::new([7; 32]);
            let mut writer = CipherState::new(pure(), suite, &key);
            let mut reader = CipherState::new(pure(), suite, &key);
            reader.rekey().unwrap();
            let mut message = *b"old";
            let tag = writer.seal(&mut message).unwrap();
            assert_eq!(reader.open(&mut message, &tag), Err(CipherError::NotAuthentic));

            writer = CipherState::new(pure(), suite, &key);
            writer.rekey().unwrap();
            let mut message = *b"new";
            let tag = writer.seal(&mut message).unwrap();
            assert_eq!(reader.open(&mut message, &tag), Ok(()));
            assert_eq!(&message, b"new");
        }
    }

    #[test]
    fn the_two_directions_move_on_independently() {
        let limits = KeyLimits { records: 2, bytes: u64::MAX };
        let (mut busy, mut quiet) = (writer(limits), writer(limits));
        let (mut of_busy, mut of_quiet) = (reader(limits), reader(limits));
        for _ in 0..10 {
            assert!(read_all(&mut of_busy, &sealed(&mut busy, b"busy")).is_ok());
        }
        assert!(read_all(&mut of_quiet, &sealed(&mut quiet, b"quiet")).is_ok());
        assert_eq!((of_busy.opened(), of_quiet.opened()), (14, 1));
    }
}
