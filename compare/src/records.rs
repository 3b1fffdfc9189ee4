//! Bytes over an open session of a stream: sealed at one end, opened at the other, on one thread.

use std::io::{Read, Write};

use meshwork_protocols::live::record::MAX_CHUNK;
use meshwork_protocols::live::{SessionEvent, Suite, TcpSession};
use rustls::{ClientConnection, ServerConnection};

use crate::Failure;
use crate::agents::{Agents, NOW};
use crate::bar::Bar;
use crate::stopwatch::{Contender, Plan, Times};
use crate::tls::{Tls, feed};

const PLAN: Plan = Plan { rounds: 21, turns: 100 };

/// How many records go into one write.
const TOGETHER: usize = 4;

/// Runs the comparison.
pub fn compare() -> Result<Vec<Bar>, Failure> {
    let mut aes = Ours::open(Suite::AesGcm)?;
    let mut chacha = Ours::open(Suite::ChaChaPoly)?;
    let mut theirs = Theirs::open()?;
    let times = Times::measure(
        PLAN,
        vec![
            Contender::new("Meshwork over TCP, AESGCM", || aes.carry()),
            Contender::new("Meshwork over TCP, ChaChaPoly", || chacha.carry()),
            Contender::new("rustls, AES-256-GCM", || theirs.carry()),
        ],
    )?;
    for (name, time) in times.each() {
        let rate = (TOGETHER * MAX_CHUNK) as f64 / time / 1e6;
        println!("  {name:<64} {rate:>6.0} MB/s");
    }
    Ok(vec![
        Bar::at_least(1.5, "16 KiB records, AESGCM / rustls", times.median(|t| t[2] / t[0])),
        Bar::shown(
            "16 KiB records, ChaChaPoly / rustls AES-256-GCM",
            times.median(|t| t[2] / t[1]),
        ),
    ])
}

struct Ours {
    from: TcpSession,
    to: TcpSession,
    frame: Vec<u8>,
    wire: Vec<u8>,
}

impl Ours {
    fn open(suite: Suite) -> Result<Self, Failure> {
        let (from, to) = Agents::new(suite)?.connect()?;
        // The longest frame that one record holds, of a type that the session hands on.
        let frame = vec![0x10; MAX_CHUNK];
        Ok(Self { from, to, frame, wire: Vec::new() })
    }

    fn carry(&mut self) -> Result<(), Failure> {
        for _ in 0..TOGETHER {
            self.from.send(&self.frame)?;
        }
        self.from.take_transmit(&mut self.wire);
        self.to.receive(NOW, &self.wire)?;
        self.wire.clear();
        for _ in 0..TOGETHER {
            match self.to.poll() {
                Some(SessionEvent::Frame(frame)) if frame == self.frame => {}
                _ => return Err("a frame did not arrive".into()),
            }
        }
        Ok(())
    }
}

struct Theirs {
    from: ClientConnection,
    to: ServerConnection,
    /// As long as ours.
    chunk: Vec<u8>,
    sent: Vec<u8>,
    arrived: Vec<u8>,
    wire: Vec<u8>,
}

impl Theirs {
    fn open() -> Result<Self, Failure> {
        let (mut from, to) = Tls::new()?.connect()?;
        from.set_buffer_limit(None);
        let chunk = vec![0x10; MAX_CHUNK];
        let sent = chunk.repeat(TOGETHER);
        Ok(Self { from, to, arrived: vec![0; sent.len()], chunk, sent, wire: Vec::new() })
    }

    fn carry(&mut self) -> Result<(), Failure> {
        for _ in 0..TOGETHER {
            self.from.writer().write_all(&self.chunk)?;
        }
        while self.from.wants_write() {
            self.from.write_tls(&mut self.wire)?;
        }
        let (to, arrived) = (&mut self.to, &mut self.arrived);
        let mut length = 0;
        feed(&self.wire, |rest| {
            let read = to.read_tls(rest)?;
            let state = to.process_new_packets().map_err(std::io::Error::other)?;
            let end = length + state.plaintext_bytes_to_read();
            to.reader().read_exact(&mut arrived[length..end])?;
            length = end;
            Ok(read)
        })?;
        self.wire.clear();
        if *arrived == self.sent { Ok(()) } else { Err("a record did not arrive".into()) }
    }
}
