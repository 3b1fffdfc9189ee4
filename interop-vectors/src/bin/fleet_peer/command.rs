//! The commands.

use std::collections::{BTreeSet, HashMap};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use meshwork_protocols::fleet::{
    Charter, CharterError, EntryProof, GroupError, KnownCards, OfferError, Plan, Suite,
};
use meshwork_protocols::identity::{AgentId, CardError};
use meshwork_protocols::provider::CryptoError;
use serde_json::{Value, json};

use crate::agent::Agent;

/// The agents of this process, by their ids, and what all of them know.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    agents: HashMap<String, Agent>,
    known: KnownCards,
}

impl Peer {
    pub(crate) fn answer(&mut self, line: &str) -> Value {
        let result = serde_json::from_str(line)
            .map_err(|_| CommandError::Malformed)
            .and_then(|command| self.execute(&command));
        match result {
            Ok(mut answer) => {
                if let Some(answer) = answer.as_object_mut() {
                    answer.insert("ok".into(), true.into());
                }
                answer
            }
            Err(error) => json!({ "ok": false, "error": error.to_string() }),
        }
    }

    fn execute(&mut self, command: &Value) -> Result<Value, CommandError> {
        match text(command, "cmd")? {
            "new" | "stranger" => self.create(command),
            "vouch" => {
                let package = bytes(command, "package")?;
                self.agent(command)?.vouch(&package)?;
                Ok(json!({}))
            }
            "offer" => self.offer(command),
            "charter" => Ok(json!({ "charter": hex(&self.charter(command)?.encode()?) })),
            "found" => {
                let charter = self.charter(command)?;
                let agent = self.agent(command)?;
                agent.found(&charter)?;
                epoch(agent)
            }
            "commit" => self.commit(command),
            "join" => {
                let (welcome, tree) = (bytes(command, "welcome")?, bytes(command, "tree")?);
                let (agent, known) = self.agent_and_known(command)?;
                let members = agent.join(known, &welcome, &tree)?;
                let members = members.iter().map(AgentId::to_string).collect::<Vec<_>>();
                with(epoch(agent)?, &json!({ "members": members }))
            }
            "seal" => {
                let payload = bytes(command, "payload")?;
                Ok(json!({ "message": hex(&self.agent(command)?.seal(&payload)?) }))
            }
            "receive" => self.receive(command),
            "agree" => {
                let ours = epoch(self.agent(command)?)?;
                let same = |key| ours.get(key) == command.get(key);
                let agree = same("epoch") && same("authenticator");
                if agree { Ok(json!({})) } else { Err(CommandError::Apart) }
            }
            _ => Err(CommandError::Malformed),
        }
    }

    fn create(&mut self, command: &Value) -> Result<Value, CommandError> {
        let suite = match number(command, "suite")? {
            0x004F => Suite::XWing,
            0x0001 => Suite::DangerousClassical,
            _ => return Err(CommandError::Malformed),
        };
        let seed = u8::try_from(number(command, "number")?).map_err(|_| CommandError::Malformed)?;
        let public = command.get("public").map(|_| bytes(command, "public")).transpose()?;
        let agent = Agent::new(suite, seed, public)?;
        self.known.insert(agent.card().clone());
        let answer = json!({
            "agent": agent.agent().to_string(),
            "credential": hex(&agent.credential()),
        });
        self.agents.insert(text(command, "id")?.to_owned(), agent);
        Ok(answer)
    }

    fn offer(&mut self, command: &Value) -> Result<Value, CommandError> {
        let agent = self.agent(command)?;
        let package = agent.package()?;
        let offer = agent.offers()?;
        Ok(json!({ "package": hex(&package), "associated": hex(&associated(offer.proof())?) }))
    }

