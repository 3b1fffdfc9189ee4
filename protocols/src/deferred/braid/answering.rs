//! The side of an agreement that encapsulates to the key that the peer offers.
//!
//! Six states of the ML-KEM Braid specification, each consumed into the next. What a state does not
//! list it ignores: messages are lost, repeated and late.

use alloc::sync::Arc;

use super::BraidError;
use super::agreement::{Phase, Said, Turn};
use super::erasure::{Incoming, Outgoing, Progress, Whole};
use super::message::Payload;
use super::offering::{CT1_CHUNKS, CT2_CHUNKS, HEADER_CHUNKS, VECTOR_CHUNKS};
use crate::provider::split_kem::{HEADER_LENGTH, SplitHeader};
use crate::random::Random;
use crate::secret::Secret;

/// Nothing of the key is whole. Its header comes in.
#[derive(Clone, Debug, Default)]
pub(super) struct NoHeaderReceived {
    pub(super) header: Incoming<HEADER_CHUNKS>,
}

impl NoHeaderReceived {
    pub(super) fn send(self) -> Said {
        Said::new(Phase::NoHeaderReceived(self), Payload::None)
    }

    pub(super) fn receive(self, turn: &Turn<'_>, payload: &Payload) -> Result<Phase, BraidError> {
        let Payload::Hdr(chunk) = payload else { return Ok(Phase::NoHeaderReceived(self)) };
        match self.header.take(*chunk) {
            Progress::Partial(header) => Ok(Phase::NoHeaderReceived(Self { header })),
            Progress::Whole(header) => HeaderReceived::verify(turn, &header),
        }
    }
}

/// The header is here, and is the peer's.
#[derive(Clone, Debug)]
pub(super) struct HeaderReceived {
    pub(super) header: SplitHeader,
}

impl HeaderReceived {
    fn verify(turn: &Turn<'_>, transfer: &Whole<HEADER_CHUNKS>) -> Result<Phase, BraidError> {
        let (header, mac) = transfer
            .as_flattened()
            .split_first_chunk::<HEADER_LENGTH>()
            .ok_or(BraidError::Internal)?;
        if Secret::from_slice(mac) != Some(turn.header_mac(header)) {
            return Err(BraidError::NotAuthentic);
        }
        Ok(Phase::HeaderReceived(Self { header: SplitHeader::from_bytes(header) }))
    }

    /// The secret of the epoch is there as soon as ct1 is, long before the peer has it.
    pub(super) fn send(
        self,
        turn: &mut Turn<'_>,
        random: &mut dyn Random,
    ) -> Result<Said, BraidError> {
        let encapsulation = Encapsulation { header: self.header, message: Secret::random(random) };
        let (ct1, shared) = encapsulation.begin(turn);
        let agreed = turn.agree(&shared)?;
        let said =
            Ct1Sampled { encapsulation: Arc::new(encapsulation), ct1, vector: Incoming::default() }
                .send();
        Ok(Said { agreed: Some(agreed), ..said })
    }
}

/// An encapsulation whose second half waits for the vector. All of it follows from this.
#[derive(Clone, Debug)]
pub(super) struct Encapsulation {
    pub(super) header: SplitHeader,
    pub(super) message: Secret<32>,
}

impl Encapsulation {
    fn begin(&self, turn: &Turn<'_>) -> (Outgoing<CT1_CHUNKS>, Secret<32>) {
        let (ct1, shared) = turn.provider.split_begin(&self.header, &self.message);
        (Outgoing::new(&[&ct1]), shared)
    }

    /// The second half, with the MAC over both.
    fn finish(
        &self,
        turn: &Turn<'_>,
        ct1: &Outgoing<CT1_CHUNKS>,
        vector: &Whole<VECTOR_CHUNKS>,
    ) -> Result<Outgoing<CT2_CHUNKS>, BraidError> {
        let vector = vector.as_flattened().try_into().map_err(|_| BraidError::Internal)?;
        let ct2 = turn
            .provider
            .split_finish(&self.header, vector, &self.message)
            .map_err(BraidError::of_peer_key)?;
        let mac = turn.ciphertext_mac(ct1.whole().as_flattened(), &ct2);
        Ok(Outgoing::new(&[&ct2, mac.expose()]))
    }
}

