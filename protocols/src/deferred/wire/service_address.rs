//! The names by which the official client's servers know who a message is from and for.

use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::WireError;

/// An account and one of its devices.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct ServiceAddress {
    /// The kind of name, then the UUID.
    account: ([u8; 1], [u8; 16]),
    device: u8,
}

impl ServiceAddress {
    /// Device `device`, from 1 to 127, of the account with the name `account`: a UUID, or one with
    /// `PNI:` before it.
    pub fn new(account: &str, device: u8) -> Result<Self, WireError> {
        let (kind, uuid) = match account.strip_prefix("PNI:") {
            Some(uuid) => (1, uuid),
            None => (0, account),
        };
        if !(1..=127).contains(&device) {
            return Err(WireError::MalformedAddress);
        }
        Ok(Self { account: ([kind], uuid.parse::<Uuid>()?.0), device })
    }

    /// Sender and recipient as a first message shows them.
    pub(in crate::deferred) fn pair(sender: &Self, recipient: &Self) -> [u8; ADDRESSES_LENGTH] {
        let mut out = [0; ADDRESSES_LENGTH];
        let bytes = [sender, recipient].into_iter().flat_map(|address| {
            address.account.0.into_iter().chain(address.account.1).chain([address.device])
        });
        for (to, from) in out.iter_mut().zip(bytes) {
            *to = from;
        }
        out
    }
}

/// Sixteen bytes, written with hyphens.
struct Uuid([u8; 16]);

impl FromStr for Uuid {
    type Err = WireError;

    fn from_str(text: &str) -> Result<Self, WireError> {
        let hyphens = [8, 13, 18, 23];
        let placed =
            text.bytes().enumerate().all(|(at, byte)| (byte == b'-') == hyphens.contains(&at));
        let digits: alloc::vec::Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(&digits);
        match bytes.map(TryInto::try_into) {
            Ok(Ok(bytes)) if placed => Ok(Self(bytes)),
            _ => Err(WireError::MalformedAddress),
        }
    }
}

/// Bytes of sender and recipient together.
pub const ADDRESSES_LENGTH: usize = 2 * (1 + 16 + 1);

#[cfg(test)]
mod tests {
    use super::{ServiceAddress, WireError};

    const UUID: &str = "9d0652a3-dcc3-4d11-975f-74d61598733f";

    #[test]
    fn a_pair_is_kind_uuid_and_device_of_both() {
        let sender = ServiceAddress::new(UUID, 1).unwrap();
        let recipient = ServiceAddress::new("PNI:796abedb-ca4e-4f18-8803-1fde5b921f9f", 3).unwrap();
        let pair = ServiceAddress::pair(&sender, &recipient);
        assert_eq!(
            data_encoding::HEXLOWER.encode(&pair),
            "009d0652a3dcc34d11975f74d61598733f0101796abedbca4e4f1888031fde5b921f9f03"
        );
    }

    #[test]
    fn what_is_no_service_address_is_refused() {
        for (name, device) in [("alice", 1), (UUID, 0), (UUID, 128), (&UUID[1..], 1), ("", 1)] {
            assert_eq!(ServiceAddress::new(name, device), Err(WireError::MalformedAddress));
        }
        let moved = UUID.replace("9d06-52a3", "").replace('-', "");
        assert_eq!(ServiceAddress::new(&moved, 1), Err(WireError::MalformedAddress));
    }
}
