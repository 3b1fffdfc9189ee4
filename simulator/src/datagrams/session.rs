//! One session: its keys and counters, and when it is taken for dead.

use std::fmt;
use std::time::Duration;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::provider::{Aead, AeadKey, Provider};
use meshwork_protocols::secret::{Secret, SecretBytes};

use super::{SEALED, SessionIndex};
use crate::network::Host;
use crate::replay_window::ReplayWindow;

/// One end of a session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) host: Host,
    pub(super) peer: AgentId,
    pub(super) initiated: bool,
    pub(super) phase: Phase,
    stands: bool,
    /// When something is to be repeated.
    repeat: Duration,
    /// When it is taken for dead, if nothing is heard before.
    dies: Duration,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// Our initiation is not answered.
    Initiating { ephemeral: Secret<32>, initiation: Vec<u8> },
    /// Both ends have the keys.
    Answered {
        theirs: SessionIndex,
        keys: Box<Keys>,
        /// The initiation that we answered, and the answer.
        answered: Option<(Vec<u8>, Vec<u8>)>,
    },
}

/// The keys of both directions, and which counters were used.
pub(super) struct Keys {
    send: Box<dyn AeadKey>,
    receive: Box<dyn AeadKey>,
    /// What stands in front of what the peer sends.
    ours: [u8; 4],
    next: u64,
    window: ReplayWindow,
}

impl Session {
    pub(super) fn new(
        host: Host,
        peer: AgentId,
        initiated: bool,
        phase: Phase,
        now: Duration,
    ) -> Self {
        let repeat = if initiated { now } else { Duration::MAX };
        let dies = now + OPENING;
        Self { host, peer, initiated, phase, stands: false, repeat, dies }
    }

    /// The answer that was given to this initiation.
    pub(super) fn answer_to(&self, bytes: &[u8]) -> Option<&[u8]> {
        match &self.phase {
            Phase::Answered { answered: Some((initiation, answer)), .. } => {
                (initiation == bytes).then_some(answer)
            }
            _ => None,
        }
    }

    pub(super) const fn stands(&self) -> bool {
        self.stands
    }

    /// The peer's Hello came; whether it was the first.
    pub(super) fn stand(&mut self) -> bool {
        if !self.stands {
            self.repeat = Duration::MAX;
            self.dies = Duration::MAX;
        }
        !std::mem::replace(&mut self.stands, true)
    }

    /// Something authentic came, perhaps from another address than before.
    pub(super) const fn heard(&mut self, from: Host) {
        self.host = from;
        if self.stands {
            self.repeat = Duration::MAX;
            self.dies = Duration::MAX;
        }
    }

    /// A frame was sent: the peer is to give a sign of life, or is asked for one.
    pub(super) fn sent_frame(&mut self, now: Duration) {
        if self.stands && self.dies == Duration::MAX {
            self.repeat = now + SILENCE;
            self.dies = now + DEATH;
        }
    }

    pub(super) const fn repeat_at(&mut self, at: Duration) {
        self.repeat = at;
    }

    pub(super) fn next_timeout(&self) -> Duration {
        self.repeat.min(self.dies)
    }

    pub(super) fn is_over(&self, now: Duration) -> bool {
        self.dies <= now
    }

    /// The datagram that carries `plaintext` under the next counter.
    pub(super) fn seal(&mut self, plaintext: &[u8]) -> Option<Vec<u8>> {
        let Phase::Answered { theirs, keys, .. } = &mut self.phase else { return None };
        let counter = keys.next;
        keys.next += 1;
        let sealed = keys.send.seal(&nonce(counter), &theirs.0.to_be_bytes(), plaintext).ok()?;
        let mut datagram = vec![SEALED];
        datagram.extend_from_slice(&theirs.0.to_be_bytes());
        datagram.extend_from_slice(&counter.to_be_bytes());
        datagram.extend_from_slice(&sealed);
        Some(datagram)
    }

    /// What a datagram with this counter carries; nothing where it came before or was changed.
    pub(super) fn open(&mut self, counter: u64, sealed: &[u8]) -> Option<SecretBytes> {
        let Phase::Answered { keys, .. } = &mut self.phase else { return None };
        if !keys.window.is_new(counter) {
            return None;
        }
        let plaintext = keys.receive.open(&nonce(counter), &keys.ours, sealed).ok()?;
        keys.window.mark(counter);
        Some(plaintext)
    }
}

impl Keys {
    /// The two keys of `secret`, the initiator's first. `ours` is the index that the peer puts in
    /// front of what it sends us.
    pub(super) fn new(
        provider: &dyn Provider,
        secret: &[u8; 64],
        initiated: bool,
        ours: SessionIndex,
    ) -> Option<Self> {
        let (first, second) = secret.split_first_chunk::<32>()?;
        let key = |bytes| Some(provider.aead(Aead::ChaCha20Poly1305, &Secret::from_slice(bytes)?));
        let (by_initiator, by_responder) = (key(first)?, key(second)?);
        let (send, receive) =
            if initiated { (by_initiator, by_responder) } else { (by_responder, by_initiator) };
        let ours = ours.0.to_be_bytes();
        Some(Self { send, receive, ours, next: 0, window: ReplayWindow::new() })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("next", &self.next).finish_non_exhaustive()
    }
}

fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    for (to, from) in nonce.iter_mut().skip(4).zip(counter.to_be_bytes()) {
        *to = from;
    }
    nonce
}

/// How long an opening may take.
const OPENING: Duration = Duration::from_secs(5);

/// How long the peer may be silent after a frame before it is asked for a sign of life.
const SILENCE: Duration = Duration::from_secs(4);

/// How long the peer may be silent after a frame at all.
const DEATH: Duration = Duration::from_secs(12);
