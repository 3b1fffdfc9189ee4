//! An erasure code: a transfer is cut into chunks of 32 bytes, and any of its chunks, as many as it
//! was cut into, give it back.
//!
//! The sixteen elements of chunk k are the values, at k, of sixteen polynomials over GF(2^16). The
//! first chunks are the transfer itself; every later one is worth as much as any of them, so that a
//! sender can go on without knowing what was lost. Transfers are public keys and ciphertexts: none
//! is secret. Knows nothing of what a transfer is.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::gf::{ROW, combine, invert, multiply};

/// Bytes of a chunk.
pub const CHUNK_LENGTH: usize = ROW;

/// One chunk of a transfer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Chunk {
    /// Which of its transfer's chunks: where the polynomials are evaluated.
    pub index: u16,
    /// The values.
    pub data: [u8; CHUNK_LENGTH],
}

/// A whole transfer of `CHUNKS` chunks.
pub(super) type Whole<const CHUNKS: usize> = [[u8; CHUNK_LENGTH]; CHUNKS];

/// The transfer of these bytes, one after the other. They fill it.
pub(super) fn joined<const CHUNKS: usize>(parts: &[&[u8]]) -> Box<Whole<CHUNKS>> {
    let mut whole = Box::new([[0; CHUNK_LENGTH]; CHUNKS]);
    let bytes = parts.iter().copied().flatten();
    for (to, from) in whole.as_flattened_mut().iter_mut().zip(bytes) {
        *to = *from;
    }
    whole
}

/// A transfer on its way out.
#[derive(Clone, Debug)]
pub(super) struct Outgoing<const CHUNKS: usize> {
    whole: Arc<Whole<CHUNKS>>,
    next: u16,
}

impl<const CHUNKS: usize> Outgoing<CHUNKS> {
    const FIRST_POINTS: ([u16; CHUNKS], [u16; CHUNKS]) = first_points();

    /// The transfer of `whole`, whose next chunk is `next`.
    pub(super) fn resumed(whole: Box<Whole<CHUNKS>>, next: u16) -> Self {
        Self { whole: Arc::from(whole), next }
    }

    /// The transfer of these bytes, from its first chunk on.
    pub(super) fn new(parts: &[&[u8]]) -> Self {
        Self::resumed(joined(parts), 0)
    }

    /// The whole transfer.
    pub(super) fn whole(&self) -> &Whole<CHUNKS> {
        &self.whole
    }

    /// The index of the next chunk.
    pub(super) fn next(&self) -> u16 {
        self.next
    }

    /// The next chunk. After 65,536 of them they start again.
    pub(super) fn chunk(mut self) -> (Self, Chunk) {
        let index = self.next;
        self.next = index.wrapping_add(1);
        let data = match self.whole.get(usize::from(index)) {
            Some(data) => *data,
            None => {
                let (points, weights) = const { &Self::FIRST_POINTS };
                evaluate(points, weights, self.whole.as_slice(), index)
            }
        };
        (self, Chunk { index, data })
    }
}

/// A transfer on its way in.
#[derive(Clone, Debug, Default)]
pub(super) struct Incoming<const CHUNKS: usize> {
    /// Fewer than `CHUNKS`, in the rising order of their indexes, so that it does not matter in which
    /// they came.
    chunks: Arc<Vec<Chunk>>,
}

/// What a chunk made of a transfer.
pub(super) enum Progress<const CHUNKS: usize> {
    /// It takes more.
    Partial(Incoming<CHUNKS>),
    /// It is whole.
    Whole(Box<Whole<CHUNKS>>),
}

impl<const CHUNKS: usize> Incoming<CHUNKS> {
    /// The chunks so far, in rising order.
    pub(super) fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Takes a chunk. One whose index is there already adds nothing.
    pub(super) fn take(mut self, chunk: Chunk) -> Progress<CHUNKS> {
        let place = self.chunks.binary_search_by_key(&chunk.index, |taken| taken.index);
        let Err(place) = place else { return Progress::Partial(self) };
        let chunks = Arc::make_mut(&mut self.chunks);
        chunks.insert(place, chunk);
        if chunks.len() < CHUNKS {
            Progress::Partial(self)
        } else {
            Progress::Whole(restore(chunks))
        }
    }
}

/// The transfer that these chunks, as many as it was cut into, are of.
fn restore<const CHUNKS: usize>(chunks: &[Chunk]) -> Box<Whole<CHUNKS>> {
    let mut whole = Box::new([[0; CHUNK_LENGTH]; CHUNKS]);
    let mut missing = [true; CHUNKS];
    for chunk in chunks {
        let place = whole.iter_mut().zip(&mut missing).nth(usize::from(chunk.index));
        if let Some((data, missing)) = place {
            *data = chunk.data;
            *missing = false;
        }
    }
    if missing.contains(&true) {
        let points: Vec<_> = chunks.iter().map(|chunk| chunk.index).collect();
        let rows: Vec<_> = chunks.iter().map(|chunk| chunk.data).collect();
        let weights = each_weight(&points);
        for ((data, missing), index) in whole.iter_mut().zip(missing).zip(0..) {
            if missing {
                *data = evaluate(&points, &weights, &rows, index);
            }
        }
    }
    whole
}

