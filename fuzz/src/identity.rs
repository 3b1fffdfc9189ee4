//! Names, and what roots sign.

use std::str::from_utf8;

use meshwork_protocols::identity::{
    AgentId, Card, CardHash, Contact, Endorsement, Revocation, Root, Unverified,
};
use meshwork_protocols::provider::pure::Pure;

use crate::agent::{Agent, NOW, authority, chain, endorsement as given};

/// The text of an agent's id has two forms, which differ in case alone.
pub fn agent_id(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Ok(id) = text.parse::<AgentId>() else { return };
    assert_eq!(id.to_string(), text.to_ascii_lowercase());
}

/// A contact that was read is written in a way that reads back as the same.
pub fn contact(data: &[u8]) {
    let Some(contact) = text(data).and_then(|text| text.parse::<Contact>().ok()) else { return };
    assert_eq!(contact.to_string().parse(), Ok(contact));
}

/// A card keeps its bytes, and verifies only if its agent's root signed those.
pub fn card(data: &[u8]) {
    let Ok(unverified) = Unverified::<Card>::parse(data) else { return };
    assert_eq!(unverified.hash(&Pure), CardHash::of(&Pure, data));
    judge_card(unverified, |card| card.as_bytes() == data);
}

/// The text of a card may differ in blanks and line ends; the card may not.
pub fn card_text(data: &[u8]) {
    let Some(Ok(unverified)) = text(data).map(Unverified::<Card>::parse_text) else { return };
    judge_card(unverified, |card| {
        Unverified::<Card>::parse_text(&card.to_text()).unwrap().hash(&Pure) == card.hash()
    });
}

/// A revocation verifies only if the root of its agent made it.
pub fn revocation(data: &[u8]) {
    let Ok(unverified) = Unverified::<Revocation>::parse(data) else { return };
    let Ok(revocation) = unverified.verify(&Pure) else { return };
    assert_eq!(revocation.as_bytes(), data);
    assert_eq!(revocation, Agent::own().revocation(), "a revocation that no root made");
}

/// A chain of roles has one encoding, and holds only if each link was signed.
pub fn endorsement(data: &[u8]) {
    let Ok(unverified) = Unverified::<Endorsement>::parse(data) else { return };
    assert_eq!(unverified.to_bytes().as_deref(), Ok(data));
    let trusted = [authority().agent()].into();
    for agent in [Agent::own(), Agent::peer()] {
        if unverified.verify(&Pure, agent.id(), &trusted, NOW.wall).is_ok() {
            let made = [given(agent.id()), chain()];
            assert!(made.contains(&unverified), "a role that nobody gave");
        }
    }
}

/// A root that was read is written in a way that reads back as the same.
pub fn root_file(data: &[u8]) {
    let Ok(root) = Root::from_file(&Pure, data) else { return };
    let again = Root::from_file(&Pure, root.to_file(&Pure).expose()).unwrap();
    assert_eq!(again.agent(), root.agent());
}

fn judge_card(unverified: Unverified<Card>, holds: impl Fn(&Card) -> bool) {
    let claimed = unverified.claimed_agent();
    let Ok(card) = unverified.verify(&Pure, NOW.wall) else { return };
    assert_eq!(card.agent(), claimed);
    let made = [Agent::own(), Agent::peer()].iter().any(|agent| **agent.card() == card);
    assert!(made, "a card that no root signed");
    assert!(holds(&card));
}

fn text(data: &[u8]) -> Option<&str> {
    from_utf8(data).ok()
}
