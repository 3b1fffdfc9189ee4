//! Every decoder of Meshwork, fed with bytes that anyone could have made.
//!
//! A target is a function of bytes that panics if something does not hold: nothing panics, what
//! decodes encodes to something that decodes alike, and what authenticates is what was made by who
//! holds the keys. `cargo fuzz` looks for bytes that break one; `cargo test` runs each file below
//! `corpus/` through its target.
//!
//! Knows the public interface of the crates alone.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a target tells what does not hold by panicking"
)]

mod agent;
mod braid;
mod call;
mod control;
mod deferred;
mod fleet;
mod groups;
mod identity;
mod live;
mod process;
mod quic;
mod relay;
mod router;
pub mod seeds;
mod state;
mod streams;
mod udp;
mod wire;

pub use braid::{braid_message, braid_receive, braid_record};
pub use call::{call_frame, calls};
pub use control::{control_reply, control_request};
pub use deferred::{
    bundle, correspondence_open, correspondence_record, deferred_key, envelope, first_message,
    introduction, plaintext, pool, pool_key, prekey_store, ratchet_message, repair, session_list,
};
pub use fleet::{
    fleet_charter, fleet_entry, fleet_invitation, fleet_offer, fleet_payload, fleet_posting,
    fleet_receive, fleet_roster, fleet_summons, fleet_word,
};
pub use groups::groups;
pub use identity::{agent_id, card, card_text, contact, endorsement, revocation, root_file};
pub use live::{
    answer, handshake_initiator, handshake_responder, hello, records, sealed_records, session,
};
pub use quic::{quic_handshake, quic_session};
pub use relay::{relay_answer, relay_nudge, relay_request};
pub use router::{delivery, peer_facts, router};
pub use state::{key_file, state_rows};
pub use streams::{file_header, streams};
pub use udp::{udp_content, udp_endpoint, udp_packet};
pub use wire::{frame, message};

/// A function of bytes that panics if something does not hold.
pub type Target = fn(&[u8]);

/// Every target under its name, which is also that of its binary and of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("agent_id", agent_id),
    ("answer", answer),
    ("braid_message", braid_message),
    ("braid_receive", braid_receive),
    ("braid_record", braid_record),
    ("bundle", bundle),
    ("call_frame", call_frame),
    ("calls", calls),
    ("card", card),
    ("card_text", card_text),
    ("contact", contact),
    ("control_reply", control_reply),
    ("control_request", control_request),
    ("correspondence_open", correspondence_open),
    ("correspondence_record", correspondence_record),
    ("deferred_key", deferred_key),
    ("delivery", delivery),
    ("endorsement", endorsement),
    ("envelope", envelope),
    ("file_header", file_header),
    ("first_message", first_message),
    ("fleet_charter", fleet_charter),
    ("fleet_entry", fleet_entry),
    ("fleet_invitation", fleet_invitation),
    ("fleet_offer", fleet_offer),
    ("fleet_payload", fleet_payload),
    ("fleet_posting", fleet_posting),
    ("fleet_receive", fleet_receive),
    ("fleet_roster", fleet_roster),
    ("fleet_summons", fleet_summons),
    ("fleet_word", fleet_word),
    ("frame", frame),
    ("groups", groups),
    ("handshake_initiator", handshake_initiator),
    ("handshake_responder", handshake_responder),
    ("hello", hello),
    ("introduction", introduction),
    ("key_file", key_file),
    ("message", message),
    ("peer_facts", peer_facts),
    ("plaintext", plaintext),
    ("pool", pool),
    ("pool_key", pool_key),
    ("prekey_store", prekey_store),
    ("quic_handshake", quic_handshake),
    ("quic_session", quic_session),
    ("ratchet_message", ratchet_message),
    ("records", records),
    ("relay_answer", relay_answer),
    ("relay_nudge", relay_nudge),
    ("relay_request", relay_request),
    ("repair", repair),
    ("revocation", revocation),
    ("root_file", root_file),
    ("router", router),
    ("sealed_records", sealed_records),
    ("session", session),
    ("session_list", session_list),
    ("state_rows", state_rows),
    ("streams", streams),
    ("udp_content", udp_content),
    ("udp_endpoint", udp_endpoint),
    ("udp_packet", udp_packet),
];
