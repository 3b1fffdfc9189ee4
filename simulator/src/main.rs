//! Runs many seeds and prints a table, or one seed with its trace.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints")]

use std::env;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Instant;

use meshwork_simulator::broken::Broken;
use meshwork_simulator::campaign::Campaign;
use meshwork_simulator::{Options, Primitives, Scenario, run};

const USAGE: &str = "\
Runs meshes of agents through storms and checks what was promised.

  --seeds COUNT      run that many seeds, dealt over the scenarios
  --first N          begin with this seed, not with 0
  --seed N           run one seed, of the scenario that it is dealt to, and print its trace
  --scenario NAME    only live, datagram, stored, mixed, ordered, strangers, disk,
                     deferred, relays or fleets
  --provider NAME    simulated (default), pure, or both, to see that routers decide alike;
                     fleets always take pure ones
  --broken NAME      run agents that are broken on purpose, for instance ForgetsInbox";

fn main() -> ExitCode {
    if env::args().any(|argument| argument == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match Asked::parse(env::args().skip(1)) {
        Ok(Asked { one: Some(_), compared: true, .. }) => usage("both providers have two traces"),
        Ok(Asked { one: Some(seed), scenario, options, .. }) => {
            replay(scenario.unwrap_or_else(|| Scenario::of(seed)), seed, options)
        }
        Ok(Asked { one: None, seeds: Some(count), first, scenario, options, compared }) => {
            let seeds = first..first.saturating_add(count);
            campaign(&Campaign { seeds, scenario, options, compared })
        }
        Ok(_) => usage("either --seeds or --seed is needed"),
        Err(error) => usage(&error),
    }
}

/// What the command line asks for.
#[derive(Debug, Default)]
struct Asked {
    seeds: Option<u64>,
    first: u64,
    one: Option<u64>,
    scenario: Option<Scenario>,
    options: Options,
    compared: bool,
}

impl Asked {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut asked = Self::default();
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--seeds" => asked.seeds = Some(number(&name, &value)?),
                "--first" => asked.first = number(&name, &value)?,
                "--seed" => asked.one = Some(number(&name, &value)?),
                "--scenario" => {
                    let scenario = Scenario::from_str(&value).map_err(|error| error.to_string())?;
                    asked.scenario = Some(scenario);
                }
                "--provider" => match value.as_str() {
                    "simulated" => asked.options.primitives = Primitives::Simulated,
                    "pure" => asked.options.primitives = Primitives::Pure,
                    "both" => asked.compared = true,
                    _ => return Err(format!("no such provider: {value}")),
                },
                "--broken" => {
                    let named = |broken: &Broken| format!("{broken:?}") == value;
                    let broken = Broken::ALL.into_iter().find(named);
                    asked.options.broken =
                        Some(broken.ok_or_else(|| format!("nobody is broken so: {value}"))?);
                }
                _ => return Err(format!("unknown: {name}")),
            }
        }
        Ok(asked)
    }
}

fn campaign(campaign: &Campaign) -> ExitCode {
    let begun = Instant::now();
    let tally = campaign.run();
    print!("{tally}");
    if campaign.scenario == Some(Scenario::Fleets) {
        println!("{:?}", tally.fleets());
    }
    println!("{:.1} s", begun.elapsed().as_secs_f64());
    match &tally.failure {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn replay(scenario: Scenario, seed: u64, options: Options) -> ExitCode {
    let outcome = run(scenario, seed, Options { told: true, ..options });
    for line in &outcome.lines {
        println!("{line}");
    }
    println!("trace {:016x}, decisions {:016x}", outcome.trace, outcome.decisions);
    println!("{:?}", outcome.counts);
    match outcome.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            eprintln!("seed {seed} of {scenario}: {violation}");
            ExitCode::FAILURE
        }
    }
}

fn number(name: &str, value: &str) -> Result<u64, String> {
    value.parse().map_err(|_| format!("{name} needs a number, not {value}"))
}

fn usage(error: &str) -> ExitCode {
    eprintln!("{error}\n\n{USAGE}");
    ExitCode::from(2)
}
