//! Braids that talk, that are lied to, and that are stored.

extern crate std;

mod conversation;
mod known_answers;
mod lies;
mod limits;
mod recovery;
mod storage;
mod talk;
