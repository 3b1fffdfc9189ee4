//! `meshctl relay`, and what `up --relay` keeps.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use meshwork::control::{Code, Fault};
use meshwork::{Agent, RelayLimits, RelaySettings, RelayStartError, RelayStorageError, Relaying};

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::context::Context;
use crate::output::Halt;
use crate::up::Up;

/// Keep mail and prekeys for agents that are away
#[derive(Args, Debug)]
#[command(after_help = "\
It is an agent that lets any other leave mail, prekeys, group entries and blobs with it, within limits, \
and that reads none of it. It takes the options of `up`; its contact line goes to those who are to use \
it, as `meshctl init --relay CONTACT`. What it answered is durable; a kill or a power loss loses nothing.

Example:
  $ meshctl relay --listen 192.0.2.7:7400
  contact  mw1qrz3fh…@192.0.2.7:7400
  relay    keeps what it is given in /home/me/.local/share/meshwork/relay.redb")]
pub(crate) struct Relay {
    #[command(flatten)]
    up: Up,
}

impl Relay {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        self.up.into_relay().run(context).await
    }
}

/// Where a relay keeps what it is given, and how much of it.
#[derive(Args, Debug)]
pub(crate) struct Keeping {
    /// File in which a relay keeps what it is given; in the state directory unless said
    #[arg(long, value_name = "FILE")]
    relay_file: Option<PathBuf>,
    /// Gigabytes that a relay keeps at most
    #[arg(long, value_name = "GB", default_value_t = 64)]
    relay_space: u64,
    /// Days that a relay keeps anything
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=30))]
    relay_days: u64,
    /// Pieces of mail that a relay keeps for one agent
    #[arg(long, value_name = "COUNT", default_value_t = RelayLimits::default().mailbox_pieces)]
    relay_mailbox: usize,
    /// One-time keys of one agent that a relay hands out in an hour
    #[arg(long, value_name = "COUNT", default_value_t = RelayLimits::default().target_keys)]
    relay_keys: usize,
}

impl Keeping {
    /// Offers the relay, and says so.
    pub(crate) async fn offer(&self, context: &Context, agent: &Agent) -> Result<Relaying, Halt> {
        let in_state = || context.state.join(FILE);
        let mut settings = RelaySettings::new(self.relay_file.clone().unwrap_or_else(in_state));
        settings.limits = RelayLimits {
            keep: Duration::from_secs(self.relay_days * 24 * 60 * 60),
            total_bytes: self.relay_space << 30,
            mailbox_pieces: self.relay_mailbox,
            share_pieces: (self.relay_mailbox / 4).max(1),
            target_keys: self.relay_keys,
            ..RelayLimits::default()
        };
        #[cfg(unix)]
        open_many_files();
        let relaying = agent.relay(settings).await.map_err(|error| fault(&error))?;
        let place = relaying.file().display();
        context.output.say(format_args!("relay    keeps what it is given in {place}"))?;
        Ok(relaying)
    }
}

/// Each connected agent is an open file, of which a shell lets a process have few: a thousand, where
/// the system allows hundreds of thousands.
#[cfg(unix)]
fn open_many_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it may not, there is room for fewer, as there was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

fn fault(error: &RelayStartError) -> Fault {
    let code = match error {
        RelayStartError::Storage(RelayStorageError::Locked) => Code::StateInUse,
        RelayStartError::Storage(RelayStorageError::Damaged) => Code::StateDamaged,
        RelayStartError::Storage(_) | RelayStartError::Worker(_) => Code::Disk,
        _ => Code::Broken,
    };
    Fault::new(code, error.to_string())
}

/// The file beside the agent's own state.
const FILE: &str = "relay.redb";

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_relay_may_open_as_many_files_as_the_system_allows() {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let fewer = Rlimit { current: maximum.map(|most| most - 1), maximum };
        setrlimit(Resource::Nofile, fewer).unwrap();
        open_many_files();
        assert_eq!(getrlimit(Resource::Nofile).current, maximum);
    }
}
