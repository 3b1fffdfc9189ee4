//! An agent of the demo, as a process of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use meshwork::MessageId;
use meshwork::control::{Body, Client, Code, Fault, Reply, Request, Send, Status};
use tokio::process::{Child, Command};

use crate::crypto::provider;

/// What an agent of the demo is to be.
#[derive(Clone, Debug)]
pub(super) struct Part {
    name: &'static str,
    /// The command that runs it.
    runs: &'static str,
    /// The contacts of its relays.
    relays: Vec<String>,
}

impl Part {
    /// An agent whose mail these relays keep.
    pub(super) fn agent(name: &'static str, relays: &[String]) -> Self {
        Self { name, runs: "up", relays: relays.to_vec() }
    }

    /// A relay.
    pub(super) fn relay(name: &'static str) -> Self {
        Self { name, runs: "relay", relays: Vec::new() }
    }
}

/// An agent of the demo.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    runs: &'static str,
    /// Its state.
    pub(super) state: PathBuf,
    /// Where others reach it; the same over restarts.
    pub(super) contact: String,
    stay: bool,
    child: Child,
}

impl Member {
    /// Makes an agent in `folder` and starts it. One that is to `stay` outlives the demo.
    pub(super) async fn start(folder: &Path, part: Part, stay: bool) -> Result<Self, Fault> {
        let Part { name, runs, relays } = part;
        let state = folder.join(name);
        let made = meshctl(&state)?
            .args(["init", "--json", "--name", name, "--listen", "127.0.0.1:0"])
            .args(relays.iter().flat_map(|relay| ["--relay", relay.as_str()]))
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|error| setup(name, &error.to_string()))?;
        if !made.status.success() {
            return Err(setup(name, String::from_utf8_lossy(&made.stdout).trim()));
        }
        Self::run(state, (name, runs), stay).await
    }

    /// Starts an agent on a state that is there.
    pub(super) async fn resume(
        state: PathBuf,
        name: &'static str,
        stay: bool,
    ) -> Result<Self, Fault> {
        Self::run(state, (name, "up"), stay).await
    }

    async fn run(
        state: PathBuf,
        (name, runs): (&'static str, &'static str),
        stay: bool,
    ) -> Result<Self, Fault> {
        let child = spawn(&state, (name, runs), stay)?;
        let mut member = Self { name, runs, state, contact: String::new(), stay, child };
        member.contact = member.greeting().await?;
        Ok(member)
    }

    /// Copies its state as it lies there while the agent is stopped, with the witness, as who saves a
    /// disk would: to where the copy can be started.
    pub(super) fn save(&self) -> Result<PathBuf, Fault> {
        let failed = |error: std::io::Error| setup(self.name, &error.to_string());
        let folder = self.state.parent().unwrap_or(&self.state);
        let saved = folder.join("saved");
        copy(&folder.join("data"), &saved.join("data")).map_err(failed)?;
        let state = saved.join(self.name);
        copy(&self.state, &state).map_err(failed)?;
        Ok(state)
    }

    /// Ends the process as a power loss would: SIGKILL, by its handle.
    pub(super) async fn kill(&mut self) -> Result<(), Fault> {
        self.child.kill().await.map_err(|error| setup(self.name, &error.to_string()))
    }

    /// Ends the agent in good order, and waits for its end.
    pub(super) async fn stop(&mut self) -> Result<(), Fault> {
        ask(&self.state, &Request::Stop {}).await?;
        self.child.wait().await.map(drop).map_err(|error| setup(self.name, &error.to_string()))
    }

    /// Starts it again on the state that its end left.
    pub(super) async fn restart(&mut self) -> Result<(), Fault> {
        self.child = spawn(&self.state, (self.name, self.runs), self.stay)?;
        self.greeting().await.map(drop)
    }

    /// The number of its process, while it runs.
    pub(super) fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the agent answers, and takes its contact.
    async fn greeting(&mut self) -> Result<String, Fault> {
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience {
            if let Ok(replies) = ask(&self.state, &Request::Id {}).await {
                for reply in replies {
                    let Reply::Identity(identity) = reply else { continue };
                    let contact = identity.contacts.into_iter().next();
                    return contact.ok_or_else(|| setup(self.name, "it listens nowhere"));
                }
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                let log = std::fs::read_to_string(log(&self.state)).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default();
                return Err(setup(self.name, &format!("it ended at once ({status}): {last}")));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(setup(self.name, "it does not answer"))
    }
}

/// Asks the agent that runs on a state, and takes the whole answer.
pub(super) async fn ask(state: &Path, request: &Request) -> Result<Vec<Reply>, Fault> {
    let client = Client::connect(state).await?;
    let mut client = client.ok_or_else(|| Fault::new(Code::NotUp, "the agent is not up"))?;
    let mut replies = client.ask(request).await?;
    let mut all = Vec::new();
    while let Some(reply) = replies.next().await? {
        all.push(reply);
    }
    Ok(all)
}

/// Waits until a message is as far as is wanted, over kills of the agent that sends it.
pub(super) async fn until(
    state: &Path,
    message: MessageId,
    wanted: impl Fn(&Status) -> bool,
) -> Status {
    loop {
        for reply in ask(state, &Request::Status { message }).await.unwrap_or_default() {
            match reply {
                Reply::Status(status) if wanted(&status) => return status,
                _ => {}
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A message under an id of its own: asked for again, it is sent once.
pub(super) fn message(to: &str, text: &str, ordered: bool) -> (MessageId, Request) {
    let id = MessageId::random(&mut *provider().random());
    let request = Request::Send(Send {
        to: to.into(),
        body: Body(text.into()),
        content_type: Default::default(),
        message: Some(id),
        lifetime_seconds: None,
        ordered,
        wait: None,
    });
    (id, request)
}

fn spawn(state: &Path, (name, runs): (&str, &str), stay: bool) -> Result<Child, Fault> {
    let log = std::fs::File::options().create(true).append(true).open(log(state));
    let log = log.map_err(|error| setup(name, &error.to_string()))?;
    let errors = log.try_clone().map_err(|error| setup(name, &error.to_string()))?;
    let mut command = meshctl(state)?;
    command.args([runs, "--json"]).stdout(log).stderr(errors);
    if stay {
        // Away from the terminal's Ctrl-C, which would reach the whole group.
        command.stdin(Stdio::null()).process_group(0);
    } else {
        // The pipe closes with this process, however that ends, and the agent ends with the pipe.
        command.arg("--until-stdin-ends").stdin(Stdio::piped()).kill_on_drop(true);
    }
    command.spawn().map_err(|error| setup(name, &error.to_string()))
}

/// This program, on that state, with a data folder of the demo's own.
fn meshctl(state: &Path) -> Result<Command, Fault> {
    let program = std::env::current_exe()
        .map_err(|error| Fault::new(Code::DemoSetup, format!("this program: {error}")))?;
    let mut command = Command::new(program);
    command.arg("--state").arg(state);
    if let Some(folder) = state.parent() {
        command.env("XDG_DATA_HOME", folder.join("data"));
    }
    Ok(command)
}

/// Copies a folder with the files in it.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &to)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}

fn log(state: &Path) -> PathBuf {
    state.with_extension("log")
}

fn setup(name: &str, cause: &str) -> Fault {
    Fault::new(Code::DemoSetup, format!("{name}: {cause}"))
}

/// Many times what a start takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at an agent.
pub(super) const PAUSE: Duration = Duration::from_millis(20);
