//! A party: an identity with its prekeys and sessions, as the official client's stores hold them.

use std::collections::{HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use meshwork_protocols::deferred::plain_bundle::PlainBundle;
use meshwork_protocols::deferred::session::{MAX_UNANSWERED, Opener, PacketKind, Session, Terms};
use meshwork_protocols::deferred::session_list::{PrekeySource, Responder, SessionList};
use meshwork_protocols::deferred::wire::{FirstMessage, RatchetMessage, ServiceAddress};
use meshwork_protocols::deferred::{CurveKey, CurvePublic, KemKey, KemPublic, PrekeyId, Suite};
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::{DeferredProvider, XEDDSA_LENGTH};
use meshwork_protocols::random::Random;
use meshwork_protocols::secret::Secret;
use meshwork_protocols::time::WallTime;
use serde_json::{Value, json};

use crate::command::{CommandError, bytes, number, text};

pub(crate) const PROVIDER: &dyn DeferredProvider = &AwsLc;

/// A name and a device.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Address {
    name: String,
    device: u8,
}

impl Address {
    pub(crate) fn read(value: &Value) -> Result<Self, CommandError> {
        let device = u8::try_from(number(value, "device")?).map_err(|_| CommandError::Malformed)?;
        Ok(Self { name: text(value, "name")?.to_owned(), device })
    }

    /// Only a UUID is a service address.
    fn service(&self) -> Option<ServiceAddress> {
        ServiceAddress::new(&self.name, self.device).ok()
    }
}

#[derive(Debug)]
pub(crate) struct Party {
    address: Address,
    registration: u32,
    identity: CurveKey,
    prekeys: Prekeys,
    sessions: HashMap<Address, SessionList>,
    random: Box<dyn Random>,
}

#[derive(Debug, Default)]
struct Prekeys {
    signed: HashMap<PrekeyId, CurveKey>,
    kem: HashMap<PrekeyId, KemKey>,
    one_time: HashMap<PrekeyId, CurveKey>,
    used: HashSet<(PrekeyId, PrekeyId, [u8; 32])>,
}

impl PrekeySource for Prekeys {
    fn signed(&self, id: PrekeyId) -> Option<&CurveKey> {
        self.signed.get(&id)
    }

    fn kem(&self, id: PrekeyId) -> Option<&KemKey> {
        self.kem.get(&id)
    }

    fn one_time(&self, id: PrekeyId) -> Option<&CurveKey> {
        self.one_time.get(&id)
    }

    fn was_used(&self, first: &FirstMessage<'_>) -> bool {
        self.used.contains(&use_of(first))
    }
}

fn use_of(first: &FirstMessage<'_>) -> (PrekeyId, PrekeyId, [u8; 32]) {
    (first.kem, first.signed, *first.base_key.u())
}

impl Party {
    pub(crate) fn new(
        address: Address,
        registration: u32,
        secret: Option<&[u8]>,
    ) -> Result<Self, CommandError> {
        let mut random = PROVIDER.random();
        let secret = match secret {
            Some(bytes) => Secret::from_slice(bytes).ok_or(CommandError::Malformed)?,
            None => Secret::random(random.as_mut()),
        };
        Ok(Self {
            address,
            registration,
            identity: CurveKey::from_secret(PROVIDER, secret),
            prekeys: Prekeys::default(),
            sessions: HashMap::new(),
            random,
        })
    }

    pub(crate) fn identity(&self) -> Value {
        json!({
            "identity_key": hex(&self.identity.public().encode()),
            "identity_private": hex(self.identity.secret().expose()),
        })
    }

    pub(crate) fn prekeys(&mut self, options: &Value) -> Result<Value, CommandError> {
        let random = self.random.as_mut();
        let id = |key| number(options, key).ok().map(PrekeyId);
        let (signed_id, kem_id) =
            (id("spk").unwrap_or(PrekeyId(1)), id("kyber").unwrap_or(PrekeyId(1)));
        let signed = CurveKey::generate(PROVIDER, random);
        let kem = KemKey::generate(PROVIDER, Suite::Kyber1024, random)?;
        let signed_signature = self.identity.sign(PROVIDER, &signed.public().encode(), random);
        let kem_signature = self.identity.sign(PROVIDER, &kem.public().encode(), random);
        let one_time = id("pre").map(|id| (id, CurveKey::generate(PROVIDER, random)));
        let answer = json!({
            "public": {
                "registration_id": self.registration,
                "device_id": self.address.device,
                "identity_key": hex(&self.identity.public().encode()),
                "signed_prekey": prekey(signed_id, &signed.public().encode(), &signed_signature),
                "kyber_prekey": prekey(kem_id, &kem.public().encode(), &kem_signature),
                "one_time_prekey": one_time.as_ref().map(|(id, key)| {
                    json!({ "id": id.0, "public": hex(&key.public().encode()) })
                }),
            },
            "private": {
                "identity_key": hex(self.identity.secret().expose()),
                "signed_prekey": hex(signed.secret().expose()),
                "kyber_prekey": hex(kem.encode().expose()),
                "one_time_prekey":
                    one_time.as_ref().map(|(_, key)| hex(key.secret().expose())),
            },
        });
        self.prekeys.signed.insert(signed_id, signed);
        self.prekeys.kem.insert(kem_id, kem);
        self.prekeys.one_time.extend(one_time);
        Ok(answer)
    }

