//! A test peer's side of its talk with a driver: one JSON command a line, one JSON answer a line.

use std::io::{self, BufRead, Write};

use serde_json::Value;

/// Answers each line of standard input, until there are no more.
pub fn answer(mut answer: impl FnMut(&str) -> Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        writeln!(out, "{}", answer(&line))?;
        out.flush()?;
    }
    Ok(())
}
