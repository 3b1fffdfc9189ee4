//! The Merkle tree of a pool. Knows nothing of signatures.

use alloc::vec;
use alloc::vec::Vec;

use crate::deferred::curve_key::CurvePublic;
use crate::deferred::prekey_id::PrekeyId;
use crate::provider::Provider;

type Hash = [u8; 32];

pub(super) fn leaf(provider: &dyn Provider, place: u32, id: PrekeyId, key: &CurvePublic) -> Hash {
    provider.digest(&[&[0x00], &place.to_be_bytes(), &id.0.to_be_bytes(), &key.encode()])
}

/// The root over the leaves, and the path of each of them.
pub(super) fn root_and_paths(provider: &dyn Provider, leaves: Vec<Hash>) -> (Hash, Vec<Vec<Hash>>) {
    let mut paths = vec![Vec::new(); leaves.len()];
    let mut row = leaves;
    let mut level = 0_u32;
    while row.len() > 1 {
        for (place, path) in paths.iter_mut().enumerate() {
            if let Some(beside) = row.get((place >> level) ^ 1) {
                path.push(*beside);
            }
        }
        row = row.chunks(2).map(|pair| parent(provider, pair)).collect();
        level += 1;
    }
    (row.first().copied().unwrap_or_default(), paths)
}

/// Whether the leaf at `place` of `count` leaves leads over `path` to `root`.
pub(super) fn path_leads_to(
    provider: &dyn Provider,
    root: &Hash,
    count: u32,
    place: u32,
    leaf: Hash,
    path: &[Hash],
) -> bool {
    let (mut place, mut width) = (place, count);
    let (mut hash, mut path) = (leaf, path.iter());
    if place >= width {
        return false;
    }
    while width > 1 {
        // The last of an odd row has nothing beside it.
        if place ^ 1 < width {
            let Some(beside) = path.next() else { return false };
            let pair = if place & 1 == 0 { [hash, *beside] } else { [*beside, hash] };
            hash = parent(provider, &pair);
        }
        place /= 2;
        width = width.div_ceil(2);
    }
    path.next().is_none() && hash == *root
}

fn parent(provider: &dyn Provider, pair: &[Hash]) -> Hash {
    match pair {
        [left, right] => provider.digest(&[&[0x01], left, right]),
        [only] => *only,
        _ => Hash::default(),
    }
}

#[cfg(feature = "pure")]
#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{leaf, path_leads_to, root_and_paths};
    use crate::deferred::curve_key::CurvePublic;
    use crate::deferred::prekey_id::PrekeyId;
    use crate::provider::pure::Pure;

    #[test]
    fn each_leaf_of_each_size_leads_to_the_root_from_its_place_alone() {
        for count in 1_u32..=17 {
            let leaves: Vec<_> = (0..count)
                .map(|place| leaf(&Pure, place, PrekeyId(place), &CurvePublic::from_u([7; 32])))
                .collect();
            let (root, paths) = root_and_paths(&Pure, leaves.clone());
            for (place, (leaf, path)) in (0..).zip(leaves.iter().zip(&paths)) {
                for claimed in 0..=count {
                    let leads = path_leads_to(&Pure, &root, count, claimed, *leaf, path);
                    assert_eq!(leads, claimed == place, "{place} of {count} as {claimed}");
                }
                let longer = [path.as_slice(), &[[0; 32]]].concat();
                assert!(!path_leads_to(&Pure, &root, count, place, *leaf, &longer));
                if let Some((_, shorter)) = path.split_last() {
                    assert!(!path_leads_to(&Pure, &root, count, place, *leaf, shorter));
                }
            }
        }
    }
}
