//! The side of an agreement that makes a KEM key and offers it.
//!
//! Five states of the ML-KEM Braid specification, each consumed into the next. What a state does not
//! list it ignores: messages are lost, repeated and late.

use alloc::sync::Arc;

use super::BraidError;
use super::agreement::{Heard, Phase, Said, Turn};
use super::erasure::{Incoming, Outgoing, Progress, Whole, joined};
use super::message::Payload;
use crate::provider::Kem;
use crate::provider::split_kem::{CT2_LENGTH, VECTOR_LENGTH};
use crate::random::Random;
use crate::secret::{Secret, SecretBytes};

/// The header of a KEM key and its MAC.
pub(super) const HEADER_CHUNKS: usize = 3;
/// The vector of a KEM key.
pub(super) const VECTOR_CHUNKS: usize = 36;
/// The first half of a ciphertext.
pub(super) const CT1_CHUNKS: usize = 30;
/// The second half and its MAC.
pub(super) const CT2_CHUNKS: usize = 5;

/// A decapsulation key, in the expanded encoding of FIPS 203.
#[derive(Clone, Debug)]
pub(super) struct DecapsulationKey(Arc<SecretBytes>);

impl DecapsulationKey {
    /// Bytes of one.
    pub(super) const LENGTH: usize = Kem::MlKem768.secret_length();

    /// Takes one over, if it has the length of one.
    pub(super) fn new(bytes: SecretBytes) -> Option<Self> {
        (bytes.len() == Self::LENGTH).then(|| Self(Arc::new(bytes)))
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &SecretBytes {
        &self.0
    }

    /// The vector of the public key, which stands in the secret one behind one as long, from chunk
    /// `next` on.
    pub(super) fn vector(&self, next: u16) -> Outgoing<VECTOR_CHUNKS> {
        let rest = self.0.expose().get(VECTOR_LENGTH..).unwrap_or_default();
        Outgoing::resumed(joined(&[rest]), next)
    }
}

/// Nothing is there yet.
#[derive(Clone, Debug)]
pub(super) struct KeysUnsampled;

impl KeysUnsampled {
    pub(super) fn send(self, turn: &Turn<'_>, random: &mut dyn Random) -> Result<Said, BraidError> {
        let pair = turn.provider.kem_generate(Kem::MlKem768, random)?;
        let header = turn.provider.split_header(&pair.public)?.to_bytes();
        let mac = turn.header_mac(&header);
        let secret = DecapsulationKey::new(pair.secret).ok_or(BraidError::Internal)?;
        let header = Outgoing::new(&[&header, mac.expose()]);
        Ok(KeysSampled { secret, header }.send())
    }
}

/// The key is there, and its header on its way.
#[derive(Clone, Debug)]
pub(super) struct KeysSampled {
    pub(super) secret: DecapsulationKey,
    pub(super) header: Outgoing<HEADER_CHUNKS>,
}

impl KeysSampled {
    pub(super) fn send(self) -> Said {
        let (header, chunk) = self.header.chunk();
        Said::new(Phase::KeysSampled(Self { header, ..self }), Payload::Hdr(chunk))
    }

    /// A piece of ct1 shows that the peer has the header.
    pub(super) fn receive(self, payload: &Payload) -> Phase {
        match payload {
            Payload::Ct1(_) => {
                let (vector, ct1) = (self.secret.vector(0), Incoming::default());
                HeaderSent { secret: self.secret, vector, ct1 }.receive(payload)
            }
            _ => Phase::KeysSampled(self),
        }
    }
}

/// The peer has the header. The vector goes out and ct1 comes in.
#[derive(Clone, Debug)]
pub(super) struct HeaderSent {
    pub(super) secret: DecapsulationKey,
    pub(super) vector: Outgoing<VECTOR_CHUNKS>,
    pub(super) ct1: Incoming<CT1_CHUNKS>,
}

impl HeaderSent {
    pub(super) fn send(self) -> Said {
        let (vector, chunk) = self.vector.chunk();
        Said::new(Phase::HeaderSent(Self { vector, ..self }), Payload::Ek(chunk))
    }

