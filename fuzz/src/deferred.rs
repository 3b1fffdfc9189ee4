//! Deferred messages: what their decoders take, what strangers offer, what a store hands back, and
//! whole packets against correspondences that stand.

mod offers;
mod packets;
mod records;
mod writer;

pub use offers::{bundle, introduction, pool, pool_key};
pub use packets::{
    correspondence_open, deferred_key, envelope, first_message, plaintext, ratchet_message, repair,
};
pub use records::{correspondence_record, prekey_store, session_list};

pub(crate) use offers::{bundles, introductions, pool_keys, pools};
pub(crate) use packets::{
    deferred_keys, envelopes, first_messages, opened_packets, plaintexts, ratchet_messages, repairs,
};
pub(crate) use records::{correspondence_records, prekey_stores, session_lists};
