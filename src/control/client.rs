//! The asking side of the control socket.

use std::io;
use std::path::Path;

use serde::Serialize;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::lines::{self, LineError, Lines};
use super::{Code, Fault, Reply, Request, place};

/// A connection to a running agent.
#[derive(Debug)]
pub struct Client {
    lines: Lines<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    last: u64,
}

impl Client {
    /// Connects to the agent that runs on the state in `directory`; nothing where none does.
    pub async fn connect(directory: &Path) -> Result<Option<Self>, Fault> {
        // Nobody can listen where the path is too long for it.
        let Ok(path) = place::socket_path(directory) else { return Ok(None) };
        let stream = place::connect(&path).await.map_err(|error| lost(&error))?;
        let Some(stream) = stream else { return Ok(None) };
        let (reader, writer) = stream.into_split();
        Ok(Some(Self { lines: Lines::new(reader), writer, last: 0 }))
    }

    /// Asks. The answer is to be taken to its end, or the client to be dropped, before the next
    /// request.
    pub async fn ask(&mut self, request: &Request) -> Result<Replies<'_>, Fault> {
        self.last += 1;
        let asked = Asked { id: self.last, request };
        match lines::write(&mut self.writer, &asked).await {
            // Who is turned away finds the reason among what is still to be read.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(lost(&error)),
            _ => {}
        }
        Ok(Replies { client: self, ended: false })
    }
}

/// The lines of one answer.
#[derive(Debug)]
pub struct Replies<'a> {
    client: &'a mut Client,
    ended: bool,
}

impl Replies<'_> {
    /// The next line that says something; nothing when the answer is over.
    pub async fn next(&mut self) -> Result<Option<Reply>, Fault> {
        if self.ended {
            return Ok(None);
        }
        let line = match self.client.lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) => {
                return Err(Fault::new(Code::ControlLost, "the agent closed the connection"));
            }
            Err(LineError::Io(error)) => return Err(lost(&error)),
            Err(error) => return Err(Fault::new(Code::ControlLost, error.to_string())),
        };
        let reply = serde_json::from_slice(line).map_err(|error| {
            Fault::new(Code::ControlLost, format!("the agent's answer makes no sense: {error}"))
        })?;
        self.ended = matches!(reply, Reply::Done {} | Reply::Error(_));
        match reply {
            Reply::Done {} => Ok(None),
            Reply::Error(fault) => Err(fault),
            reply => Ok(Some(reply)),
        }
    }
}

/// A request as a line.
#[derive(Serialize)]
struct Asked<'a> {
    id: u64,
    #[serde(flatten)]
    request: &'a Request,
}

fn lost(error: &io::Error) -> Fault {
    Fault::new(Code::ControlLost, format!("the control socket failed: {error}"))
}
