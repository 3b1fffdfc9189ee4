//! How far a file got: a bar on a terminal, lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use meshwork::control::Transfer;

use crate::output::{Halt, Output};
use crate::plain::Plain;
use crate::show;

/// How wide the bar is.
const WIDTH: usize = 24;

/// How often a line is written where no bar can move.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How much time a rate is taken over: shorter and it jumps, longer and it lags.
const RATE_OVER: Duration = Duration::from_secs(3);

/// How far a file got.
pub(crate) struct Bar {
    output: Output,
    /// Whether a bar can move.
    moves: bool,
    began: Instant,
    said: Instant,
    /// A moment a while ago, and how far it was then.
    mark: (Instant, u64),
    rate: f64,
    /// A bar stands on the line.
    stands: bool,
}

impl Bar {
    pub(crate) fn new(output: Output) -> Self {
        let now = Instant::now();
        let moves = !output.is_json() && io::stderr().is_terminal();
        Self { output, moves, began: now, said: now, mark: (now, 0), rate: 0.0, stands: false }
    }

    /// Shows how far it got.
    pub(crate) fn show(&mut self, told: &Transfer) -> Result<(), Halt> {
        let now = Instant::now();
        self.measure(now, told.bytes);
        if self.moves {
            self.stands = true;
            let line = line(told, self.rate);
            let mut err = io::stderr().lock();
            // To the start of the line, and nothing behind what is written.
            write!(err, "\r{line}\x1b[K")?;
            return Ok(err.flush()?);
        }
        if now - self.said >= LINE_EVERY {
            self.said = now;
            return self.output.say(line(told, self.rate));
        }
        Ok(())
    }

    /// Takes the bar away.
    pub(crate) fn clear(&mut self) -> Result<(), Halt> {
        if std::mem::take(&mut self.stands) {
            let mut err = io::stderr().lock();
            write!(err, "\r\x1b[K")?;
            err.flush()?;
        }
        Ok(())
    }

    /// Says that it is there.
    pub(crate) fn end(&mut self, told: &Transfer) -> Result<(), Halt> {
        self.clear()?;
        let took = self.began.elapsed();
        let rate = rate(told.bytes, took);
        let (file, peer) = (Plain(&told.file), told.peer.to_string());
        self.output.say(format_args!(
            "kept       {file}  by {}  {} in {} ({})",
            Plain(&peer),
            show::size(told.bytes),
            show::took(took),
            show::rate(rate),
        ))
    }

    fn measure(&mut self, now: Instant, bytes: u64) {
        let (since, before) = self.mark;
        let span = now - since;
        if span >= RATE_OVER || self.rate == 0.0 {
            self.rate = rate(bytes.saturating_sub(before), span);
        }
        if span >= RATE_OVER {
            self.mark = (now, bytes);
        }
    }
}

fn rate(bytes: u64, span: Duration) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a rate is shown with two digits")]
    let bytes = bytes as f64;
    if span.is_zero() { 0.0 } else { bytes / span.as_secs_f64() }
}

fn line(told: &Transfer, rate: f64) -> String {
    let Transfer { file, bytes, size, .. } = told;
    let share = |of: u64| bytes.saturating_mul(of).checked_div(*size).unwrap_or(of).min(of);
    let filled = usize::try_from(share(WIDTH as u64)).unwrap_or(WIDTH);
    let bar = format!("{}{}", "#".repeat(filled), ".".repeat(WIDTH - filled));
    format!(
        "{}  {:>3}% [{bar}] {} of {}  {}  {}",
        Plain(file),
        share(100),
        show::size(*bytes),
        show::size(*size),
        show::rate(rate),
        left(size - bytes.min(size), rate),
    )
}

fn left(bytes: u64, rate: f64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "a time is shown in seconds")]
    let seconds = bytes as f64 / rate;
    match Duration::try_from_secs_f64(seconds) {
        Ok(span) => format!("{} left", show::took(span)),
        Err(_) => "waiting".into(),
    }
}

#[cfg(test)]
mod tests {
    use meshwork::AgentId;
    use meshwork::control::{Direction, Named, TransferState};

    use super::*;

    fn told(bytes: u64, size: u64) -> Transfer {
        Transfer {
            direction: Direction::Out,
            peer: Named { agent: AgentId::from_bytes([7; 32]), name: Some("bob".into()) },
            file: "report.pdf".into(),
            state: TransferState::Moving,
            bytes,
            size,
            path: None,
            why: None,
        }
    }

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        assert_eq!(
            line(&told(50_000_000, 200_000_000), 10_000_000.0),
            "report.pdf   25% [######..................] 50.0 MB of 200 MB  10.0 MB/s  15 s left"
        );
    }

    #[test]
    fn nothing_yet_all_of_nothing_and_a_size_without_a_rate_have_lines_too() {
        assert!(line(&told(0, 10), 0.0).ends_with("0 B of 10 B  0 B/s  waiting"));
        assert!(line(&told(0, 0), 0.0).contains("100% [########################]"));
        assert!(line(&told(u64::MAX, u64::MAX), 1.0).contains("0 s left"));
    }
}
