use alloc::vec::Vec;

use super::{Card, CardError};
use crate::identity::Unverified;
use crate::identity::fixture::{NOW, PROVIDER, card};

fn read(bytes: &[u8]) -> Result<Card, CardError> {
    Unverified::<Card>::parse(bytes)?.verify(PROVIDER, NOW)
}

#[test]
fn a_card_reads_back_as_it_was_signed() {
    let card = card(1);
    assert_eq!(read(card.as_bytes()), Ok(card));
}

#[test]
fn each_flipped_bit_is_refused() {
    let card = card(1);
    let mut bytes: Vec<u8> = card.as_bytes().into();
    for index in 0..bytes.len() {
        let bit = 1 << (index % 8);
        bytes[index] ^= bit;
        assert!(read(&bytes).is_err(), "byte {index}");
        bytes[index] ^= bit;
    }
    assert_eq!(read(&bytes), Ok(card));
}
