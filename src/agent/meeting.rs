//! Learning a peer.

use std::sync::Arc;

use meshwork_protocols::identity::{AgentId, Card, Contact};
use meshwork_router::{Meeting, Request, Standing};

use super::MeetError;
use crate::driver::{Shared, fetch_card};

/// Who is met, and by what.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Whom {
    /// Who is at a contact string: its card is fetched from there.
    Contact(Contact),
    /// The agent of a card.
    Card(Arc<Card>),
}

impl From<Contact> for Whom {
    fn from(contact: Contact) -> Self {
        Self::Contact(contact)
    }
}

impl From<&Contact> for Whom {
    fn from(contact: &Contact) -> Self {
        Self::Contact(contact.clone())
    }
}

impl From<Card> for Whom {
    fn from(card: Card) -> Self {
        Self::Card(Arc::new(card))
    }
}

impl From<Arc<Card>> for Whom {
    fn from(card: Arc<Card>) -> Self {
        Self::Card(card)
    }
}

pub(super) async fn meet(
    shared: &Arc<Shared>,
    whom: Whom,
    name: Option<String>,
) -> Result<AgentId, MeetError> {
    let (card, contact) = match whom {
        Whom::Card(card) => (card, None),
        Whom::Contact(contact) if contact.agent == shared.id => return Err(MeetError::Oneself),
        Whom::Contact(contact) => {
            let card = fetch_card(shared, &contact).await?;
            (card, Some(contact.to_string()))
        }
    };
    let agent = card.agent();
    if agent == shared.id {
        return Err(MeetError::Oneself);
    }
    card.check_validity(shared.clock.now().wall).map_err(MeetError::Card)?;
    let meeting = Meeting { standing: Some(Standing::Known), name, contact };
    shared.request(Request::Meet { card, meeting }).await??;
    Ok(agent)
}
