//! What travels inside a session.

use meshwork_protocols::wire::{Frame, MAX_BODY, MAX_FRAME, Message};

/// A frame has one encoding, unless it is of a kind that is skipped.
pub fn frame(data: &[u8]) {
    let Ok(frame) = Frame::decode(data) else { return };
    assert!(data.len() <= MAX_FRAME);
    match frame {
        Frame::Skipped(kind) => assert_eq!(data.first(), Some(&kind)),
        frame => assert_eq!(frame.encode(), data),
    }
}

/// A message is within its bounds and has one encoding.
pub fn message(data: &[u8]) {
    let Ok(message) = Message::decode(data) else { return };
    assert!(message.body.len() <= MAX_BODY);
    assert_eq!(message.encode().expose(), data);
}
