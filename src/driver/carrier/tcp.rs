//! TCP: what comes in on a connection goes through the session, and back.

use std::future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use meshwork_protocols::identity::Address;
use meshwork_protocols::live::{Dial, Directory, Local, SendError, SessionEvent, TcpSession};
use meshwork_transports::{Connection, Reader, Writer};
use tokio::time::{Instant, sleep_until, timeout};

use super::outgoing::Outgoing;
use super::{CarrierError, FAREWELL, turned_out};
use crate::agent::FetchError;
use crate::driver::gate::Pass;
use crate::driver::{Clock, Shared};

/// How much is read at a time before the peer has proved itself: the longest message then.
const READ_BEFORE: usize = 4 << 10;

/// How much is read at a time from a proved peer: a few of the largest TCP segments that a kernel
/// hands over at once.
const READ: usize = 64 << 10;

/// A session, its connection, and what is between.
#[derive(Debug)]
pub(crate) struct TcpCarrier {
    session: TcpSession,
    reader: Reader,
    writer: Writer,
    remote: SocketAddr,
    clock: Clock,
    outgoing: Outgoing,
}

/// What a turn moved.
enum Moved {
    /// So many bytes came in: events may stand in the session.
    In(usize),
    /// Bytes went out.
    Out,
}

impl TcpCarrier {
    pub(super) async fn dial(
        shared: &Arc<Shared>,
        ours: Arc<Local>,
        dial: Dial,
        address: &Address,
    ) -> Result<Self, FetchError> {
        let connection = meshwork_transports::dial(address).await?;
        let directory: Arc<dyn Directory> = Arc::clone(&shared.peers) as _;
        let (now, random) = (shared.clock.now(), ours.provider().random());
        let session = TcpSession::initiate(ours, directory, dial, now, random);
        let session = session.map_err(FetchError::Session)?;
        Ok(Self::new(session, connection, shared.clock))
    }

    /// Answers who came on this connection.
    pub(crate) fn accept(shared: &Arc<Shared>, ours: Arc<Local>, connection: Connection) -> Self {
        let directory: Arc<dyn Directory> = Arc::clone(&shared.peers) as _;
        let (now, random) = (shared.clock.now(), ours.provider().random());
        let session = TcpSession::accept(ours, directory, now, random);
        Self::new(session, connection, shared.clock)
    }

    fn new(session: TcpSession, connection: Connection, clock: Clock) -> Self {
        let remote = connection.remote();
        let (reader, writer) = connection.split();
        Self { session, reader, writer, remote, clock, outgoing: Outgoing::new() }
    }

    pub(super) fn remote(&self) -> SocketAddr {
        self.remote
    }

    pub(super) async fn open(
        &mut self,
        mut pass: Option<Pass>,
    ) -> Result<SessionEvent, CarrierError> {
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
                () = turned_out(&mut pass) => return Err(CarrierError::TurnedOut),
            }
        }
    }

    pub(super) async fn progress(&mut self, may_read: bool) -> Result<(), CarrierError> {
        let (waits, stalled) = (self.take_sealed(), self.outgoing.stalls());
        tokio::select! {
            moved = self.turn(may_read, READ) => moved.map(drop),
            () = sleep_until(stalled), if waits => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    }

    pub(super) fn room(&self) -> usize {
        self.outgoing.room(self.session.unsent())
    }

    pub(super) fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        self.session.send(frame)
    }

    pub(super) fn poll(&mut self) -> Option<SessionEvent> {
        self.session.poll()
    }

    pub(super) async fn end(mut self) {
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

    async fn turn(&mut self, may_read: bool, at_most: usize) -> Result<Moved, CarrierError> {
        let writes = self.take_sealed();
        let Self { session, reader, writer, outgoing, clock, .. } = self;
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
            count = writer.write(outgoing.rest()), if writes => {
                outgoing.wrote(count?);
                Ok(Moved::Out)
            }
            else => future::pending().await,
        }
    }

    async fn write(&mut self) -> io::Result<()> {
        let count = self.writer.write(self.outgoing.rest()).await?;
        self.outgoing.wrote(count);
        Ok(())
    }

    /// Takes what the session has sealed; whether there is anything to write.
    fn take_sealed(&mut self) -> bool {
        self.outgoing.fill(|bytes| self.session.take_transmit(bytes))
    }
}
