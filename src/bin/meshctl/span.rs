//! Spans of time as people type them.

use std::time::Duration;

/// Reads a number and a unit: `90s`, `10m`, `1h`, `7d`.
pub(crate) fn parse(text: &str) -> Result<Duration, NotASpan> {
    let unit = text.chars().next_back().ok_or(NotASpan)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(NotASpan),
    };
    let digits = text.strip_suffix(unit).ok_or(NotASpan)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotASpan);
    }
    let count: u64 = digits.parse().map_err(|_| NotASpan)?;
    count.checked_mul(seconds).map(Duration::from_secs).ok_or(NotASpan)
}

/// A text that is no span.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("write a number and one of s, m, h, d: 90s, 10m, 1h, 7d")]
pub(crate) struct NotASpan;

#[cfg(test)]
mod tests {
    use super::{Duration, NotASpan, parse};

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("2m", 120), ("1h", 3_600), ("30d", 2_592_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)));
        }
        for text in
            ["", "s", "1", "1w", "-1s", "+1s", "1.5h", "1 h", "1\u{e4}", "99999999999999999999d"]
        {
            assert_eq!(parse(text), Err(NotASpan), "{text:?}");
        }
    }
}
