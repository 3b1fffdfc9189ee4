//! Two ends of a deferred session in the official client's format, without what our agents put
//! around it.

use meshwork_protocols::deferred::handshake::Offer;
use meshwork_protocols::deferred::plain_bundle::PlainBundle;
use meshwork_protocols::deferred::session::{Opener, Packet, PacketKind, Session, Terms};
use meshwork_protocols::deferred::session_list::{Opened, PrekeySource, Responder, SessionList};
use meshwork_protocols::deferred::wire::{FirstMessage, RatchetMessage};
use meshwork_protocols::deferred::{CurveKey, KemKey, PrekeyId, Suite};
use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::aws::AwsLc;

use crate::Failure;
use crate::agents::NOW;
use crate::deferred::{MESSAGES, TEXT};

/// A bundle, and a first message that was sealed to it.
pub struct Beginning {
    initiator: End,
    responder: End,
    offer: Offer,
    bundle: PlainBundle,
    first: Packet,
}

impl Beginning {
    pub fn new(suite: Suite) -> Result<Self, Failure> {
        let (mut initiator, responder) = (End::new(suite)?, End::new(suite)?);
        let (offer, bundle) = (responder.offer(), responder.bundle());
        initiator.sessions = initiator.begin(&offer)?;
        let first = initiator.seal()?;
        Ok(Self { initiator, responder, offer, bundle, first })
    }

    /// A session to keys that were verified before.
    pub fn initiate(&self) -> Result<(), Failure> {
        self.initiator.begin(&self.offer).map(drop)
    }

    /// A session to a bundle as it came.
    pub fn process(&self) -> Result<(), Failure> {
        let offer = self.bundle.clone().verify(&AwsLc, self.responder.identity.public())?;
        self.initiator.begin(&offer).map(drop)
    }

    /// The same first message, answered anew each time.
    pub fn accept(&self) -> Result<(), Failure> {
        let opened = self.responder.open(&self.first)?;
        if opened.began { Ok(()) } else { Err("no session began".into()) }
    }
}

/// Two ends that have heard of each other.
pub struct Conversation {
    from: End,
    to: End,
    packets: Vec<Packet>,
}

impl Conversation {
    pub fn answered() -> Result<Self, Failure> {
        let Beginning { initiator, responder, first, .. } = Beginning::new(Suite::MlKem1024)?;
        let mut both = Self { from: responder, to: initiator, packets: Vec::new() };
        both.from.adopt(&first)?;
        both.exchange()?;
        Ok(both)
    }

    /// Seals a hundred messages.
    pub fn seal(&mut self) -> Result<(), Failure> {
        for _ in 0..MESSAGES {
            self.packets.push(self.from.seal()?);
        }
        Ok(())
    }

    /// Opens those that were sealed.
    pub fn open(&mut self) -> Result<(), Failure> {
        for packet in self.packets.drain(..) {
            self.to.adopt(&packet)?;
        }
        Ok(())
    }

    /// A hundred messages there, each with one back.
    pub fn ping_pong(&mut self) -> Result<(), Failure> {
        for _ in 0..2 * MESSAGES {
            self.exchange()?;
        }
        Ok(())
    }

    fn exchange(&mut self) -> Result<(), Failure> {
        let packet = self.from.seal()?;
        self.to.adopt(&packet)?;
        std::mem::swap(&mut self.from, &mut self.to);
        Ok(())
    }
}

/// An end that 1,999 messages have not come to.
pub struct Skipped {
    before: End,
    after: End,
    last: Packet,
    late: Packet,
}

impl Skipped {
    pub fn new() -> Result<Self, Failure> {
        let Conversation { mut from, to, .. } = Conversation::answered()?;
        let mut packets = (0..2_000).map(|_| from.seal()).collect::<Result<Vec<_>, _>>()?;
        let (late, last) = (packets.swap_remove(700), packets.pop().ok_or("no packet")?);
        let mut after = to.clone();
        after.adopt(&last)?;
        Ok(Self { before: to, after, last, late })
    }

