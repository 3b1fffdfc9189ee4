//! X-Wing and HPKE against the vectors of their specifications, and groups shared with `ts-mls`.

#![allow(clippy::unwrap_used, reason = "a check may stop")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use meshwork_interop_vectors::fleet::{Exchange, Transcript, hpke, ts_mls, x_wing};
use meshwork_protocols::fleet::hpke::{HpkeKem, HpkeSealed};
use meshwork_protocols::fleet::x_wing::{decapsulate, encapsulate, public};
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::provider::{CryptoError, FleetProvider};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;
use serde_json::{Value, json};

const PROVIDERS: [&dyn FleetProvider; 2] = [&AwsLc, &Pure];

/// What is drawn, in order.
#[derive(Debug)]
struct Drawn(Vec<u8>);

impl Random for Drawn {
    fn fill(&mut self, out: &mut [u8]) {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&self.0);
        self.0 = rest;
    }
}

fn secret(hex: &[u8]) -> Secret<32> {
    Secret::from_slice(hex).unwrap()
}

#[test]
fn x_wing_gives_what_its_draft_says() {
    for case in x_wing().unwrap() {
        let private = secret(&case.private);
        for provider in PROVIDERS {
            assert_eq!(public(provider, &private).unwrap(), *case.public, "{}", case.id);
            let shared = decapsulate(provider, &private, &case.ciphertext).unwrap();
            assert_eq!(shared.expose().as_slice(), &*case.shared, "{}", case.id);
        }
        // The one provider that takes the randomness of ML-KEM.
        let mut random = Drawn(case.random.to_vec());
        let (ciphertext, shared) = encapsulate(&Pure, &case.public, &mut random).unwrap();
        assert_eq!(ciphertext, *case.ciphertext, "{}", case.id);
        assert_eq!(shared.expose().as_slice(), &*case.shared, "{}", case.id);
    }
}

#[test]
fn what_one_provider_encapsulates_the_other_opens_and_nothing_changed_does() {
    let case = &x_wing().unwrap()[0];
    let private = secret(&case.private);
    for (from, to) in [(0, 1), (1, 0)] {
        let mut random = PROVIDERS[from].random();
        let (mut ciphertext, shared) =
            encapsulate(PROVIDERS[from], &case.public, &mut *random).unwrap();
        assert_eq!(decapsulate(PROVIDERS[to], &private, &ciphertext).unwrap(), shared);
        for place in [0, 1087, 1088] {
            ciphertext[place] ^= 1;
            let other = decapsulate(PROVIDERS[to], &private, &ciphertext);
            assert!(other.map_or(true, |other| other != shared), "{place}");
            ciphertext[place] ^= 1;
        }
        // A point of low order in X25519's place.
        ciphertext[1088..].fill(0);
        let low = decapsulate(PROVIDERS[to], &private, &ciphertext);
        assert_eq!(low, Err(CryptoError::InvalidKey));
        let cut = decapsulate(PROVIDERS[to], &private, &ciphertext[..1119]);
        assert_eq!(cut, Err(CryptoError::WrongLength));
    }
}

#[test]
fn hpke_gives_what_rfc_9180_says() {
    let kem = HpkeKem::X25519;
    for case in hpke().unwrap() {
        for provider in PROVIDERS {
            let sender = kem.derive(provider, &case.sender_input).unwrap();
            assert_eq!(sender.private.expose().as_slice(), &*case.sender_private);
            assert_eq!(sender.public, *case.encapsulated);
            let receiver = kem.derive(provider, &case.receiver_input).unwrap();
            assert_eq!(receiver.private.expose().as_slice(), &*case.receiver_private);
            assert_eq!(receiver.public, *case.receiver_public);
            let mut random = Drawn(case.sender_private.to_vec());
            let sealed = kem
                .seal(
                    provider,
                    &case.receiver_public,
                    [&case.info, &case.associated],
                    &case.plaintext,
                    &mut random,
                )
                .unwrap();
            assert_eq!(sealed.encapsulated, *case.encapsulated, "{}", case.id);
            assert_eq!(sealed.ciphertext, *case.ciphertext, "{}", case.id);
            let (private, encapsulated) = (receiver.private, case.encapsulated.to_vec());
            let sealed = HpkeSealed { encapsulated, ciphertext: case.ciphertext.to_vec() };
            let opened =
                kem.open(provider, &private, [&case.info, &case.associated], &sealed).unwrap();
            assert_eq!(opened.expose(), &*case.plaintext);
            let context = kem.receive(provider, &private, &case.info, &case.encapsulated).unwrap();
            for export in &case.exports {
                let mut value = vec![0; export.value.len()];
                context.export(provider, &export.context, &mut value).unwrap();
                assert_eq!(value, *export.value, "{}", case.id);
            }
        }
    }
}

#[test]
fn hpke_over_x_wing_opens_what_was_sealed_and_nothing_else() {
    let kem = HpkeKem::XWing;
    let pair = kem.derive(&Pure, &[7; 32]).unwrap();
    let mut random = Drawn(vec![9; 64]);
    let sealed = kem.seal(&Pure, &pair.public, [b"info", b"aad"], b"text", &mut random).unwrap();
    let open = |private: &Secret<32>, info: &[u8], associated: &[u8], sealed: &HpkeSealed| {
        kem.open(&AwsLc, private, [info, associated], sealed)
    };
    assert_eq!(open(&pair.private, b"info", b"aad", &sealed).unwrap().expose(), b"text");
    assert!(open(&Secret::new([1; 32]), b"info", b"aad", &sealed).is_err());
    assert!(open(&pair.private, b"other", b"aad", &sealed).is_err());
    assert!(open(&pair.private, b"info", b"other", &sealed).is_err());
}

/// Our program, told what it was told when `ts-mls` was on the other side.
struct Peer(Child);

impl Peer {
    fn start() -> Self {
        let program = env!("CARGO_BIN_EXE_fleet_peer");
        let piped = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Self(piped.unwrap())
    }

    /// The answers to all commands.
    fn answers(mut self, transcript: &Transcript) -> Vec<Value> {
        let mut commands = self.0.stdin.take().unwrap();
        let mut lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let answer = |step: &Exchange| {
            writeln!(commands, "{}", step.command).unwrap();
            serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap()
        };
        let answers = transcript.steps.iter().map(answer).collect();
        drop(commands);
        assert!(self.0.wait().unwrap().success());
        answers
    }
}

#[test]
fn what_ts_mls_made_is_taken_and_leads_to_the_epochs_that_it_came_to() {
    let transcripts = ts_mls().unwrap();
    assert_eq!(transcripts.iter().map(|one| one.suite).collect::<Vec<_>>(), [0x004F, 0x0001]);
    for transcript in transcripts {
        let answers = Peer::start().answers(&transcript);
        for (step, answer) in transcript.steps.iter().zip(answers) {
            assert_eq!(answer, step.answer, "{}: {}", transcript.id, step.command["cmd"]);
            assert_eq!(answer["ok"], true);
        }
        let count =
            |name| transcript.steps.iter().filter(|step| step.command["cmd"] == name).count();
        assert!(count("agree") >= 12 && count("receive") >= 12 && count("join") == 3);
    }
}

#[test]
fn an_epoch_in_which_the_sides_differ_is_noticed() {
    let mut transcript = ts_mls().unwrap().remove(0);
    let agree = transcript.steps.iter().position(|step| step.command["cmd"] == "agree").unwrap();
    transcript.steps.truncate(agree + 1);
    transcript.steps[agree].command["authenticator"] = json!("00");
    let answers = Peer::start().answers(&transcript);
    assert_eq!(answers[agree]["ok"], false);
}
