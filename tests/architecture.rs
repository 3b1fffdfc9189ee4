//! The dependency rule: arrows between the crates point towards purity, and the pure ones stay so.

#![allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

mod tree;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Which of our crates each of ours may use outside its own tests. What only checks the product
/// stands last, and nothing may use it.
const ARROWS: &[(&str, &[&str])] = &[
    ("meshwork-protocols", &[]),
    ("meshwork-state", &["meshwork-protocols"]),
    ("meshwork-relay", &["meshwork-protocols"]),
    ("meshwork-router", &["meshwork-protocols", "meshwork-state"]),
    ("meshwork-transports", &["meshwork-protocols"]),
    (
        "meshwork",
        &[
            "meshwork-protocols",
            "meshwork-relay",
            "meshwork-router",
            "meshwork-state",
            "meshwork-transports",
        ],
    ),
    ("meshwork-interop-vectors", &["meshwork-protocols"]),
    (
        "meshwork-simulator",
        &[
            "meshwork-protocols",
            "meshwork-relay",
            "meshwork-router",
            "meshwork-state",
            "meshwork-transports",
        ],
    ),
    ("meshwork-fuzz", &["meshwork", "meshwork-protocols", "meshwork-router", "meshwork-state"]),
];

/// What `protocols` and `router` may depend on beside our own: `no_std` keeps clocks, files and
/// sockets out of their source, but does not bind what they call.
const PURE_DEPENDENCIES: &[&str] = &[
    // Primitives. `getrandom` asks the system for randomness on behalf of the providers alone.
    "aes",
    "aes-gcm",
    "aws-lc-rs",
    "cbc",
    "chacha20poly1305",
    "curve25519-dalek",
    "ed25519-dalek",
    "getrandom",
    "hkdf",
    "hmac",
    "ml-dsa",
    "ml-kem",
    "sha2",
    "sha3",
    "shake",
    "subtle",
    "x25519-dalek",
    "zeroize",
    // The Noise state machine, with a resolver of ours for every primitive.
    "snow",
    // Encodings.
    "bech32",
    "data-encoding",
    "postcard",
    "serde",
    // QUIC, where it is linked: packets and streams, with time and randomness as arguments, though
    // an endpoint without a seed asks the system for one; its buffers; and the ciphers of its
    // packets. Its traits want `std` types that are `alloc`'s too.
    "bytes",
    "quinn-proto",
    "rustls",
    // MLS, with primitives, randomness and rows of ours. It has `std` in it, and reads a clock where
    // it judges lifetimes, which are made so that no clock ends them; and how its values are stored.
    "openmls",
    "openmls_traits",
    "rmp-serde",
    // Derives `Error`.
    "thiserror",
];

/// The crates whose source is `no_std`.
const PURE: &[&str] = &["protocols", "router"];

#[test]
fn every_arrow_between_our_crates_points_towards_purity() {
    let mut seen = BTreeSet::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let arrow = ARROWS.iter().find(|(from, _)| *from == name);
        let (_, allowed) = arrow.unwrap_or_else(|| panic!("{name} has no place in the rule"));
        for dependency in dependencies(&package).filter(|name| name.starts_with("meshwork")) {
            assert!(allowed.contains(&&*dependency), "{name} must not use {dependency}");
        }
        seen.insert(name.to_owned());
    }
    for (name, _) in ARROWS {
        assert!(seen.contains(*name), "{name} is in the rule, but not in the workspace");
    }
}

#[test]
fn a_pure_crate_depends_on_nothing_that_is_not_listed() {
    let pure: Vec<_> = packages()
        .into_iter()
        .filter(|package| PURE.iter().any(|name| package["name"] == format!("meshwork-{name}")))
        .collect();
    assert_eq!(pure.len(), PURE.len());
    for package in pure {
        for dependency in dependencies(&package).filter(|name| !name.starts_with("meshwork")) {
            let listed = PURE_DEPENDENCIES.contains(&&*dependency);
            assert!(listed, "{} depends on {dependency}, which is not listed", package["name"]);
        }
    }
}

/// `std` then exists in their tests alone, which stand last in a file, so that a clock, a file or a
/// socket does not compile elsewhere.
#[test]
fn a_pure_crate_has_no_std_in_its_own_source() {
    for name in PURE {
        let source = tree::root().join(name).join("src");
        let root = tree::read(&source.join("lib.rs"));
        assert!(root.lines().any(|line| line == "#![no_std]"), "{name} is not no_std");
        for file in tree::files(&source, "rs") {
            let text = tree::read(&file);
            let Some((before, _)) = text.split_once("extern crate std") else { continue };
            let below_tests = file.parent().is_some_and(|folder| folder.ends_with("tests"));
            let tests_alone =
                below_tests || file.ends_with("tests.rs") || before.contains("#[cfg(test)]\n");
            assert!(tests_alone, "{} brings std in", file.display());
        }
    }
}

#[test]
fn unsafe_code_is_forbidden_outside_transports() {
    assert!(tree::text("Cargo.toml").contains("\nunsafe_code = \"forbid\"\n"));
    for package in packages() {
        let manifest = tree::read(package["manifest_path"].as_str().unwrap().as_ref());
        let inherits = manifest.contains("\n[lints]\nworkspace = true\n");
        let name = &package["name"];
        assert!(inherits || name == "meshwork-transports", "{name} does not inherit the lints");
    }
}

#[test]
fn the_lowest_rust_version_is_stated_once() {
    let manifests = tree::files(tree::root(), "toml");
    let stated: usize = manifests
        .iter()
        .map(|manifest| tree::read(manifest).matches("\nrust-version = ").count())
        .sum();
    assert_eq!(stated, 1);
    for package in packages() {
        assert!(package["rust_version"].is_string(), "{} inherits none", package["name"]);
    }
}

/// The packages of the workspace with the dependencies that they declare.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(tree::root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// What a package uses outside its own tests.
fn dependencies(package: &Value) -> impl Iterator<Item = String> {
    let all = package["dependencies"].as_array().unwrap().clone();
    all.into_iter()
        .filter(|dependency| dependency["kind"] != "dev")
        .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
}
