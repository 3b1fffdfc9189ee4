//! The Noise XXhfs handshake, as states that are consumed into the next one.
//!
//! Owns the three messages, the prologue that binds them to their surroundings, and the check that
//! the responder's static key is one that the dialled peer's card names. Messages 1 and 2 may carry
//! a payload for the transport, the first in clear, the second sealed. Knows nothing of what a
//! payload says, of how messages are framed, of cards, or of Hello.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use snow::{Builder, HandshakeState};
use zeroize::Zeroize;

use super::resolver::{Drawn, KemHalf, Resolver};
use super::suite::Suite;
use crate::identity::{LiveKey, LivePublic, Transport};
use crate::provider::{CryptoError, Kem, KemKeyPair, Provider};
use crate::random::Random;
use crate::secret::Secret;

/// The version of the live protocol.
pub const VERSION: u8 = 1;

/// The longest handshake message that is read. It is also the size of every buffer given to
/// `snow`, which panics on some that only just hold a hybrid message.
pub const MAX_HANDSHAKE_MESSAGE: usize = 4096;

/// The length of the Noise message 1: an X25519 and an ML-KEM-768 key.
pub const MESSAGE_1_LENGTH: usize = 32 + Kem::MlKem768.public_length();

/// The longest payload of a handshake message: what QUIC negotiates is some hundred bytes, and with
/// the keys it must stay below [`MAX_HANDSHAKE_MESSAGE`].
pub const MAX_PAYLOAD: usize = 2048;

/// What both sides agree on before message 1, and this side's static key.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The primitives.
    pub provider: &'a Arc<dyn Provider>,
    /// The suite that message 1 names.
    pub suite: Suite,
    /// What [`prologue`] made of the surroundings.
    pub prologue: &'a [u8],
    /// This side's static key.
    pub local: &'a LiveKey,
}

/// Which side of a session one is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// Sends message 1.
    Initiator,
    /// Answers it.
    Responder,
}

impl Role {
    /// The other side.
    pub const fn peer(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }

    /// Its byte in what Hello signs.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Initiator => 0x01,
            Self::Responder => 0x02,
        }
    }
}

/// The prologue: `"meshwork/live" || 0x00 || version || transport || suite || header`.
///
/// `header` is what the transport sends in front of the Noise message 1, without a cookie, and its
/// length follows from the transport.
pub fn prologue(transport: Transport, suite: Suite, header: &[u8]) -> Vec<u8> {
    let mut prologue = b"meshwork/live\0".to_vec();
    prologue.extend_from_slice(&[VERSION, transport_byte(transport), suite.byte()]);
    prologue.extend_from_slice(header);
    prologue
}

/// The byte of a transport, in the prologue and in what Hello signs.
pub(super) const fn transport_byte(transport: Transport) -> u8 {
    match transport {
        Transport::Tcp => 0x01,
        Transport::Udp => 0x02,
        Transport::Quic => 0x03,
    }
}

/// What an initiator draws for one handshake: its ephemeral X25519 key and its ML-KEM key pair.
///
/// Who keeps it can begin the same handshake again, with the same message 1, and so try another
/// message 2: one that an injector made spends the state that read it, and no more.
#[derive(Debug)]
pub struct InitiatorKeys {
    ephemeral: LiveKey,
    pair: Arc<KemKeyPair>,
}

impl InitiatorKeys {
    /// Draws them.
    pub fn draw(provider: &dyn Provider, random: &mut dyn Random) -> Result<Self, HandshakeError> {
        let ephemeral = LiveKey::generate(provider, random);
        let pair =
            provider.kem_generate(Kem::MlKem768, random).map_err(HandshakeError::ProviderFailed)?;
        Ok(Self { ephemeral, pair: Arc::new(pair) })
    }

    /// Begins the handshake, with a payload in clear: the state that waits for message 2, and
    /// message 1, which is the same each time.
    pub fn initiate(
        &self,
        terms: Terms<'_>,
        payload1: &[u8],
    ) -> Result<(AwaitMessage2, Vec<u8>), HandshakeError> {
        let kem = KemHalf::Pair(Arc::clone(&self.pair));
        let mut state = noise(terms, Role::Initiator, self.ephemeral.clone(), kem)?;
        let message = write(&mut state, payload1)?;
        Ok((AwaitMessage2 { state, suite: terms.suite }, message))
    }
}

