//! The answering side of the control socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::io::AsyncWrite;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::lines::{self, LineError, Lines};
use super::{Code, Fault, Reply, Request, answer, place};
use crate::Agent;

/// The most connections at once: each can keep a line of 2 MiB and as
/// much of an answer in memory.
pub const MAX_CONNECTIONS: usize = 64;

/// A control socket.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Listens beside the state in `directory`, for its owner alone. The caller has the state
    /// open, so that a socket found there was left behind by a process that is gone.
    pub fn bind(directory: &Path) -> Result<Self, Fault> {
        let path = place::socket_path(directory)?;
        let listener = place::listen(&path).map_err(|error| {
            Fault::new(Code::Disk, format!("the control socket {}: {error}", path.display()))
        })?;
        Ok(Self { listener, path })
    }

    /// Answers until somebody asks to stop. The socket stays until the server is dropped: dropped
    /// after the agent was closed, it says to those who wait for the end when that is.
    pub async fn run(&self, agent: &Agent) {
        let stop = Arc::new(Notify::new());
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.notified() => break,
                Some(_) = connections.join_next() => continue,
            };
            match stream {
                Ok((stream, _)) => {
                    let slot = Arc::clone(&slots).try_acquire_owned().ok();
                    let (agent, stop) = (agent.clone(), Arc::clone(&stop));
                    connections.spawn(async move {
                        let connection = Connection::new(stream, agent, stop);
                        match slot {
                            Some(_held) => connection.serve().await,
                            None => connection.turn_away().await,
                        }
                    });
                }
                // Out of descriptors, most likely: some come back when a connection ends.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Should it stay, the next process replaces it.
        let _ = place::remove(&self.path);
    }
}

/// Somebody who asks.
struct Connection {
    lines: Lines<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    agent: Agent,
    stop: Arc<Notify>,
}

/// The other side is gone, or can no longer be followed: nothing is left to be said.
struct Gone;

impl Connection {
    fn new(stream: UnixStream, agent: Agent, stop: Arc<Notify>) -> Self {
        let (reader, writer) = stream.into_split();
        Self { lines: Lines::new(reader), writer, agent, stop }
    }

    async fn turn_away(mut self) {
        let cause = format!("{MAX_CONNECTIONS} connections are open");
        let fault = Fault::new(Code::TooManyConnections, cause);
        // Who does not read it sees the connection end.
        let _ = say(&mut self.writer, None, &Reply::Error(fault)).await;
    }

    async fn serve(mut self) {
        while self.one().await.is_ok() {}
    }

    /// A request and its answer.
    async fn one(&mut self) -> Result<(), Gone> {
        let line = match self.lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) | Err(LineError::Cut | LineError::Io(_)) => return Err(Gone),
            Err(error @ LineError::TooLong) => {
                let fault = Fault::new(Code::LineTooLong, error.to_string());
                say(&mut self.writer, None, &Reply::Error(fault)).await?;
                return Err(Gone);
            }
        };
        match read(line) {
            Ok((id, request)) => self.answer(id, request).await,
            Err((id, fault)) => say(&mut self.writer, id, &Reply::Error(fault)).await,
        }
    }

    async fn answer(&mut self, id: u64, request: Request) -> Result<(), Gone> {
        let stops = matches!(request, Request::Stop {});
        let endless = request.is_endless();
        let mut answer = answer(&self.agent, request);
        loop {
            tokio::select! {
                reply = answer.next() => {
                    let Some(reply) = reply else { break };
                    say(&mut self.writer, Some(id), &reply).await?;
                }
                // Who asks something else has seen enough; who is gone is found out here too.
                stirred = self.lines.stirs(), if endless => {
                    stirred.map_err(|_| Gone)?;
                    say(&mut self.writer, Some(id), &Reply::Done {}).await?;
                    break;
                }
            }
        }
        if stops {
            self.stop.notify_one();
        }
        Ok(())
    }
}

/// Reads a request; a fault comes with the number, where there was one.
fn read(line: &[u8]) -> Result<(u64, Request), (Option<u64>, Fault)> {
    let malformed = |cause: String| Fault::new(Code::Malformed, cause);
    let mut object: Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| (None, malformed(error.to_string())))?;
    let id = object.remove("id").and_then(|id| id.as_u64());
    let Some(id) = id else {
        return Err((None, malformed("`id` must be a whole number of yours".into())));
    };
    let request = serde_json::from_value(Value::Object(object));
    request.map(|request| (id, request)).map_err(|error| (Some(id), malformed(error.to_string())))
}

/// A line of an answer.
#[derive(Serialize)]
struct Answered<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(flatten)]
    reply: &'a Reply,
}

async fn say(
    to: &mut (impl AsyncWrite + Unpin),
    id: Option<u64>,
    reply: &Reply,
) -> Result<(), Gone> {
    lines::write(to, &Answered { id, reply }).await.map_err(|_| Gone)
}
