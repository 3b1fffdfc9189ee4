//! The one mixing function: fast, keyed by what it has taken in, and not cryptographic.

/// What a mixing is for; none gives the result of another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Domain {
    Hash = 1,
    Mac,
    Extract,
    Expand,
    DhExponent,
    DhPadding,
    DhShared,
    DhNobody,
    KemPublic,
    KemMask,
    KemShared,
    KemNobody,
    SigningPublic,
    Signature,
    AeadStream,
    AeadTag,
    Sha3,
    Shake,
    XEdDsa,
    BlockStream,
}

/// A mixing under way: four lanes, folded by 64 x 64 -> 128 bit multiplication.
#[derive(Clone)]
pub(super) struct Mixer {
    lanes: [u64; 4],
    partial: [u8; BLOCK],
    filled: usize,
    length: u64,
}

impl Mixer {
    pub(super) fn new(domain: Domain) -> Self {
        let [a, b, c, d] = MULTIPLIERS;
        Self { lanes: [a ^ domain as u64, b, c, d], partial: [0; BLOCK], filled: 0, length: 0 }
    }

    /// Takes in bytes; where one call ends and the next begins makes no difference.
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        if self.filled > 0 {
            let (head, rest) = bytes.split_at(bytes.len().min(BLOCK - self.filled));
            for (to, from) in self.partial.iter_mut().skip(self.filled).zip(head) {
                *to = *from;
            }
            self.filled += head.len();
            if self.filled < BLOCK {
                return;
            }
            let block = self.partial;
            self.absorb(&block);
            self.filled = 0;
            bytes = rest;
        }
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        for block in blocks {
            self.absorb(block);
        }
        for (to, from) in self.partial.iter_mut().zip(rest) {
            *to = *from;
        }
        self.filled = rest.len();
    }

    /// Takes in bytes and how many they are, so that two such calls differ from any one.
    pub(super) fn with_sized(mut self, bytes: &[u8]) -> Self {
        self.update(&(bytes.len() as u64).to_le_bytes());
        self.update(bytes);
        self
    }

    /// The 32 bytes that all of it comes to.
    pub(super) fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        self.expand(&mut out);
        out
    }

    /// As many bytes as `out` has; the first 32 are those of [`Mixer::finish`].
    pub(super) fn expand(mut self, out: &mut [u8]) {
        let mut last = [0; BLOCK];
        for (to, from) in last.iter_mut().zip(self.partial).take(self.filled) {
            *to = from;
        }
        self.absorb(&last);
        let mut length = [0; BLOCK];
        *length.first_chunk_mut().unwrap_or(&mut [0; 8]) = self.length.to_le_bytes();
        // Enough rounds for each lane to reach each other one twice.
        for _ in 0..6 {
            self.absorb(&length);
        }
        for chunk in out.chunks_mut(BLOCK) {
            for (to, lane) in chunk.chunks_mut(8).zip(self.lanes) {
                for (to, from) in to.iter_mut().zip(finished(lane).to_le_bytes()) {
                    *to = from;
                }
            }
            self.absorb(&length);
        }
    }

    fn absorb(&mut self, block: &[u8; BLOCK]) {
        let (words, _) = block.as_chunks::<8>();
        let neighbours = {
            let [a, b, c, d] = self.lanes;
            [b, c, d, a]
        };
        for (((lane, word), multiplier), neighbour) in
            self.lanes.iter_mut().zip(words).zip(MULTIPLIERS).zip(neighbours)
        {
            let mixed = fold(*lane ^ u64::from_le_bytes(*word), multiplier);
            *lane = mixed.wrapping_add(neighbour.rotate_left(29));
        }
    }
}

/// Both halves of the product, one over the other.
#[allow(clippy::cast_possible_truncation, reason = "the two halves are what is wanted")]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// A lane as it goes out, so that what is seen does not give the lane.
fn finished(lane: u64) -> u64 {
    fold(lane ^ (lane >> 32), 0xd6e8_feb8_6659_fd93)
}

/// Odd, with about as many ones as zeros: digits of pi.
const MULTIPLIERS: [u64; 4] =
    [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345, 0xa409_3822_299f_31d1, 0x082e_fa98_ec4e_6c89];

/// What is taken in at once.
const BLOCK: usize = 32;
