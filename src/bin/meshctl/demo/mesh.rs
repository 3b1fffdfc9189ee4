//! The agents of the demo, and the folder that they live in.

use meshwork::control::{Code, Fault, Request};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::member::{Member, Part, ask};
use crate::output::{Halt, Output};

/// The agents of the demo. Dropped, they end and their folder goes.
#[derive(Debug)]
pub(super) struct Mesh {
    // Before the folder, so that they end before it goes.
    pub(super) members: Vec<Member>,
    /// Those on their way. Here, so that a demo that is interrupted meanwhile finds them.
    starting: JoinSet<Result<Member, Fault>>,
    folder: TempDir,
    stay: bool,
}

impl Mesh {
    /// A folder for agents, who are to outlive the demo or not.
    pub(super) fn new(stay: bool) -> Result<Self, Fault> {
        let folder = tempfile::Builder::new().prefix("meshwork-demo-").tempdir();
        let folder = folder.map_err(|error| {
            Fault::new(Code::DemoSetup, format!("a temporary directory: {error}"))
        })?;
        Ok(Self { members: Vec::new(), starting: JoinSet::new(), folder, stay })
    }

    /// Starts an agent a name, all at once.
    pub(super) async fn start(&mut self, names: &[&'static str]) -> Result<(), Fault> {
        self.start_parts(names.iter().map(|name| Part::agent(name, &[])).collect()).await
    }

    /// One that is not of the mesh, in the same folder.
    pub(super) async fn member(&self, part: Part) -> Result<Member, Fault> {
        Member::start(self.folder.path(), part, self.stay).await
    }

    /// Starts these, all at once.
    pub(super) async fn start_parts(&mut self, parts: Vec<Part>) -> Result<(), Fault> {
        for part in parts {
            let (folder, stay) = (self.folder.path().to_owned(), self.stay);
            self.starting.spawn(async move { Member::start(&folder, part, stay).await });
        }
        while let Some(started) = self.starting.join_next().await {
            let started = started.map_err(|error| Fault::new(Code::Broken, error.to_string()))?;
            self.members.push(started?);
        }
        self.members.sort_by_key(|member| member.name);
        Ok(())
    }

    /// Each learns each by the contact line, and calls it by its name.
    pub(super) async fn introduce(&self, output: Output) -> Result<(), Halt> {
        let mut meeting = JoinSet::new();
        for member in &self.members {
            output.say(format_args!("  {:<6} {}", member.name, member.contact))?;
            for other in self.members.iter().filter(|other| other.name != member.name) {
                let (contact, name) = (other.contact.clone(), Some(other.name.to_owned()));
                let (state, request) = (member.state.clone(), Request::Meet { contact, name });
                meeting.spawn(async move { ask(&state, &request).await });
            }
        }
        while let Some(met) = meeting.join_next().await {
            met.map_err(|error| Fault::new(Code::Broken, error.to_string()))??;
        }
        output.say("Each has met each by its contact line; the cards were fetched and verified.")
    }

    /// Ends the agents, and removes their folder.
    pub(super) async fn end(mut self) {
        while let Some(started) = self.starting.join_next().await {
            self.members.extend(started.into_iter().flatten());
        }
        for member in &mut self.members {
            // One that cannot be ended any more has ended.
            let _ = member.kill().await;
        }
    }

    /// Leaves the agents up, and says what to do with them.
    pub(super) fn keep(self, output: Output) -> Result<(), Halt> {
        let folder = self.folder.keep();
        let program = std::env::current_exe()?;
        let (program, folder) = (program.display(), folder.display());
        output.object(&Kept { folder: folder.to_string() })?;
        output.say("\nThe agents stay up. Try:")?;
        output.say(format_args!("  {program} --state {folder}/alice send bob 'hello'"))?;
        output.say(format_args!("  {program} --state {folder}/bob inbox"))?;
        output.say(format_args!("  {program} --state {folder}/alice route explain carol"))?;
        let names: Vec<_> = self.members.iter().map(|member| member.name).collect();
        output.say("When you are done:")?;
        output.say(format_args!(
            "  for agent in {}; do {program} --state {folder}/$agent down; done; rm -r {folder}",
            names.join(" ")
        ))
    }
}

/// Where the agents that stay up live.
#[derive(serde::Serialize)]
struct Kept {
    folder: String,
}