/// What the polynomials that go through `rows` at `points` are at another point.
///
/// Lagrange: row i counts with the product, over each other point, of the distances to it from
/// `at`, over that of the distances from point i. The lower product is the weight.
fn evaluate(
    points: &[u16],
    weights: &[u16],
    rows: &[[u8; CHUNK_LENGTH]],
    at: u16,
) -> [u8; CHUNK_LENGTH] {
    let mut factors = weights.to_vec();
    // Every point but the i-th: those in front of it, then those behind it.
    let mut product = 1;
    for (factor, point) in factors.iter_mut().zip(points) {
        *factor = multiply(*factor, product);
        product = multiply(product, point ^ at);
    }
    let mut product = 1;
    for (factor, point) in factors.iter_mut().zip(points).rev() {
        *factor = multiply(*factor, product);
        product = multiply(product, point ^ at);
    }
    combine(&factors, rows)
}

fn each_weight(points: &[u16]) -> Vec<u16> {
    points.iter().map(|point| weight(points, *point)).collect()
}

/// One over the product of a point's distances to each other.
#[allow(clippy::indexing_slicing, reason = "a constant function has no iterators")]
const fn weight(points: &[u16], point: u16) -> u16 {
    let mut product = 1;
    let mut other = 0;
    while other < points.len() {
        if points[other] != point {
            product = multiply(product, points[other] ^ point);
        }
        other += 1;
    }
    invert(product)
}

/// The points of a sender, which counts from 0, and their weights, made by the compiler.
#[allow(clippy::indexing_slicing, reason = "a constant function has no iterators")]
#[allow(clippy::cast_possible_truncation, reason = "a transfer has few chunks")]
const fn first_points<const CHUNKS: usize>() -> ([u16; CHUNKS], [u16; CHUNKS]) {
    let (mut points, mut weights) = ([0; CHUNKS], [0; CHUNKS]);
    let mut at = 0;
    while at < CHUNKS {
        points[at] = at as u16;
        at += 1;
    }
    let mut at = 0;
    while at < CHUNKS {
        weights[at] = weight(&points, points[at]);
        at += 1;
    }
    (points, weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes without a pattern, the same in each run.
    fn bytes(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_u32;
        let next = |_| {
            state = state.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            state.to_be_bytes()[0]
        };
        (0..length).map(next).collect()
    }

    fn sent<const CHUNKS: usize>(bytes: &[u8], first: u16, count: usize) -> Vec<Chunk> {
        let mut outgoing = Outgoing::<CHUNKS>::resumed(joined(&[bytes]), first);
        let mut chunks = Vec::new();
        for _ in 0..count {
            let (next, chunk) = outgoing.chunk();
            outgoing = next;
            chunks.push(chunk);
        }
        chunks
    }

    fn received<const CHUNKS: usize>(chunks: &[Chunk]) -> Option<Vec<u8>> {
        let mut incoming = Incoming::<CHUNKS>::default();
        for chunk in chunks {
            match incoming.take(*chunk) {
                Progress::Partial(partial) => incoming = partial,
                Progress::Whole(whole) => return Some(whole.as_flattened().to_vec()),
            }
        }
        None
    }

    #[test]
    fn the_first_chunks_are_the_transfer_itself() {
        let bytes = bytes(160);
        for (chunk, expected) in sent::<5>(&bytes, 0, 5).iter().zip(bytes.chunks(32)) {
            assert_eq!(chunk.data, expected);
        }
    }

    #[test]
    fn any_chunks_as_many_as_it_was_cut_into_give_a_transfer_back() {
        let bytes = bytes(1152);
        let chunks = sent::<36>(&bytes, 0, 200);
        for stride in [1, 2, 3, 5] {
            for first in [0, 1, 17, 19] {
                let some: Vec<_> = chunks.iter().skip(first).step_by(stride).copied().collect();
                assert_eq!(received::<36>(&some).as_ref(), Some(&bytes), "{first} {stride}");
                let reversed: Vec<_> = some.iter().take(36).rev().copied().collect();
                assert_eq!(received::<36>(&reversed).as_ref(), Some(&bytes), "{first} {stride}");
                assert_eq!(received::<36>(&reversed[1..]), None);
            }
        }
    }

    #[test]
    fn a_repeated_chunk_counts_once() {
        let bytes = bytes(96);
        let chunks = sent::<3>(&bytes, 1, 3);
        let doubled: Vec<_> = chunks.iter().flat_map(|chunk| [*chunk, *chunk]).collect();
        assert_eq!(received::<3>(&doubled[..4]), None);
        assert_eq!(received::<3>(&doubled), Some(bytes));
    }

    #[test]
    fn the_counter_starts_again_after_the_last_chunk_there_is() {
        let bytes = bytes(96);
        let chunks = sent::<3>(&bytes, u16::MAX - 1, 4);
        let indexes: Vec<_> = chunks.iter().map(|chunk| chunk.index).collect();
        assert_eq!(indexes, [u16::MAX - 1, u16::MAX, 0, 1]);
        assert_eq!(received::<3>(&chunks[..3]), Some(bytes.clone()));
        assert_eq!(received::<3>(&chunks[1..]), Some(bytes));
    }
}