/// ct1 goes out and the vector comes in.
#[derive(Clone, Debug)]
pub(super) struct Ct1Sampled {
    pub(super) encapsulation: Arc<Encapsulation>,
    pub(super) ct1: Outgoing<CT1_CHUNKS>,
    pub(super) vector: Incoming<VECTOR_CHUNKS>,
}

impl Ct1Sampled {
    pub(super) fn send(self) -> Said {
        let (ct1, chunk) = self.ct1.chunk();
        Said::new(Phase::Ct1Sampled(Self { ct1, ..self }), Payload::Ct1(chunk))
    }

    pub(super) fn receive(self, turn: &Turn<'_>, payload: &Payload) -> Result<Phase, BraidError> {
        let (chunk, acknowledged) = match payload {
            Payload::Ek(chunk) => (chunk, false),
            Payload::EkCt1Ack(chunk) => (chunk, true),
            _ => return Ok(Phase::Ct1Sampled(self)),
        };
        let Self { encapsulation, ct1, vector } = self;
        Ok(match (vector.take(*chunk), acknowledged) {
            (Progress::Partial(vector), false) => {
                Phase::Ct1Sampled(Self { encapsulation, ct1, vector })
            }
            (Progress::Partial(vector), true) => {
                Phase::Ct1Acknowledged(Ct1Acknowledged { encapsulation, vector })
            }
            (Progress::Whole(vector), false) => {
                let ct2 = encapsulation.finish(turn, &ct1, &vector)?;
                Phase::EkReceivedCt1Sampled(EkReceivedCt1Sampled { ct1, ct2 })
            }
            (Progress::Whole(vector), true) => {
                Phase::Ct2Sampled(Ct2Sampled { ct2: encapsulation.finish(turn, &ct1, &vector)? })
            }
        })
    }
}

/// The whole vector is here, and ct2 made; ct1 still goes out.
#[derive(Clone, Debug)]
pub(super) struct EkReceivedCt1Sampled {
    pub(super) ct1: Outgoing<CT1_CHUNKS>,
    pub(super) ct2: Outgoing<CT2_CHUNKS>,
}

impl EkReceivedCt1Sampled {
    pub(super) fn send(self) -> Said {
        let (ct1, chunk) = self.ct1.chunk();
        Said::new(Phase::EkReceivedCt1Sampled(Self { ct1, ..self }), Payload::Ct1(chunk))
    }

    pub(super) fn receive(self, payload: &Payload) -> Phase {
        match payload {
            Payload::Ct1Ack | Payload::EkCt1Ack(_) => {
                Phase::Ct2Sampled(Ct2Sampled { ct2: self.ct2 })
            }
            _ => Phase::EkReceivedCt1Sampled(self),
        }
    }
}

/// The peer has the whole ct1; the vector still comes in.
#[derive(Clone, Debug)]
pub(super) struct Ct1Acknowledged {
    pub(super) encapsulation: Arc<Encapsulation>,
    pub(super) vector: Incoming<VECTOR_CHUNKS>,
}

impl Ct1Acknowledged {
    pub(super) fn send(self) -> Said {
        Said::new(Phase::Ct1Acknowledged(self), Payload::None)
    }

    pub(super) fn receive(self, turn: &Turn<'_>, payload: &Payload) -> Result<Phase, BraidError> {
        let (Payload::Ek(chunk) | Payload::EkCt1Ack(chunk)) = payload else {
            return Ok(Phase::Ct1Acknowledged(self));
        };
        let Self { encapsulation, vector } = self;
        Ok(match vector.take(*chunk) {
            Progress::Partial(vector) => Phase::Ct1Acknowledged(Self { encapsulation, vector }),
            Progress::Whole(vector) => {
                let (ct1, _) = encapsulation.begin(turn);
                Phase::Ct2Sampled(Ct2Sampled { ct2: encapsulation.finish(turn, &ct1, &vector)? })
            }
        })
    }
}

/// ct2 goes out, until a message of the next epoch shows that it arrived.
#[derive(Clone, Debug)]
pub(super) struct Ct2Sampled {
    pub(super) ct2: Outgoing<CT2_CHUNKS>,
}

impl Ct2Sampled {
    pub(super) fn send(self) -> Said {
        let (ct2, chunk) = self.ct2.chunk();
        Said::new(Phase::Ct2Sampled(Self { ct2 }), Payload::Ct2(chunk))
    }
}
