//! A message's body in JSON: text where it is text, base64 where it is not.

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A body, as `{"text": ".."}` or `{"base64": ".."}`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Body(pub Vec<u8>);

impl Body {
    /// The text, where it goes as that: UTF-8 whose JSON is no longer than its base64. So a line
    /// with the largest body has a bound, whatever its bytes.
    pub fn as_text(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.0).ok()?;
        let escaped: usize = text.bytes().map(escaped_length).sum();
        (escaped <= BASE64.encode_len(self.0.len())).then_some(text)
    }
}

/// Bytes that this byte of UTF-8 takes in a JSON string, at most.
fn escaped_length(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Written {
    Text(String),
    Base64(String),
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let written = match self.as_text() {
            Some(text) => Written::Text(text.into()),
            None => Written::Base64(BASE64.encode(&self.0)),
        };
        written.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Written::deserialize(from)? {
            Written::Text(text) => Ok(Self(text.into_bytes())),
            Written::Base64(text) => {
                let bytes = BASE64.decode(text.as_bytes());
                bytes.map(Self).map_err(|_| de::Error::custom("the base64 of a body is malformed"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use meshwork_protocols::wire::MAX_BODY;

    use super::Body;
    use crate::control::MAX_LINE;

    fn written(body: &[u8]) -> String {
        serde_json::to_string(&Body(body.to_vec())).unwrap()
    }

    #[test]
    fn text_goes_as_text_and_the_rest_as_base64() {
        assert_eq!(written(b"hi \"you\""), r#"{"text":"hi \"you\""}"#);
        assert_eq!(written(b"\xff\x00"), r#"{"base64":"/wA="}"#);
        assert_eq!(written(b""), r#"{"text":""}"#);
    }

    #[test]
    fn every_body_reads_back() {
        for body in [&b"hi"[..], b"", b"\0\0\0", b"\xff", "\u{1f980}\n".as_bytes()] {
            let read: Body = serde_json::from_str(&written(body)).unwrap();
            assert_eq!(read.0, body);
        }
        for wrong in [r#"{"base64":"?"}"#, r#"{"text":1}"#, r#"{}"#, r#""hi""#] {
            assert!(serde_json::from_str::<Body>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_largest_body_fits_a_line_whatever_its_bytes() {
        for byte in [0, b'\n', b'"', b'a', 0xff] {
            assert!(written(&vec![byte; MAX_BODY]).len() < MAX_LINE - 4_096, "{byte}");
        }
    }
}