    pub fn open_last(&self) -> Result<(), Failure> {
        self.before.open(&self.last).map(drop)
    }

    pub fn open_late(&self) -> Result<(), Failure> {
        self.after.open(&self.late).map(drop)
    }
}

/// One end: an identity, prekeys and sessions.
#[derive(Clone)]
struct End {
    identity: CurveKey,
    signed: CurveKey,
    kem: KemKey,
    one_time: CurveKey,
    sessions: SessionList,
}

impl End {
    fn new(suite: Suite) -> Result<Self, Failure> {
        let random = &mut *AwsLc.random();
        Ok(Self {
            identity: CurveKey::generate(&AwsLc, random),
            signed: CurveKey::generate(&AwsLc, random),
            kem: KemKey::generate(&AwsLc, suite, random)?,
            one_time: CurveKey::generate(&AwsLc, random),
            sessions: SessionList::default(),
        })
    }

    fn offer(&self) -> Offer {
        Offer {
            identity: *self.identity.public(),
            signed: (PrekeyId(1), *self.signed.public()),
            kem: (PrekeyId(2), self.kem.public()),
            one_time: Some((PrekeyId(3), *self.one_time.public())),
        }
    }

    fn bundle(&self) -> PlainBundle {
        let Offer { identity, signed, kem, one_time } = self.offer();
        let sign = |key: &[u8]| self.identity.sign(&AwsLc, key, &mut *AwsLc.random());
        let signatures = (sign(&signed.1.encode()), sign(&kem.1.encode()));
        PlainBundle {
            identity,
            signed: (signed.0, signed.1, signatures.0),
            kem: (kem.0, kem.1, signatures.1),
            one_time,
        }
    }

    fn begin(&self, offer: &Offer) -> Result<SessionList, Failure> {
        let opener = Opener { registration: 0, until: NOW.wall };
        let random = &mut *AwsLc.random();
        let session = Session::initiate(&AwsLc, &self.identity, offer, &TERMS, opener, random)?;
        Ok(self.sessions.begin(session))
    }

    fn seal(&mut self) -> Result<Packet, Failure> {
        let random = &mut *AwsLc.random();
        let draft = self.sessions.draft(&AwsLc, TEXT.len(), NOW.wall, random)?;
        let (packet, session) = draft.seal(&AwsLc, &TEXT)?;
        self.sessions = self.sessions.with_current(session);
        Ok(packet)
    }

    fn open(&self, packet: &Packet) -> Result<Opened, Failure> {
        let random = &mut *AwsLc.random();
        let opened = match packet.kind {
            PacketKind::First => {
                let first = FirstMessage::decode(&packet.bytes)?;
                let responder = Responder { identity: &self.identity, prekeys: self, terms: TERMS };
                self.sessions.open_first(&AwsLc, &responder, &first, random)?
            }
            PacketKind::Ratchet => {
                let message = RatchetMessage::decode(&packet.bytes)?;
                self.sessions.open(&AwsLc, &message, random)?
            }
        };
        if opened.plaintext.expose() == TEXT { Ok(opened) } else { Err("another text".into()) }
    }

    fn adopt(&mut self, packet: &Packet) -> Result<(), Failure> {
        self.sessions = self.open(packet)?.next;
        Ok(())
    }
}

impl PrekeySource for End {
    fn signed(&self, _: PrekeyId) -> Option<&CurveKey> {
        Some(&self.signed)
    }

    fn kem(&self, _: PrekeyId) -> Option<&KemKey> {
        Some(&self.kem)
    }

    fn one_time(&self, _: PrekeyId) -> Option<&CurveKey> {
        Some(&self.one_time)
    }

    fn was_used(&self, _: &FirstMessage<'_>) -> bool {
        false
    }
}

/// As long as those between our agents.
const TERMS: Terms<'static> = Terms { context: &[7; 96], addresses: None };