    fn commit(&mut self, command: &Value) -> Result<Value, CommandError> {
        let offer = |id: &String| {
            let agent = self.agents.get(id).ok_or(CommandError::UnknownAgent)?;
            agent.offers().cloned()
        };
        let add = ids(command, "add")?.iter().map(offer).collect::<Result<Vec<_>, _>>()?;
        let remove = self.named(command, "remove")?;
        let rotate = command.get("rotate").and_then(Value::as_bool).unwrap_or(false);
        let plan = Plan { add: &add, remove: &remove, rotate, ..Plan::default() };
        let agent = self.agent(command)?;
        let commit = agent.commit(&plan)?;
        let welcomes: Vec<_> = commit.welcomes.iter().map(|one| hex(&one.bytes)).collect();
        let tree = hex(&agent.tree()?);
        let made = json!({ "commit": hex(&commit.bytes), "welcomes": welcomes, "tree": tree });
        with(epoch(agent)?, &made)
    }

    fn receive(&mut self, command: &Value) -> Result<Value, CommandError> {
        let is_commit = command.get("commit").is_some();
        let entry = bytes(command, if is_commit { "commit" } else { "message" })?;
        let (agent, known) = self.agent_and_known(command)?;
        agent.receive(known, is_commit, entry)
    }

    fn charter(&self, command: &Value) -> Result<Charter, CommandError> {
        let admins: BTreeSet<_> = self.named(command, "admins")?.into_iter().collect();
        Ok(Charter { admins, ..Charter::default() })
    }

    fn named(&self, command: &Value, key: &str) -> Result<Vec<AgentId>, CommandError> {
        let agent = |id: &String| self.agents.get(id).map(Agent::agent);
        let named = ids(command, key)?;
        named.iter().map(|id| agent(id).ok_or(CommandError::UnknownAgent)).collect()
    }

    fn agent(&mut self, command: &Value) -> Result<&mut Agent, CommandError> {
        Ok(self.agent_and_known(command)?.0)
    }

    fn agent_and_known(
        &mut self,
        command: &Value,
    ) -> Result<(&mut Agent, &KnownCards), CommandError> {
        let Self { agents, known } = self;
        let agent = agents.get_mut(text(command, "id")?).ok_or(CommandError::UnknownAgent)?;
        Ok((agent, known))
    }
}

/// The associated data of a commit that adds one agent, put together from what docs/wire-format.md
/// says: version 1, the proofs themselves, and the list of them.
fn associated(proof: &EntryProof) -> Result<Vec<u8>, CommandError> {
    let proofs = postcard::to_allocvec(&[proof].as_slice()).map_err(|_| CommandError::Malformed)?;
    Ok([&[1, 0], proofs.as_slice()].concat())
}

fn epoch(agent: &mut Agent) -> Result<Value, CommandError> {
    let (epoch, authenticator) = agent.epoch()?;
    Ok(json!({ "epoch": epoch, "authenticator": hex(&authenticator) }))
}

fn with(mut answer: Value, more: &Value) -> Result<Value, CommandError> {
    let (Some(to), Some(from)) = (answer.as_object_mut(), more.as_object()) else {
        return Err(CommandError::Malformed);
    };
    to.extend(from.clone());
    Ok(answer)
}

fn ids(command: &Value, key: &str) -> Result<Vec<String>, CommandError> {
    let ids = command.get(key).cloned().unwrap_or_else(|| json!([]));
    serde_json::from_value(ids).map_err(|_| CommandError::Malformed)
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, CommandError> {
    value.get(key).and_then(Value::as_str).ok_or(CommandError::Malformed)
}

fn number(value: &Value, key: &str) -> Result<u64, CommandError> {
    value.get(key).and_then(Value::as_u64).ok_or(CommandError::Malformed)
}

fn bytes(value: &Value, key: &str) -> Result<Vec<u8>, CommandError> {
    let text = text(value, key)?;
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| CommandError::Malformed)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Why a command was not obeyed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("the command is malformed")]
    Malformed,
    #[error("there is no agent of this id")]
    UnknownAgent,
    #[error("the agent is in no group, or is a stranger, or made no offer")]
    NotThere,
    #[error("the two sides are not in the same epoch of the same history")]
    Apart,
    #[error("{0}")]
    Group(#[from] GroupError),
    #[error("{0}")]
    Offer(#[from] OfferError),
    #[error("{0}")]
    Charter(#[from] CharterError),
    #[error("{0}")]
    Card(#[from] CardError),
    #[error("{0}")]
    Crypto(#[from] CryptoError),
}
