//! Our deferred protocol as a test peer: suite 0x08, one JSON command a line on standard input, one
//! JSON answer a line on standard output. Any driver can so pair it with the official client.
//!
//! | command | takes | gives |
//! |---|---|---|
//! | `new` | `id`, `name`, `device`, `reg`, perhaps `identity_private` | `identity_key`, `identity_private` |
//! | `prekeys` | `id`, perhaps `spk`, `pre`, `kyber` (numbers) | `public` (a bundle), `private` |
//! | `process` | `id`, `peer`, `bundle` | |
//! | `encrypt` | `id`, `peer`, `plaintext` | `type` (3 for a first message, else 2), `wire` |
//! | `decrypt` | `id`, `peer`, `type`, `wire` | `plaintext` |
//! | `session` | `id`, `peer` | `record`, or null |
//! | `archive` | `id`, `peer` | |
//! | `sign` | `id`, `data` | `signature` |
//! | `verify` | `pub`, `data`, `signature` | `valid` |
//!
//! A peer is `{"name": .., "device": ..}`; bytes are hexadecimal. Each answer has `ok`, and if it is
//! false `code` and `error`.

mod command;
mod party;

use std::io;

use meshwork_interop_vectors::lines;

use self::command::Peer;

fn main() -> io::Result<()> {
    let mut peer = Peer::default();
    lines::answer(|line| peer.answer(line))
}
