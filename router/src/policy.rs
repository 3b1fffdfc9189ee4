//! What the owner allows. Later kinds of rights are added here.

/// What the owner allows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// What becomes of a stranger's first message.
    pub first_contact: FirstContact,
}

/// What becomes of a message from an agent that the owner does not know.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FirstContact {
    /// It is kept for the owner to decide; the stranger hears nothing.
    #[default]
    Hold,
    /// Whoever can prove an identity becomes known.
    Accept,
    /// It is dropped; the stranger hears nothing.
    Drop,
}
