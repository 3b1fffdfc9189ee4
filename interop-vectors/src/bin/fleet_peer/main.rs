//! Our fleets as a test peer: one JSON command a line on standard input, one JSON answer a line on
//! standard output. All that it draws follows from the numbers of its agents, so that the same
//! commands have the same answers: a recorded run is checked again without the other side.
//!
//! | command | takes | gives |
//! |---|---|---|
//! | `new` | `id`, `suite`, `number` | `agent` |
//! | `stranger` | `id`, `suite`, `number`, `public` (its Ed25519 key) | `credential` |
//! | `vouch` | `id` of a stranger, `package` | |
//! | `offer` | `id` | `package`, `associated` (of a commit that adds it alone) |
//! | `charter` | `admins` (ids) | `charter` |
//! | `found` | `id`, `admins` | `epoch`, `authenticator` |
//! | `commit` | `id`, perhaps `add` and `remove` (ids), `rotate` | `commit`, `welcomes`, `tree`, `epoch`, `authenticator` |
//! | `join` | `id`, `welcome`, `tree` | `members`, `epoch`, `authenticator` |
//! | `seal` | `id`, `payload` | `message` |
//! | `receive` | `id`, `commit` or `message` | `received`, and `payload` or `epoch` and `authenticator` |
//! | `agree` | `id`, `epoch`, `authenticator` of the other side | |
//!
//! Bytes are hexadecimal. A stranger is an agent of the other side: its card and its signing pair are
//! here, its fleet key is not. Each agent is in one group at a time. Each answer has `ok`, and if it
//! is false `error`.

mod agent;
mod command;

use std::io;

use meshwork_interop_vectors::lines;

use self::command::Peer;

fn main() -> io::Result<()> {
    let mut peer = Peer::default();
    lines::answer(|line| peer.answer(line))
}
