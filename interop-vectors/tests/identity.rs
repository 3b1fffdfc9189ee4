//! Ids, cards and revocations that an independent program wrote, by both providers.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a check that stops has failed")]

use meshwork_interop_vectors::identity::{AcceptedCard, IdentityVectors, identity};
use meshwork_protocols::identity::{
    AgentId, Card, CardError, CardPart, EncodingError, HybridSeeds, Protocol, Revocation, Root,
    Scope, Sequence, StatementError, Unverified,
};
use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;
use meshwork_protocols::time::WallTime;

const PROVIDERS: [&dyn Provider; 2] = [&AwsLc, &Pure];

/// What makes hedged ML-DSA deterministic.
#[derive(Debug)]
struct Zeros;

impl Random for Zeros {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(0);
    }
}

fn root(provider: &dyn Provider, vectors: &IdentityVectors) -> Root {
    let seeds = HybridSeeds {
        ed25519: Secret::from_slice(&vectors.root_ed25519_seed).unwrap(),
        ml_dsa: Secret::from_slice(&vectors.root_ml_dsa_seed).unwrap(),
    };
    Root::from_seeds(provider, seeds).unwrap()
}

fn read(provider: &dyn Provider, bytes: &[u8], now: u64) -> Result<Card, CardError> {
    Unverified::<Card>::parse(bytes)?.verify(provider, WallTime::from_millis(now))
}

#[test]
fn seeds_grow_into_the_root_and_the_id() {
    let vectors = identity().unwrap();
    for provider in PROVIDERS {
        let root = root(provider, &vectors);
        assert_eq!(root.public().keys().as_bytes()[..], *vectors.root_public);
        assert_eq!(root.agent().as_bytes()[..], *vectors.agent);
        assert_eq!(root.agent().to_string(), vectors.agent_text);
        assert_eq!(vectors.agent_text.parse(), Ok(root.agent()));
    }
}

#[test]
fn each_card_is_read_as_it_was_meant() {
    let vectors = identity().unwrap();
    for provider in PROVIDERS {
        for vector in &vectors.accepted {
            let card = read(provider, &vector.card, vectors.now).unwrap();
            assert_eq!(card.as_bytes(), &*vector.card);
            assert_eq!(card.hash().as_bytes()[..], *vector.hash);
            assert_eq!(card.agent().to_string(), vectors.agent_text);
            assert_says(&card, vector);
            assert_endorsed(provider, &card, vector, vectors.now);
        }
    }
}

fn assert_says(card: &Card, vector: &AcceptedCard) {
    assert_eq!(card.sequence().value(), vector.sequence);
    assert_eq!(card.validity().not_before.as_millis(), vector.not_before);
    assert_eq!(card.validity().not_after.as_millis(), vector.not_after);
    assert_eq!(card.signing_pair().as_bytes()[..], *vector.signing_pair);
    assert_eq!(card.live_key().as_bytes()[..], *vector.live_key);
    let next = card.next_live_key().map_or(&[][..], |key| key.as_bytes());
    assert_eq!(next, &*vector.next_live_key);
    assert_eq!(card.deferred_identity().unwrap_or_default(), &*vector.deferred_identity);
    assert_eq!(card.fleet_key().unwrap_or_default(), &*vector.fleet_key);
    assert_eq!(texts(card.addresses()), vector.addresses);
    assert_eq!(card.suites(), vector.suites);
    let relays = card.relays().iter();
    let relays: Vec<_> =
        relays.map(|relay| (relay.agent.to_string(), texts(&relay.addresses))).collect();
    assert_eq!(relays, vector.relays);
    assert_eq!(card.region().map(|region| region.to_string()).unwrap_or_default(), vector.region);
    let extensions = card.extensions().iter().map(|(kind, bytes)| (*kind, bytes.clone()));
    let expected = vector.extensions.iter().map(|(kind, bytes)| (*kind, bytes.to_vec()));
    assert!(extensions.eq(expected));
    assert_capable(card, vector);
}

