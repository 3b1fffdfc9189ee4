//! `meshctl demo`
//!
//! Starts agents as processes of their own and plays scenes on them. A scene is a file; what it
//! shows comes from the agents' answers alone.

mod echo;
mod member;
mod mesh;
mod proxy;
mod scene_deferred;
mod scene_delivery;
mod scene_fleet;
mod scene_live;
mod scene_relay;
mod tally;

use std::time::{Duration, Instant};

use clap::Args;
use meshwork::control::{Code, Fault};

use crate::context::Context;
use crate::interruption::Interruption;
use crate::output::Halt;
use mesh::Mesh;

/// See three agents talk, one of them killed in the middle
#[derive(Args, Debug)]
#[command(after_help = "\
Three agents start as processes of their own in a temporary directory and meet by their contact \
lines. Each sends to each; in the middle one is killed with SIGKILL and started again. Then every \
inbox is read and every receipt awaited. One is stopped, written to while it is away, and started. Two \
that are never up together write through two relays, one of which is killed. Four form a group; one is \
killed and comes back, and one is taken out, whose saved state is tried on all that comes then. Two more \
talk over each transport, through a proxy that flips bytes, repeats and forges. The exit code is 0 only if \
each message arrived, and once, nothing opened that should not, and no answer was changed. \
It takes a few seconds, uses 127.0.0.1 only, and leaves nothing behind.

Example:
  $ meshctl demo
  $ meshctl demo --keep")]
pub(crate) struct Demo {
    /// Leave the agents up afterwards, and say what to try with them
    #[arg(long)]
    keep: bool,
}

impl Demo {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        let mut interruption = Interruption::listen()?;
        let mut mesh = None;
        let played = tokio::select! {
            played = tokio::time::timeout(LIMIT, play(context, self.keep, &mut mesh)) => played,
            () = interruption.comes() => {
                end(mesh).await;
                return Err(Halt::Exit(INTERRUPTED));
            }
        };
        let played = played.unwrap_or_else(|_| {
            let cause = format!("the demo did not finish within {} s", LIMIT.as_secs());
            Err(Fault::new(Code::DemoFailed, cause).into())
        });
        match mesh {
            Some(mesh) if self.keep && played.is_ok() => mesh.keep(context.output),
            mesh => {
                end(mesh).await;
                played
            }
        }
    }
}

async fn play(context: &Context, stay: bool, mesh: &mut Option<Mesh>) -> Result<(), Halt> {
    let output = context.output;
    let started = Instant::now();
    let mesh = mesh.insert(Mesh::new(stay)?);
    output.say("Three agents start, each a process of its own.")?;
    mesh.start(&["alice", "bob", "carol"]).await?;
    mesh.introduce(output).await?;
    let verdict = scene_delivery::play(mesh, output).await?;
    output.object(&verdict)?;
    let seconds = started.elapsed().as_secs_f32();
    if !verdict.holds() {
        let cause = format!(
            "of {} messages {} arrived once, {} were lost and {} doubled",
            verdict.sent, verdict.arrived_once, verdict.lost, verdict.doubled
        );
        return Err(Fault::new(Code::DemoFailed, cause).into());
    }
    scene_deferred::play(mesh, output).await?;
    scene_relay::play(output).await?;
    scene_fleet::play(output).await?;
    scene_live::play(output).await?;
    output.say(format_args!(
        "\nNothing lost, nothing doubled: {} of {} messages arrived once, in {seconds:.1} s.",
        verdict.arrived_once, verdict.sent
    ))
}

async fn end(mesh: Option<Mesh>) {
    if let Some(mesh) = mesh {
        mesh.end().await;
    }
}

/// Ten times what it takes, and more on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// What shells report for a process that SIGINT ended.
const INTERRUPTED: u8 = 130;
