//! Peer-to-peer messaging for software agents: one `send`, and the message arrives once.