/// Begins a handshake without payloads: the state that waits for message 2, and message 1.
pub fn initiate(
    terms: Terms<'_>,
    random: &mut dyn Random,
) -> Result<(AwaitMessage2, Vec<u8>), HandshakeError> {
    InitiatorKeys::draw(terms.provider.as_ref(), random)?.initiate(terms, &[])
}

/// Answers message 1 without payloads: the state that waits for message 3, and message 2.
pub fn respond(
    terms: Terms<'_>,
    message1: &[u8],
    random: &mut dyn Random,
) -> Result<(AwaitMessage3, Vec<u8>), HandshakeError> {
    if message1.len() != MESSAGE_1_LENGTH {
        return Err(HandshakeError::WrongLength);
    }
    let (read, _) = read_message1(terms, message1, random)?;
    read.answer(&[])
}

/// Reads message 1: the state that answers it, and its payload, which nothing proves yet.
pub fn read_message1(
    terms: Terms<'_>,
    message1: &[u8],
    random: &mut dyn Random,
) -> Result<(ReadMessage1, Vec<u8>), HandshakeError> {
    let ephemeral = LiveKey::generate(terms.provider.as_ref(), random);
    let kem = answer_to(terms, message1, random)?;
    let mut state = noise(terms, Role::Responder, ephemeral, kem)?;
    let payload = read(&mut state, message1)?;
    Ok((ReadMessage1 { state, suite: terms.suite }, payload))
}

/// The responder's half of the KEM, for the key in message 1.
fn answer_to(
    terms: Terms<'_>,
    message1: &[u8],
    random: &mut dyn Random,
) -> Result<KemHalf, HandshakeError> {
    let public = message1.get(32..MESSAGE_1_LENGTH).ok_or(HandshakeError::WrongLength)?;
    let (ciphertext, shared) = terms
        .provider
        .kem_encapsulate(Kem::MlKem768, public, random)
        .map_err(|error| match error {
            CryptoError::InvalidKey => HandshakeError::BadKey,
            other => HandshakeError::ProviderFailed(other),
        })?;
    Ok(KemHalf::Answer { ciphertext, shared })
}

/// A responder that has read message 1.
#[derive(Debug)]
pub struct ReadMessage1 {
    state: Box<HandshakeState>,
    suite: Suite,
}

impl ReadMessage1 {
    /// Answers, with a payload that only the initiator can read: the state that waits for message
    /// 3, and message 2.
    pub fn answer(mut self, payload2: &[u8]) -> Result<(AwaitMessage3, Vec<u8>), HandshakeError> {
        let message = write(&mut self.state, payload2)?;
        Ok((AwaitMessage3 { state: self.state, suite: self.suite }, message))
    }
}

/// The static keys that message 2 may show.
#[derive(Clone, Copy, Debug)]
pub enum ExpectedKeys<'a> {
    /// Only these: the current and the next live key of the dialled peer's card.
    Named(&'a [LivePublic]),
    /// Any: what is fetched proves itself (card fetch).
    Any,
}

impl ExpectedKeys<'_> {
    fn allows(self, key: &LivePublic) -> bool {
        match self {
            Self::Named(keys) => keys.contains(key),
            Self::Any => true,
        }
    }
}

/// An initiator that has sent message 1.
#[derive(Debug)]
pub struct AwaitMessage2 {
    state: Box<HandshakeState>,
    suite: Suite,
}

impl AwaitMessage2 {
    /// Takes a message 2 without a payload and, if the responder shows one of the expected keys,
    /// gives message 3.
    pub fn receive(
        self,
        message2: &[u8],
        expected: ExpectedKeys<'_>,
    ) -> Result<(Established, Vec<u8>), HandshakeError> {
        match self.read(message2)? {
            (read, payload) if payload.is_empty() => read.go_on(expected),
            _ => Err(HandshakeError::WrongLength),
        }
    }

