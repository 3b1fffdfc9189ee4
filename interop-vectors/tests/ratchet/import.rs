//! A session that the official client stored, as ours. Only here: the product imports no record of
//! another program.

use meshwork_protocols::deferred::braid::{Braid, Role};
use meshwork_protocols::deferred::handshake::Opening;
use meshwork_protocols::deferred::ratchet::{
    ChainKey, ReceiverChain, RootKey, SenderChain, SkippedSeeds,
};
use meshwork_protocols::deferred::session::{
    Chains, Identities, MAX_UNANSWERED, Opener, Pending, Session,
};
use meshwork_protocols::deferred::session_list::SessionList;
use meshwork_protocols::deferred::wire::KemPart;
use meshwork_protocols::deferred::{CurveKey, CurvePublic, PrekeyId, Suite};
use meshwork_protocols::provider::DeferredProvider;
use meshwork_protocols::secret::Secret;
use meshwork_protocols::time::WallTime;

use crate::official::OfficialRatchet;
use crate::protobuf::Fields;

/// The current session of a record.
pub(crate) fn session(provider: &dyn DeferredProvider, record: &[u8]) -> Session {
    let fields = Fields::read(record).message(1);
    assert_eq!(fields.number(1), 4, "the message version");
    Session {
        suite: Suite::Kyber1024,
        identities: Identities {
            local: CurvePublic::decode(fields.bytes(2)).unwrap(),
            remote: CurvePublic::decode(fields.bytes(3)).unwrap(),
            addresses: None,
        },
        base_key: CurvePublic::decode(fields.bytes(13)).unwrap(),
        chains: Chains {
            root: RootKey::new(secret(fields.bytes(4))),
            sender: sender(provider, &fields),
            receivers: fields.every(7).map(|chain| receiver(&Fields::read(chain))).collect(),
        },
        braid: braid(provider, record),
        pending: pending(&fields),
    }
}

/// Two sessions are one if their records are.
pub(crate) fn record(session: Session) -> Vec<u8> {
    SessionList::default().begin(session).encode().unwrap().expose().to_vec()
}

/// The key that the session's own chain begins with.
pub(crate) fn own_ratchet_secret(record: &[u8]) -> [u8; 32] {
    Fields::read(record).message(1).message(6).bytes(2).try_into().unwrap()
}

fn sender(provider: &dyn DeferredProvider, fields: &Fields<'_>) -> SenderChain {
    let chain = fields.message(6);
    let ratchet_key = CurveKey::from_secret(provider, secret(chain.bytes(2)));
    assert_eq!(ratchet_key.public().encode(), chain.bytes(1));
    SenderChain { ratchet_key, chain_key: chain_key(&chain), previous_counter: number(fields, 5) }
}

fn receiver(chain: &Fields<'_>) -> ReceiverChain {
    let mut skipped: Vec<_> = chain
        .every(4)
        .map(Fields::read)
        .map(|key| (number(&key, 1), key.bytes(5).to_vec()))
        .collect();
    skipped.sort_unstable();
    ReceiverChain {
        ratchet_key: CurvePublic::decode(chain.bytes(1)).unwrap(),
        chain_key: chain_key(chain),
        skipped: skipped
            .into_iter()
            .map(|(index, seed)| (index, secret(&seed)))
            .collect::<SkippedSeeds>(),
    }
}

fn chain_key(chain: &Fields<'_>) -> ChainKey {
    let key = chain.message(3);
    ChainKey::at(number(&key, 1), secret(key.bytes(2)))
}

fn braid(provider: &dyn DeferredProvider, record: &[u8]) -> Braid {
    let ratchet = OfficialRatchet::in_record(record).unwrap();
    match ratchet.unstarted() {
        Some(key) => Braid::new(&Secret::new(key), Role::Initiator, provider).unwrap(),
        None => Braid::decode(&ratchet.to_record()).unwrap(),
    }
}

fn pending(fields: &Fields<'_>) -> Option<Pending> {
    let classical = Fields::read(fields.find(9)?);
    let kem = fields.message(14);
    let since = WallTime::from_secs(classical.number(4));
    let opening = Opening {
        base_key: CurvePublic::decode(classical.bytes(2)).unwrap(),
        one_time: Some(PrekeyId(number(&classical, 1))).filter(|id| id.0 != 0),
        signed: PrekeyId(number(&classical, 3)),
        kem: KemPart { id: PrekeyId(number(&kem, 1)), ciphertext: kem.bytes(2).to_vec() },
    };
    let registration = number(fields, 11);
    let until = since + MAX_UNANSWERED;
    Some(Pending::new(opening, Opener { registration, until }))
}

fn secret(bytes: &[u8]) -> Secret<32> {
    Secret::from_slice(bytes).unwrap()
}

fn number(fields: &Fields<'_>, field: u64) -> u32 {
    u32::try_from(fields.number(field)).unwrap()
}
