//! Sessions of suite 0x0A against a second implementation, which began them.

#![allow(clippy::unwrap_used, reason = "a check may stop")]

use meshwork_interop_vectors::deferred::{Beginning, beginnings};
use meshwork_protocols::deferred::handshake::{Agreement, Offer, Prekeys, respond};
use meshwork_protocols::deferred::session::{Opener, PacketKind, Session, Terms};
use meshwork_protocols::deferred::wire::FirstMessage;
use meshwork_protocols::deferred::{CurveKey, KemKey, PrekeyId, Suite};
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::provider::{DeferredProvider, Kem};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::{Secret, SecretBytes};
use meshwork_protocols::time::WallTime;

const PROVIDERS: [&dyn DeferredProvider; 2] = [&AwsLc, &Pure];
const NOW: WallTime = WallTime::from_secs(1_800_000_000);

/// What is drawn, in order.
#[derive(Debug)]
struct Drawn(Vec<u8>);

impl Drawn {
    fn new(parts: &[&[u8]]) -> Self {
        Self(parts.concat())
    }
}

impl Random for Drawn {
    fn fill(&mut self, out: &mut [u8]) {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&self.0);
        self.0 = rest;
    }
}

/// The responder's keys.
struct Responder {
    identity: CurveKey,
    signed: CurveKey,
    kem: KemKey,
    one_time: Option<CurveKey>,
}

impl Responder {
    fn of(case: &Beginning) -> Self {
        let mut seed = Drawn::new(&[&case.kem_seed]);
        Self {
            identity: curve(&case.responder_identity),
            signed: curve(&case.responder_signed),
            kem: KemKey::generate(&Pure, Suite::MlKem1024, &mut seed).unwrap(),
            one_time: case.responder_one_time.as_deref().map(curve),
        }
    }

    fn prekeys(&self) -> Prekeys<'_> {
        Prekeys { signed: &self.signed, kem: &self.kem, one_time: self.one_time.as_ref() }
    }

    fn offer(&self, ids: [u32; 3]) -> Offer {
        let [one_time, signed, kem] = ids.map(PrekeyId);
        Offer {
            identity: *self.identity.public(),
            signed: (signed, *self.signed.public()),
            kem: (kem, self.kem.public()),
            one_time: self.one_time.as_ref().map(|key| (one_time, *key.public())),
        }
    }
}

#[test]
fn the_kem_gives_the_second_implementations_key_and_secret() {
    for case in beginnings().unwrap() {
        let kem = Responder::of(&case).kem;
        assert_eq!(kem.public().encode(), *case.kem_public);
        let secret = SecretBytes::new(kem.encode().expose()[1..].to_vec());
        for provider in PROVIDERS {
            let ciphertext = &case.kem_ciphertext[1..];
            let shared = provider.kem_decapsulate(Kem::MlKem1024, &secret, ciphertext).unwrap();
            assert_eq!(shared.expose()[..], case.kem_secret[..]);
        }
    }
}

#[test]
fn the_responder_agrees_with_the_second_implementation_and_opens_its_first_message() {
    let cases = beginnings().unwrap();
    assert!(cases.iter().any(|case| case.responder_one_time.is_some()));
    assert!(cases.iter().any(|case| case.responder_one_time.is_none()));
    for case in cases {
        let responder = Responder::of(&case);
        let first = FirstMessage::decode(&case.first_message).unwrap();
        assert_eq!(first.kem_ciphertext, &case.kem_ciphertext[..]);
        for provider in PROVIDERS {
            let (identity, prekeys) = (&responder.identity, responder.prekeys());
            let Agreement { root, chain, braid } =
                respond(provider, identity, &prekeys, &first, &case.context).unwrap();
            assert_eq!(root.expose()[..], case.root_key[..]);
            assert_eq!(chain.expose()[..], case.chain_key[..]);
            assert_eq!(braid.expose()[..], case.braid_key[..]);

            let terms = Terms { context: &case.context, addresses: None };
            let session = Session::respond(provider, identity, &prekeys, &first, &terms).unwrap();
            let random = &mut *provider.random();
            let (plaintext, _) = session.open(provider, &first.message, random).unwrap();
            assert_eq!(plaintext.expose(), &case.plaintext[..]);
        }
    }
}

#[test]
fn the_initiator_writes_the_second_implementations_first_message_byte_for_byte() {
    for case in beginnings().unwrap() {
        let mut drawn = Drawn::new(&[
            &case.initiator_base,
            &case.kem_message,
            &case.initiator_ratchet,
            &case.braid_seed,
        ]);
        let identity = curve(&case.initiator_identity);
        let offer = Responder::of(&case).offer(case.ids);
        let terms = Terms { context: &case.context, addresses: None };
        let opener = Opener { registration: 0, until: NOW };
        let session =
            Session::initiate(&Pure, &identity, &offer, &terms, opener, &mut drawn).unwrap();
        let draft = session.draft(&Pure, case.plaintext.len(), NOW, &mut drawn).unwrap();
        assert!(drawn.0.is_empty(), "all was drawn");
        let (packet, _) = draft.seal(&Pure, &case.plaintext).unwrap();
        assert_eq!(packet.kind, PacketKind::First);
        assert_eq!(packet.bytes, *case.first_message);
    }
}

fn curve(secret: &[u8]) -> CurveKey {
    CurveKey::from_secret(&Pure, Secret::from_slice(secret).unwrap())
}
