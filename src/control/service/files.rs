//! Files over streams.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::{Ended, Out};
use crate::control::transfer::{Direction, SendFile, Transfer, TransferState};
use crate::control::{Code, Fault, Reply, roster};
use crate::files::{self, FileName, Incoming, ReceiveError};
use crate::{Agent, Stream};

/// How many files may come in at once: each costs two chunks of memory and an open file.
const AT_ONCE: usize = 16;

/// How long the header of a file may take: it comes with the stream, or something is wrong.
const HEADER: Duration = Duration::from_secs(30);

/// How often it is told how far a file got: often enough for a bar that moves.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// Sends a file.
pub(super) async fn send(agent: &Agent, file: SendFile, out: &Out) -> Result<(), Ended> {
    let path = Path::new(&file.file);
    let name = match &file.rename {
        Some(name) => name.as_str(),
        None => path.file_name().and_then(|name| name.to_str()).unwrap_or_default(),
    };
    let name: FileName = name.parse().map_err(|error| {
        let fault = Fault::new(Code::BadFileName, format!("{name:?}: {error}"));
        fault.advise("give it another name there with --as")
    })?;
    check_file(path).await?;
    let to = roster::find_or_meet(agent, &file.to).await?;
    let streams = file.name.as_deref().unwrap_or(files::NAME);
    let stream = match file.via {
        None => agent.open_stream(to, streams).await,
        Some(via) => agent.open_stream_via(to, streams, via.into()).await,
    };
    let stream = stream.map_err(Fault::from)?;
    let told = Transfer {
        direction: Direction::Out,
        peer: roster::named(agent, to),
        file: name.to_string(),
        state: TransferState::Moving,
        bytes: 0,
        size: 0,
        path: None,
        why: None,
    };
    let provider = agent.shared.provider();
    let (moved, seen) = watch::channel((0, 0));
    let moved = |bytes, size| {
        moved.send_replace((bytes, size));
    };
    let sending = files::send(stream, path, name, provider.as_ref(), moved);
    let sent = telling(sending, seen, &told, out).await?.map_err(Fault::from)?;
    out.say(Reply::Transfer(Transfer {
        state: TransferState::Kept,
        bytes: sent,
        size: sent,
        ..told
    }))
    .await
}

async fn check_file(path: &Path) -> Result<(), Fault> {
    let unreadable = |why: &str| Fault::new(Code::InputFile, format!("{}: {why}", path.display()));
    if !path.is_absolute() {
        return Err(unreadable("not an absolute path"));
    }
    match tokio::fs::metadata(path).await {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(unreadable("not a file")),
        Err(error) => Err(unreadable(&error.to_string())),
    }
}

/// Tells from time to time how far it got, until it is done.
async fn telling<T>(
    work: impl Future<Output = T>,
    mut seen: watch::Receiver<(u64, u64)>,
    told: &Transfer,
    out: &Out,
) -> Result<T, Ended> {
    let (mut work, mut told_bytes) = (pin!(work), 0);
    let mut ticks = interval(TELL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            _ = ticks.tick() => {
                let (bytes, size) = *seen.borrow_and_update();
                if bytes > told_bytes {
                    told_bytes = bytes;
                    out.say(Reply::Transfer(Transfer { bytes, size, ..told.clone() })).await?;
                }
            }
        }
    }
}

/// Takes the files that known peers send, until nobody listens any more.
pub(super) async fn receive(
    agent: &Agent,
    into: &str,
    name: Option<&str>,
    out: &Out,
) -> Result<(), Ended> {
    let folder = Path::new(into);
    if !folder.is_absolute() || !folder.is_dir() {
        let cause = format!("{}: no such directory, or no absolute path", folder.display());
        return Err(Fault::new(Code::Disk, cause).advise("make the directory first").into());
    }
    let mut streams = agent.streams(name.unwrap_or(files::NAME)).map_err(Fault::from)?;
    let (mut coming, slots) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    loop {
        tokio::select! {
            stream = streams.next() => {
                let Some(stream) = stream else { return Ok(()) };
                let (agent, out) = (agent.clone(), out.clone());
                let (folder, slots) = (folder.to_owned(), Arc::clone(&slots));
                coming.spawn(async move { take(&agent, stream, &folder, &slots, &out).await });
            }
            Some(ended) = coming.join_next() => {
                if matches!(ended, Ok(Err(Ended::Unread))) {
                    return Err(Ended::Unread);
                }
            }
        }
    }
}

/// Takes one file, and tells what came of it.
async fn take(
    agent: &Agent,
    stream: Stream,
    folder: &Path,
    slots: &Semaphore,
    out: &Out,
) -> Result<(), Ended> {
    let peer = roster::named(agent, stream.peer());
    let Ok(begun) = tokio::time::timeout(HEADER, Incoming::begin(stream)).await else {
        return Ok(());
    };
    let mut told = Transfer {
        direction: Direction::In,
        peer,
        file: String::new(),
        state: TransferState::Moving,
        bytes: 0,
        size: 0,
        path: None,
        why: None,
    };
    let kept = match begun {
        Err(error) => Err(error),
        Ok(incoming) => {
            told.file = incoming.name().to_string();
            told.size = incoming.size();
            let Ok(_slot) = slots.try_acquire() else {
                incoming.refuse_busy();
                return Ok(());
            };
            let (provider, (moved, seen)) = (agent.shared.provider(), watch::channel((0, 0)));
            let moved = |bytes, size| {
                moved.send_replace((bytes, size));
            };
            let keeping = incoming.keep(folder, provider.as_ref(), moved);
            telling(keeping, seen, &told, out).await?
        }
    };
    out.say(Reply::Transfer(ended(told, kept))).await
}

fn ended(told: Transfer, kept: Result<files::Kept, ReceiveError>) -> Transfer {
    match kept {
        Ok(files::Kept { path, size }) => Transfer {
            state: TransferState::Kept,
            bytes: size,
            path: Some(path.display().to_string()),
            ..told
        },
        Err(error) => {
            Transfer { state: TransferState::Failed, why: Some(error.to_string()), ..told }
        }
    }
}
