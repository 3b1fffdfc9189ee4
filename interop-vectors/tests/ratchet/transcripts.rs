use meshwork_interop_vectors::ratchet::{Operation, Outcome, Step, Transcript, transcripts};
use meshwork_protocols::deferred::plain_bundle::PlainBundle;
use meshwork_protocols::deferred::session::{OpenError, PacketKind, Session, Terms};
use meshwork_protocols::deferred::session_list::{PrekeySource, Responder, SessionList};
use meshwork_protocols::deferred::wire::{FirstMessage, RatchetMessage};
use meshwork_protocols::deferred::{CurveKey, CurvePublic, KemKey, KemPublic, PrekeyId};
use meshwork_protocols::provider::DeferredProvider;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;
use meshwork_protocols::time::WallTime;

use crate::import;

const PROVIDERS: [&dyn DeferredProvider; 2] = [&AwsLc, &Pure];

/// The time at which the transcripts were made.
const NOW: WallTime = WallTime::from_secs(1_700_000_001);

/// What the official client drew in this place, and whether anybody asked.
#[derive(Debug)]
struct Drawn {
    bytes: [u8; 32],
    asked: bool,
}

impl Drawn {
    fn new(bytes: [u8; 32]) -> Self {
        Self { bytes, asked: false }
    }
}

impl Random for Drawn {
    fn fill(&mut self, out: &mut [u8]) {
        self.asked = true;
        for (to, from) in out.iter_mut().zip(self.bytes.iter().cycle()) {
            *to = *from;
        }
    }
}

/// The prekeys that a party published.
struct Published {
    signed: (PrekeyId, CurveKey),
    kem: (PrekeyId, KemKey),
    one_time: Option<(PrekeyId, CurveKey)>,
}

impl Published {
    fn of(transcript: &Transcript, provider: &dyn DeferredProvider) -> Self {
        let (public, private) = transcript
            .steps
            .iter()
            .find_map(|step| Some((step.public.as_ref()?, step.private.as_ref()?)))
            .unwrap();
        let key =
            |bytes: &[u8]| CurveKey::from_secret(provider, Secret::from_slice(bytes).unwrap());
        let one_time = public.one_time_prekey.as_ref().map(|published| {
            (PrekeyId(published.id), key(private.one_time_prekey.as_ref().unwrap()))
        });
        Self {
            signed: (PrekeyId(public.signed_prekey.id), key(&private.signed_prekey)),
            kem: (PrekeyId(public.kyber_prekey.id), KemKey::decode(&private.kyber_prekey).unwrap()),
            one_time,
        }
    }
}

impl PrekeySource for Published {
    fn signed(&self, id: PrekeyId) -> Option<&CurveKey> {
        Some(&self.signed.1).filter(|_| id == self.signed.0)
    }

    fn kem(&self, id: PrekeyId) -> Option<&KemKey> {
        Some(&self.kem.1).filter(|_| id == self.kem.0)
    }

    fn one_time(&self, id: PrekeyId) -> Option<&CurveKey> {
        self.one_time.as_ref().filter(|(own, _)| id == *own).map(|(_, key)| key)
    }

    fn was_used(&self, _: &FirstMessage<'_>) -> bool {
        false
    }
}

/// A message that was delivered, with what went before.
struct Delivery<'a> {
    step: &'a Step,
    sealed: &'a Step,
    before: Option<&'a [u8]>,
    after: Option<&'a [u8]>,
}

/// The deliveries of which the state before is known.
fn deliveries(transcript: &Transcript) -> Vec<Delivery<'_>> {
    let record = |index: Option<usize>| index.map(|index| &*transcript.records[index]);
    transcript
        .steps
        .iter()
        .filter(|step| step.op == Operation::Decrypt && step.has_snapshots())
        .map(|step| {
            let sealed = transcript
                .steps
                .iter()
                .find(|sealed| sealed.op == Operation::Encrypt && sealed.msg == step.msg);
            Delivery {
                step,
                sealed: sealed.unwrap(),
                before: record(step.session_before.flatten()),
                after: record(step.session_after.flatten()),
            }
        })
        .collect()
}

fn open(
    provider: &dyn DeferredProvider,
    transcript: &Transcript,
    delivery: &Delivery<'_>,
) -> Result<(Vec<u8>, Session), OpenError> {
    let list = delivery.before.map_or_else(SessionList::default, |before| {
        SessionList::default().begin(import::session(provider, before))
    });
    // A turn of the ratchet draws a key, and so does whoever answers a first message.
    let after = delivery.after.map(import::own_ratchet_secret);
    let mut drawn = Drawn::new(after.unwrap_or_default());
    let wire = delivery.sealed.wire.as_ref().unwrap();
    let opened = if delivery.sealed.kind == Some(3) {
        let party = &transcript.parties[delivery.step.by.as_str()];
        let secret = Secret::from_slice(&party.identity_private).unwrap();
        let identity = CurveKey::from_secret(provider, secret);
        let prekeys = Published::of(transcript, provider);
        let terms = Terms { context: &[], addresses: None };
        let responder = Responder { identity: &identity, prekeys: &prekeys, terms };
        let first = FirstMessage::decode(wire)?;
        list.open_first(provider, &responder, &first, &mut drawn)?
    } else {
        list.open(provider, &RatchetMessage::decode(wire)?, &mut drawn)?
    };
    let session = opened.next.current().unwrap().clone();
    Ok((opened.plaintext.expose().to_vec(), session))
}

