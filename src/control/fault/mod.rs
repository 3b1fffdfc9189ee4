//! What went wrong, in the words that a person reads and the code that a program matches.

mod causes;
mod code;

pub use code::Code;

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why something came to nothing: the cause, what to do about it, a stable code, and whether the
/// same request can succeed later.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Fault {
    /// Stable over versions.
    pub code: Code,
    /// What went wrong, in one line.
    pub cause: String,
    /// What to do, in one line.
    pub advice: String,
    /// Whether the same request can succeed later, with nothing changed here.
    pub retry: bool,
}

impl Fault {
    /// A fault with the usual advice for its code.
    pub fn new(code: Code, cause: impl Into<String>) -> Self {
        Self { code, cause: cause.into(), advice: code.advice().into(), retry: code.retry() }
    }

    /// The same with advice that knows more.
    #[must_use]
    pub fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.cause, self.code)
    }
}

impl std::error::Error for Fault {}
