//! What rides on messages 1 and 2: the protocol spoken above QUIC, and the transport parameters.
//!
//! ```text
//! u8 length || protocol || transport parameters (RFC 9000, section 18)
//! ```
//!
//! In message 1 it is in clear and hashed, in message 2 sealed. Connection ids, which stand among
//! the parameters, are authenticated by this.

use alloc::vec::Vec;

use quinn_proto::transport_parameters::TransportParameters;

use super::refusal::Refusal;

/// The protocol above QUIC.
pub(super) const PROTOCOL: &[u8] = b"meshwork/1";

/// The payload that offers, or takes, `protocol`.
pub(super) fn encode(protocol: &[u8], parameters: &TransportParameters) -> Vec<u8> {
    let length = u8::try_from(protocol.len()).unwrap_or(0);
    let mut payload = alloc::vec![length];
    payload.extend(protocol.iter().take(usize::from(length)));
    parameters.write(&mut payload);
    payload
}

/// The parameters of one who speaks our protocol, still encoded.
pub(super) fn decode(payload: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (length, rest) = payload.split_first().ok_or(Refusal::Malformed)?;
    let (protocol, parameters) =
        rest.split_at_checked(usize::from(*length)).ok_or(Refusal::Malformed)?;
    if protocol != PROTOCOL {
        return Err(Refusal::ProtocolNotSpoken);
    }
    Ok(parameters.to_vec())
}
