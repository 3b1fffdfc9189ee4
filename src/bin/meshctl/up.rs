//! `meshctl up`

mod serve;

use std::path::{Path, PathBuf};

use clap::Args;
use meshwork::control::{Code, Fault, Reply, Request, Server, answer};
use meshwork::identity::Transport;
use meshwork::{Address, Agent};

use crate::context::Context;
use crate::interruption::Interruption;
use crate::output::Halt;
use crate::relay::Keeping;
use crate::settings::Settings;
use crate::{access, receive, show, start};

/// Run the agent in the foreground
#[derive(Args, Debug)]
#[command(after_help = "\
It prints the contact line for others to copy, then one line an event. Ctrl-C, SIGTERM and `meshctl \
down` end it in good order; a kill or a power loss loses nothing that was accepted.

Without --listen it listens where it last did or `init` was told, or else on a free port of \
127.0.0.1. Behind an address translation, or with a name, say with --advertise where others find it.

With --serve, known peers can call a program of yours: it gets what they send on standard input, and \
answers on standard output, within the call's deadline and 1 MiB; no shell is involved, and 8 run at \
once. MESHWORK_CALLER and MESHWORK_SERVICE say who calls what. An exit code other than 0 is a failure.

Example:
  $ meshctl up --listen 192.0.2.7:7400
  contact  mw1qrz3fh…@192.0.2.7:7400
  $ meshctl up --serve echo=cat --serve upper='tr a-z A-Z'")]
pub(crate) struct Up {
    /// Address to listen on; port 0 takes any that is free
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The address by which others reach it, if another: tcp:host:port
    #[arg(long, value_name = "ADDRESS")]
    advertise: Option<String>,
    /// What it speaks, to listen and to dial: some of quic, udp, tcp, with commas between
    #[arg(long, value_name = "LIST")]
    transports: Option<String>,
    /// Let known peers call this command; may be given more than once
    #[arg(long, value_name = "NAME=COMMAND", value_parser = serve::Service::parse)]
    serve: Vec<serve::Service>,
    /// Keep the files that known peers send (`meshctl stream`) in this directory
    #[arg(long, value_name = "DIR")]
    accept_files: Option<PathBuf>,
    /// Be a relay too: keep mail and prekeys for others
    #[arg(long)]
    relay: bool,
    #[command(flatten)]
    keeping: Keeping,
    /// End when standard input does: for a process whose children must not outlive it
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
}

impl Up {
    /// The same, as a relay.
    pub(crate) fn into_relay(self) -> Self {
        Self { relay: true, ..self }
    }

    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        serve::check(&self.serve)?;
        let agent = access::alone(context, || self.start(context)).await?;
        let serving = serve::offer(&agent, &self.serve)?;
        let relaying =
            if self.relay { Some(self.keeping.offer(context, &agent).await?) } else { None };
        // Not before: at a prompt for the passphrase, Ctrl-C ends the process.
        let mut interruption = Interruption::listen()?;
        let server = Server::bind(&context.state)?;
        let ended = tokio::select! {
            () = server.run(&agent) => Ok(()),
            told = tell(context, &agent) => told,
            told = take_files(context, &agent, self.accept_files.as_deref()) => told,
            () = interruption.comes() => Ok(()),
            () = stdin_ends(), if self.until_stdin_ends => Ok(()),
        };
        drop((serving, relaying));
        let closed = agent.close().await;
        // Only now, so that who asked for the end sees it when the state is given up.
        drop(server);
        closed.map_err(Fault::from)?;
        ended
    }

    /// Starts the agent, and remembers where it listens.
    async fn start(&self, context: &Context) -> Result<Agent, Fault> {
        let mut settings = Settings::read(&context.state)?;
        let listen = self.listen.as_deref().or(settings.listen.as_deref()).unwrap_or(ANYWHERE);
        // What was advertised before belonged to where it listened then.
        let before = settings.advertise.as_ref().filter(|_| self.listen.is_none());
        let advertise = self.advertise.as_ref().or(before);
        let mut builder = start::builder(context)?.listen(listen);
        if let Some(advertise) = advertise {
            builder = builder.advertise(address(advertise)?);
        }
        let advertise = advertise.cloned();
        let spoken = self.transports.clone().or(settings.transports.take());
        if let Some(spoken) = &spoken {
            builder = builder.transports(&transports(spoken)?);
        }
        let agent = start::existing(context, builder).await?;
        settings.listen = agent.listening().first().map(ToString::to_string);
        settings.advertise = advertise;
        settings.transports = spoken;
        settings.write(&context.state)?;
        Ok(agent)
    }
}

