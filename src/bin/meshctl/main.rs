//! `meshctl`: an agent on the command line.
//!
//! Each subcommand is a file. What a command asks of the agent is a
//! [`Request`](meshwork::control::Request), put to the running `up` where there is one and to the
//! state itself where there is none ([`access`]); what it shows is a
//! [`Reply`](meshwork::control::Reply). So `--json` says what the control socket says.

mod access;
mod bar;
mod call;
mod card;
mod context;
mod crypto;
mod demo;
mod down;
mod group;
mod id;
mod inbox;
mod init;
mod interruption;
mod log;
mod output;
mod peers;
mod plain;
mod prekeys;
mod receive;
mod relay;
mod route;
mod secret_input;
mod send;
mod settings;
mod show;
mod span;
mod start;
mod status;
mod stream;
mod table;
mod up;
mod via;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use meshwork::control::{Code, Fault};

use crate::context::{Context, Global};
use crate::output::{Halt, Output};

/// A Meshwork agent on the command line.
#[derive(Debug, Parser)]
#[command(name = "meshctl", version, about = ABOUT, after_help = FIRST_STEPS, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Id(id::Id),
    Card(card::Card),
    Peers(peers::Peers),
    Up(up::Up),
    Relay(relay::Relay),
    Down(down::Down),
    Send(send::Send),
    Call(call::Call),
    Inbox(inbox::Inbox),
    Group(group::Group),
    Stream(stream::Stream),
    Receive(receive::Receive),
    Status(status::Status),
    Route(route::Route),
    Prekeys(prekeys::Prekeys),
    Watch(watch::Watch),
    Demo(demo::Demo),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let output = Output::new(cli.global.json);
    let done = match meshwork::runtime().build() {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(Fault::new(Code::Disk, format!("no runtime: {error}")).into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(halt) => halt.conclude(output),
    }
}

async fn run(cli: Cli) -> Result<(), Halt> {
    let context = Context::new(cli.global)?;
    log::show(context.output);
    match cli.command {
        Command::Init(it) => it.run(&context).await,
        Command::Id(it) => it.run(&context).await,
        Command::Card(it) => it.run(&context).await,
        Command::Peers(it) => it.run(&context).await,
        Command::Up(it) => it.run(&context).await,
        Command::Relay(it) => it.run(&context).await,
        Command::Down(it) => it.run(&context).await,
        Command::Send(it) => it.run(&context).await,
        Command::Call(it) => it.run(&context).await,
        Command::Inbox(it) => it.run(&context).await,
        Command::Group(it) => it.run(&context).await,
        Command::Stream(it) => it.run(&context).await,
        Command::Receive(it) => it.run(&context).await,
        Command::Status(it) => it.run(&context).await,
        Command::Route(it) => it.run(&context).await,
        Command::Prekeys(it) => it.run(&context).await,
        Command::Watch(it) => it.run(&context).await,
        Command::Demo(it) => it.run(&context).await,
    }
}

/// Help and version are answers; the rest is a mistake, told as every other one.
fn misused(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == "--json");
    let output = Output::new(json);
    let text = error.render().to_string();
    if !error.use_stderr() {
        // Shown to people even where programs were to read: there is no other form of it.
        return match Output::new(false).say(text.trim_end()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(halt) => halt.conclude(output),
        };
    }
    let cause = if json { first_line(&text) } else { text.trim_end() };
    Halt::from(Fault::new(Code::BadArguments, cause.trim_start_matches("error: "))).conclude(output)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

const ABOUT: &str = "A Meshwork agent on the command line: messages that arrive once, under \
    hybrid post-quantum keys";

const FIRST_STEPS: &str = "\
First steps:
  meshctl init                          make an agent
  meshctl up                            run it; prints the contact line that others copy
  meshctl send mw1..@host:7400 hello    in another terminal: send to a contact
  meshctl inbox                         read what arrived
  meshctl demo                          see three agents do all that, in a few seconds

While `meshctl up` runs, the other commands talk to it; without it they open the state themselves.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 failed and a retry can help, 4 sent but not as far \
as was waited for. Error codes are in docs/errors.md, the --json lines in docs/control.md.";
