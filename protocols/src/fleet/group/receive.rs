//! Entries of the log coming in.

use alloc::vec::Vec;
use core::time::Duration;

use openmls::framing::errors::MessageDecryptionError;
use openmls::framing::{ContentType, ProcessedMessage, ProcessedMessageContent, Sender};
use openmls::group::{MlsGroup, ProcessMessageError, StagedCommit, ValidationError};
use openmls::prelude::tls_codec::Deserialize as _;
use openmls::prelude::{MlsMessageBodyIn, MlsMessageIn, ProtocolMessage};
use openmls_traits::OpenMlsProvider;

use super::past::{Snapshot, age, give_up};
use super::seal::Kind;
use super::{Group, Loaded};
use crate::fleet::credential::Credential;
use crate::fleet::entry::{MAX_COMMIT_LENGTH, MAX_MESSAGE_LENGTH};
use crate::fleet::error::{GroupError, Refusal};
use crate::fleet::evidence::Evidence;
use crate::fleet::judgement::{Case, Change, Committer};
use crate::fleet::mls::{Label, Mls, Place};
use crate::fleet::rows::StoreError;
use crate::fleet::{GroupId, LogEntry, Statement, Step, Surroundings};
use crate::identity::AgentId;
use crate::secret::SecretBytes;

/// What an entry was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Received {
    /// A payload for the application.
    Message {
        /// Who sealed it.
        sender: AgentId,
        /// In which epoch.
        epoch: u64,
        /// What it says.
        payload: SecretBytes,
    },
    /// A member asks to be removed: an admin's next commit does.
    Leaving(AgentId),
    /// A commit, which is merged.
    Commit {
        /// What it changed.
        change: Change,
        /// Whether a commit of one's own lost to it.
        lost: bool,
    },
    /// The commit of one's own that waited: it is merged.
    OwnCommit,
    /// A message of one's own, as the log gives it back.
    OwnMessage,
    /// This agent was removed. Nothing of the group is left in the rows.
    Removed {
        /// By whom, and who else.
        change: Change,
    },
    /// What a member says of a commit.
    Statement(Statement),
}

impl Group {
    /// Processes the log's next entry.
    pub fn receive(
        &mut self,
        around: &mut Surroundings<'_>,
        evidence: &dyn Evidence,
        entry: &LogEntry,
    ) -> Result<Step<Received>, GroupError> {
        let (bytes, most) = match entry {
            LogEntry::Commit(commit) | LogEntry::Rejoin { commit, .. } => {
                (commit, MAX_COMMIT_LENGTH)
            }
            LogEntry::Message(message) => (message, MAX_MESSAGE_LENGTH),
            LogEntry::Statement(statement) => {
                return Ok(Step { output: Received::Statement(*statement), changes: Vec::new() });
            }
        };
        if bytes.len() > most {
            return Err(GroupError::TooLong);
        }
        // 1. What can be told from the outside, before the group is touched.
        let message = read(bytes)?;
        self.check_outside(entry, &message)?;
        let epoch = message.epoch().as_u64();
        let view = self.view(around)?;
        let (ours, returned) = (view.epoch(), view.loaded.record.returned);
        if epoch > ours {
            return Err(GroupError::EpochAhead { ours, theirs: epoch });
        }
        // 2. One's own commit is not opened, but known by its hash.
        let hash = around.digest(&[bytes]);
        if returned == Some(hash) {
            return Ok(Step { output: Received::OwnCommit, changes: Vec::new() });
        }
        // 3. A message of an epoch that is over opens with what was kept of it, if anything was.
        if epoch < ours {
            return self.receive_late(around, message, ours);
        }
        let id = self.id;
        self.operate(around.mls(), |mls, loaded| {
            if loaded.record.pending == Some(hash) {
                loaded.merge_own(mls)?;
                return Ok(Received::OwnCommit);
            }
            let processed = loaded.mls.process_message(mls, message).map_err(of_processing)?;
            let signed = rejoin_bytes(&id, epoch, &hash);
            match (entry, processed.sender()) {
                (LogEntry::Message(_), _) => application(processed),
                (LogEntry::Commit(_), Sender::Member(leaf)) => {
                    let committer = Committer::Member(*leaf);
                    loaded.commit_in(mls, evidence, processed, committer)
                }
                (LogEntry::Rejoin { signature, .. }, Sender::NewMemberCommit) => {
                    let committer = Committer::Returning { signed: &signed, signature };
                    loaded.commit_in(mls, evidence, processed, committer)
                }
                _ => Err(Refusal::WrongKind.into()),
            }
        })
    }

    /// The log was followed for so long, and is read to its end: earlier epochs of which that was the
    /// time are given up. Says whether others are left.
    pub fn age(
        &mut self,
        around: &mut Surroundings<'_>,
        followed: Duration,
    ) -> Result<Step<bool>, GroupError> {
        self.operate(around.mls(), |mls, loaded| {
            age(mls, &loaded.mls, &mut loaded.record, followed)?;
            Ok(!loaded.record.past.is_empty())
        })
    }

    fn check_outside(&self, entry: &LogEntry, message: &ProtocolMessage) -> Result<(), GroupError> {
        if GroupId::of_mls(message.group_id())? != self.id {
            return Err(GroupError::OtherGroup);
        }
        let returns = matches!(entry, LogEntry::Rejoin { .. });
        let in_clear = matches!(message, ProtocolMessage::PublicMessage(_));
        if in_clear != returns {
            return Err(Refusal::InClear.into());
        }
        match (entry, message.content_type()) {
            (LogEntry::Commit(_) | LogEntry::Rejoin { .. }, ContentType::Commit)
            | (LogEntry::Message(_), ContentType::Application) => Ok(()),
            (_, ContentType::Proposal) => Err(Refusal::LoneProposal.into()),
            _ => Err(Refusal::WrongKind.into()),
        }
    }

