//! What a store hands back, changed by whoever can write the disk.

use meshwork_protocols::deferred::agent::Envelope;
use meshwork_protocols::deferred::agent::{Correspondence, PrekeyStore};
use meshwork_protocols::deferred::session_list::SessionList;
use meshwork_protocols::deferred::wire::RatchetMessage;
use meshwork_protocols::provider::pure::Pure;

use super::writer::{ALICE, BOB, MOMENTS, around};
use crate::agent::{NOW, Seeded};

/// A correspondence has one encoding, and what is read can seal and open.
pub fn correspondence_record(data: &[u8]) {
    let Ok(mail) = Correspondence::decode(data) else { return };
    assert_eq!(mail.encode().unwrap().expose(), data);
    for moment in &*MOMENTS {
        let mut end = moment.end.clone();
        end.mail = mail.clone();
        if let Ok(arrived) = end.try_open(moment.peer, &moment.next) {
            holds(&arrived.next);
        }
    }
    let ends = [ALICE.id(), BOB.id()];
    if let Ok(sealed) = mail.seal(&mut around(&mut Seeded::new(1)), ends, b"payload") {
        holds(&sealed.next);
    }
    holds(&mail.archive());
}

/// A list of sessions has one encoding, and what is read can seal and open.
pub fn session_list(data: &[u8]) {
    let Ok(list) = SessionList::decode(data) else { return };
    assert_eq!(list.encode().unwrap().expose(), data);
    let random = &mut Seeded::new(1);
    for moment in &*MOMENTS {
        let (_, inside) = Envelope::decode(&moment.next).unwrap();
        let Ok(message) = RatchetMessage::decode(inside) else { continue };
        if let Ok(opened) = list.open(&Pure, &message, random) {
            holds_list(&opened.next);
        }
    }
    if let Ok(draft) = list.draft(&Pure, 5, NOW.wall, random)
        && let Ok((_, session)) = draft.seal(&Pure, b"short")
    {
        holds_list(&list.with_current(session));
    }
    holds_list(&list.archive());
}

/// Prekeys have one encoding, and what is read can be offered, replaced and let go.
pub fn prekey_store(data: &[u8]) {
    let Ok(store) = PrekeyStore::decode(data) else { return };
    assert_eq!(store.encode().unwrap().expose(), data);
    let random = &mut Seeded::new(1);
    let owner = (ALICE.id(), ALICE.card.sequence(), *ALICE.identity.public());
    let _ = store.bundle_body(owner, None, NOW.wall);
    let _ = store.rotation_is_due(NOW.wall);
    let refilled = store.refill(&Pure, store.available().saturating_add(2), NOW.wall, random);
    holds_store(&refilled);
    holds_store(&store.rotate(&Pure, NOW.wall, random).unwrap());
    holds_store(&store.expire(NOW.wall).publish(BOB.bundle.mark()));
}

pub(crate) fn correspondence_records() -> Vec<(&'static str, Vec<u8>)> {
    let record = |mail: &Correspondence| mail.encode().unwrap().expose().to_vec();
    MOMENTS.iter().skip(1).map(|moment| (moment.name, record(&moment.end.mail))).collect()
}

pub(crate) fn session_lists() -> Vec<(&'static str, Vec<u8>)> {
    let record = |list: &SessionList| list.encode().unwrap().expose().to_vec();
    let answered = MOMENTS[4].end.mail.sessions();
    vec![
        ("answered", record(answered)),
        ("unanswered", record(MOMENTS[3].end.mail.sessions())),
        ("archived", record(&answered.archive())),
    ]
}

pub(crate) fn prekey_stores() -> Vec<(&'static str, Vec<u8>)> {
    let fresh = BOB.keys.0.encode().unwrap().expose().to_vec();
    let rotated = BOB.keys.0.rotate(&Pure, NOW.wall, &mut Seeded::new(2)).unwrap();
    vec![("fresh", fresh), ("rotated", rotated.encode().unwrap().expose().to_vec())]
}

fn holds(mail: &Correspondence) {
    let record = mail.encode().unwrap();
    assert!(Correspondence::decode(record.expose()).unwrap().encode().unwrap() == record);
}

fn holds_list(list: &SessionList) {
    let record = list.encode().unwrap();
    assert!(SessionList::decode(record.expose()).unwrap().encode().unwrap() == record);
}

fn holds_store(store: &PrekeyStore) {
    let record = store.encode().unwrap();
    assert!(PrekeyStore::decode(record.expose()).unwrap().encode().unwrap() == record);
}
