//! A message as both ends keep it: what is inside the encryption, whatever carries it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::random::Random;
use crate::secret::SecretBytes;
use crate::time::WallTime;

/// The largest body. More belongs into a stream, which can be resumed and has backpressure.
pub const MAX_BODY: usize = 1 << 20;

/// The longest time a message may be tried. A receiver keeps its dedupe row that long.
pub const MAX_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The longest content type: room for any registered media type.
const MAX_CONTENT_TYPE: usize = 127;

/// Names a message among those of its sender, over all attempts and protocols.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct MessageId([u8; 16]);

impl MessageId {
    /// Draws a fresh id.
    pub fn random(random: &mut dyn Random) -> Self {
        Self(random.array())
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

impl FromStr for MessageId {
    type Err = MessageError;

    fn from_str(text: &str) -> Result<Self, MessageError> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE
            .decode(text.as_bytes())
            .map_err(|_| MessageError::MalformedId)?;
        bytes.try_into().map(Self).map_err(|_| MessageError::MalformedId)
    }
}

/// What the body is: a media type, or any short name that both applications know.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentType(String);

impl ContentType {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContentType {
    type Err = MessageError;

    fn from_str(text: &str) -> Result<Self, MessageError> {
        let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if text.len() > MAX_CONTENT_TYPE || !printable {
            return Err(MessageError::MalformedContentType);
        }
        Ok(Self(text.to_string()))
    }
}

impl TryFrom<String> for ContentType {
    type Error = MessageError;

    fn try_from(text: String) -> Result<Self, MessageError> {
        text.parse()
    }
}

impl From<ContentType> for String {
    fn from(content_type: ContentType) -> Self {
        content_type.0
    }
}

/// A place in a conversation, the sequence of ordered messages from one agent to another.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Place {
    /// Names the conversation; a sender whose state was restored begins a new one.
    pub conversation: [u8; 8],
    /// Counted from zero.
    pub number: u64,
}

/// A message. Its encoding is what the dedupe row's hash covers, so nothing in it may differ
/// between two attempts.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Message {
    /// Names it, for its sender.
    pub id: MessageId,
    /// When the sender accepted it, by the sender's clock.
    pub created: WallTime,
    /// When the sender stops trying; at most [`MAX_LIFETIME`] after `created`.
    pub expires: WallTime,
    /// Its place among the ordered messages to this receiver, if it is one of them.
    pub order: Option<Place>,
    /// What the body is.
    pub content_type: ContentType,
    /// The body.
    #[serde(with = "super::bytes")]
    pub body: Vec<u8>,
}

impl Message {
    /// The encoding: what is stored, hashed and sent.
    pub fn encode(&self) -> SecretBytes {
        // A vector always has room, and the types have no map of unknown length.
        SecretBytes::new(postcard::to_allocvec(self).unwrap_or_default())
    }

    /// Reads an encoding and checks its bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let message: Self = super::decode(bytes).ok_or(MessageError::Malformed)?;
        if message.body.len() > MAX_BODY {
            return Err(MessageError::TooLarge);
        }
        if message.expires.saturating_since(message.created) > MAX_LIFETIME {
            return Err(MessageError::LivesTooLong);
        }
        Ok(message)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("created", &self.created)
            .field("expires", &self.expires)
            .field("order", &self.order)
            .field("content_type", &self.content_type)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}

/// Why bytes or text are not a message, or a part of one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Not the encoding of a message, or bytes stand behind it.
    #[error("not a message")]
    Malformed,
    /// The body exceeds [`MAX_BODY`].
    #[error("the body is larger than {MAX_BODY} bytes")]
    TooLarge,
    /// The expiry is more than [`MAX_LIFETIME`] after the creation.
    #[error("the expiry is more than 30 days after the creation")]
    LivesTooLong,
    /// Not 32 hexadecimal digits.
    #[error("a message id is 32 hexadecimal digits")]
    MalformedId,
    /// Too long, or not printable ASCII.
    #[error("a content type is at most {MAX_CONTENT_TYPE} printable ASCII characters")]
    MalformedContentType,
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn message() -> Message {
        Message {
            id: MessageId::from_bytes([7; 16]),
            created: WallTime::from_secs(1_000),
            expires: WallTime::from_secs(1_000) + MAX_LIFETIME,
            order: Some(Place { conversation: [4; 8], number: 3 }),
            content_type: "text/plain".parse().unwrap(),
            body: vec![1, 2, 3],
        }
    }

    #[test]
    fn a_message_survives_its_encoding() {
        assert_eq!(Message::decode(message().encode().expose()), Ok(message()));
    }

    #[test]
    fn every_truncation_and_a_trailing_byte_are_refused() {
        let encoded = message().encode();
        for end in 0..encoded.len() {
            assert!(Message::decode(&encoded.expose()[..end]).is_err(), "cut at {end}");
        }
        let mut longer = encoded.expose().to_vec();
        longer.push(0);
        assert_eq!(Message::decode(&longer), Err(MessageError::Malformed));
    }

    /// Else one message would have two hashes, and its second copy would look like another one.
    #[test]
    fn an_overlong_integer_is_refused() {
        let encoded = message().encode();
        let (id, rest) = encoded.expose().split_at(16);
        let created = rest.iter().position(|byte| *byte < 0x80).unwrap();
        let (created, rest) = rest.split_at(created + 1);
        let (last, first) = created.split_last().unwrap();
        let overlong = [id, first, &[last | 0x80, 0], rest].concat();
        assert!(postcard::from_bytes::<Message>(&overlong).is_ok_and(|same| same == message()));
        assert_eq!(Message::decode(&overlong), Err(MessageError::Malformed));
    }

    #[test]
    fn the_bounds_hold_at_and_one_past() {
        let mut large = message();
        large.body = vec![0; MAX_BODY];
        assert!(Message::decode(large.encode().expose()).is_ok());
        large.body.push(0);
        assert_eq!(Message::decode(large.encode().expose()), Err(MessageError::TooLarge));

        let mut long = message();
        long.expires = long.expires + Duration::from_millis(1);
        assert_eq!(Message::decode(long.encode().expose()), Err(MessageError::LivesTooLong));

        assert!("x".repeat(MAX_CONTENT_TYPE).parse::<ContentType>().is_ok());
        assert!("x".repeat(MAX_CONTENT_TYPE + 1).parse::<ContentType>().is_err());
        assert!("line\nbreak".parse::<ContentType>().is_err());
    }

    #[test]
    fn debug_shows_no_byte_of_the_body() {
        assert!(alloc::format!("{:?}", message()).contains("3 bytes"));
    }

    #[test]
    fn an_id_survives_its_text() {
        let id = MessageId::from_bytes([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("ab".parse::<MessageId>().is_err());
    }
}