    fn receive_late(
        &mut self,
        around: &mut Surroundings<'_>,
        message: ProtocolMessage,
        ours: u64,
    ) -> Result<Step<Received>, GroupError> {
        let epoch = message.epoch().as_u64();
        let over = GroupError::EpochOver { ours, theirs: epoch };
        let loaded = self.loaded.as_ref().ok_or(GroupError::Internal)?;
        let kept = loaded.record.past.iter().any(|past| past.epoch == epoch);
        if !kept || message.content_type() != ContentType::Application {
            return Err(over);
        }
        let mls = around.mls().at(Place::Past(epoch));
        let id = self.id.of_openmls();
        let mut group = MlsGroup::load(mls.storage(), &id)?.ok_or(over)?;
        let processed = group.process_message(&mls, message).map_err(of_processing)?;
        let output = application(processed)?;
        Ok(Step { output, changes: mls.into_changes()? })
    }
}

impl Loaded {
    /// Judges a commit and merges it.
    fn commit_in(
        &mut self,
        mls: &Mls<'_>,
        evidence: &dyn Evidence,
        processed: ProcessedMessage,
        committer: Committer<'_>,
    ) -> Result<Received, GroupError> {
        let associated = processed.aad().to_vec();
        let staged = match processed.into_content() {
            ProcessedMessageContent::StagedCommitMessage(staged) => staged,
            _ => return Err(Refusal::WrongKind.into()),
        };
        let case = Case {
            provider: mls.provider(),
            evidence,
            group: &self.mls,
            staged: &staged,
            committer,
            associated: &associated,
        };
        let change = case.judge()?;
        let lost = self.record.pending.take().is_some();
        if staged.self_removed() {
            // In the place of this leaf stands one of a state that is not here: this agent is a member.
            if change.author == self.own_credential()?.agent {
                return Err(GroupError::CameBack);
            }
            self.end(mls, *staged)?;
            return Ok(Received::Removed { change });
        }
        let snapshot = Snapshot::take(mls, &self.mls)?;
        self.mls.merge_staged_commit(mls, *staged).map_err(|_| GroupError::Internal)?;
        snapshot.keep(mls, &self.mls, &mut self.record)?;
        Ok(Received::Commit { change, lost })
    }

    /// Removes every row of a group that this agent is no member of any more.
    fn end(&mut self, mls: &Mls<'_>, staged: StagedCommit) -> Result<(), GroupError> {
        // The keys of the last epoch stand under its number.
        let group_id = self.mls.group_id().clone();
        let (epoch, leaf) = (self.mls.epoch(), self.mls.own_leaf_index());
        mls.overlay().delete(Label::EpochKeyPairs, &(&group_id, &epoch, leaf.u32()))?;
        self.mls.merge_staged_commit(mls, staged).map_err(|_| GroupError::Internal)?;
        self.erase(mls)
    }

    pub(super) fn erase(&mut self, mls: &Mls<'_>) -> Result<(), GroupError> {
        give_up(mls, &self.mls, &mut self.record, |_| true)?;
        mls.overlay().delete(Label::Record, self.mls.group_id())?;
        Ok(self.mls.delete(mls.storage())?)
    }
}

/// Reads a message of a group.
fn read(bytes: &[u8]) -> Result<ProtocolMessage, GroupError> {
    let message = MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| GroupError::Malformed)?;
    match message.extract() {
        MlsMessageBodyIn::PrivateMessage(message) => Ok(message.into()),
        MlsMessageBodyIn::PublicMessage(message) => Ok(message.into()),
        _ => Err(GroupError::Malformed),
    }
}

fn application(processed: ProcessedMessage) -> Result<Received, GroupError> {
    let epoch = processed.epoch().as_u64();
    if let ProcessedMessageContent::OwnPrivateMessage = processed.content() {
        return Ok(Received::OwnMessage);
    }
    let sender = Credential::of_mls(processed.credential())?.agent;
    let ProcessedMessageContent::ApplicationMessage(message) = processed.into_content() else {
        return Err(Refusal::WrongKind.into());
    };
    let content = SecretBytes::new(message.into_bytes());
    match content.expose().split_first() {
        Some((kind, payload)) if *kind == Kind::Payload.code() => {
            let payload = SecretBytes::new(payload.to_vec());
            Ok(Received::Message { sender, epoch, payload })
        }
        Some((kind, [])) if *kind == Kind::Leave.code() => Ok(Received::Leaving(sender)),
        _ => Err(GroupError::Malformed),
    }
}

/// What the signing pair of a member that comes back signs.
pub(super) fn rejoin_bytes(id: &GroupId, epoch: u64, commit: &[u8; 32]) -> [u8; 72] {
    let mut bytes = [0; 72];
    let parts = id.as_bytes().iter().copied().chain(epoch.to_be_bytes()).chain(*commit);
    for (to, from) in bytes.iter_mut().zip(parts) {
        *to = from;
    }
    bytes
}

#[allow(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn of_processing(error: ProcessMessageError<StoreError>) -> GroupError {
    match error {
        ProcessMessageError::StorageError(error) => error.into(),
        ProcessMessageError::ValidationError(ValidationError::UnableToDecrypt(
            MessageDecryptionError::SecretTreeError(_),
        )) => GroupError::Replayed,
        ProcessMessageError::LibraryError(_) => GroupError::Internal,
        _ => GroupError::Invalid,
    }
}
