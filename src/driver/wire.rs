//! A session on a connection: what comes in goes through the one to the other and back.

use std::future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use meshwork_protocols::live::{SessionError, SessionEvent, TcpSession};
use meshwork_transports::{Connection, Reader, Writer};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Clock, gate::Pass};

/// How much is read at a time before the peer has proved itself: the longest message then.
const READ_BEFORE: usize = 4 << 10;

/// How much is read at a time from a proved peer: a few of the largest TCP segments that a kernel
/// hands over at once.
const READ: usize = 64 << 10;

/// How much is sealed ahead of what the connection takes; what waits before it can still be
/// counted and taken back.
const SEALED_AHEAD: usize = 256 << 10;

/// How long a connection may take nothing of what is written before it counts as dead.
const STALLED: Duration = Duration::from_secs(30);

/// How long a session gets to send its last bytes.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);

/// Both of them, and what is between.
#[derive(Debug)]
pub(crate) struct Wire {
    session: TcpSession,
    reader: Reader,
    writer: Writer,
    remote: SocketAddr,
    clock: Clock,
    /// Sealed, and written up to `written`.
    outgoing: Vec<u8>,
    written: usize,
    /// When the last byte was taken, while any waits.
    moved: Instant,
}

/// What happened on a wire, but for what it did by itself.
#[derive(Debug)]
pub(crate) enum Moved {
    /// So many bytes came in: events may stand in the session.
    In(usize),
    /// Bytes went out.
    Out,
}

/// Why a wire is of no use any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WireError {
    /// The session broke.
    Session(SessionError),
    /// The connection broke.
    Connection(io::ErrorKind),
    /// The caps chose it.
    TurnedOut,
}

impl From<SessionError> for WireError {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::Connection(error.kind())
    }
}

impl Wire {
    pub(crate) fn new(session: TcpSession, connection: Connection, clock: Clock) -> Self {
        let remote = connection.remote();
        let (reader, writer) = connection.split();
        let moved = Instant::now();
        Self { session, reader, writer, remote, clock, outgoing: Vec::new(), written: 0, moved }
    }

    /// Where the other end is.
    pub(crate) fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Runs the session up to its first event, under the caps where there is a pass.
    pub(crate) async fn open(&mut self, mut pass: Option<Pass>) -> Result<SessionEvent, WireError> {
        let mut buffered = READ_BEFORE;
        loop {
            if let Some(event) = self.session.poll() {
                return Ok(event);
            }
            if let Some(pass) = &pass {
                pass.buffered(buffered);
            }
            let timeout = self.session.next_timeout().map(|at| self.clock.instant(at));
            let timeout = timeout.unwrap_or_else(Instant::now);
            tokio::select! {
                // All that ever came in is more than what is kept of it.
                moved = self.turn(true, READ_BEFORE) => match moved? {
                    Moved::In(bytes) => buffered += bytes,
                    Moved::Out => {}
                },
                () = sleep_until(timeout) => self.session.handle_timeout(self.clock.now())?,
                () = turned_out(&mut pass) => return Err(WireError::TurnedOut),
            }
        }
    }

    /// Waits until bytes came in, where they may, or went out. Dropping the future loses nothing.
    pub(crate) async fn progress(&mut self, may_read: bool) -> Result<Moved, WireError> {
        let waits = self.take_sealed();
        let stalled = self.moved + STALLED;
        tokio::select! {
            moved = self.turn(may_read, READ) => moved,
            () = sleep_until(stalled), if waits => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    }

    /// How much may still be sealed before what is sealed has gone out.
    pub(crate) fn room(&self) -> usize {
        let waiting = self.outgoing.len() - self.written + self.session.unsent();
        // One frame always may be.
        if waiting == 0 { usize::MAX } else { SEALED_AHEAD.saturating_sub(waiting) }
    }

    /// The session, to seal and to poll.
    pub(crate) fn session(&mut self) -> &mut TcpSession {
        &mut self.session
    }

    /// Ends the session in good order, and gives its last bytes some time.
    pub(crate) async fn end(mut self) {
        self.session.close();
        let flushed = timeout(FAREWELL, async {
            while self.take_sealed() {
                self.write().await?;
            }
            self.writer.finish().await
        });
        // The peer that does not take them sees a truncation, which is the truth.
        let _ = flushed.await;
    }

    async fn turn(&mut self, may_read: bool, at_most: usize) -> Result<Moved, WireError> {
        let writes = self.take_sealed();
        let Self { session, reader, writer, outgoing, written, clock, moved, .. } = self;
        tokio::select! {
            bytes = reader.read(at_most), if may_read => {
                let bytes = bytes?;
                if bytes.is_empty() {
                    session.receive_end()?;
                } else {
                    session.receive(clock.now(), &bytes)?;
                }
                Ok(Moved::In(bytes.len()))
            }
            count = writer.write(outgoing.get(*written..).unwrap_or_default()), if writes => {
                *written += count?;
                *moved = Instant::now();
                Ok(Moved::Out)
            }
            else => future::pending().await,
        }
    }

    async fn write(&mut self) -> io::Result<()> {
        let rest = self.outgoing.get(self.written..).unwrap_or_default();
        self.written += self.writer.write(rest).await?;
        Ok(())
    }

    /// Takes what the session has sealed; whether there is anything to write.
    fn take_sealed(&mut self) -> bool {
        if self.written == self.outgoing.len() {
            self.outgoing.clear();
            self.written = 0;
            // What is large once should not stay so.
            self.outgoing.shrink_to(SEALED_AHEAD);
            self.session.take_transmit(&mut self.outgoing);
            self.moved = Instant::now();
        }
        self.waits_for_writer()
    }

    fn waits_for_writer(&self) -> bool {
        self.written < self.outgoing.len()
    }
}

async fn turned_out(pass: &mut Option<Pass>) {
    match pass {
        Some(pass) => pass.turned_out().await,
        None => future::pending().await,
    }
}
