//! The one thing that a side says before the other is accepted, on its way: said again, part by
//! part, until the other side has heard all of it. Knows nothing of keys, nor of what it says.

use alloc::vec::Vec;

use super::super::hello::MAX_HELLO;
use super::content::{Content, HELLO_CHUNK};
use super::parts::Cut;
use super::retry::Retry;
use crate::time::Timestamp;

/// How a Hello is cut.
pub(super) const HELLO_CUT: Cut =
    Cut { chunk: HELLO_CHUNK, parts: MAX_HELLO.div_ceil(HELLO_CHUNK) };

/// What is said, and what of it was heard.
#[derive(Debug)]
pub(super) struct Greeting {
    message: Vec<u8>,
    replaces: u32,
    heard: u32,
    retry: Retry,
}

impl Greeting {
    /// Said for the first time now, by who is to say its parts.
    pub(super) fn new(now: Timestamp, message: Vec<u8>, replaces: u32) -> Self {
        Self { message, replaces, heard: 0, retry: Retry::new(now) }
    }

    /// The parts that were not heard.
    pub(super) fn unheard(&self) -> impl Iterator<Item = Content<'_>> {
        HELLO_CUT
            .cut(&self.message)
            .filter(|part| self.heard & (1 << part.number) == 0)
            .map(|part| Content::Hello { replaces: self.replaces, part })
    }

    /// These parts were heard. What is missing then is soon said again.
    pub(super) fn heard(&mut self, now: Timestamp, parts: u32) {
        if parts & !self.heard != 0 {
            self.heard |= parts;
            self.retry = Retry::new(now);
        }
    }

    /// Whether all was heard.
    pub(super) fn is_heard(&self) -> bool {
        self.unheard().next().is_none()
    }

    /// When it is to be said again.
    pub(super) fn due(&self) -> Timestamp {
        self.retry.at()
    }

    /// Whether it is to be said again now.
    pub(super) fn is_due(&mut self, now: Timestamp) -> bool {
        self.retry.is_due(now)
    }
}

const _: () = assert!(HELLO_CUT.parts <= 32);
