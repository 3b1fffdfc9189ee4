//! Agents in a temporary folder, and the program that is tested.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Several times what anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder for agents; their witnesses are in it too.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::with_prefix("mw").unwrap() }
    }

    /// A home in which these agents were made.
    pub(crate) fn with(agents: &[&str]) -> Self {
        let home = Self::new();
        for agent in agents {
            home.run(agent, &["init", "--name", agent]).ok();
        }
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, agent: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshctl"));
        command
            .env("XDG_DATA_HOME", self.path("data"))
            .env_remove("MESHWORK_STATE")
            .arg("--state")
            .arg(self.path(agent))
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command of this agent to its end.
    pub(crate) fn run(&self, agent: &str, arguments: &[&str]) -> Ran {
        let Output { status, stdout, stderr } = self.command(agent, arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    /// The same with `--json`: its lines.
    pub(crate) fn json(&self, agent: &str, arguments: &[&str]) -> Vec<Value> {
        self.run(agent, &[arguments, &["--json"]].concat()).lines()
    }

    /// Starts the agent, and waits until it answers.
    pub(crate) fn up(&self, agent: &str) -> Up {
        self.up_with(agent, &[])
    }

    /// The same with more arguments.
    pub(crate) fn up_with(&self, agent: &str, arguments: &[&str]) -> Up {
        Up::start(self, agent, arguments)
    }

    /// Opens the control socket of an agent that is up.
    pub(crate) fn connect(&self, agent: &str) -> UnixStream {
        let stream = UnixStream::connect(self.path(agent).join("control")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

/// A command that ran.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// What it printed, which it did without an error.
    pub(crate) fn ok(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:#?}");
        &self.out
    }

    /// What it printed as JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{self:#?}"));
        self.out.lines().map(parse).collect()
    }

    /// Holds it to a fault: its code, exit code, and words in what it says.
    pub(crate) fn failed(&self, code: &str, exit: i32, words: &[&str]) {
        assert_eq!(self.code, Some(exit), "{self:#?}");
        assert!(self.err.starts_with(&format!("error[{code}]: ")), "{self:#?}");
        assert!(self.err.contains("\n  advice: ") && self.err.contains("\n  retry: "), "{self:#?}");
        for word in words {
            assert!(self.err.contains(word), "{word} is missing: {self:#?}");
        }
    }
}

/// An agent that is up. Dropped, it is killed.
pub(crate) struct Up {
    child: Child,
    /// The line by which others meet it.
    pub(crate) contact: String,
}

impl Up {
    fn start(home: &Home, agent: &str, arguments: &[&str]) -> Self {
        let mut command = home.command(agent, &[&["up", "--json"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let contact = first["contacts"][0].as_str().unwrap_or_else(|| panic!("{first}")).to_owned();
        // Read to its end, so that the agent can go on printing.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, contact }
    }

    /// Ends it as a power loss would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal, for instance one that stops it where it stands.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for its own end.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // One that has ended cannot be killed any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tries until it comes out, or fails the test.
pub(crate) fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + PATIENCE;
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(Instant::now() < limit, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
