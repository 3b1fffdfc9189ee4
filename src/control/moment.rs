//! Points in time as text, in the one form that people and programs both read.

use std::fmt;
use std::str::FromStr;

use meshwork_protocols::time::WallTime;
use serde::{Deserialize, Serialize};

/// A point in time, as `2026-05-01T14:03:59.120Z` (RFC 3339, UTC).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(pub WallTime);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let (days, rest) = (millis / DAY, millis % DAY);
        let (year, month, day) = civil(days);
        let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
        let (second, milli) = (rest / 1_000 % 60, rest % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

impl From<WallTime> for Moment {
    fn from(time: WallTime) -> Self {
        Self(time)
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

impl TryFrom<String> for Moment {
    type Error = NotAMoment;

    fn try_from(text: String) -> Result<Self, NotAMoment> {
        text.parse()
    }
}

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<u64>().ok());
        let parse = || {
            let days = days(number(0..4)?, number(5..7)?, number(8..10)?)?;
            let minutes = number(11..13)? * 60 + number(14..16)?;
            Some(days * DAY + minutes * 60_000 + number(17..19)? * 1_000 + number(20..23)?)
        };
        let moment = parse().map(|millis| Self(WallTime::from_millis(millis)));
        // What is not written back as it was read had another form, or named no day.
        moment.filter(|moment| moment.to_string() == text).ok_or(NotAMoment)
    }
}

/// A text that is no point in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a time is written as 2026-05-01T14:03:59.120Z")]
pub struct NotAMoment;

/// The date that many days after 1970-01-01. Years begin in March here, so that the odd day is
/// each year's last; 400 of them are an era of 146,097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(DAYS_BEFORE_1970);
    let (era, day) = (days / DAYS_AN_ERA, days % DAYS_AN_ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / (DAYS_AN_ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, of_month)
}

/// The days from 1970-01-01 to a date; `None` before it.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let month = (month + 9) % 12;
    let (era, year) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day.checked_sub(1)?;
    (era * DAYS_AN_ERA + year * 365 + year / 4 - year / 100 + of_year).checked_sub(DAYS_BEFORE_1970)
}

/// Milliseconds.
const DAY: u64 = 24 * 60 * 60 * 1_000;

const DAYS_AN_ERA: u64 = 146_097;

/// From the first of March of year 0.
const DAYS_BEFORE_1970: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::{DAY, Moment, WallTime};

    #[test]
    fn known_times_are_written_as_they_are_known() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_000_000_000, "2001-09-09T01:46:40.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            let moment = Moment(WallTime::from_secs(secs));
            assert_eq!(moment.to_string(), text);
            assert_eq!(text.parse(), Ok(moment));
        }
    }

    #[test]
    fn every_day_of_five_centuries_reads_back() {
        for day in 0..182_621 {
            let moment = Moment(WallTime::from_millis(day * DAY + 1));
            assert_eq!(moment.to_string().parse(), Ok(moment));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-05-01",
            "2026-02-30T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-05-01T24:00:00.000Z",
            "2026-05-01 14:03:59.120Z",
            "2026-05-01T14:03:59.120",
            "1969-12-31T00:00:00.000Z",
            "2026-05-0\u{e4}T14:03:59.120Z",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
