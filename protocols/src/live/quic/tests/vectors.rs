//! The constants of this version, and where they come from.

use alloc::sync::Arc;
use alloc::vec::Vec;

use quinn_proto::{ConnectionId, Side};

use crate::live::fixture::{aws, pure};
use crate::live::quic::initial::{InitialProtection, SALT};
use crate::live::quic::protection::expand;
use crate::live::quic::retry;
use crate::secret::Secret;

#[test]
fn the_salt_and_the_retry_key_are_the_hashes_of_their_names() {
    let hash = |name: &str| aws().digest(&[b"meshwork quic 1 ", name.as_bytes()]);
    assert_eq!(SALT, hash("salt")[..20]);
    assert_eq!(retry::KEY, hash("retry key"));
    assert_eq!(retry::NONCE, hash("retry nonce")[..12]);
}

/// HKDF-Expand with the label in RFC 8446's form, against the provider's HKDF.
#[test]
fn a_secret_expands_as_hkdf_does() {
    // Extract, so that expanding its result again is comparable.
    let (salt, input) = ([1; 20], [2; 32]);
    let extracted = pure().hmac_sha256(&salt, &[&input]);
    for (label, length) in [("key", 32_u8), ("iv", 12), ("hp", 32), ("ku", 32)] {
        let mut info = Vec::from([0, length]);
        let label = ["meshwork quic ", label].concat();
        info.push(u8::try_from(label.len()).unwrap());
        info.extend_from_slice(label.as_bytes());
        info.push(0);
        let mut expected = [0; 32];
        let expected = &mut expected[..usize::from(length)];
        pure().hkdf_sha256(&salt, &input, &info, expected).unwrap();
        let name = label.strip_prefix("meshwork quic ").unwrap().as_bytes();
        for provider in [pure(), aws()] {
            let got = expand(provider.as_ref(), &extracted, name, length);
            assert_eq!(&got.expose()[..usize::from(length)], expected);
        }
    }
    assert_ne!(
        expand(aws().as_ref(), &Secret::new([1; 32]), b"key", 32),
        expand(aws().as_ref(), &Secret::new([1; 32]), b"hp", 32)
    );
}

#[test]
fn both_sides_make_the_same_initial_keys_and_no_other_connection_does() {
    let initial = InitialProtection::new(Arc::clone(&aws())).unwrap();
    let keys = |id: u8, side| initial.keys(&ConnectionId::new(&[id; 8]), side);
    let mut packet = [7; 64];
    keys(1, Side::Client).packet.local.encrypt(3, &mut packet, 10);
    let open = |id| {
        let mut payload = bytes::BytesMut::from(&packet[10..]);
        keys(id, Side::Server).packet.remote.decrypt(3, &packet[..10], &mut payload).is_ok()
    };
    assert!(open(1) && !open(2));
}
