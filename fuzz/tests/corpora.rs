//! Each file of each corpus, without a fuzzer.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use meshwork_fuzz::{TARGETS, Target, seeds};

#[test]
fn every_file_of_every_corpus_holds() {
    for (name, target) in TARGETS {
        for file in files(&corpus(name)) {
            holds(*target, &fs::read(&file).unwrap(), &file);
        }
    }
}

/// The bounds of lengths are where the decoders' own checks stand.
#[test]
fn every_cut_and_every_flipped_bit_of_a_short_seed_holds() {
    const SHORT: usize = 200;
    for (name, target) in TARGETS {
        for (seed, bytes) in seeds::of(name).into_iter().filter(|(_, bytes)| bytes.len() <= SHORT) {
            let place = corpus(name).join(seed);
            for end in 0..bytes.len() {
                holds(*target, &bytes[..end], &place);
                for bit in 0..8 {
                    let mut changed = bytes.clone();
                    changed[end] ^= 1 << bit;
                    holds(*target, &changed, &place);
                }
            }
        }
    }
}

#[test]
fn every_corpus_holds_what_the_encoders_write() {
    for (name, _) in TARGETS {
        let seeds = seeds::of(name);
        assert!(!seeds.is_empty(), "{name} has no seed");
        for (seed, bytes) in seeds {
            let file = corpus(name).join(format!("seed_{seed}"));
            let same = fs::read(&file).is_ok_and(|held| held == bytes);
            assert!(
                same,
                "{}: a format changed, or the seed is new; \
                 cargo run -p meshwork-fuzz --example seeds",
                file.display()
            );
        }
    }
}

#[test]
fn every_target_has_a_binary_and_every_corpus_a_target() {
    let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let binaries: BTreeSet<_> =
        files(&folder("fuzz_targets")).iter().map(|path| stem(path)).collect();
    assert_eq!(binaries, names);
    let corpora: BTreeSet<_> = files(&folder("corpus")).iter().map(|path| stem(path)).collect();
    assert_eq!(corpora, names);
}

fn holds(target: Target, bytes: &[u8], place: &Path) {
    let held = std::panic::catch_unwind(|| target(bytes));
    assert!(held.is_ok(), "{}", place.display());
}

fn corpus(target: &str) -> PathBuf {
    folder("corpus").join(target)
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What a folder holds. One that is missing or empty would let every test pass.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| {
        panic!("{}: {error}", folder.display());
    });
    let files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}
