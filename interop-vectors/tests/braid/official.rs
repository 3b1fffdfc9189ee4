//! The official client's stored ratchet, written as ours stores its own (`docs/wire-format.md` has
//! the form of the one, `data/ratchet/README.md` says where the other comes from).

use crate::protobuf::Fields;

/// A ratchet that the official client stored.
pub(crate) struct OfficialRatchet<'a>(Fields<'a>);

impl<'a> OfficialRatchet<'a> {
    /// The one of the current session in a record of sessions.
    pub(crate) fn in_record(record: &'a [u8]) -> Option<Self> {
        let session = Fields::read(Fields::read(record).find(1)?);
        session.find(15).map(|ratchet| Self(Fields::read(ratchet)))
    }

    /// The secret that it starts from, as long as it has no chains.
    pub(crate) fn unstarted(&self) -> Option<[u8; 32]> {
        match self.0.find(2) {
            Some(_) => None,
            None => Some(self.0.message(1).bytes(1).try_into().unwrap()),
        }
    }

    /// The number of the state that it is in.
    pub(crate) fn state(&self) -> u8 {
        self.0.message(3).only().0.try_into().unwrap()
    }

    /// The 32 bytes from which its encapsulation follows.
    pub(crate) fn encapsulation_message(&self) -> [u8; 32] {
        *self.0.message(3).only().1.message(1).bytes(4).last_chunk().unwrap()
    }

    /// Our record of it.
    pub(crate) fn to_record(&self) -> Vec<u8> {
        let mut record = vec![1, self.state()];
        let chain = self.0.message(2);
        let (newest, sending) = (chain.number(2), chain.number(5));
        record.extend(newest.to_be_bytes());
        record.push(u8::try_from(newest - sending).unwrap());
        let (number, state) = self.0.message(3).only();
        let common = state.message(1);
        let authenticator = common.message(2);
        record.extend(authenticator.bytes(1));
        record.extend(authenticator.bytes(2));
        record.extend(chain.bytes(4));
        let links: Vec<_> = chain.every(3).map(Fields::read).collect();
        let oldest = newest + 1 - links.len() as u64;
        assert_eq!(oldest, sending.saturating_sub(1));
        for (link, epoch) in links.iter().zip(oldest..) {
            push_link(&mut record, link, epoch >= sending);
        }
        push_state(&mut record, number, &state, &common);
        record
    }
}

fn push_link(record: &mut Vec<u8>, link: &Fields<'_>, sends: bool) {
    if sends {
        push_chain(record, &link.message(1));
    }
    let receive = link.message(2);
    push_chain(record, &receive);
    let mut skipped: Vec<_> = receive.find(3).unwrap_or_default().chunks(36).collect();
    skipped.sort_unstable();
    record.extend(u16::try_from(skipped.len()).unwrap().to_be_bytes());
    record.extend(skipped.concat());
}

fn push_chain(record: &mut Vec<u8>, chain: &Fields<'_>) {
    record.extend(u32::try_from(chain.number(1)).unwrap().to_be_bytes());
    record.extend(chain.bytes(2));
}

fn push_state(record: &mut Vec<u8>, number: u64, state: &Fields<'_>, common: &Fields<'_>) {
    match number {
        1 => {}
        2 => {
            record.extend(common.bytes(4));
            push_sent(record, &state.message(2), true);
        }
        3 => {
            record.extend(common.bytes(3));
            push_sent(record, &state.message(2), false);
            push_received(record, &state.message(3));
        }
        4 => {
            record.extend(common.bytes(3));
            push_sent(record, &state.message(2), false);
            record.extend(common.bytes(4));
        }
        5 => {
            record.extend(common.bytes(3));
            record.extend(common.bytes(4));
            push_received(record, &state.message(3));
        }
        6 => push_received(record, &state.message(2)),
        7 => record.extend(common.bytes(3)),
        8 => {
            push_encapsulation(record, common);
            push_sent(record, &state.message(2), true);
            push_received(record, &state.message(3));
        }
        10 => {
            push_encapsulation(record, common);
            push_received(record, &state.message(2));
        }
        11 => push_sent(record, &state.message(2), true),
        other => panic!("no transcript has state {other}"),
    }
}

/// The header, and the last part of what the client keeps of an encapsulation.
fn push_encapsulation(record: &mut Vec<u8>, common: &Fields<'_>) {
    record.extend(common.bytes(3));
    record.extend(common.bytes(4).last_chunk::<32>().unwrap());
}

/// A transfer on its way out: sixteen polynomials, and the number of the next chunk.
fn push_sent(record: &mut Vec<u8>, encoder: &Fields<'_>, whole: bool) {
    // By their values, or once those are used up, by their coefficients.
    let values: Vec<_> = encoder.every(2).map(symbols).collect();
    let coefficients: Vec<_> = encoder.every(3).map(symbols).collect();
    let chunks = values.iter().chain(&coefficients).map(Vec::len).max().unwrap();
    for at in (0..chunks).filter(|_| whole) {
        let point = u16::try_from(at).unwrap();
        let symbols = values.iter().map(|values| values[at]);
        let computed = coefficients.iter().map(|coefficients| evaluate(coefficients, point));
        record.extend(symbols.chain(computed).flat_map(u16::to_be_bytes));
    }
    record.extend(u16::try_from(encoder.number(1)).unwrap().to_be_bytes());
}

/// A transfer on its way in: of each polynomial the points so far.
fn push_received(record: &mut Vec<u8>, decoder: &Fields<'_>) {
    let polynomials: Vec<_> = decoder
        .every(3)
        .map(|points| {
            let mut points: Vec<_> = points.chunks(4).collect();
            points.sort_unstable();
            points
        })
        .collect();
    let count = polynomials[0].len();
    record.push(u8::try_from(count).unwrap());
    for at in 0..count {
        record.extend(&polynomials[0][at][..2]);
        record.extend(polynomials.iter().flat_map(|points| &points[at][2..]));
    }
}

fn symbols(bytes: &[u8]) -> Vec<u16> {
    bytes.as_chunks().0.iter().map(|bytes| u16::from_be_bytes(*bytes)).collect()
}

/// Horner's rule over GF(2^16), from the lowest coefficient on.
fn evaluate(coefficients: &[u16], at: u16) -> u16 {
    coefficients.iter().rev().fold(0, |value, coefficient| multiply(value, at) ^ coefficient)
}

fn multiply(left: u16, right: u16) -> u16 {
    (0..16).rev().fold(0_u16, |product, bit| {
        let doubled = product << 1 ^ if product >> 15 == 1 { 0x100b } else { 0 };
        doubled ^ if right >> bit & 1 == 1 { left } else { 0 }
    })
}