    pub(crate) fn process(&mut self, peer: Address, bundle: &Value) -> Result<Value, CommandError> {
        let bundle = read_bundle(bundle)?;
        let pinned = bundle.identity;
        let offer = bundle.verify(PROVIDER, &pinned)?;
        let terms = Terms { context: &[], addresses: self.addresses(&peer) };
        let opener = Opener { registration: self.registration, until: now() + MAX_UNANSWERED };
        let random = self.random.as_mut();
        let session = Session::initiate(PROVIDER, &self.identity, &offer, &terms, opener, random)?;
        let list = self.sessions.entry(peer).or_default();
        *list = list.begin(session);
        Ok(json!({}))
    }

    pub(crate) fn encrypt(
        &mut self,
        peer: &Address,
        plaintext: &[u8],
    ) -> Result<Value, CommandError> {
        let list = self.sessions.entry(peer.clone()).or_default();
        let draft = list.draft(PROVIDER, plaintext.len(), now(), self.random.as_mut())?;
        let (packet, session) = draft.seal(PROVIDER, plaintext)?;
        *list = list.with_current(session);
        let kind = match packet.kind {
            PacketKind::First => 3,
            PacketKind::Ratchet => 2,
        };
        Ok(json!({ "type": kind, "wire": hex(&packet.bytes) }))
    }

    pub(crate) fn decrypt(
        &mut self,
        peer: Address,
        wire: &[u8],
        first: bool,
    ) -> Result<Value, CommandError> {
        let addresses = self.addresses(&peer);
        let list = self.sessions.entry(peer).or_default();
        let random = self.random.as_mut();
        let opened = if first {
            let terms = Terms { context: &[], addresses };
            let responder = Responder { identity: &self.identity, prekeys: &self.prekeys, terms };
            let first = FirstMessage::decode(wire)?;
            let opened = list.open_first(PROVIDER, &responder, &first, random)?;
            if opened.began {
                self.prekeys.used.insert(use_of(&first));
                first.one_time.and_then(|id| self.prekeys.one_time.remove(&id));
            }
            opened
        } else {
            list.open(PROVIDER, &RatchetMessage::decode(wire)?, random)?
        };
        *list = opened.next;
        Ok(json!({ "plaintext": hex(opened.plaintext.expose()) }))
    }

    pub(crate) fn session(&self, peer: &Address) -> Result<Value, CommandError> {
        let record = self.sessions.get(peer).map(SessionList::encode).transpose()?;
        Ok(json!({ "record": record.map(|record| hex(record.expose())) }))
    }

    pub(crate) fn archive(&mut self, peer: &Address) -> Result<Value, CommandError> {
        let list = self.sessions.entry(peer.clone()).or_default();
        *list = list.archive();
        Ok(json!({}))
    }

    pub(crate) fn sign(&mut self, data: &[u8]) -> Result<Value, CommandError> {
        let signature = self.identity.sign(PROVIDER, data, self.random.as_mut());
        Ok(json!({ "signature": hex(&signature) }))
    }

    fn addresses(&self, peer: &Address) -> Option<(ServiceAddress, ServiceAddress)> {
        Some((self.address.service()?, peer.service()?))
    }
}

fn read_bundle(bundle: &Value) -> Result<PlainBundle, CommandError> {
    let part = |key: &str| bundle.get(key).ok_or(CommandError::Malformed);
    let id = |value: &Value| number(value, "id").map(PrekeyId);
    let (signed, kem) = (part("signed_prekey")?, part("kyber_prekey")?);
    let one_time = match bundle.get("one_time_prekey").filter(|value| !value.is_null()) {
        Some(value) => Some((id(value)?, CurvePublic::decode(&bytes(value, "public")?)?)),
        None => None,
    };
    Ok(PlainBundle {
        identity: CurvePublic::decode(&bytes(bundle, "identity_key")?)?,
        signed: (id(signed)?, CurvePublic::decode(&bytes(signed, "public")?)?, signature(signed)?),
        kem: (id(kem)?, KemPublic::decode(&bytes(kem, "public")?)?, signature(kem)?),
        one_time,
    })
}

fn signature(prekey: &Value) -> Result<[u8; XEDDSA_LENGTH], CommandError> {
    bytes(prekey, "signature")?.try_into().map_err(|_| CommandError::Malformed)
}

fn prekey(id: PrekeyId, public: &[u8], signature: &[u8]) -> Value {
    json!({ "id": id.0, "public": hex(public), "signature": hex(signature) })
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

fn now() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime::from_secs(since.as_secs())
}
