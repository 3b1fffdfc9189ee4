//! Datagrams: bytes that arrive at most once, or not at all, and of which nothing is kept.
//!
//! A frame of the type byte 0x30 and the bytes. Knows nothing of who wants them.

use alloc::vec::Vec;

use super::traffic::DATAGRAM;

/// The longest datagram: what one packet of UDP or QUIC carries on any path, with everything
/// around it. TCP keeps to it too, so that an application sees no difference.
pub const MAX_DATAGRAM: usize = 1_100;

/// The frame of a datagram; `None` for one that is too long.
pub fn encode(datagram: &[u8]) -> Option<Vec<u8>> {
    if datagram.len() > MAX_DATAGRAM {
        return None;
    }
    let mut frame = Vec::with_capacity(1 + datagram.len());
    frame.push(DATAGRAM);
    frame.extend_from_slice(datagram);
    Some(frame)
}

/// The datagram in a frame; `None` where it is none, or too long.
pub fn decode(frame: &[u8]) -> Option<&[u8]> {
    match frame.split_first() {
        Some((&DATAGRAM, datagram)) if datagram.len() <= MAX_DATAGRAM => Some(datagram),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_reads_back_up_to_the_bound_and_not_one_past() {
        let mut most = alloc::vec![7; MAX_DATAGRAM];
        let mut frame = encode(&most).unwrap();
        assert_eq!(decode(&frame), Some(&most[..]));
        frame.push(7);
        most.push(7);
        assert_eq!((encode(&most), decode(&frame)), (None, None));
        assert_eq!(decode(&encode(&[]).unwrap()), Some(&[][..]));
        assert_eq!((decode(&[]), decode(&[0x31, 1])), (None, None));
    }
}