/// Transports with commas between.
fn transports(text: &str) -> Result<Vec<Transport>, Fault> {
    text.split(',').map(str::parse).collect::<Result<_, _>>().map_err(|error| {
        let fault = Fault::new(Code::Listen, format!("--transports {text}: {error}"));
        fault.advise("write it as quic,tcp")
    })
}

/// An address as a card says it.
pub(crate) fn address(text: &str) -> Result<Address, Fault> {
    text.parse().map_err(|error| {
        let fault = Fault::new(Code::Listen, format!("--advertise {text}: {error}"));
        fault.advise("write it as tcp:host:port")
    })
}

/// Says who it is, then what happens.
async fn tell(context: &Context, agent: &Agent) -> Result<(), Halt> {
    let output = context.output;
    let mut identity = answer(agent, Request::Id {});
    while let Some(reply) = identity.next().await {
        let Reply::Identity(identity) = &reply else { continue };
        if let Some(name) = Settings::read(&context.state)?.name {
            output.say(format_args!("name     {name}"))?;
        }
        output.say(format_args!("agent    {}", identity.agent))?;
        for contact in &identity.contacts {
            output.say(format_args!("contact  {contact}"))?;
        }
        if identity.contacts.is_empty() {
            output.say("contact  none: nobody can dial this address; name one with --advertise")?;
        }
        output.object(&reply)?;
    }
    warn_of_another_address(context, agent)?;
    let command = |rest: &str| context.command(rest);
    let mut events = answer(agent, Request::Watch {});
    while let Some(reply) = events.next().await {
        output.object(&reply)?;
        if let Reply::Event(event) = reply {
            output.say(show::event(&event, &command))?;
        }
    }
    Err(Fault::new(Code::Disk, "the agent could not go on").into())
}

/// Takes files, where it was told to, for as long as the agent runs.
async fn take_files(context: &Context, agent: &Agent, into: Option<&Path>) -> Result<(), Halt> {
    let Some(into) = into else { return std::future::pending().await };
    let mut files = answer(agent, receive::request(into, None)?);
    while let Some(reply) = files.next().await {
        match reply {
            Reply::Done {} => break,
            Reply::Error(fault) => return Err(fault.into()),
            reply => receive::tell(context, &reply)?,
        }
    }
    // The agent has stopped, which is told elsewhere.
    std::future::pending().await
}

/// A card that nobody here can sign goes on naming where the agent was.
fn warn_of_another_address(context: &Context, agent: &Agent) -> Result<(), Halt> {
    let card = agent.card();
    let named = card.addresses().first().map(|address| address.endpoint.clone());
    let named = named.and_then(|endpoint| endpoint.socket_addr());
    let elsewhere = named.is_none_or(|named| !agent.listening().contains(&named));
    let advertised = Settings::read(&context.state)?.advertise.is_some();
    let Some(listening) = agent.listening().first() else { return Ok(()) };
    if !elsewhere || advertised || listening.ip().is_unspecified() {
        return Ok(());
    }
    let renew = context.command("card renew --root-file FILE");
    context.output.note(format_args!(
        "note: the card does not name {listening}, where the agent listens, and its root is kept \
         apart:\nothers do not find it there before `{renew}`"
    ))
}

async fn stdin_ends() {
    // A thread of its own: tokio's standard input would hold the runtime back at the end.
    let (ended, wait) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let read = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        // Whether it ended well or not, it is over; and nobody may be waiting any more.
        let _ = ended.send(read);
    });
    let _ = wait.await;
}

/// Where an agent listens that was never told where: reachable from this machine alone.
const ANYWHERE: &str = "127.0.0.1:0";
