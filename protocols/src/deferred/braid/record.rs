//! A braid as it is stored.
//!
//! ```text
//! 01 || state (1) || newest epoch (8) || epochs not sent in (1)
//!    || authenticator (32 + 32) || root (32) || the chains of each epoch, the oldest first
//!    || what the state holds
//! chains = [counter (4) || key (32), to send] || counter (4) || key (32), to receive
//!          || count (2) || (index (4) || key (32))*, skipped
//! ```
//!
//! Integers are big-endian. What follows from the rest is not stored: the state and the newest epoch
//! say which epochs have chains, which of those can send, and which end this is. So nothing can
//! contradict itself, and each state has one encoding.

mod reader;
mod sink;

use alloc::sync::Arc;
use alloc::vec::Vec;

use self::reader::Reader;
use self::sink::{Length, Sink};
use super::agreement::{Agreement, Phase};
use super::answering::{
    Ct1Acknowledged, Ct1Sampled, Ct2Sampled, EkReceivedCt1Sampled, Encapsulation, HeaderReceived,
    NoHeaderReceived,
};
use super::authenticator::Authenticator;
use super::chain::{Chain, ChainKey, Link};
use super::offering::{
    Ct1Received, DecapsulationKey, EkSentCt1Received, HeaderSent, KeysSampled, KeysUnsampled,
};
use super::{Braid, BraidRecordError, Role};
use crate::provider::split_kem::SplitHeader;
use crate::secret::SecretBytes;

/// The stored form of a braid.
pub(super) fn encode(braid: &Braid) -> SecretBytes {
    // A vector that grows leaves copies behind, so its length is taken first.
    let mut length = Length::default();
    write(braid, &mut length);
    let mut bytes = Vec::with_capacity(length.bytes());
    write(braid, &mut bytes);
    SecretBytes::new(bytes)
}

/// The braid that these bytes are the stored form of.
pub(super) fn decode(bytes: &[u8]) -> Result<Braid, BraidRecordError> {
    let mut reader = Reader::new(bytes);
    if reader.byte().ok_or(BraidRecordError::Malformed)? != VERSION {
        return Err(BraidRecordError::UnknownVersion);
    }
    let braid = read(&mut reader).ok_or(BraidRecordError::Malformed)?;
    if reader.is_at_end() { Ok(braid) } else { Err(BraidRecordError::Malformed) }
}

fn write(braid: &Braid, out: &mut dyn Sink) {
    let Braid { agreement, chain } = braid;
    out.bytes(&[VERSION, number(&agreement.phase)]);
    out.bytes(&chain.newest.to_be_bytes());
    out.bytes(&[u8::from(chain.sending < chain.newest)]);
    out.bytes(agreement.authenticator.root.expose());
    out.bytes(agreement.authenticator.mac.expose());
    out.bytes(chain.root.expose());
    for link in &chain.links {
        write_link(out, link);
    }
    write_phase(out, &agreement.phase);
}

fn read(reader: &mut Reader<'_>) -> Option<Braid> {
    let number = reader.byte()?;
    let newest = u64::from_be_bytes(*reader.array()?);
    let unsent = reader.byte()?;
    // Who made a secret sends in its epoch only when the peer has shown that it has it too.
    let ahead = !made_its_secret(number);
    let epoch = newest.checked_add(ahead.into())?;
    let sending = newest.checked_sub(unsent.into())?;
    if unsent > 1 || (unsent == 0 && !ahead) {
        return None;
    }
    let authenticator = Authenticator { root: reader.secret()?, mac: reader.secret()? };
    let root = reader.secret()?;
    let links = (sending.saturating_sub(1)..=newest)
        .map(|epoch| read_link(reader, epoch >= sending))
        .collect::<Option<_>>()?;
    let phase = read_phase(reader, number)?;
    let role = if offers(number) == (epoch % 2 == 1) { Role::Initiator } else { Role::Responder };
    Some(Braid {
        agreement: Agreement { epoch, authenticator: Arc::new(authenticator), phase },
        chain: Chain { role, root: Arc::new(root), newest, sending, links },
    })
}

fn write_link(out: &mut dyn Sink, link: &Link) {
    if let Some(send) = &link.send {
        write_chain_key(out, send);
    }
    write_chain_key(out, &link.receive);
    out.skipped(&link.skipped);
}

fn read_link(reader: &mut Reader<'_>, sends: bool) -> Option<Link> {
    let send = if sends { Some(read_chain_key(reader)?) } else { None };
    let receive = read_chain_key(reader)?;
    let skipped = reader.skipped(receive.counter)?;
    Some(Link { send, receive, skipped })
}

fn write_chain_key(out: &mut dyn Sink, chain: &ChainKey) {
    out.bytes(&chain.counter.to_be_bytes());
    out.bytes(chain.key.expose());
}

fn read_chain_key(reader: &mut Reader<'_>) -> Option<Arc<ChainKey>> {
    let counter = u32::from_be_bytes(*reader.array()?);
    Some(Arc::new(ChainKey { counter, key: reader.secret()? }))
}

