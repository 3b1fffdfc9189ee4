//! A peer in one line to copy.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::agent_id::{AgentId, AgentIdError};
use super::card::{Address, Transport};
use super::endpoint::{Endpoint, EndpointError};

/// An agent and where to ask for its card, as `mw1..@host:port`. The place need not be trusted:
/// the card must hash to the id.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Contact {
    /// Who it is.
    pub agent: AgentId,
    /// Where to ask.
    pub endpoint: Endpoint,
}

impl Contact {
    /// Where it may be over each of these transports: a contact says none.
    pub fn addresses(&self, transports: impl IntoIterator<Item = Transport>) -> Vec<Address> {
        let address = |transport| Address { transport, endpoint: self.endpoint.clone() };
        transports.into_iter().map(address).collect()
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.agent, self.endpoint)
    }
}

impl FromStr for Contact {
    type Err = ContactError;

    fn from_str(text: &str) -> Result<Self, ContactError> {
        let (agent, endpoint) = text.split_once('@').ok_or(ContactError::NoEndpoint)?;
        Ok(Self { agent: agent.parse()?, endpoint: endpoint.parse()? })
    }
}

/// Why a text is not a contact.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ContactError {
    /// There is no `@`.
    #[error("a contact is an agent id, '@', and host:port")]
    NoEndpoint,
    /// What stands before the `@` is not an agent's id.
    #[error(transparent)]
    Agent(#[from] AgentIdError),
    /// What stands behind the `@` is not an endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::{Contact, ContactError};
    use crate::identity::agent_id::{AgentId, AgentIdError};
    use crate::identity::endpoint::EndpointError;

    #[test]
    fn a_contact_reads_back_as_it_was_written() {
        let agent = AgentId::from_bytes([7; 32]);
        for host in ["relay.example.org:7400", "192.0.2.1:1", "[2001:db8::1]:65535"] {
            let text = alloc::format!("{agent}@{host}");
            let contact: Contact = text.parse().unwrap();
            assert_eq!((contact.agent, contact.to_string()), (agent, text));
        }
    }

    #[test]
    fn the_error_names_the_part_at_fault() {
        let agent = AgentId::from_bytes([7; 32]);
        let cases = [
            (agent.to_string(), ContactError::NoEndpoint),
            ("mw1q@host:1".into(), AgentIdError::WrongLength.into()),
            (alloc::format!("{agent}@host"), EndpointError::NoPort.into()),
            (alloc::format!("{agent}@"), EndpointError::NoPort.into()),
            (alloc::format!("{agent}@a@b:1"), EndpointError::BadName.into()),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Contact>(), Err(expected), "{text}");
        }
    }
}
