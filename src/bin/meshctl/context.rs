//! What every command is told: where the state is, what opens it, who reads the output.

use std::path::PathBuf;

use clap::Args;
use meshwork::control::{Code, Fault};

use crate::output::Output;

/// Options of every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Directory of the agent's state [default: $XDG_DATA_HOME/meshwork/agent or
    /// ~/.local/share/meshwork/agent]
    #[arg(long, global = true, value_name = "DIR", env = "MESHWORK_STATE", hide_env_values = true)]
    pub(crate) state: Option<PathBuf>,
    /// File whose first line is the passphrase of the state
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "key_file")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Key file of the state [default: what `init` was told, or `key` in the state directory]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Print one JSON object a line, errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What every command is told, made sense of.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The directory of the state, absolute.
    pub(crate) state: PathBuf,
    /// Whether the state is the usual one, which commands in advice need not name.
    pub(crate) usual: bool,
    pub(crate) passphrase_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) output: Output,
}

impl Context {
    pub(crate) fn new(global: Global) -> Result<Self, Fault> {
        let Global { state, passphrase_file, key_file, json } = global;
        let usual = state.is_none();
        let state = state.or_else(usual_state).ok_or_else(|| {
            let cause = "there is no home directory to keep the state in";
            Fault::new(Code::BadArguments, cause).advise("name a directory with --state")
        })?;
        let state = std::path::absolute(&state).map_err(|error| {
            Fault::new(Code::BadArguments, format!("--state {}: {error}", state.display()))
        })?;
        Ok(Self { state, usual, passphrase_file, key_file, output: Output::new(json) })
    }

    /// How a command is typed that goes on with this state.
    pub(crate) fn command(&self, rest: &str) -> String {
        if self.usual {
            return format!("meshctl {rest}");
        }
        format!("meshctl --state {} {rest}", self.state.display())
    }
}

/// Where the state is unless somebody says otherwise: beside the folder of witnesses.
fn usual_state() -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    // The XDG specification has relative paths ignored.
    let data = data
        .filter(|path| path.is_absolute())
        .or_else(|| Some(std::env::home_dir()?.join(".local").join("share")))?;
    Some(data.join("meshwork").join("agent"))
}
