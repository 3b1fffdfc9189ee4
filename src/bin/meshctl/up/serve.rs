//! `meshctl up --serve`: a program of the operator's answers calls.
//!
//! The operator names the program; a caller chooses its standard input and nothing else: no shell
//! reads anything, and no argument comes from a peer. It has the call's time and no more, and what
//! it writes is bounded.

use std::process::Stdio;
use std::sync::Arc;

use meshwork::control::{Code, Fault};
use meshwork::{Agent, Asked, Declined, MAX_CALL_BODY, Serving};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

/// How many programs run at once, of all services: callers beyond are told that the agent is busy.
const AT_ONCE: usize = 8;

/// A service and the program that answers its calls.
#[derive(Clone, Debug)]
pub(super) struct Service {
    name: String,
    program: Vec<String>,
}

impl Service {
    /// `NAME=PROGRAM ARGUMENT..`, split at spaces.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (name, program) = text.split_once('=').ok_or("write it as NAME=COMMAND")?;
        let program: Vec<String> = program.split_whitespace().map(str::to_owned).collect();
        if name.is_empty() || program.is_empty() {
            return Err("write it as NAME=COMMAND".into());
        }
        Ok(Self { name: name.to_owned(), program })
    }
}

/// Offers services until the guards are dropped.
pub(super) fn offer(agent: &Agent, services: &[Service]) -> Result<Vec<Serving>, Fault> {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let offered = services.iter().map(|service| {
        let (slots, program) = (Arc::clone(&slots), Arc::new(service.program.clone()));
        let handler = move |asked| answer(Arc::clone(&slots), Arc::clone(&program), asked);
        agent.serve(&service.name, handler).map_err(|error| Fault::of(&service.name, error))
    });
    offered.collect()
}

async fn answer(
    slots: Arc<Semaphore>,
    program: Arc<Vec<String>>,
    asked: Asked,
) -> Result<Vec<u8>, Declined> {
    let _slot = slots.try_acquire().map_err(|_| Declined::Busy)?;
    let mut child = start(&program, &asked)?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let telling = async {
        if let Some(mut input) = input {
            // A program need not read what it is told.
            let _ = input.write_all(&asked.body).await;
        }
    };
    let hearing = async {
        let mut said = Vec::new();
        if let Some(output) = output {
            output.take(MAX_CALL_BODY as u64 + 1).read_to_end(&mut said).await?;
        }
        Ok::<_, Declined>(said)
    };
    let ((), said) = tokio::join!(telling, hearing);
    let said = said?;
    if said.len() > MAX_CALL_BODY {
        return Err(Declined::Failed);
    }
    if child.wait().await?.success() { Ok(said) } else { Err(Declined::Failed) }
}

/// Killed where the call is withdrawn: then the child is dropped.
fn start(program: &[String], asked: &Asked) -> Result<Child, Declined> {
    let (name, arguments) = program.split_first().ok_or(Declined::Failed)?;
    let child = Command::new(name)
        .args(arguments)
        .env("MESHWORK_CALLER", asked.caller.to_string())
        .env("MESHWORK_SERVICE", asked.service.as_str())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()?;
    Ok(child)
}

/// Whether the programs are there, said at the start and not at the first call.
pub(super) fn check(services: &[Service]) -> Result<(), Fault> {
    for Service { name, program } in services {
        let found = program.first().is_some_and(|program| is_there(program));
        if !found {
            let program = program.first().map_or("", String::as_str);
            let cause = format!("--serve {name}: there is no program {program}");
            return Err(Fault::new(Code::BadArguments, cause));
        }
    }
    Ok(())
}

fn is_there(program: &str) -> bool {
    if program.contains('/') {
        return std::path::Path::new(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::Service;

    #[test]
    fn a_service_is_a_name_and_a_program_with_arguments() {
        let service = Service::parse("upper=tr a-z  A-Z").unwrap();
        assert_eq!(
            (&*service.name, &*service.program),
            ("upper", &["tr", "a-z", "A-Z"].map(str::to_owned)[..])
        );
        for bad in ["", "upper", "=tr", "upper=", "upper= "] {
            assert!(Service::parse(bad).is_err(), "{bad}");
        }
    }
}
