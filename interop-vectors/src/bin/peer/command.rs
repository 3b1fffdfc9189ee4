//! The commands, and their errors under the names that the official client gives them.

use std::collections::HashMap;

use data_encoding::HEXLOWER_PERMISSIVE;
use meshwork_protocols::deferred::session::{OpenError, SealError};
use meshwork_protocols::deferred::wire::WireError;
use meshwork_protocols::deferred::{CurvePublic, RecordError};
use meshwork_protocols::provider::{CryptoError, XEDDSA_LENGTH};
use serde_json::{Value, json};

use crate::party::{Address, PROVIDER, Party};

/// The parties of this process, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Peer(HashMap<String, Party>);

impl Peer {
    pub(crate) fn answer(&mut self, line: &str) -> Value {
        let result = serde_json::from_str(line)
            .map_err(|_| CommandError::Malformed)
            .and_then(|command| self.execute(&command));
        match result {
            Ok(Value::Object(mut answer)) => {
                answer.insert("ok".into(), true.into());
                Value::Object(answer)
            }
            Ok(_) => json!({ "ok": true }),
            Err(error) => {
                json!({ "ok": false, "code": error.code(), "error": error.to_string() })
            }
        }
    }

    fn execute(&mut self, command: &Value) -> Result<Value, CommandError> {
        match text(command, "cmd")? {
            "new" => self.create(command),
            "verify" => verify(command),
            "prekeys" => self.party(command)?.prekeys(command),
            "process" => {
                let bundle = command.get("bundle").ok_or(CommandError::Malformed)?;
                self.party(command)?.process(address(command)?, bundle)
            }
            "encrypt" => {
                let plaintext = bytes(command, "plaintext")?;
                self.party(command)?.encrypt(&address(command)?, &plaintext)
            }
            "decrypt" => {
                let (wire, first) = (bytes(command, "wire")?, number(command, "type")? == 3);
                self.party(command)?.decrypt(address(command)?, &wire, first)
            }
            "session" => self.party(command)?.session(&address(command)?),
            "archive" => self.party(command)?.archive(&address(command)?),
            "sign" => {
                let data = bytes(command, "data")?;
                self.party(command)?.sign(&data)
            }
            _ => Err(CommandError::Malformed),
        }
    }

    fn create(&mut self, command: &Value) -> Result<Value, CommandError> {
        let address = Address::read(command)?;
        let registration = number(command, "reg")?;
        let secret = command.get("identity_private").is_some_and(Value::is_string);
        let secret = if secret { Some(bytes(command, "identity_private")?) } else { None };
        let party = Party::new(address, registration, secret.as_deref())?;
        let answer = party.identity();
        self.0.insert(text(command, "id")?.to_owned(), party);
        Ok(answer)
    }

    fn party(&mut self, command: &Value) -> Result<&mut Party, CommandError> {
        self.0.get_mut(text(command, "id")?).ok_or(CommandError::UnknownParty)
    }
}

fn verify(command: &Value) -> Result<Value, CommandError> {
    let public = CurvePublic::decode(&bytes(command, "pub")?)?;
    let signature = bytes(command, "signature")?;
    let valid = <[u8; XEDDSA_LENGTH]>::try_from(signature.as_slice()).is_ok_and(|signature| {
        bytes(command, "data").is_ok_and(|data| public.verify(PROVIDER, &data, &signature).is_ok())
    });
    Ok(json!({ "valid": valid }))
}

fn address(command: &Value) -> Result<Address, CommandError> {
    Address::read(command.get("peer").ok_or(CommandError::Malformed)?)
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, CommandError> {
    value.get(key).and_then(Value::as_str).ok_or(CommandError::Malformed)
}

pub(crate) fn number(value: &Value, key: &str) -> Result<u32, CommandError> {
    let number = value.get(key).and_then(Value::as_u64).ok_or(CommandError::Malformed)?;
    u32::try_from(number).map_err(|_| CommandError::Malformed)
}

pub(crate) fn bytes(value: &Value, key: &str) -> Result<Vec<u8>, CommandError> {
    let text = text(value, key)?;
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| CommandError::Malformed)
}

/// Why a command was not obeyed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("the command is malformed")]
    Malformed,
    #[error("there is no party of this id")]
    UnknownParty,
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("the bundle is refused: {0}")]
    Bundle(#[from] meshwork_protocols::deferred::plain_bundle::PlainBundleError),
    #[error("{0}")]
    Begin(#[from] meshwork_protocols::deferred::session::BeginError),
    #[error("{0}")]
    Seal(#[from] SealError),
    #[error("{0}")]
    Open(#[from] OpenError),
    #[error("{0}")]
    Record(#[from] RecordError),
    #[error("{0}")]
    Crypto(#[from] CryptoError),
}

impl CommandError {
    fn code(&self) -> &'static str {
        match self {
            Self::Open(OpenError::Duplicate) => "DuplicatedMessage",
            Self::Open(OpenError::NoSession) | Self::Seal(SealError::NoSession) => {
                "SessionNotFound"
            }
            Self::Open(_) | Self::Wire(_) => "InvalidMessage",
            Self::Malformed | Self::UnknownParty => "InvalidArgument",
            _ => "Generic",
        }
    }
}