    pub(super) fn receive(self, payload: &Payload) -> Phase {
        let Payload::Ct1(chunk) = payload else { return Phase::HeaderSent(self) };
        let Self { secret, vector, ct1 } = self;
        match ct1.take(*chunk) {
            Progress::Partial(ct1) => Phase::HeaderSent(Self { secret, vector, ct1 }),
            Progress::Whole(ct1) => {
                Phase::Ct1Received(Ct1Received { secret, vector, ct1: Arc::from(ct1) })
            }
        }
    }
}

/// The whole ct1 is here. The vector goes out with word of that.
#[derive(Clone, Debug)]
pub(super) struct Ct1Received {
    pub(super) secret: DecapsulationKey,
    pub(super) vector: Outgoing<VECTOR_CHUNKS>,
    pub(super) ct1: Arc<Whole<CT1_CHUNKS>>,
}

impl Ct1Received {
    pub(super) fn send(self) -> Said {
        let (vector, chunk) = self.vector.chunk();
        Said::new(Phase::Ct1Received(Self { vector, ..self }), Payload::EkCt1Ack(chunk))
    }

    /// A piece of ct2 shows that the peer has the whole vector.
    pub(super) fn receive(
        self,
        turn: &mut Turn<'_>,
        payload: &Payload,
    ) -> Result<Heard, BraidError> {
        let Payload::Ct2(_) = payload else {
            return Ok(Heard::More(Phase::Ct1Received(self)));
        };
        let Self { secret, ct1, .. } = self;
        EkSentCt1Received { secret, ct1, ct2: Incoming::default() }.receive(turn, payload)
    }
}

/// The peer has the whole key. Of the ciphertext, ct2 comes in.
#[derive(Clone, Debug)]
pub(super) struct EkSentCt1Received {
    pub(super) secret: DecapsulationKey,
    pub(super) ct1: Arc<Whole<CT1_CHUNKS>>,
    pub(super) ct2: Incoming<CT2_CHUNKS>,
}

impl EkSentCt1Received {
    pub(super) fn send(self) -> Said {
        Said::new(Phase::EkSentCt1Received(self), Payload::Ct1Ack)
    }

    pub(super) fn receive(
        self,
        turn: &mut Turn<'_>,
        payload: &Payload,
    ) -> Result<Heard, BraidError> {
        let Payload::Ct2(chunk) = payload else {
            return Ok(Heard::More(Phase::EkSentCt1Received(self)));
        };
        let Self { secret, ct1, ct2 } = self;
        match ct2.take(*chunk) {
            Progress::Partial(ct2) => {
                Ok(Heard::More(Phase::EkSentCt1Received(Self { secret, ct1, ct2 })))
            }
            Progress::Whole(rest) => Self::decapsulate(turn, &secret, &ct1, &rest),
        }
    }

    fn decapsulate(
        turn: &mut Turn<'_>,
        secret: &DecapsulationKey,
        ct1: &Whole<CT1_CHUNKS>,
        rest: &Whole<CT2_CHUNKS>,
    ) -> Result<Heard, BraidError> {
        let ct1 = ct1.as_flattened();
        let (ct2, mac) = rest.as_flattened().split_at(CT2_LENGTH);
        let ciphertext = [ct1, ct2].concat();
        let shared = turn.provider.kem_decapsulate(Kem::MlKem768, secret.bytes(), &ciphertext)?;
        let agreed = turn.agree(&shared)?;
        // The MAC is under the key that follows from what was agreed on. Who changed the ciphertext
        // changed that too.
        let expected = turn.ciphertext_mac(ct1, ct2);
        if Secret::from_slice(mac) != Some(expected) {
            return Err(BraidError::NotAuthentic);
        }
        Ok(Heard::Agreed(agreed))
    }
}