#[test]
fn each_message_of_the_official_client_opens_and_leads_to_its_next_session() {
    let mut opened = 0;
    for transcript in transcripts().unwrap() {
        for delivery in deliveries(&transcript) {
            for provider in PROVIDERS {
                let name = format!("{}, message {:?}", transcript.name, delivery.step.msg);
                let result = open(provider, &transcript, &delivery);
                if delivery.step.result == Some(Outcome::Error) {
                    assert_eq!(result.map(|_| ()), Err(OpenError::Duplicate), "{name}");
                    continue;
                }
                let (plaintext, session) = result.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(plaintext, **delivery.sealed.plaintext.as_ref().unwrap(), "{name}");
                let expected = import::session(provider, delivery.after.unwrap());
                assert!(import::record(session) == import::record(expected), "{name}");
                opened += 1;
            }
        }
    }
    assert!(opened > 200, "{opened}");
}

#[test]
fn we_would_have_sealed_each_message_byte_for_byte() {
    let (mut same, mut own_key) = (0, 0);
    for transcript in transcripts().unwrap() {
        for step in &transcript.steps {
            let Some(Some(before)) = step.session_before.filter(|_| step.op == Operation::Encrypt)
            else {
                continue;
            };
            let record = &transcript.records[before];
            let after = &transcript.records[step.session_after.flatten().unwrap()];
            let session = import::session(&Pure, record);
            let ratchet = crate::official::OfficialRatchet::in_record(after).unwrap();
            let encapsulates = session.braid.encode().expose()[1] == 7;
            let message = if encapsulates { ratchet.encapsulation_message() } else { [0; 32] };
            let mut drawn = Drawn::new(message);
            let plaintext = step.plaintext.as_ref().unwrap();
            let draft = session.draft(&Pure, plaintext.len(), NOW, &mut drawn).unwrap();
            let (packet, next) = draft.seal(&Pure, plaintext).unwrap();
            let name = format!("{}, message {:?}", transcript.name, step.msg);
            let kind = if packet.kind == PacketKind::First { 3 } else { 2 };
            assert_eq!(Some(kind), step.kind, "{name}");
            let wire = step.wire.as_ref().unwrap();
            assert_eq!(packet.bytes.len(), wire.len(), "{name}");
            // A KEM key that each makes for itself changes the message, but not its length.
            if drawn.asked && !encapsulates {
                own_key += 1;
                continue;
            }
            assert!(packet.bytes[..] == wire[..], "{name}");
            let expected = import::session(&Pure, after);
            assert!(import::record(next) == import::record(expected), "{name}");
            same += 1;
        }
    }
    assert!(same > 80 && own_key > 5, "{same} the same, {own_key} with a key of their own");
}

#[test]
fn each_bundle_of_the_official_client_verifies_and_a_changed_one_does_not() {
    let mut bundles = 0;
    for transcript in transcripts().unwrap() {
        for public in transcript.steps.iter().filter_map(|step| step.public.as_ref()) {
            let bundle = || PlainBundle {
                identity: CurvePublic::decode(&public.identity_key).unwrap(),
                signed: (
                    PrekeyId(public.signed_prekey.id),
                    CurvePublic::decode(&public.signed_prekey.public).unwrap(),
                    public.signed_prekey.signature.array().unwrap(),
                ),
                kem: (
                    PrekeyId(public.kyber_prekey.id),
                    KemPublic::decode(&public.kyber_prekey.public).unwrap(),
                    public.kyber_prekey.signature.array().unwrap(),
                ),
                one_time: None,
            };
            let pinned = bundle().identity;
            assert!(bundle().verify(&Pure, &pinned).is_ok(), "{}", transcript.name);
            assert!(bundle().verify(&Pure, &CurvePublic::from_u([9; 32])).is_err());
            let mut forged = bundle();
            forged.signed.1 = CurvePublic::from_u([9; 32]);
            assert!(forged.verify(&Pure, &pinned).is_err());
            let mut forged = bundle();
            forged.kem.2[0] ^= 1;
            assert!(forged.verify(&Pure, &pinned).is_err());
            bundles += 1;
        }
    }
    assert_eq!(bundles, 8);
}