    /// Reads message 2: the state that goes on if it should, and the payload.
    pub fn read(mut self, message2: &[u8]) -> Result<(ReadMessage2, Vec<u8>), HandshakeError> {
        let payload = read(&mut self.state, message2)?;
        let remote_static = remote_static(&self.state)?;
        Ok((ReadMessage2 { state: self.state, suite: self.suite, remote_static }, payload))
    }
}

/// An initiator that has read message 2 and has not said who it is.
#[derive(Debug)]
pub struct ReadMessage2 {
    state: Box<HandshakeState>,
    suite: Suite,
    remote_static: LivePublic,
}

impl ReadMessage2 {
    /// The static key that the responder shows, and holds.
    pub fn remote_static(&self) -> &LivePublic {
        &self.remote_static
    }

    /// What both sides share by now, and nobody else.
    pub fn middle(&mut self) -> MiddleKeys {
        MiddleKeys::of(&mut self.state)
    }

    /// Gives message 3, if the responder shows one of the expected keys. On any error there is no
    /// message 3, so that a wrong peer does not learn who dialled.
    pub fn go_on(
        mut self,
        expected: ExpectedKeys<'_>,
    ) -> Result<(Established, Vec<u8>), HandshakeError> {
        if !expected.allows(&self.remote_static) {
            return Err(HandshakeError::KeyNotInCard);
        }
        let message3 = write(&mut self.state, &[])?;
        Ok((Established::new(self.state, self.suite, Role::Initiator)?, message3))
    }
}

/// A responder that has sent message 2.
#[derive(Debug)]
pub struct AwaitMessage3 {
    state: Box<HandshakeState>,
    suite: Suite,
}

impl AwaitMessage3 {
    /// What both sides share once the initiator has read message 2.
    pub fn middle(&mut self) -> MiddleKeys {
        MiddleKeys::of(&mut self.state)
    }

    /// Takes message 3. One that was changed may spend the state even where the true one would
    /// still come: where messages can be injected, a MAC under [`middle`](Self::middle) comes first.
    pub fn receive(mut self, message3: &[u8]) -> Result<Established, HandshakeError> {
        if !read(&mut self.state, message3)?.is_empty() {
            return Err(HandshakeError::WrongLength);
        }
        Established::new(self.state, self.suite, Role::Responder)
    }
}

/// Two keys of the moment between messages 2 and 3 (Noise's `Split` there): the initiator does not
/// yet say who it is, and neither key is one of what follows the handshake.
#[derive(Debug)]
pub struct MiddleKeys {
    /// For what the initiator sends.
    pub by_initiator: Secret<32>,
    /// For what the responder sends.
    pub by_responder: Secret<32>,
}

impl MiddleKeys {
    fn of(state: &mut HandshakeState) -> Self {
        let (by_initiator, by_responder) = raw_split(state);
        Self { by_initiator, by_responder }
    }
}

/// What a finished handshake leaves. Whose the remote static key is, Hello says.
#[derive(Debug)]
pub struct Established {
    /// Which side this is.
    pub role: Role,
    /// The suite.
    pub suite: Suite,
    /// The hash of all that both sides said, the same on both and in no other session.
    pub handshake_hash: [u8; 32],
    /// The static key that the peer holds.
    pub remote_static: LivePublic,
    /// The two keys of what follows.
    pub keys: TransportKeys,
}

/// One key for each direction (Noise's `Split`).
#[derive(Debug)]
pub struct TransportKeys {
    /// Seals what this side sends.
    pub send: Secret<32>,
    /// Opens what the peer sends.
    pub receive: Secret<32>,
}

impl Established {
    fn new(
        mut state: Box<HandshakeState>,
        suite: Suite,
        role: Role,
    ) -> Result<Self, HandshakeError> {
        let handshake_hash =
            *state.get_handshake_hash().first_chunk().ok_or(HandshakeError::Internal)?;
        let remote_static = remote_static(&state)?;
        let (by_initiator, by_responder) = raw_split(&mut state);
        let keys = match role {
            Role::Initiator => TransportKeys { send: by_initiator, receive: by_responder },
            Role::Responder => TransportKeys { send: by_responder, receive: by_initiator },
        };
        Ok(Self { role, suite, handshake_hash, remote_static, keys })
    }
}

