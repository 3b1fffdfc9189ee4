//! How an application names a peer.

use meshwork_protocols::identity::{AgentId, Contact};

/// A peer that is kept, by its id or by its local name.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Addressee {
    /// The agent with this id.
    Id(AgentId),
    /// The peer with this local name.
    Name(String),
}

impl From<AgentId> for Addressee {
    fn from(id: AgentId) -> Self {
        Self::Id(id)
    }
}

impl From<&AgentId> for Addressee {
    fn from(id: &AgentId) -> Self {
        Self::Id(*id)
    }
}

impl From<&Contact> for Addressee {
    fn from(contact: &Contact) -> Self {
        Self::Id(contact.agent)
    }
}

/// The text of an id, or else a local name.
impl From<&str> for Addressee {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Id)
    }
}

/// The text of an id, or else a local name.
impl From<String> for Addressee {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Addressee, AgentId};

    #[test]
    fn a_text_is_an_id_if_it_can_be_one_and_a_name_otherwise() {
        let id = AgentId::from_bytes([7; 32]);
        assert_eq!(Addressee::from(id.to_string()), Addressee::Id(id));
        let mut mistyped = id.to_string();
        mistyped.pop();
        assert_eq!(Addressee::from(mistyped.as_str()), Addressee::Name(mistyped));
    }
}
