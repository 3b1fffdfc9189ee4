//! Starting the agent in this process, and what can be wrong with that.

use std::path::Path;
use std::time::SystemTime;

use meshwork::control::{Code, Fault};
use meshwork::identity::{Root, RootFileError};
use meshwork::time::WallTime;
use meshwork::{Agent, Builder, OwnError, StartError};
use meshwork_state::{CreateError, KeyFileError, OpenError, State, UnlockError, UnlockKind};

use crate::context::Context;
use crate::crypto::provider;
use crate::secret_input;

/// A builder for the state that is there, with what opens it. Asks for a passphrase if need be.
pub(crate) fn builder(context: &Context) -> Result<Builder, Fault> {
    let kind = State::unlock_kind(&context.state)
        .map_err(|error| start_fault(context, &StartError::Open(error)))?;
    let unlock = secret_input::unlock(context, kind)?;
    Ok(Agent::builder().state(&context.state).unlock(unlock).provider(provider()))
}

/// Starts the agent of the state that is there.
pub(crate) async fn existing(context: &Context, builder: Builder) -> Result<Agent, Fault> {
    builder.start().await.map_err(|error| start_fault(context, &error))
}

/// Reads a root that is kept apart.
pub(crate) fn read_root(path: &Path) -> Result<Root, Fault> {
    let bad = |why: String| Fault::new(Code::RootFile, format!("{}: {why}", path.display()));
    let text = secret_input::whole_file(path).map_err(|error| bad(error.to_string()))?;
    Root::from_file(&*provider(), text.expose())
        .map_err(|error: RootFileError| bad(error.to_string()))
}

/// The time of day; the epoch where the clock is before it.
pub(crate) fn now() -> WallTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// What is wrong with a start, for people.
pub(crate) fn start_fault(context: &Context, error: &StartError) -> Fault {
    let place = context.state.display();
    match error {
        StartError::Open(OpenError::NotAState) => {
            let cause = format!("there is no agent in {place}");
            let init = context.command("init");
            Fault::new(Code::NoAgent, cause).advise(format!("make one with `{init}`"))
        }
        StartError::Open(OpenError::Locked) | StartError::Create(CreateError::Locked) => {
            Fault::new(Code::StateInUse, format!("another process has {place} open"))
        }
        StartError::Create(CreateError::Occupied) => {
            Fault::new(Code::AgentExists, format!("there is an agent in {place} already"))
        }
        error => Fault::new(start_code(error), format!("{place}: {error}")),
    }
}

fn start_code(error: &StartError) -> Code {
    match error {
        StartError::Open(OpenError::WrongKey) => Code::WrongKey,
        StartError::Open(OpenError::Damaged) | StartError::Own(OwnError::Damaged) => {
            Code::StateDamaged
        }
        StartError::Open(OpenError::TooNew { .. }) => Code::StateTooNew,
        StartError::Open(OpenError::Unlock(error))
        | StartError::Create(CreateError::Unlock(error)) => unlock_code(error),
        StartError::UnlockWanted(_) => Code::NoKey,
        StartError::KeyFile(_) => Code::KeyFile,
        StartError::Own(OwnError::AnotherRoot(_)) => Code::RootFile,
        StartError::Own(OwnError::Card(_) | OwnError::NoRoot) => Code::RootApart,
        StartError::ListenAddress(_) | StartError::Listen { .. } | StartError::RelayTransport => {
            Code::Listen
        }
        StartError::Open(_) | StartError::Create(_) | StartError::Store(_) => Code::Disk,
        StartError::NoWitnessPlace => Code::Disk,
        _ => Code::Broken,
    }
}

fn unlock_code(error: &UnlockError) -> Code {
    match error {
        UnlockError::KeyFile(
            KeyFileError::Unreadable(_) | KeyFileError::OpenToOthers | KeyFileError::Malformed,
        ) => Code::KeyFile,
        UnlockError::WrongKind(UnlockKind::Key | UnlockKind::Passphrase) => Code::NoKey,
        UnlockError::UnsafeParameters => Code::StateDamaged,
        UnlockError::OutOfMemory => Code::Disk,
        _ => Code::Broken,
    }
}
