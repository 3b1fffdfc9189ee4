//! Lines of a bounded length, as JSON.

use std::io;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

/// The longest line: the largest body in base64 (1.4 MB) and what stands around it, rounded up.
pub const MAX_LINE: usize = 2 << 20;

/// Reads lines. Dropping a call loses nothing: what was read of a line is kept for the next.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    /// The line is whole and was handed out.
    whole: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader: BufReader::new(reader), line: Vec::new(), whole: false }
    }

    /// The next line without its end, or nothing where the other side is done.
    pub(super) async fn next(&mut self) -> Result<Option<&[u8]>, LineError> {
        if std::mem::take(&mut self.whole) {
            self.line.clear();
        }
        loop {
            let read = self.reader.fill_buf().await?;
            if read.is_empty() {
                let clean = self.line.is_empty();
                return if clean { Ok(None) } else { Err(LineError::Cut) };
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let part = read.get(..end.unwrap_or(read.len())).unwrap_or_default();
            if self.line.len() + part.len() > MAX_LINE {
                return Err(LineError::TooLong);
            }
            self.line.extend_from_slice(part);
            let taken = part.len() + usize::from(end.is_some());
            self.reader.consume(taken);
            if end.is_some() {
                self.whole = true;
                return Ok(Some(&self.line));
            }
        }
    }

    /// Waits until the other side says more or is done, and takes nothing.
    pub(super) async fn stirs(&mut self) -> io::Result<()> {
        self.reader.fill_buf().await.map(|_| ())
    }
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("the line is longer than {MAX_LINE} bytes")]
    TooLong,
    #[error("the line was cut off")]
    Cut,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes `value` as a line.
pub(super) async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    value: &impl Serialize,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use super::{LineError, Lines, MAX_LINE};

    #[tokio::test]
    async fn lines_come_one_by_one_until_the_other_side_is_done() {
        let mut lines = Lines::new(&b"one\n\ntwo\r\n"[..]);
        assert_eq!(lines.next().await.unwrap(), Some(&b"one"[..]));
        assert_eq!(lines.next().await.unwrap(), Some(&b""[..]));
        assert_eq!(lines.next().await.unwrap(), Some(&b"two\r"[..]));
        assert_eq!(lines.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_line_that_was_cut_off_is_no_line() {
        let mut lines = Lines::new(&b"half"[..]);
        assert!(matches!(lines.next().await, Err(LineError::Cut)));
    }

    #[tokio::test]
    async fn the_bound_holds_at_and_one_past() {
        let mut longest = vec![b'x'; MAX_LINE];
        longest.push(b'\n');
        assert_eq!(Lines::new(&longest[..]).next().await.unwrap().unwrap().len(), MAX_LINE);
        longest.insert(0, b'x');
        assert!(matches!(Lines::new(&longest[..]).next().await, Err(LineError::TooLong)));
    }

    #[tokio::test]
    async fn a_dropped_call_loses_nothing() {
        let (mut there, here) = tokio::io::duplex(64);
        let mut lines = Lines::new(here);
        tokio::io::AsyncWriteExt::write_all(&mut there, b"ha").await.unwrap();
        let wait = std::time::Duration::from_millis(5);
        assert!(tokio::time::timeout(wait, lines.next()).await.is_err());
        tokio::io::AsyncWriteExt::write_all(&mut there, b"lf\n").await.unwrap();
        assert_eq!(lines.next().await.unwrap(), Some(&b"half"[..]));
    }
}
