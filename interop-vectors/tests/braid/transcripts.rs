use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use meshwork_protocols::deferred::braid::{Braid, BraidMessage, Payload, Role};
use meshwork_protocols::provider::SplitKem;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;
use serde_json::Value;

use crate::official::OfficialRatchet;
use crate::protobuf::Fields;

const PROVIDERS: [&dyn SplitKem; 2] = [&AwsLc, &Pure];

const TRANSCRIPTS: [(&str, &str); 8] = [
    ("01", include_str!("../../data/ratchet/01_prekey_with_opk.json")),
    ("02", include_str!("../../data/ratchet/02_prekey_without_opk.json")),
    ("03", include_str!("../../data/ratchet/03_pingpong.json")),
    ("04", include_str!("../../data/ratchet/04_out_of_order.json")),
    ("05", include_str!("../../data/ratchet/05_skipped.json")),
    ("06", include_str!("../../data/ratchet/06_lost_first.json")),
    ("07", include_str!("../../data/ratchet/07_long_pingpong.json")),
    ("12", include_str!("../../data/ratchet/12_sizes.json")),
];

/// What the official client drew in this place.
#[derive(Debug)]
struct Drawn([u8; 32]);

impl Random for Drawn {
    fn fill(&mut self, out: &mut [u8]) {
        for (to, from) in out.iter_mut().zip(self.0.iter().cycle()) {
            *to = *from;
        }
    }
}

/// A step with the ratchet before and after it.
struct Step {
    name: String,
    before: Vec<u8>,
    after: Vec<u8>,
    /// What stood beside the message.
    field: Vec<u8>,
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

/// The steps of this kind that were successful and have both snapshots.
fn steps(operation: &str) -> Vec<Step> {
    let mut found = Vec::new();
    for (transcript, text) in TRANSCRIPTS {
        let whole: Value = serde_json::from_str(text).unwrap();
        let steps = whole["steps"].as_array().unwrap();
        let wires: BTreeMap<_, _> = steps
            .iter()
            .filter(|step| step["op"] == "encrypt")
            .map(|step| {
                let field = field(&bytes(&step["wire"]), step["type"] == 3);
                ((step["by"].as_str(), step["msg"].as_u64()), field)
            })
            .collect();
        for step in steps.iter().filter(|step| step["op"] == operation) {
            let record = |key: &str| {
                let place = usize::try_from(step[key].as_u64()?).unwrap();
                Some(bytes(&whole["records"][place]))
            };
            let (before, after) = (record("session_before"), record("session_after"));
            let (Some(before), Some(after)) = (before, after) else { continue };
            if step["result"] == "error" {
                continue;
            }
            let sender = if operation == "encrypt" { &step["by"] } else { &step["peer"] };
            found.push(Step {
                name: format!("{transcript}, message {} of {sender}", step["msg"]),
                before,
                after,
                field: wires[&(sender.as_str(), step["msg"].as_u64())].clone(),
            });
        }
    }
    found
}

/// Field 5 of the ratchet message in a packet. A first one carries that message whole.
fn field(wire: &[u8], first: bool) -> Vec<u8> {
    let message = if first { Fields::read(&wire[1..]).bytes(4) } else { wire };
    let (body, _mac) = message[1..].split_last_chunk::<8>().unwrap();
    Fields::read(body).bytes(5).to_vec()
}

fn ratchet(record: &[u8]) -> OfficialRatchet<'_> {
    OfficialRatchet::in_record(record).unwrap()
}

/// Our braid in the state of the official client. Before its first message that has only the secret
/// from which the rest follows, and only who begins a session is seen so.
fn braid(record: &[u8], provider: &dyn SplitKem) -> Braid {
    match ratchet(record).unstarted() {
        Some(key) => Braid::new(&Secret::new(key), Role::Initiator, provider).unwrap(),
        None => Braid::decode(&ratchet(record).to_record()).unwrap(),
    }
}

#[test]
fn each_snapshot_of_the_official_client_is_a_braid() {
    let mut states = BTreeSet::new();
    for step in steps("encrypt").iter().chain(&steps("decrypt")) {
        let ours = ratchet(&step.after).to_record();
        assert_eq!(Braid::decode(&ours).unwrap().encode().expose(), ours, "{}", step.name);
        states.insert(ratchet(&step.after).state());
    }
    // The ninth, a key that is whole before ct1 is acknowledged, came up in none.
    assert_eq!(states, BTreeSet::from([1, 2, 3, 4, 5, 6, 7, 8, 10, 11]));
}

#[test]
fn what_the_official_client_heard_leads_to_its_next_state() {
    let steps = steps("decrypt");
    assert!(steps.len() > 80, "{}", steps.len());
    for step in &steps {
        for provider in PROVIDERS {
            let (next, _) = braid(&step.before, provider).receive(provider, &step.field).unwrap();
            let expected = ratchet(&step.after).to_record();
            assert!(next.encode().expose() == expected, "{}", step.name);
        }
    }
}

#[test]
fn what_the_official_client_said_we_would_have_said() {
    let mut states = BTreeSet::new();
    for step in &steps("encrypt") {
        let before = braid(&step.before, &Pure);
        let state = before.encode().expose()[1];
        let after = ratchet(&step.after);
        let mut drawn = Drawn(if state == 7 { after.encapsulation_message() } else { [0; 32] });
        let (next, field, _) = before.send(&Pure, &mut drawn).unwrap();
        if state == 1 {
            // A key that each makes for itself; all else of the message is the same.
            let [ours, theirs] = [&field, &step.field].map(|field| BraidMessage::decode(field));
            let [ours, theirs] = [ours.unwrap(), theirs.unwrap()];
            assert_eq!((ours.epoch, ours.index), (theirs.epoch, theirs.index), "{}", step.name);
            assert!(matches!((ours.payload, theirs.payload), (Payload::Hdr(_), Payload::Hdr(_))));
        } else {
            assert_eq!(field, step.field, "{}", step.name);
            assert!(next.encode().expose() == after.to_record(), "{}", step.name);
        }
        states.insert(state);
    }
    assert_eq!(states, BTreeSet::from([1, 2, 3, 4, 5, 6, 7, 8, 10, 11]));
}
