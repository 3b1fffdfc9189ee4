//! The processes of a run: this program again, in other roles. Each ends with its standard input.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use meshwork::{Agent, RelayLimits, RelaySettings};

/// Which part of this program a process is.
const ROLE: &str = "MESHWORK_BENCH_ROLE";

pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

pub(crate) fn argument(place: usize) -> String {
    std::env::args().nth(place).unwrap()
}

/// Another process, from which lines are read.
pub(crate) struct Other(Child);

impl Other {
    pub(crate) fn start(role: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(ROLE, role).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// The next line that it says; nothing once it is gone.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        BufReader::with_capacity(1, self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Lets it end; whether it ended well. What it says meanwhile is shown.
    pub(crate) fn end(mut self) -> bool {
        drop(self.0.stdin.take());
        self.wait()
    }

    /// Waits for its own end, and shows what it says.
    pub(crate) fn wait(&mut self) -> bool {
        std::io::copy(self.0.stdout.as_mut().unwrap(), &mut std::io::stdout()).unwrap();
        self.0.wait().unwrap().success()
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Its memory in MiB.
    pub(crate) fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
    }
}

/// Says a line to who started this process.
pub(crate) fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().unwrap();
}

/// Waits until who started this process has enough of it.
pub(crate) async fn until_end() {
    let until = tokio::task::spawn_blocking(|| std::io::stdin().lines().count());
    until.await.unwrap();
}

/// Starts a relay over what is in a folder, and returns the line by which it is reached.
pub(crate) fn start_relay(folder: &Path, target_keys: usize) -> (Other, String) {
    let folder = folder.to_str().unwrap();
    let mut relay = Other::start("relay", &[folder, &target_keys.to_string()]);
    let contact = relay.line();
    (relay, contact)
}

pub(crate) async fn be_relay() -> bool {
    let (folder, target_keys) = (PathBuf::from(argument(1)), argument(2).parse().unwrap());
    let builder = Agent::builder().in_memory().listen("127.0.0.1:0");
    let agent = builder.start().await.unwrap();
    let mut settings = RelaySettings::new(folder.join("relay.redb"));
    settings.limits = RelayLimits { target_keys, ..unlimited() };
    let relaying = agent.relay(settings).await.unwrap();
    say(&agent.contact().unwrap().to_string());
    until_end().await;
    let metrics = relaying.metrics();
    if metrics.deposits > 0 {
        let each = metrics.deposits as f64 / metrics.batches.max(1) as f64;
        println!("  {} deposits, {each:.0} in each transaction", metrics.deposits);
    }
    agent.close().await.unwrap();
    true
}

/// As much mail as one asks for: what is measured is not how much is refused.
pub(crate) fn unlimited() -> RelayLimits {
    RelayLimits {
        mailbox_pieces: usize::MAX,
        mailbox_bytes: u64::MAX,
        share_pieces: usize::MAX,
        share_bytes: u64::MAX,
        sender_pieces: u64::MAX,
        sender_bytes: u64::MAX,
        ..RelayLimits::default()
    }
}