fn noise(
    terms: Terms<'_>,
    role: Role,
    ephemeral: LiveKey,
    kem: KemHalf,
) -> Result<Box<HandshakeState>, HandshakeError> {
    let drawn = Drawn { local: terms.local.clone(), ephemeral, kem };
    let resolver = Resolver::new(Arc::clone(terms.provider), terms.suite, drawn);
    let builder = Builder::with_resolver(terms.suite.noise_params(), Box::new(resolver))
        .local_private_key(terms.local.secret().expose())
        .and_then(|builder| builder.prologue(terms.prologue))?;
    Ok(Box::new(match role {
        Role::Initiator => builder.build_initiator()?,
        Role::Responder => builder.build_responder()?,
    }))
}

/// The keys of both directions as of now, the initiator's first.
fn raw_split(state: &mut HandshakeState) -> (Secret<32>, Secret<32>) {
    let (mut first, mut second) = state.dangerously_get_raw_split();
    let keys = (Secret::new(first), Secret::new(second));
    first.zeroize();
    second.zeroize();
    keys
}

/// Identities go into Hello, which may then be as long as it must without costing a round trip or
/// a datagram. A payload is for what a transport has to bind.
fn write(state: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    if payload.len() > MAX_PAYLOAD {
        return Err(HandshakeError::PayloadTooLong);
    }
    let mut message = vec![0; MAX_HANDSHAKE_MESSAGE];
    let length = state.write_message(payload, &mut message)?;
    message.truncate(length);
    Ok(message)
}

fn read(state: &mut HandshakeState, message: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    if message.len() > MAX_HANDSHAKE_MESSAGE {
        return Err(HandshakeError::WrongLength);
    }
    let mut payload = [0; MAX_HANDSHAKE_MESSAGE];
    let length = state.read_message(message, &mut payload)?;
    payload.get(..length).map(<[u8]>::to_vec).ok_or(HandshakeError::Internal)
}

fn remote_static(state: &HandshakeState) -> Result<LivePublic, HandshakeError> {
    state
        .get_remote_static()
        .and_then(|key| key.first_chunk())
        .map(|key| LivePublic::from_bytes(*key))
        .ok_or(HandshakeError::Internal)
}

/// Why a handshake gave no session.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The peer sent a message that is longer or shorter than it can be.
    #[error("the peer's handshake message has a wrong length")]
    WrongLength,
    /// The peer sent a public key that the standards refuse.
    #[error("the peer's public key is not a valid one")]
    BadKey,
    /// The message was changed, is of another handshake, or of other surroundings.
    #[error("the peer's handshake message does not authenticate")]
    NotAuthentic,
    /// The responder's key is not in the card that we hold: it is another agent, or its keys have
    /// moved on. Fetch its card anew, then dial again.
    #[error("the peer's key is not in the card that we hold; fetch the card anew")]
    KeyNotInCard,
    /// The payload of a message is longer than it may be.
    #[error("the payload is longer than {MAX_PAYLOAD} bytes")]
    PayloadTooLong,
    /// The provider failed where it should not.
    #[error("the provider failed in a handshake: {0}")]
    ProviderFailed(CryptoError),
    /// The Noise library refused what it should not: a bug here.
    #[error("the handshake failed inside")]
    Internal,
}

impl From<snow::Error> for HandshakeError {
    fn from(error: snow::Error) -> Self {
        match error {
            snow::Error::Input => Self::WrongLength,
            snow::Error::Dh | snow::Error::Kem => Self::BadKey,
            snow::Error::Decrypt => Self::NotAuthentic,
            _ => Self::Internal,
        }
    }
}

