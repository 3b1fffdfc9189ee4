//! An agent together with the local name that its owner gave it.

use std::fmt;

use meshwork_protocols::identity::AgentId;
use serde::{Deserialize, Serialize};

use super::text;

/// An agent, and what it is called here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Named {
    /// Its id.
    #[serde(with = "text")]
    pub agent: AgentId,
    /// Its local name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The name, or the start of the id.
impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.pad(name),
            None => f.pad(&self.agent.short()),
        }
    }
}
