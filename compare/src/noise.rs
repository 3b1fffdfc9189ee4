//! Noise: our hybrid handshake, and snow's classical one.

use std::sync::Arc;

use meshwork_protocols::identity::{LiveKey, Transport};
use meshwork_protocols::live::Suite;
use meshwork_protocols::live::handshake::{ExpectedKeys, Terms, initiate, prologue, respond};
use meshwork_protocols::provider::Provider;
use meshwork_protocols::provider::aws::AwsLc;

use crate::Failure;

/// Two ends that know each other's static keys.
pub struct Hybrid {
    provider: Arc<dyn Provider>,
    suite: Suite,
    prologue: Vec<u8>,
    initiator: LiveKey,
    responder: LiveKey,
}

impl Hybrid {
    pub fn new(suite: Suite) -> Self {
        let provider: Arc<dyn Provider> = Arc::new(AwsLc);
        let random = &mut *provider.random();
        let initiator = LiveKey::generate(&*provider, random);
        let responder = LiveKey::generate(&*provider, random);
        let prologue = prologue(Transport::Tcp, suite, &[0; 3]);
        Self { provider, suite, prologue, initiator, responder }
    }

    /// One handshake.
    pub fn handshake(&self) -> Result<(), Failure> {
        let (mut ours, mut theirs) = (self.provider.random(), self.provider.random());
        let (initiator, message1) = initiate(self.terms(&self.initiator), &mut *ours)?;
        let (responder, message2) = respond(self.terms(&self.responder), &message1, &mut *theirs)?;
        let expected = [*self.responder.public()];
        let (ours, message3) = initiator.receive(&message2, ExpectedKeys::Named(&expected))?;
        let theirs = responder.receive(&message3)?;
        if ours.keys.send != theirs.keys.receive || theirs.remote_static != *self.initiator.public()
        {
            return Err("the two ends do not agree".into());
        }
        Ok(())
    }

    fn terms<'a>(&'a self, local: &'a LiveKey) -> Terms<'a> {
        Terms { provider: &self.provider, suite: self.suite, prologue: &self.prologue, local }
    }
}

/// One classical handshake as snow offers it.
pub fn classical() -> Result<(), Failure> {
    const NAME: &str = "Noise_XX_25519_ChaChaPoly_SHA256";
    // What the static keys are changes nothing; making them is not part of a handshake.
    const KEYS: [[u8; 32]; 2] = [[1; 32], [2; 32]];
    let build = |key| snow::Builder::new(NAME.parse()?).local_private_key(key);
    let mut initiator = build(&KEYS[0])?.build_initiator()?;
    let mut responder = build(&KEYS[1])?.build_responder()?;
    let (mut message, mut payload) = ([0; 1024], [0; 1024]);
    for turn in 0..3 {
        let (from, to) = if turn % 2 == 0 {
            (&mut initiator, &mut responder)
        } else {
            (&mut responder, &mut initiator)
        };
        let length = from.write_message(&[], &mut message)?;
        to.read_message(&message[..length], &mut payload)?;
    }
    if initiator.get_handshake_hash() != responder.get_handshake_hash() {
        return Err("the two ends do not agree".into());
    }
    initiator.into_stateless_transport_mode()?;
    responder.into_stateless_transport_mode()?;
    Ok(())
}
