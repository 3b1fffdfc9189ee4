//! Byte streams, as TCP keeps them: in order, sometimes late, sometimes broken, and sometimes
//! standing at one end only.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::{Arrival, Host, InTransit, Network, Parcel, Transit};

/// Names a stream; the same at both ends.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StreamId(u64);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream {}", self.0)
    }
}

/// What is on its way to one end of a stream.
#[derive(Debug)]
enum Piece {
    Answer,
    Bytes(Vec<u8>),
    End,
}

/// A stream, as long as one end holds it.
#[derive(Debug)]
pub(super) struct Stream {
    ends: [End; 2],
}

#[derive(Debug)]
struct End {
    host: Host,
    holds: bool,
    /// In order: whatever makes its way, the first piece is what arrives.
    inbound: VecDeque<Piece>,
    last_arrival: Duration,
}

impl Stream {
    fn end(&mut self, host: Host) -> Option<&mut End> {
        self.ends.iter_mut().find(|end| end.host == host)
    }

    fn is_held_by(&self, host: Host) -> bool {
        self.ends.iter().any(|end| end.host == host && end.holds)
    }

    fn other(&self, host: Host) -> Option<Host> {
        self.ends.iter().map(|end| end.host).find(|other| *other != host)
    }

    fn is_forgotten(&self) -> bool {
        self.ends.iter().all(|end| !end.holds)
    }
}

impl Network {
    /// Opens a stream; [`Arrival::Answered`] or [`Arrival::Ended`] follows.
    pub fn call(&mut self, from: Host, to: Host, transit: &mut impl Transit) -> StreamId {
        let id = StreamId(self.next_stream);
        self.next_stream += 1;
        let end = |host, holds| End {
            host,
            holds,
            inbound: VecDeque::new(),
            last_arrival: transit.now(),
        };
        self.streams.insert(id, Stream { ends: [end(from, true), end(to, false)] });
        let at = transit.now() + self.latency();
        let what = Parcel::Call(id);
        transit.deliver_at(at, InTransit { from, to, what, gives_up: at + UNANSWERED });
        id
    }

    /// Writes to a stream. One that is gone swallows it.
    pub fn write(&mut self, from: Host, id: StreamId, bytes: Vec<u8>, transit: &mut impl Transit) {
        let Some(stream) = self.streams.get(&id).filter(|stream| stream.is_held_by(from)) else {
            return;
        };
        let Some(to) = stream.other(from) else { return };
        if self.random.chance(self.faults.breaking) {
            self.put_on_stream(id, from, Piece::End, transit);
            self.put_on_stream(id, to, Piece::End, transit);
            return;
        }
        let mut bytes = bytes;
        let changed = self.corrupt(&mut bytes);
        let splits = self.random.chance(self.faults.splitting);
        let cut = if splits { self.random.index(bytes.len()) } else { 0 };
        let rest = bytes.split_off(cut);
        for piece in [bytes, rest] {
            if !piece.is_empty() {
                self.put_on_stream(id, to, Piece::Bytes(piece), transit);
            }
        }
        if changed {
            // A length that was turned makes the receiver wait for what never comes. Whoever turns
            // bits of a stream also ends it at some time.
            self.put_on_stream(id, from, Piece::End, transit);
            self.put_on_stream(id, to, Piece::End, transit);
        }
    }

    /// Closes a stream at this end; the other end learns of it behind all that was written.
    pub fn hang_up(&mut self, from: Host, id: StreamId, transit: &mut impl Transit) {
        if self.let_go(id, from)
            && let Some(to) = self.streams.get(&id).and_then(|stream| stream.other(from))
        {
            self.put_on_stream(id, to, Piece::End, transit);
        }
    }

    /// The host is off. With `notice` its system closes its streams, as when a process is killed;
    /// without, the other ends learn of it when they next write.
    pub fn turn_off(&mut self, host: Host, notice: bool, transit: &mut impl Transit) {
        self.up.remove(&host);
        let held = |stream: &Stream| stream.is_held_by(host);
        let streams: Vec<_> =
            self.streams.iter().filter(|(_, s)| held(s)).map(|(id, _)| *id).collect();
        for id in streams {
            if notice {
                self.hang_up(host, id, transit);
            } else {
                self.let_go(id, host);
            }
        }
    }

    /// A call reaches the machine it is for.
    pub(super) fn arrive_call(
        &mut self,
        id: StreamId,
        to: Host,
        from: Host,
        transit: &mut impl Transit,
    ) -> Option<(Host, Arrival)> {
        let stream = self.streams.get_mut(&id).filter(|stream| stream.is_held_by(from))?;
        stream.end(to)?.holds = true;
        self.put_on_stream(id, from, Piece::Answer, transit);
        Some((to, Arrival::Call { stream: id, from }))
    }

    /// Something of a stream reaches its end at `to`.
    pub(super) fn arrive_piece(
        &mut self,
        id: StreamId,
        to: Host,
        transit: &mut impl Transit,
    ) -> Option<(Host, Arrival)> {
        let end = self.streams.get_mut(&id)?.end(to)?;
        let piece = end.inbound.pop_front()?;
        let held = end.holds;
        match piece {
            Piece::Answer => held.then_some((to, Arrival::Answered(id))),
            Piece::Bytes(bytes) if held => Some((to, Arrival::Bytes { stream: id, bytes })),
            Piece::Bytes(_) => {
                // A machine that knows nothing of the stream says so.
                let from = self.streams.get(&id)?.other(to)?;
                self.put_on_stream(id, from, Piece::End, transit);
                None
            }
            Piece::End => self.let_go(id, to).then_some((to, Arrival::Ended(id))),
        }
    }

    /// `from` has tried long enough to reach the other end, and breaks the stream at its own.
    pub(super) fn give_up(&mut self, id: StreamId, from: Host) -> Option<(Host, Arrival)> {
        self.let_go(id, from).then_some((from, Arrival::Ended(id)))
    }

    /// One end forgets the stream; whether it held it.
    fn let_go(&mut self, id: StreamId, host: Host) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else { return false };
        let Some(end) = stream.end(host) else { return false };
        end.inbound.clear();
        let held = std::mem::take(&mut end.holds);
        if stream.is_forgotten() {
            self.streams.remove(&id);
        }
        held
    }

    fn put_on_stream(&mut self, id: StreamId, to: Host, piece: Piece, transit: &mut impl Transit) {
        let resent = self.random.chance(self.faults.loss);
        let late = if resent { self.random.span(RESEND, RESEND * 4) } else { Duration::ZERO };
        let at = transit.now() + self.latency() + late;
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let Some(from) = stream.other(to) else { return };
        let Some(end) = stream.end(to) else { return };
        end.inbound.push_back(piece);
        end.last_arrival = end.last_arrival.max(at);
        let (at, what) = (end.last_arrival, Parcel::Piece(id));
        transit.deliver_at(at, InTransit { from, to, what, gives_up: at + GIVE_UP });
    }
}

/// How long a system waits before it sends bytes of a stream again.
const RESEND: Duration = Duration::from_millis(200);

/// How long a system tries before it breaks a stream. Real ones take minutes; what a session does
/// meanwhile is the same, and runs stay short.
const GIVE_UP: Duration = Duration::from_secs(15);

/// How long a system tries to open a stream.
const UNANSWERED: Duration = Duration::from_secs(5);
