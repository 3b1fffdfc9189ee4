//! The way to the agent: the `up` that runs, or the state itself.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use meshwork::Agent;
use meshwork::control::{self, Client, Code, Fault, Reply, Request};

use crate::context::Context;
use crate::output::Halt;
use crate::start;

/// The way to the agent.
pub(crate) enum Access {
    /// `up` runs on this state, and is asked over its socket.
    Running(PathBuf),
    /// Nobody runs on the state; it is open here until [`Access::close_after`].
    Opened(Agent),
}

impl Access {
    /// Finds the way.
    pub(crate) async fn open(context: &Context) -> Result<Self, Fault> {
        match alone(context, || open_here(context)).await {
            Ok(agent) => {
                warn_of_a_restore(context, &agent);
                Ok(Self::Opened(agent))
            }
            Err(fault) if fault.code == Code::AlreadyUp => Ok(Self::Running(context.state.clone())),
            Err(fault) => Err(fault),
        }
    }

    /// Finds the way, asks, takes the whole answer, and gives the state up again.
    pub(crate) async fn once(context: &Context, request: Request) -> Result<Vec<Reply>, Halt> {
        let access = Self::open(context).await?;
        let replies = access.all(request).await;
        access.close_after(replies).await
    }

    /// Whether `up` runs.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// Where nobody runs who has fetched the mail by now, it is fetched here, as far as relays answer
    /// soon.
    pub(crate) async fn fetch(&self) {
        if let Self::Opened(agent) = self {
            // What comes later is fetched by the next command.
            let _ = tokio::time::timeout(FETCH, agent.fetched()).await;
        }
    }

    /// Asks, and takes each line of the answer.
    pub(crate) async fn ask(
        &self,
        request: Request,
        mut each: impl AsyncFnMut(Reply) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        match self {
            Self::Running(state) => {
                let mut client = running(state).await?;
                let mut replies = client.ask(&request).await?;
                while let Some(reply) = replies.next().await? {
                    each(reply).await?;
                }
            }
            Self::Opened(agent) => {
                let mut answer = control::answer(agent, request);
                while let Some(reply) = answer.next().await {
                    match reply {
                        Reply::Done {} => {}
                        Reply::Error(fault) => return Err(fault.into()),
                        reply => each(reply).await?,
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks, and takes all lines of a bounded answer.
    pub(crate) async fn all(&self, request: Request) -> Result<Vec<Reply>, Halt> {
        let mut replies = Vec::new();
        self.ask(request, async |reply| {
            replies.push(reply);
            Ok(())
        })
        .await?;
        Ok(replies)
    }

    /// Gives the state up in good order, where it is open here, whatever came of it before; says
    /// what came of it first.
    pub(crate) async fn close_after<T>(self, done: Result<T, Halt>) -> Result<T, Halt> {
        let closed = match self {
            Self::Running(_) => Ok(()),
            Self::Opened(agent) => agent.close().await.map_err(Fault::from),
        };
        let done = done?;
        closed?;
        Ok(done)
    }
}

/// Opens the state with `open` once nobody else has it: another command has it for a moment, and
/// an `up` is told from one by its socket.
pub(crate) async fn alone(
    context: &Context,
    open: impl AsyncFn() -> Result<Agent, Fault>,
) -> Result<Agent, Fault> {
    let patience = Instant::now() + PATIENCE;
    loop {
        if Client::connect(&context.state).await?.is_some() {
            let cause = format!("`meshctl up` runs on {} already", context.state.display());
            return Err(Fault::new(Code::AlreadyUp, cause));
        }
        match open().await {
            Err(fault) if fault.code == Code::StateInUse && Instant::now() < patience => {
                tokio::time::sleep(PAUSE).await;
            }
            opened => return opened,
        }
    }
}

/// `up` tells it as an event; who only runs commands must hear it too.
fn warn_of_a_restore(context: &Context, agent: &Agent) {
    if let Some(evidence) = agent.restored() {
        let line = format_args!("note: the state was put back from a copy: {evidence}");
        // Who does not read notes reads the answer.
        let _ = context.output.note(line);
    }
}

async fn running(state: &Path) -> Result<Client, Fault> {
    let client = Client::connect(state).await?;
    client.ok_or_else(|| Fault::new(Code::ControlLost, "the running agent went away"))
}

/// Opens the state for a command: nothing listens, and the card stays as it is.
async fn open_here(context: &Context) -> Result<Agent, Fault> {
    start::existing(context, start::builder(context)?).await
}

/// How long another command is waited for: longer than any but `send --wait` has the state open.
const PATIENCE: Duration = Duration::from_secs(8);

/// How long relays are waited for: many times what a fetch takes.
const FETCH: Duration = Duration::from_secs(5);

const PAUSE: Duration = Duration::from_millis(50);
