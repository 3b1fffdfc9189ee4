use meshwork_interop_vectors::ratchet::{known_answers, transcripts};
use meshwork_protocols::deferred::handshake::{Agreement, Prekeys, respond};
use meshwork_protocols::deferred::wire::FirstMessage;
use meshwork_protocols::deferred::{CurveKey, CurvePublic, KemKey};
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::provider::{CryptoError, DeferredProvider, Kem};
use meshwork_protocols::secret::{Secret, SecretBytes};

const PROVIDERS: [&dyn DeferredProvider; 2] = [&AwsLc, &Pure];

#[test]
fn each_signature_has_its_verdict_and_each_key_its_public_half() {
    let mut signs = [0; 2];
    let cases = known_answers().unwrap().xeddsa;
    assert_eq!(cases.len(), 24);
    for case in cases {
        let public = CurvePublic::decode(&case.public).unwrap();
        let signature: [u8; 64] = case.signature.array().unwrap();
        for provider in PROVIDERS {
            let verdict = public.verify(provider, &case.message, &signature);
            assert_eq!(verdict.is_ok(), case.valid, "{}", case.source);
            if let Some(private) = &case.private {
                let key = CurveKey::from_secret(provider, Secret::from_slice(private).unwrap());
                assert_eq!(key.public(), &public);
                let own = key.sign(provider, &case.message, provider.random().as_mut());
                assert_eq!(public.verify(provider, &case.message, &own), Ok(()));
                // The sign of the key is no choice of the signer's.
                assert!(!case.valid || own[63] >> 7 == signature[63] >> 7);
            }
        }
        signs[usize::from(signature[63] >> 7)] += usize::from(case.valid);
    }
    assert!(signs.iter().all(|count| *count > 0), "{signs:?}");
}

#[test]
fn each_handshake_agrees_on_the_known_keys() {
    let transcripts = transcripts().unwrap();
    let cases = known_answers().unwrap().pqxdh;
    assert_eq!(cases.len(), 2);
    for case in cases {
        let transcript =
            transcripts.iter().find(|transcript| transcript.name == case.transcript).unwrap();
        let private = transcript.steps.iter().find_map(|step| step.private.as_ref()).unwrap();
        let wire = transcript.steps.iter().find_map(|step| step.wire.as_ref()).unwrap();
        let first = FirstMessage::decode(wire).unwrap();
        for provider in PROVIDERS {
            let key =
                |bytes: &[u8]| CurveKey::from_secret(provider, Secret::from_slice(bytes).unwrap());
            let identity = key(&private.identity_key);
            let signed = key(&private.signed_prekey);
            let one_time = private.one_time_prekey.as_ref().map(|bytes| key(bytes));
            let kem = KemKey::decode(&private.kyber_prekey).unwrap();
            let prekeys = Prekeys { signed: &signed, kem: &kem, one_time: one_time.as_ref() };
            let Agreement { root, chain, braid } =
                respond(provider, &identity, &prekeys, &first, &[]).unwrap();
            assert_eq!(root.expose()[..], case.root_key[..]);
            assert_eq!(chain.expose()[..], case.chain_key[..]);
            assert_eq!(braid.expose()[..], case.spqr_auth_key[..]);
            // One bit of the label, and they agree on nothing.
            let other = respond(provider, &identity, &prekeys, &first, &[1]).unwrap();
            assert_ne!(other.root, root);
        }
        assert_eq!(first.message.ratchet_key.encode()[..], case.initiator_ratchet_public[..]);
        assert_eq!(first.message.ciphertext, &*case.message0.ciphertext);
    }
}

/// The third round's result is made of FIPS 203's by both providers, and a changed ciphertext gives
/// what the composition gives, not what the third round would: nobody shares either.
#[test]
fn kyber_1024_has_the_known_shared_secrets() {
    let case = known_answers().unwrap().kyber1024_round3;
    for provider in PROVIDERS {
        let secret = SecretBytes::new(case.secret_key[1..].to_vec());
        for (ciphertext, expected) in [
            (&case.ciphertext, &case.shared_secret),
            (&case.tampered_ciphertext, &case.tampered_shared_secret_via_fips203_composition),
        ] {
            let ciphertext = &ciphertext[1..];
            let shared = provider.kem_decapsulate(Kem::MlKem1024, &secret, ciphertext).unwrap();
            let hash = provider.sha3_256(&[ciphertext]);
            let shared = provider.shake256(&[shared.expose(), hash.expose()]);
            assert_eq!(shared.expose()[..], expected[..]);
        }
        assert_ne!(
            case.tampered_shared_secret_round3,
            case.tampered_shared_secret_via_fips203_composition
        );
    }
}

#[test]
fn a_first_message_to_a_base_key_in_a_second_encoding_is_refused() {
    let transcripts = transcripts().unwrap();
    let transcript = &transcripts[0];
    let private = transcript.steps.iter().find_map(|step| step.private.as_ref()).unwrap();
    let wire = transcript.steps.iter().find_map(|step| step.wire.as_ref()).unwrap();
    let mut first = FirstMessage::decode(wire).unwrap();
    let mut u = *first.base_key.u();
    u[31] |= 0x80;
    first.base_key = CurvePublic::from_u(u);
    let key = |bytes: &[u8]| CurveKey::from_secret(&Pure, Secret::from_slice(bytes).unwrap());
    let (identity, signed) = (key(&private.identity_key), key(&private.signed_prekey));
    let kem = KemKey::decode(&private.kyber_prekey).unwrap();
    let prekeys = Prekeys { signed: &signed, kem: &kem, one_time: None };
    let refused = respond(&Pure, &identity, &prekeys, &first, &[]).map(drop);
    assert_eq!(refused, Err(CryptoError::InvalidKey));
}