#[cfg(all(feature = "aws-lc-rs", feature = "pure"))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::fixture::{Seeded, aws, pure};
    use crate::live::record::{KeyLimits, RecordWriter};

    /// Both sides of a handshake that is about to begin.
    struct Pair {
        provider: Arc<dyn Provider>,
        suite: Suite,
        initiator: LiveKey,
        responder: LiveKey,
        prologue: Vec<u8>,
        random: Seeded,
    }

    impl Pair {
        fn new(provider: Arc<dyn Provider>, suite: Suite) -> Self {
            let mut random = Seeded::new(7);
            let initiator = LiveKey::generate(provider.as_ref(), &mut random);
            let responder = LiveKey::generate(provider.as_ref(), &mut random);
            let prologue = prologue(Transport::Tcp, suite, b"header");
            Self { provider, suite, initiator, responder, prologue, random }
        }

        fn message1(&mut self) -> (AwaitMessage2, Vec<u8>) {
            self.keys().initiate(self.terms(), &[]).unwrap()
        }

        fn keys(&mut self) -> InitiatorKeys {
            InitiatorKeys::draw(self.provider.as_ref(), &mut self.random).unwrap()
        }

        /// The initiator's.
        fn terms(&self) -> Terms<'_> {
            Terms {
                provider: &self.provider,
                suite: self.suite,
                prologue: &self.prologue,
                local: &self.initiator,
            }
        }

        fn read_message1(
            &mut self,
            message1: &[u8],
        ) -> Result<(ReadMessage1, Vec<u8>), HandshakeError> {
            let terms = Terms {
                provider: &self.provider,
                suite: self.suite,
                prologue: &self.prologue,
                local: &self.responder,
            };
            read_message1(terms, message1, &mut self.random)
        }

        fn message2(
            &mut self,
            message1: &[u8],
        ) -> Result<(AwaitMessage3, Vec<u8>), HandshakeError> {
            self.message2_under(message1, &prologue(Transport::Tcp, self.suite, b"header"))
        }

        fn message2_under(
            &mut self,
            message1: &[u8],
            prologue: &[u8],
        ) -> Result<(AwaitMessage3, Vec<u8>), HandshakeError> {
            let terms = Terms {
                provider: &self.provider,
                suite: self.suite,
                prologue,
                local: &self.responder,
            };
            respond(terms, message1, &mut self.random)
        }

        fn expected(&self) -> [LivePublic; 1] {
            [*self.responder.public()]
        }
    }

    #[test]
    fn both_sides_end_with_the_same_hash_and_keys() {
        for provider in [pure(), aws()] {
            for suite in Suite::ALL {
                let mut pair = Pair::new(Arc::clone(&provider), suite);
                let (initiator, message1) = pair.message1();
                let (responder, message2) = pair.message2(&message1).unwrap();
                let (ours, message3) =
                    initiator.receive(&message2, ExpectedKeys::Named(&pair.expected())).unwrap();
                let theirs = responder.receive(&message3).unwrap();

                assert_eq!((message1.len(), message2.len(), message3.len()), (1216, 1200, 64));
                assert_eq!(ours.handshake_hash, theirs.handshake_hash);
                assert_eq!(ours.keys.send, theirs.keys.receive);
                assert_eq!(ours.keys.receive, theirs.keys.send);
                assert_ne!(ours.keys.send, ours.keys.receive);
                assert_eq!(ours.remote_static, *pair.responder.public());
                assert_eq!(theirs.remote_static, *pair.initiator.public());
            }
        }
    }

    #[test]
    fn a_responder_with_another_key_gets_no_message_3() {
        let mut pair = Pair::new(pure(), Suite::ChaChaPoly);
        let (initiator, message1) = pair.message1();
        let (_, message2) = pair.message2(&message1).unwrap();
        let others = [LivePublic::from_bytes([1; 32]), *pair.initiator.public()];
        let result = initiator.receive(&message2, ExpectedKeys::Named(&others));
        assert_eq!(result.unwrap_err(), HandshakeError::KeyNotInCard);
    }

    #[test]
    fn each_of_the_expected_keys_will_do() {
        for current_first in [true, false] {
            let mut pair = Pair::new(pure(), Suite::ChaChaPoly);
            let (initiator, message1) = pair.message1();
            let (_, message2) = pair.message2(&message1).unwrap();
            let shown = *pair.responder.public();
            let other = LivePublic::from_bytes([1; 32]);
            let keys = if current_first { [shown, other] } else { [other, shown] };
            assert!(initiator.receive(&message2, ExpectedKeys::Named(&keys)).is_ok());
        }
    }

    #[test]
    fn each_flipped_bit_of_message_1_ends_the_handshake() {
        let mut pair = Pair::new(aws(), Suite::ChaChaPoly);
        for bit in 0..MESSAGE_1_LENGTH * 8 {
            let (initiator, mut message1) = pair.message1();
            flip(&mut message1, bit);
            if let Ok((_, message2)) = pair.message2(&message1) {
                let result = initiator.receive(&message2, ExpectedKeys::Any);
                assert_eq!(result.unwrap_err(), HandshakeError::NotAuthentic, "bit {bit}");
            }
        }
    }

    #[test]
    fn each_flipped_bit_of_message_2_ends_the_handshake() {
        let mut pair = Pair::new(aws(), Suite::AesGcm);
        for bit in 0..1200 * 8 {
            let (initiator, message1) = pair.message1();
            let (_, mut message2) = pair.message2(&message1).unwrap();
            flip(&mut message2, bit);
            let result = initiator.receive(&message2, ExpectedKeys::Any);
            assert_eq!(result.unwrap_err(), HandshakeError::NotAuthentic, "bit {bit}");
        }
    }

    #[test]
    fn each_flipped_bit_of_message_3_ends_the_handshake() {
        let mut pair = Pair::new(aws(), Suite::ChaChaPoly);
        for bit in 0..64 * 8 {
            let (initiator, message1) = pair.message1();
            let (responder, message2) = pair.message2(&message1).unwrap();
            let (_, mut message3) = initiator.receive(&message2, ExpectedKeys::Any).unwrap();
            flip(&mut message3, bit);
            let result = responder.receive(&message3);
            assert_eq!(result.unwrap_err(), HandshakeError::NotAuthentic, "bit {bit}");
        }
    }

    #[test]
    fn another_prologue_ends_the_handshake() {
        let mut pair = Pair::new(pure(), Suite::ChaChaPoly);
        for other in [
            prologue(Transport::Udp, Suite::ChaChaPoly, b"header"),
            prologue(Transport::Quic, Suite::ChaChaPoly, b"header"),
            prologue(Transport::Tcp, Suite::AesGcm, b"header"),
            prologue(Transport::Tcp, Suite::ChaChaPoly, b"Header"),
        ] {
            let (initiator, message1) = pair.message1();
            let (_, message2) = pair.message2_under(&message1, &other).unwrap();
            let result = initiator.receive(&message2, ExpectedKeys::Any);
            assert_eq!(result.unwrap_err(), HandshakeError::NotAuthentic);
        }
    }

    #[test]
    fn message_1_must_have_its_length() {
        let mut pair = Pair::new(pure(), Suite::ChaChaPoly);
        let (_, message1) = pair.message1();
        for length in [0, 31, 32, MESSAGE_1_LENGTH - 1, MESSAGE_1_LENGTH + 1, 4096, 4097, 65_535] {
            let mut message = message1.clone();
            message.resize(length, 0);
            let result = pair.message2(&message);
            assert_eq!(result.unwrap_err(), HandshakeError::WrongLength, "{length} bytes");
        }
    }

    #[test]
    fn messages_2_and_3_of_another_length_end_the_handshake() {
        let mut pair = Pair::new(pure(), Suite::ChaChaPoly);
        for length in [0, 1, 32, 1199, 1201, 4096, 4097, 65_535] {
            let (initiator, message1) = pair.message1();
            let (_, mut message2) = pair.message2(&message1).unwrap();
            message2.resize(length, 0);
            assert!(initiator.receive(&message2, ExpectedKeys::Any).is_err(), "{length} bytes");
        }
        for length in [0, 1, 47, 48, 63, 65, 4096, 4097, 65_535] {
            let (initiator, message1) = pair.message1();
            let (responder, message2) = pair.message2(&message1).unwrap();
            let (_, mut message3) = initiator.receive(&message2, ExpectedKeys::Any).unwrap();
            message3.resize(length, 0);
            assert!(responder.receive(&message3).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_payload_where_none_is_due_is_refused() {
        let mut pair = Pair::new(pure(), Suite::ChaChaPoly);
        let (_, message1) = pair.keys().initiate(pair.terms(), b"payload").unwrap();
        assert_eq!(pair.message2(&message1).unwrap_err(), HandshakeError::WrongLength);

        let (initiator, message1) = pair.message1();
        let (_, message2) = pair.read_message1(&message1).unwrap().0.answer(b"payload").unwrap();
        let result = initiator.receive(&message2, ExpectedKeys::Any);
        assert_eq!(result.unwrap_err(), HandshakeError::WrongLength);

        let (mut initiator, message1) = pair.message1();
        let (responder, message2) = pair.message2(&message1).unwrap();
        read(&mut initiator.state, &message2).unwrap();
        let message3 = write(&mut initiator.state, b"payload").unwrap();
        let result = responder.receive(&message3);
        assert_eq!(result.unwrap_err(), HandshakeError::WrongLength);
    }

    #[test]
    fn both_payloads_arrive_and_are_bound() {
        for provider in [pure(), aws()] {
            let mut pair = Pair::new(provider, Suite::AesGcm);
            let keys = pair.keys();
            let (initiator, message1) = keys.initiate(pair.terms(), b"in clear").unwrap();
            assert!(message1.ends_with(b"in clear"));
            let (responder, payload1) = pair.read_message1(&message1).unwrap();
            assert_eq!(payload1, b"in clear");
            let (responder, message2) = responder.answer(b"sealed").unwrap();
            assert!(!message2.windows(6).any(|window| window == b"sealed"));
            let (initiator, payload2) = initiator.read(&message2).unwrap();
            assert_eq!(payload2, b"sealed");
            assert_eq!(initiator.remote_static(), pair.responder.public());
            let (ours, message3) = initiator.go_on(ExpectedKeys::Any).unwrap();
            let theirs = responder.receive(&message3).unwrap();
            assert_eq!(ours.handshake_hash, theirs.handshake_hash);

            let (initiator, mut message1) = keys.initiate(pair.terms(), b"in clear").unwrap();
            flip(&mut message1, MESSAGE_1_LENGTH * 8);
            let (_, message2) = pair.read_message1(&message1).unwrap().0.answer(&[]).unwrap();
            assert_eq!(initiator.read(&message2).unwrap_err(), HandshakeError::NotAuthentic);
        }
    }

    #[test]
    fn a_payload_may_be_as_long_as_it_may_and_no_longer() {
        let mut pair = Pair::new(pure(), Suite::ChaChaPoly);
        let longest = [7; MAX_PAYLOAD];
        let (initiator, message1) = pair.keys().initiate(pair.terms(), &longest).unwrap();
        let (responder, payload1) = pair.read_message1(&message1).unwrap();
        let (_, message2) = responder.answer(&longest).unwrap();
        let (_, payload2) = initiator.read(&message2).unwrap();
        assert_eq!((payload1.as_slice(), payload2.as_slice()), (&longest[..], &longest[..]));

        let too_long = [7; MAX_PAYLOAD + 1];
        let result = pair.keys().initiate(pair.terms(), &too_long);
        assert_eq!(result.unwrap_err(), HandshakeError::PayloadTooLong);
        let (responder, _) = pair.read_message1(&message1).unwrap();
        assert_eq!(responder.answer(&too_long).unwrap_err(), HandshakeError::PayloadTooLong);
    }

    #[test]
    fn both_sides_share_keys_between_messages_2_and_3() {
        for provider in [pure(), aws()] {
            let mut pair = Pair::new(provider, Suite::ChaChaPoly);
            let (initiator, message1) = pair.message1();
            let (mut responder, message2) = pair.message2(&message1).unwrap();
            let (mut initiator, _) = initiator.read(&message2).unwrap();
            let (ours, theirs) = (initiator.middle(), responder.middle());
            assert_eq!(ours.by_initiator, theirs.by_initiator);
            assert_eq!(ours.by_responder, theirs.by_responder);
            assert_ne!(ours.by_initiator, ours.by_responder);
            let (established, message3) = initiator.go_on(ExpectedKeys::Any).unwrap();
            assert_ne!(established.keys.send, ours.by_initiator);
            assert_ne!(established.keys.receive, ours.by_responder);
            assert!(responder.receive(&message3).is_ok());
        }
    }

    #[test]
    fn an_injected_message_2_spends_a_state_that_the_drawn_keys_make_again() {
        for provider in [pure(), aws()] {
            let mut pair = Pair::new(provider, Suite::ChaChaPoly);
            let keys = pair.keys();
            let (initiator, message1) = keys.initiate(pair.terms(), &[]).unwrap();
            let (_, injected) = {
                let own = LiveKey::generate(pair.provider.as_ref(), &mut pair.random);
                let terms = Terms { local: &own, ..pair.terms() };
                respond(terms, &message1, &mut Seeded::new(9)).unwrap()
            };
            let (responder, message2) = pair.message2(&message1).unwrap();
            let result = initiator.receive(&injected, ExpectedKeys::Named(&pair.expected()));
            assert_eq!(result.unwrap_err(), HandshakeError::KeyNotInCard);

            let (again, same) = keys.initiate(pair.terms(), &[]).unwrap();
            assert_eq!(same, message1);
            let (_, message3) =
                again.receive(&message2, ExpectedKeys::Named(&pair.expected())).unwrap();
            assert!(responder.receive(&message3).is_ok());
        }
    }

    /// Zero and one are of low order: X25519 with them gives zeros, whatever the secret.
    #[test]
    fn an_ephemeral_key_of_low_order_is_refused() {
        let one = {
            let mut one = [0; 32];
            one[0] = 1;
            one
        };
        for provider in [pure(), aws()] {
            for low in [[0; 32], one] {
                let mut pair = Pair::new(Arc::clone(&provider), Suite::ChaChaPoly);
                let (initiator, mut message1) = pair.message1();
                let (_, mut message2) = pair.message2(&message1).unwrap();
                message1[..32].copy_from_slice(&low);
                assert_eq!(pair.message2(&message1).unwrap_err(), HandshakeError::BadKey);
                message2[..32].copy_from_slice(&low);
                let result = initiator.receive(&message2, ExpectedKeys::Any);
                assert_eq!(result.unwrap_err(), HandshakeError::BadKey);
            }
        }
    }

    #[test]
    fn a_kem_key_with_a_coefficient_past_the_modulus_is_refused() {
        for provider in [pure(), aws()] {
            let mut pair = Pair::new(provider, Suite::ChaChaPoly);
            let (_, mut message1) = pair.message1();
            message1[32..34].fill(0xff);
            assert_eq!(pair.message2(&message1).unwrap_err(), HandshakeError::BadKey);
        }
    }

    /// `snow`'s own transport is the judge of our records and of our rekey.
    #[test]
    fn a_record_is_a_noise_transport_message() {
        for suite in Suite::ALL {
            let mut pair = Pair::new(pure(), suite);
            let (initiator, message1) = pair.message1();
            let (mut responder, message2) = pair.message2(&message1).unwrap();
            let (ours, message3) = initiator.receive(&message2, ExpectedKeys::Any).unwrap();
            read(&mut responder.state, &message3).unwrap();
            let mut judge = responder.state.into_transport_mode().unwrap();

            let limits = KeyLimits { records: 1, bytes: 1 << 20 };
            let provider = Arc::clone(&pair.provider);
            let mut writer = RecordWriter::new(provider, suite, &ours.keys.send, limits);
            let mut stream = Vec::new();
            writer.seal_frame(b"first", &mut stream).unwrap();
            writer.seal_frame(b"second", &mut stream).unwrap();

            let mut plain = [0; 64];
            let mut open = |rekey| {
                let length = usize::from(u16::from_be_bytes([stream[0], stream[1]]));
                let length = judge.read_message(&stream[2..2 + length], &mut plain).unwrap();
                stream.drain(..2 + length + 16);
                if rekey {
                    judge.rekey_incoming();
                }
                plain[..length].to_vec()
            };
            assert_eq!(open(false), b"first\x01");
            assert_eq!(open(true), b"\x02");
            assert_eq!(open(false), b"second\x01");
        }
    }

    fn flip(bytes: &mut [u8], bit: usize) {
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}
