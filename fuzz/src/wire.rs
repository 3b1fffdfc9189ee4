//! What travels inside a session.

use meshwork_protocols::wire::{Frame, MAX_BODY, MAX_FRAME, Message};

/// A frame that was read is written in a way that reads back as the same.
pub fn frame(data: &[u8]) {
    let Ok(frame) = Frame::decode(data) else { return };
    assert!(data.len() <= MAX_FRAME);
    assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
}

/// A message that was read is within its bounds, and reads back as the same.
pub fn message(data: &[u8]) {
    let Ok(message) = Message::decode(data) else { return };
    assert!(message.body.len() <= MAX_BODY);
    assert_eq!(Message::decode(message.encode().expose()), Ok(message));
}
