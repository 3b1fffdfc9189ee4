//! What others computed: the file is that of `interop-vectors`, whose README says who made it. It is
//! read here since these parts of the braid are nobody else's business.

use alloc::vec::Vec;

use data_encoding::HEXLOWER;
use serde_json::Value;

use super::talk::Seeded;
use crate::deferred::braid::Role;
use crate::deferred::braid::authenticator::{Authenticator, epoch_secret};
use crate::deferred::braid::chain::Chain;
use crate::deferred::braid::erasure::{
    CHUNK_LENGTH, Chunk, Incoming, Outgoing, Progress, Whole, joined,
};
use crate::provider::pure::Pure;
use crate::provider::{Kem, Provider, SplitKem};
use crate::random::Random;
use crate::secret::Secret;

const FILE: &str = include_str!("../../../../../interop-vectors/data/ratchet/kat.json");

fn section(name: &str) -> Value {
    serde_json::from_str::<Value>(FILE).unwrap()[name].take()
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn secret(value: &Value) -> Secret<32> {
    Secret::from_slice(&bytes(value)).unwrap()
}

#[test]
fn chains_give_the_known_keys_in_both_directions_and_after_an_epoch() {
    let known = section("spqr_chain");
    for (role, other, name) in
        [(Role::Initiator, Role::Responder, "a"), (Role::Responder, Role::Initiator, "b")]
    {
        let start = |role| Chain::new(&Pure, role, &secret(&known["auth_key"])).unwrap();
        let (mut sender, mut receiver) = (start(role), start(other));
        for epoch in 0..2 {
            let keys = &known[alloc::format!("epoch{epoch}_{name}_sends_index_1_2_3")];
            assert_eq!(keys.as_array().unwrap().len(), 3);
            for (expected, index) in keys.as_array().unwrap().iter().zip(1..) {
                let sent = sender.send(&Pure, epoch).unwrap();
                assert_eq!(sent, (index, secret(expected)));
                assert_eq!(receiver.receive(&Pure, epoch, index), Ok(secret(expected)));
            }
            for chain in [&mut sender, &mut receiver] {
                chain.add_epoch(&Pure, &secret(&known["epoch1_secret"])).unwrap();
            }
        }
    }
}

#[test]
fn the_authenticator_gives_the_known_keys_and_macs() {
    let known = section("spqr_authenticator");
    let first = Authenticator::new(&Pure, &secret(&known["auth_key"])).unwrap();
    assert_eq!(first.root, secret(&known["root_key_epoch1"]));
    assert_eq!(first.mac, secret(&known["mac_key_epoch1"]));
    let mac = first.header_mac(&Pure, 1, &[0; 64]);
    assert_eq!(mac, secret(&known["hdr_mac_epoch1_of_64_zero"]));
    let mac = first.ciphertext_mac(&Pure, 1, [&[0; 960], &[0; 128]]);
    assert_eq!(mac, secret(&known["ct_mac_epoch1_of_1088_zero"]));
    let agreed = epoch_secret(&Pure, 1, &Secret::new([0x2a; 32])).unwrap();
    assert_eq!(agreed, secret(&known["scka_key_epoch1_of_ss_2a"]));
    let second = first.update(&Pure, 1, &agreed).unwrap();
    assert_eq!(second.root, secret(&known["after_update_epoch1_root"]));
    assert_eq!(second.mac, secret(&known["after_update_epoch1_mac"]));
}

#[test]
fn the_erasure_code_gives_the_known_chunks_and_reads_them() {
    let known = section("spqr_erasure");
    assert_eq!(known.as_array().unwrap().len(), 4);
    for case in known.as_array().unwrap() {
        let message = bytes(&case["message"]);
        let chunks: Vec<_> = case["chunks"].as_array().unwrap().iter().map(chunk).collect();
        match case["length"].as_u64().unwrap() {
            96 => transfer::<3>(&message, &chunks),
            160 => transfer::<5>(&message, &chunks),
            960 => transfer::<30>(&message, &chunks),
            1152 => transfer::<36>(&message, &chunks),
            length => panic!("no transfer has {length} bytes"),
        }
    }
}

fn chunk(pair: &Value) -> Chunk {
    let index = pair[0].as_u64().unwrap().try_into().unwrap();
    Chunk { index, data: bytes(&pair[1]).try_into().unwrap() }
}

fn transfer<const CHUNKS: usize>(message: &[u8], chunks: &[Chunk]) {
    assert_eq!(message.len(), CHUNKS * CHUNK_LENGTH);
    for chunk in chunks {
        let outgoing = Outgoing::<CHUNKS>::resumed(joined(&[message]), chunk.index);
        assert_eq!(outgoing.chunk().1, *chunk);
    }
    assert!(chunks.len() >= CHUNKS);
    // The last of them, which are not the transfer itself.
    let last = chunks[chunks.len() - CHUNKS..].iter();
    let whole =
        last.fold(Progress::Partial(Incoming::default()), |progress, chunk| match progress {
            Progress::Partial(incoming) => incoming.take(*chunk),
            whole => whole,
        });
    let Progress::Whole(whole) = whole else { panic!("it takes more") };
    let whole: &Whole<CHUNKS> = &whole;
    assert_eq!(whole.as_flattened(), message);
}

/// What key generation is to draw.
#[derive(Debug)]
struct Given(Vec<u8>);

impl Random for Given {
    fn fill(&mut self, out: &mut [u8]) {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&self.0);
        self.0 = rest;
    }
}

#[test]
fn ml_kem_768_in_halves_is_as_known() {
    let known = section("mlkem768_incremental");
    let mut seed = Given([bytes(&known["d"]), bytes(&known["z"])].concat());
    let pair = Pure.kem_generate(Kem::MlKem768, &mut seed).unwrap();
    assert_eq!(pair.secret.expose(), bytes(&known["dk_fips203"]));
    let vector = bytes(&known["ek_vector"]);
    assert_eq!(pair.public[..1152], vector);
    let header = Pure.split_header(&pair.public).unwrap();
    assert_eq!(header.to_bytes().as_slice(), bytes(&known["header_rho_Hek"]));
    let (ct1, shared) = Pure.split_begin(&header, &secret(&known["m"]));
    assert_eq!(ct1.as_slice(), bytes(&known["ct1"]));
    assert_eq!(shared, secret(&known["shared_secret"]));
    let vector = vector.try_into().unwrap();
    let ct2 = Pure.split_finish(&header, &vector, &secret(&known["m"])).unwrap();
    assert_eq!(ct2.as_slice(), bytes(&known["ct2"]));
    // And a message that is not the known one gives something else.
    let other = Secret::random(&mut Seeded::new(1));
    assert_ne!(Pure.split_begin(&header, &other).0, ct1);
}
