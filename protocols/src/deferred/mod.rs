//! Messages to an agent that is away: sealed now, to keys that it published, and healing with every
//! message that follows.
//!
//! - [`braid`]: the sparse post-quantum ratchet, which agrees on a fresh secret in the background of
//!   a conversation.

pub mod braid;
