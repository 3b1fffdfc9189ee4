//! The end that was dialled, until the peer is accepted. Whatever does not hold gets silence.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use super::super::admission::Applicant;
use super::super::directory::Directory;
use super::super::exchange::{Exchange, Outcome};
use super::super::handshake::{self, AwaitMessage3, HandshakeError, MiddleKeys, Terms, prologue};
use super::super::hello::{Channel, HELLO, PeerInfo};
use super::super::local::Local;
use super::super::patience::Patience;
use super::super::session::SessionError;
use super::super::suite::Suite;
use super::content::Content;
use super::greeting::Greeting;
use super::initiator::message3_mac;
use super::keys::Keys;
use super::opening::Opening;
use super::out::Out;
use super::packet::{self, MAC};
use super::tally::Ignored;
use crate::identity::Transport;
use crate::random::Random;
use crate::secret::Secret;
use crate::time::Timestamp;

/// What one that has been answered holds here: the state of its handshake, of which `snow` takes
/// 5 KiB and our half of the KEM 1 KiB, and the answer, which is given again.
const ANSWERED: usize = 8 << 10;

/// What one that has ended the handshake holds beside the bytes of its Hello.
const PROVING: usize = 4 << 10;

/// Somebody who has not proved itself.
pub(super) struct Answering {
    /// Its name at the caps.
    pub(super) applicant: Applicant,
    /// The hash of its message 1, without the cookie.
    pub(super) message1: [u8; 32],
    pub(super) local: Arc<Local>,
    index: u32,
    remote: u32,
    /// Where it asked from, and was answered: who ends the handshake has received that. All that is
    /// said goes there, so that nobody can have our Hello sent to a third.
    pub(super) from: SocketAddr,
    patience: Patience,
    stage: Stage,
}

enum Stage {
    /// Message 2 was said.
    Answered { noise: Box<AwaitMessage3>, middle: MiddleKeys, message2: Vec<u8> },
    /// The handshake is over, and the peer says who it is.
    Proving { opening: Box<Opening>, message3: [u8; MAC] },
    /// It is to come again with its card.
    Leaving { opening: Box<Opening> },
    /// There is nothing more to it.
    Over,
}

/// A message 1 that is to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Knock<'a> {
    pub(super) from: SocketAddr,
    pub(super) suite: Suite,
    pub(super) sender: u32,
    pub(super) noise: &'a [u8],
    pub(super) hash: [u8; 32],
}

/// A peer that has proved itself, and our Hello to it.
#[derive(Debug)]
pub(super) struct Proved {
    pub(super) keys: Keys,
    pub(super) peer: Box<PeerInfo>,
    pub(super) greeting: Greeting,
    pub(super) hello: u32,
    pub(super) message3: [u8; MAC],
    /// The keys here that it wants to replace, or zero.
    pub(super) replaces: u32,
    pub(super) from: SocketAddr,
    pub(super) ours: Arc<Local>,
    pub(super) ends: Timestamp,
}

/// What became of somebody.
#[derive(Debug)]
pub(super) enum Step {
    /// It goes on.
    On,
    /// It proved itself.
    Proved(Box<Proved>),
    /// It is over, for a reason that is worth telling or for none.
    Over(Option<SessionError>),
}

/// Answers message 1: message 2, and the state behind it.
pub(super) fn answer(
    local: &Local,
    knock: Knock<'_>,
    index: u32,
    random: &mut dyn Random,
) -> Result<(AwaitMessage3, Vec<u8>), HandshakeError> {
    let Knock { suite, sender, noise, .. } = knock;
    let prologue = prologue(Transport::Udp, suite, &packet::message1_header(suite, sender));
    let (provider, key) = (local.provider(), local.live_key());
    let terms = Terms { provider, suite, prologue: &prologue, local: key };
    let (read, _) = handshake::read_message1(terms, noise, random)?;
    let (state, message2) = read.answer(&packet::indices(index, sender))?;
    Ok((state, packet::message2(index, sender, &message2)))
}

impl Answering {
    /// Somebody who was answered.
    pub(super) fn new(
        now: Timestamp,
        applicant: Applicant,
        local: Arc<Local>,
        knock: Knock<'_>,
        index: u32,
        (mut noise, message2): (AwaitMessage3, Vec<u8>),
    ) -> Self {
        let middle = noise.middle();
        Self {
            applicant,
            message1: knock.hash,
            local,
            index,
            remote: knock.sender,
            from: knock.from,
            patience: Patience::new(now),
            stage: Stage::Answered { noise: Box::new(noise), middle, message2 },
        }
    }

    /// The answer, for who asks again from the same place.
    pub(super) fn message2(&self, from: SocketAddr) -> Option<&[u8]> {
        match &self.stage {
            Stage::Answered { message2, .. } if from == self.from => Some(message2),
            _ => None,
        }
    }

    /// What it holds.
    pub(super) fn held(&self) -> usize {
        match &self.stage {
            Stage::Answered { .. } => ANSWERED,
            Stage::Proving { opening, .. } | Stage::Leaving { opening } => {
                // Once where the parts are, once where they come together.
                PROVING + opening.held()
            }
            Stage::Over => 0,
        }
    }

