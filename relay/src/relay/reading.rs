//! Requests that are answered with what is stored, once what came before them is durable.

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::{Answer, Fetch, ReadLog, Refusal, Request};
use meshwork_protocols::time::Timestamp;

use super::{Asked, Outcome, Relay, Waiting, own};
use crate::blobs;
use crate::cards;
use crate::decision::Stop;
use crate::entry;
use crate::mailbox;
use crate::storage::Storage;

impl<S: Storage> Relay<S> {
    pub(super) fn look(&mut self, now: Timestamp, asked: &Asked) -> Result<Outcome, Stop> {
        match &asked.request {
            Request::GetCard(agent) => {
                let card = cards::bytes_of(&self.storage, agent)?;
                Ok(Outcome::Answer(Answer::Card(card.map(Into::into))))
            }
            Request::GetBlob(hash) => {
                let blob = blobs::get(&self.storage, hash, now.wall)?;
                Ok(Outcome::Answer(Answer::Blob(blob)))
            }
            Request::Fetch(fetch) => self.fetch(now, &asked.caller, fetch),
            Request::ReadLog(read) => self.read_log(now, &asked.caller, read),
            _ => Err(Refusal::Malformed.into()),
        }
    }

    fn fetch(&mut self, now: Timestamp, caller: &AgentId, fetch: &Fetch) -> Result<Outcome, Stop> {
        own(caller, &fetch.mailbox)?;
        self.nudges.fetches(caller);
        let mail = mailbox::fetch(&self.storage, fetch, now.wall)?;
        if mail.is_empty() && fetch.wait > 0 {
            let subject = entry::mailbox(&fetch.mailbox);
            return Ok(Outcome::Wait(Waiting { subject, millis: fetch.wait }));
        }
        self.metrics.fetches += 1;
        self.metrics.fetched += mail.len() as u64;
        Ok(Outcome::Answer(Answer::Mail(mail)))
    }

    fn read_log(
        &mut self,
        now: Timestamp,
        caller: &AgentId,
        read: &ReadLog,
    ) -> Result<Outcome, Stop> {
        let (log, context) = self.log(now, read.log)?;
        let answer = log.entries(context.storage, caller, read)?;
        let is_empty = matches!(&answer, Answer::Entries { entries, .. } if entries.is_empty());
        if is_empty && read.wait > 0 {
            let subject = entry::log(&read.log);
            return Ok(Outcome::Wait(Waiting { subject, millis: read.wait }));
        }
        Ok(Outcome::Answer(answer))
    }
}
