//! The one place that writes to the terminal: lines for people, or one JSON object a line.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use meshwork::control::{Code, Fault, Reply};
use serde::Serialize;

/// Where a command's answer goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read it.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// A line for people; programs do not see it.
    pub(crate) fn say(self, line: impl Display) -> Result<(), Halt> {
        if self.json { Ok(()) } else { line_to(io::stdout().lock(), &line) }
    }

    /// An object for programs; people do not see it.
    pub(crate) fn object(self, value: &impl Serialize) -> Result<(), Halt> {
        if !self.json {
            return Ok(());
        }
        let text = serde_json::to_string(value);
        let text = text.map_err(|error| Fault::new(Code::Broken, error.to_string()))?;
        line_to(io::stdout().lock(), &text)
    }

    /// What came to nothing: to people on standard error, to programs where they read.
    pub(crate) fn fault(self, fault: Fault) -> Result<(), Halt> {
        if self.json {
            return self.object(&Reply::Error(fault));
        }
        let mut err = io::stderr().lock();
        line_to(&mut err, &format_args!("error[{}]: {}", fault.code, fault.cause))?;
        line_to(&mut err, &format_args!("  advice: {}", fault.advice))?;
        let retry = if fault.retry { "a retry can help" } else { "a retry alone does not help" };
        line_to(err, &format_args!("  retry:  {retry}"))
    }

    /// A word to people beside the answer, on standard error.
    pub(crate) fn note(self, line: impl Display) -> Result<(), Halt> {
        if self.json { Ok(()) } else { line_to(io::stderr().lock(), &line) }
    }
}

fn line_to(mut to: impl Write, line: &dyn Display) -> Result<(), Halt> {
    writeln!(to, "{line}")?;
    Ok(to.flush()?)
}

/// Why a command ends before its end.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It came to nothing.
    Fault(Box<Fault>),
    /// Who read the output has gone, as in `meshctl peers | head -1`: nothing is left to be said.
    Unread,
    /// All was said; the process is to end with this code.
    Exit(u8),
}

impl Halt {
    /// Says what is left to be said, and how the process ends.
    pub(crate) fn conclude(self, output: Output) -> ExitCode {
        match self {
            Self::Fault(fault) => {
                let code = fault.code.exit_code();
                // Nobody is left to be told of a failure to tell.
                let _ = output.fault(*fault);
                ExitCode::from(code)
            }
            Self::Unread => ExitCode::SUCCESS,
            Self::Exit(code) => ExitCode::from(code),
        }
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Unread;
        }
        Fault::new(Code::Disk, format!("the output cannot be written: {error}")).into()
    }
}