    /// Takes message 3.
    pub(super) fn receive_message3(
        &mut self,
        now: Timestamp,
        (mac, noise): (&[u8; MAC], &[u8]),
        directory: &Arc<dyn Directory>,
        out: &mut Out,
    ) -> Result<(), Ignored> {
        match &mut self.stage {
            Stage::Answered { middle, .. } => {
                let provider = self.local.provider().as_ref();
                let expected = message3_mac(provider, middle, self.index, noise);
                if Secret::new(expected) != Secret::from(mac) {
                    return Err(Ignored::NotAuthentic);
                }
            }
            // It has not heard that the first one came.
            Stage::Proving { opening, message3 } if message3 == mac => {
                let received = opening.received();
                out.transmit_sealed(
                    self.from,
                    opening.keys.seal(&Content::HelloReceived(received)),
                );
                return Ok(());
            }
            _ => return Err(Ignored::Unexpected),
        }
        let Stage::Answered { noise: state, .. } = core::mem::replace(&mut self.stage, Stage::Over)
        else {
            return Err(Ignored::Unexpected);
        };
        let established = state.receive(noise).map_err(|_| Ignored::NotAuthentic)?;
        let channel = Channel::new(Transport::Udp, &established);
        let exchange = Exchange::answer(channel, Arc::clone(&self.local), Arc::clone(directory));
        let provider = self.local.provider().as_ref();
        let keys = Keys::new(provider, &established, self.index, self.remote);
        let mut opening = Opening::new(keys, exchange, None);
        out.transmit_sealed(self.from, opening.keys.seal(&Content::HelloReceived(0)));
        self.patience.renew(now);
        self.stage = Stage::Proving { opening: Box::new(opening), message3: *mac };
        Ok(())
    }

    /// Takes something sealed.
    pub(super) fn receive_data(
        &mut self,
        now: Timestamp,
        (counter, datagram): (u64, &mut [u8]),
        random: &mut dyn Random,
        out: &mut Out,
    ) -> Result<Step, Ignored> {
        let (Stage::Proving { opening, .. } | Stage::Leaving { opening }) = &mut self.stage else {
            return Err(Ignored::Unknown);
        };
        let opened = opening.keys.open(counter, datagram)?;
        self.patience.renew(now);
        let content = Content::decode(opened.content).ok_or(Ignored::Unexpected)?;
        let whole = opening.hear(now, &content)?;
        for datagram in opening.say(now) {
            out.transmit(self.from, datagram);
        }
        match whole {
            Some(frame) => Ok(self.judge(now, &frame, random, out)),
            None if self.has_left() => Ok(Step::Over(None)),
            None => Ok(Step::On),
        }
    }

    /// Whether it has heard that it is to come again.
    fn has_left(&self) -> bool {
        match &self.stage {
            Stage::Leaving { opening } => opening.greeting.as_ref().is_none_or(Greeting::is_heard),
            _ => false,
        }
    }

    fn judge(
        &mut self,
        now: Timestamp,
        frame: &[u8],
        random: &mut dyn Random,
        out: &mut Out,
    ) -> Step {
        let Stage::Proving { mut opening, message3 } =
            core::mem::replace(&mut self.stage, Stage::Over)
        else {
            return Step::Over(None);
        };
        // Cards are fetched over TCP and QUIC, where who asks has shown that it is where it says.
        if frame.first() != Some(&HELLO) {
            return Step::Over(None);
        }
        match opening.judge(now.wall, frame, random) {
            Ok(Outcome::Opened { peer, reply: Some(hello) }) => {
                let (hello_came, replaces) = (opening.received(), opening.replaces());
                opening.greeting = Some(Greeting::new(now, hello, 0));
                for datagram in opening.say_unheard() {
                    out.transmit(self.from, datagram);
                }
                let Opening { keys, greeting: Some(greeting), .. } = *opening else {
                    return Step::Over(None);
                };
                Step::Proved(Box::new(Proved {
                    keys,
                    peer,
                    greeting,
                    hello: hello_came,
                    message3,
                    replaces,
                    from: self.from,
                    ours: Arc::clone(&self.local),
                    ends: self.patience.last(),
                }))
            }
            Ok(Outcome::CardUnknown { reply }) => {
                opening.greeting = Some(Greeting::new(now, reply, 0));
                for datagram in opening.say_unheard() {
                    out.transmit(self.from, datagram);
                }
                self.stage = Stage::Leaving { opening };
                Step::On
            }
            Ok(_) => Step::Over(None),
            Err(error) => Step::Over(Some(error.into())),
        }
    }

    /// When something is due.
    pub(super) fn next_timeout(&self) -> Timestamp {
        let due = match &self.stage {
            Stage::Proving { opening, .. } | Stage::Leaving { opening } => opening.due(),
            Stage::Answered { .. } | Stage::Over => None,
        };
        due.map_or(self.patience.ends(), |due| due.min(self.patience.ends()))
    }

    /// Time has passed; whether it goes on.
    pub(super) fn handle_timeout(&mut self, now: Timestamp, out: &mut Out) -> bool {
        if let Stage::Proving { opening, .. } | Stage::Leaving { opening } = &mut self.stage {
            for datagram in opening.say(now) {
                out.transmit(self.from, datagram);
            }
        }
        !self.patience.is_over(now) && !matches!(self.stage, Stage::Over)
    }
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answering").field("from", &self.from).finish_non_exhaustive()
    }
}