fn write_phase(out: &mut dyn Sink, phase: &Phase) {
    match phase {
        Phase::KeysUnsampled(_) => {}
        Phase::KeysSampled(phase) => {
            out.bytes(phase.secret.bytes().expose());
            out.outgoing(phase.header.whole(), phase.header.next());
        }
        Phase::HeaderSent(phase) => {
            out.bytes(phase.secret.bytes().expose());
            out.bytes(&phase.vector.next().to_be_bytes());
            out.incoming(phase.ct1.chunks());
        }
        Phase::Ct1Received(phase) => {
            out.bytes(phase.secret.bytes().expose());
            out.bytes(&phase.vector.next().to_be_bytes());
            out.bytes(phase.ct1.as_flattened());
        }
        Phase::EkSentCt1Received(phase) => {
            out.bytes(phase.secret.bytes().expose());
            out.bytes(phase.ct1.as_flattened());
            out.incoming(phase.ct2.chunks());
        }
        Phase::NoHeaderReceived(phase) => out.incoming(phase.header.chunks()),
        Phase::HeaderReceived(phase) => out.bytes(&phase.header.to_bytes()),
        Phase::Ct1Sampled(phase) => {
            write_encapsulation(out, &phase.encapsulation);
            out.outgoing(phase.ct1.whole(), phase.ct1.next());
            out.incoming(phase.vector.chunks());
        }
        Phase::EkReceivedCt1Sampled(phase) => {
            out.outgoing(phase.ct1.whole(), phase.ct1.next());
            out.outgoing(phase.ct2.whole(), phase.ct2.next());
        }
        Phase::Ct1Acknowledged(phase) => {
            write_encapsulation(out, &phase.encapsulation);
            out.incoming(phase.vector.chunks());
        }
        Phase::Ct2Sampled(phase) => out.outgoing(phase.ct2.whole(), phase.ct2.next()),
    }
}

fn read_phase(reader: &mut Reader<'_>, number: u8) -> Option<Phase> {
    Some(match number {
        1 => Phase::KeysUnsampled(KeysUnsampled),
        2 => Phase::KeysSampled(KeysSampled {
            secret: read_secret(reader)?,
            header: reader.outgoing()?,
        }),
        3 => {
            let (secret, next) = (read_secret(reader)?, reader.number()?);
            let vector = secret.vector(next);
            Phase::HeaderSent(HeaderSent { secret, vector, ct1: reader.incoming()? })
        }
        4 => {
            let (secret, next) = (read_secret(reader)?, reader.number()?);
            let vector = secret.vector(next);
            Phase::Ct1Received(Ct1Received { secret, vector, ct1: Arc::from(reader.whole()?) })
        }
        5 => Phase::EkSentCt1Received(EkSentCt1Received {
            secret: read_secret(reader)?,
            ct1: Arc::from(reader.whole()?),
            ct2: reader.incoming()?,
        }),
        6 => Phase::NoHeaderReceived(NoHeaderReceived { header: reader.incoming()? }),
        7 => Phase::HeaderReceived(HeaderReceived {
            header: SplitHeader::from_bytes(reader.array()?),
        }),
        8 => Phase::Ct1Sampled(Ct1Sampled {
            encapsulation: read_encapsulation(reader)?,
            ct1: reader.outgoing()?,
            vector: reader.incoming()?,
        }),
        9 => Phase::EkReceivedCt1Sampled(EkReceivedCt1Sampled {
            ct1: reader.outgoing()?,
            ct2: reader.outgoing()?,
        }),
        10 => Phase::Ct1Acknowledged(Ct1Acknowledged {
            encapsulation: read_encapsulation(reader)?,
            vector: reader.incoming()?,
        }),
        11 => Phase::Ct2Sampled(Ct2Sampled { ct2: reader.outgoing()? }),
        _ => return None,
    })
}

pub(super) fn number(phase: &Phase) -> u8 {
    match phase {
        Phase::KeysUnsampled(_) => 1,
        Phase::KeysSampled(_) => 2,
        Phase::HeaderSent(_) => 3,
        Phase::Ct1Received(_) => 4,
        Phase::EkSentCt1Received(_) => 5,
        Phase::NoHeaderReceived(_) => 6,
        Phase::HeaderReceived(_) => 7,
        Phase::Ct1Sampled(_) => 8,
        Phase::EkReceivedCt1Sampled(_) => 9,
        Phase::Ct1Acknowledged(_) => 10,
        Phase::Ct2Sampled(_) => 11,
    }
}

/// Whether it is a state of the side that offers a key.
fn offers(number: u8) -> bool {
    number <= 5
}

/// Whether it is a state in which the secret of the agreement under way is there.
fn made_its_secret(number: u8) -> bool {
    number >= 8
}

fn write_encapsulation(out: &mut dyn Sink, encapsulation: &Encapsulation) {
    out.bytes(&encapsulation.header.to_bytes());
    out.bytes(encapsulation.message.expose());
}

fn read_encapsulation(reader: &mut Reader<'_>) -> Option<Arc<Encapsulation>> {
    let header = SplitHeader::from_bytes(reader.array()?);
    Some(Arc::new(Encapsulation { header, message: reader.secret()? }))
}

fn read_secret(reader: &mut Reader<'_>) -> Option<DecapsulationKey> {
    DecapsulationKey::new(SecretBytes::new(reader.bytes(DecapsulationKey::LENGTH)?.to_vec()))
}

/// The version of the record.
const VERSION: u8 = 1;