fn assert_capable(card: &Card, vector: &AcceptedCard) {
    let capabilities = card.capabilities();
    let protocols: Vec<_> = capabilities.protocols.iter().map(protocol_name).collect();
    assert_eq!(protocols, vector.protocols);
    assert_eq!(texts(&capabilities.transports), vector.transports);
    let services = capabilities.services.iter();
    let services: Vec<_> =
        services.map(|service| (service.name.to_string(), service.version)).collect();
    assert_eq!(services, vector.services);
}

fn protocol_name(protocol: &Protocol) -> &'static str {
    match protocol {
        Protocol::Live => "live",
        Protocol::Deferred => "deferred",
        Protocol::Fleet => "fleet",
        other => panic!("{other:?} has no name in the vectors"),
    }
}

fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}

fn assert_endorsed(provider: &dyn Provider, card: &Card, vector: &AcceptedCard, now: u64) {
    assert_eq!(card.endorsements().len(), vector.endorsed.len());
    for (chain, expected) in card.endorsements().iter().zip(&vector.endorsed) {
        let authority: AgentId = expected.authority.parse().unwrap();
        let now = WallTime::from_millis(now);
        let role = chain.verify(provider, card.agent(), &[authority].into(), now).unwrap();
        assert_eq!((role.authority, role.role.as_str()), (authority, expected.role.as_str()));
        assert_eq!(role.not_after.as_millis(), expected.not_after);
    }
}

#[test]
fn the_pure_provider_signs_the_same_bytes() {
    let vectors = identity().unwrap();
    let root = root(&Pure, &vectors);
    for vector in &vectors.accepted {
        let card = read(&Pure, &vector.card, vectors.now).unwrap();
        let again = root.sign_card(&Pure, card.body().clone(), &mut Zeros).unwrap();
        assert_eq!(again, card, "{}", vector.name);
    }
}

#[test]
fn each_card_with_a_fault_is_refused_for_it() {
    let vectors = identity().unwrap();
    let now = WallTime::from_millis(vectors.now);
    let day = core::time::Duration::from_secs(24 * 60 * 60);
    for vector in &vectors.refused {
        let expected = match vector.name.as_str() {
            "ed25519 half by another key"
            | "ml-dsa half by another key"
            | "signed as a revocation"
            | "signed by another root" => StatementError::BadSignature.into(),
            "id of another root" => StatementError::WrongRoot.into(),
            "a later format" => StatementError::UnsupportedVersion(2).into(),
            "an overlong integer" => EncodingError::NotCanonical.into(),
            "a byte behind the body" => EncodingError::TrailingBytes.into(),
            "a suite twice" => CardError::Repeated(CardPart::Suites),
            "31 days" => CardError::ValidityTooLong,
            "the root as signing pair" => CardError::RootAsSigningPair,
            "expired" => CardError::Expired(now.saturating_sub(day)),
            "not yet valid" => CardError::NotYetValid(now + day),
            other => panic!("{other} has no verdict"),
        };
        for provider in PROVIDERS {
            let result = read(provider, &vector.card, vectors.now);
            assert_eq!(result, Err(expected), "{}", vector.name);
        }
    }
}

#[test]
fn each_revocation_is_read_and_signed_alike() {
    let vectors = identity().unwrap();
    for vector in &vectors.revocations {
        let scope = vector.scope.map_or(Scope::Agent, |number| Scope::Cards(Sequence::new(number)));
        for provider in PROVIDERS {
            let unverified = Unverified::<Revocation>::parse(&vector.revocation).unwrap();
            let revocation = unverified.verify(provider).unwrap();
            assert_eq!(revocation.agent().to_string(), vectors.agent_text);
            assert_eq!(revocation.scope(), scope);
            assert_eq!(revocation.issued().as_millis(), vector.issued);
        }
        let issued = WallTime::from_millis(vector.issued);
        let again = root(&Pure, &vectors).sign_revocation(scope, issued, &mut Zeros).unwrap();
        assert_eq!(again.as_bytes(), &*vector.revocation);
    }
}
