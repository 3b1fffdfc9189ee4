//! The same with vodozemac's Olm.

use vodozemac::Curve25519PublicKey;
use vodozemac::olm::{Account, OlmMessage, PreKeyMessage, Session, SessionConfig};

use crate::Failure;
use crate::deferred::{MESSAGES, TEXT};

/// First messages to one account, each to a one-time key of its own: accepting one uses that up.
pub struct Beginning {
    caller: Account,
    callee: Account,
    one_time: Curve25519PublicKey,
    firsts: Vec<PreKeyMessage>,
}

impl Beginning {
    pub fn new(count: usize) -> Result<Self, Failure> {
        let (caller, mut callee) = (Account::new(), Account::new());
        let mut firsts = Vec::with_capacity(count);
        callee.generate_one_time_keys(1);
        let one_time = newest(&callee)?;
        for _ in 0..count {
            callee.mark_keys_as_published();
            callee.generate_one_time_keys(1);
            let mut session = begin(&caller, &callee, newest(&callee)?)?;
            let OlmMessage::PreKey(first) = session.encrypt(TEXT)? else {
                return Err("the first message is none".into());
            };
            firsts.push(first);
        }
        Ok(Self { caller, callee, one_time, firsts })
    }

    pub fn initiate(&mut self) -> Result<(), Failure> {
        begin(&self.caller, &self.callee, self.one_time).map(drop)
    }

    pub fn accept(&mut self) -> Result<(), Failure> {
        let first = self.firsts.pop().ok_or("no first message is left")?;
        accept(&mut self.callee, &self.caller, &first).map(drop)
    }
}

/// Two ends that have heard of each other.
pub struct Conversation {
    from: Session,
    to: Session,
    messages: Vec<OlmMessage>,
}

impl Conversation {
    pub fn answered() -> Result<Self, Failure> {
        let mut beginning = Beginning::new(0)?;
        let Beginning { caller, callee, one_time, .. } = &mut beginning;
        let mut to = begin(caller, callee, *one_time)?;
        let OlmMessage::PreKey(first) = to.encrypt(TEXT)? else {
            return Err("the first message is none".into());
        };
        let from = accept(callee, caller, &first)?;
        let mut both = Self { from, to, messages: Vec::new() };
        both.exchange()?;
        Ok(both)
    }

    pub fn seal(&mut self) -> Result<(), Failure> {
        for _ in 0..MESSAGES {
            self.messages.push(self.from.encrypt(TEXT)?);
        }
        Ok(())
    }

    pub fn open(&mut self) -> Result<(), Failure> {
        for message in self.messages.drain(..) {
            self.to.decrypt(&message)?;
        }
        Ok(())
    }

    /// So many messages there, each with one back.
    pub fn ping_pong(&mut self, count: usize) -> Result<(), Failure> {
        for _ in 0..2 * count {
            self.exchange()?;
        }
        Ok(())
    }

    fn exchange(&mut self) -> Result<(), Failure> {
        let message = self.from.encrypt(TEXT)?;
        self.to.decrypt(&message)?;
        std::mem::swap(&mut self.from, &mut self.to);
        Ok(())
    }
}

fn newest(account: &Account) -> Result<Curve25519PublicKey, Failure> {
    account.one_time_keys().into_values().next().ok_or_else(|| "no one-time key".into())
}

fn begin(
    caller: &Account,
    callee: &Account,
    one_time: Curve25519PublicKey,
) -> Result<Session, Failure> {
    let config = SessionConfig::version_1();
    Ok(caller.create_outbound_session(config, callee.curve25519_key(), one_time)?)
}

fn accept(
    callee: &mut Account,
    caller: &Account,
    first: &PreKeyMessage,
) -> Result<Session, Failure> {
    let config = SessionConfig::version_1();
    Ok(callee.create_inbound_session(config, caller.curve25519_key(), first)?.session)
}
