//! `meshctl init`

mod lock;

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use meshwork::control::{self, Code, Fault, Reply, Request, answer};
use meshwork::identity::Root;
use meshwork::{Agent, Builder, Contact};
use meshwork_state::{OpenError, State};

use crate::context::Context;
use crate::crypto::provider;
use crate::output::Halt;
use crate::settings::Settings;
use crate::start;
use lock::Lock;

/// Make a new agent
#[derive(Args, Debug)]
#[command(after_help = "\
The state is sealed: with a passphrase where a terminal is there to type it, and else, or with \
--json, with a key file that is made in the state directory, or where --key-file says.

The root signs the agent's cards and names it for ever. It is kept in the state, unless --root-file \
has it written to a file apart, to be kept off line; `meshctl card renew` asks for it then.

Examples:
  $ meshctl init
  $ meshctl init --name alice --listen 192.0.2.7:7400
  $ meshctl init --relay mw1qrz3fh…@relay.example:7400
  $ meshctl init --root-file /media/stick/alice.root --listen 192.0.2.7:7400")]
pub(crate) struct Init {
    /// What the agent is called on this machine
    #[arg(long)]
    name: Option<String>,
    /// Keep the root apart, in this file; one that is there already is used
    #[arg(long, value_name = "FILE")]
    root_file: Option<PathBuf>,
    /// Where `up` will listen
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// A relay that keeps its mail, as a contact line; more than once, the first is used first
    #[arg(long, value_name = "CONTACT")]
    relay: Vec<Contact>,
}

impl Init {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        // 1. What would only fail later.
        control::socket_path(&context.state)?;
        vacant(context)?;
        make_directory(&context.state)?;
        // 2. What opens the state.
        let lock = Lock::choose(context)?;
        // 3. The agent.
        let agent = self.make(context, &lock).await?;
        let listen = agent.listening().first().map(ToString::to_string);
        let name = self.name.clone();
        let told = Settings { name, listen, key_file: lock.named(), ..Settings::default() };
        let identity = answer(&agent, Request::Id {}).next().await;
        let written = told.write(&context.state);
        agent.close().await.map_err(Fault::from)?;
        written?;
        // 4. What the owner should know.
        identity.map_or(Ok(()), |identity| self.tell(context, &lock, &identity))
    }

    async fn make(&self, context: &Context, lock: &Lock) -> Result<Agent, Fault> {
        let mut builder = Agent::builder().state(&context.state).provider(provider());
        builder = builder.unlock(lock.unlock());
        if let Some(path) = &self.root_file {
            builder = builder.root(root(path)?);
        }
        if let Some(listen) = &self.listen {
            builder = builder.listen(listen);
        }
        builder = self.relay.iter().cloned().fold(builder, Builder::relay);
        start::existing(context, builder).await
    }

    fn tell(&self, context: &Context, lock: &Lock, identity: &Reply) -> Result<(), Halt> {
        let output = context.output;
        output.object(identity)?;
        let Reply::Identity(identity) = identity else { return Ok(()) };
        let root = match &self.root_file {
            Some(path) => format!("{} (keep it off line, and a copy of it)", path.display()),
            None => "in the state".into(),
        };
        output.say(format_args!("agent  {}", identity.agent))?;
        output.say(format_args!("state  {}", context.state.display()))?;
        output.say(format_args!("key    {}", lock.told()))?;
        output.say(format_args!("root   {root}"))?;
        if self.root_file.is_some() && identity.contacts.is_empty() {
            let renew = context.command("card renew --root-file FILE");
            output.say(format_args!(
                "\nThe card names no address, and only the root can change that: run `{renew}`\n\
                 after the first `up`, or name one here with --listen."
            ))?;
        }
        output.say(format_args!("\nRun it with `{}`.", context.command("up")))
    }
}

fn vacant(context: &Context) -> Result<(), Fault> {
    match State::unlock_kind(&context.state) {
        Err(OpenError::NotAState) => Ok(()),
        Ok(_) | Err(OpenError::Locked) => {
            let cause = format!("there is an agent in {} already", context.state.display());
            Err(Fault::new(Code::AgentExists, cause))
        }
        Err(error) => Err(start::start_fault(context, &error.into())),
    }
}

fn make_directory(path: &Path) -> Result<(), Fault> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Fault::new(Code::Disk, format!("{}: {error}", path.display())))
}

/// The root in a file; a new one where there is none.
fn root(path: &Path) -> Result<Root, Fault> {
    if path.exists() {
        return start::read_root(path);
    }
    let bad = |why: String| Fault::new(Code::RootFile, format!("{}: {why}", path.display()));
    let provider = provider();
    let root = Root::generate(&*provider, &mut *provider.random())
        .map_err(|error| Fault::new(Code::Broken, error.to_string()))?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| bad(error.to_string()))?;
    let text = root.to_file(&*provider);
    let written = file.write_all(text.expose()).and_then(|()| file.sync_all());
    written.map_err(|error| bad(error.to_string()))?;
    Ok(root)
}
