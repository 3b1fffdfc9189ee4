//! Welcomes: what lets somebody who was added compute the group's keys.
//!
//! openmls makes one for all who are added. Each recipient needs its own secrets and the common
//! part, so it is taken apart by its encoding (RFC 9420 section 12.4.3.1 allows it): 1.4 KB for
//! each instead of megabytes for all.

use alloc::vec;
use alloc::vec::Vec;

use openmls::messages::Welcome as MlsWelcome;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _, Size as _};
use openmls::prelude::{MlsMessageBodyIn, MlsMessageIn};
use openmls_traits::OpenMlsProvider;

use super::error::GroupError;
use super::mls::Mls;
use super::offer::Offer;
use super::suite::Suite;
use crate::identity::AgentId;

/// The most bytes of a Welcome for one, which has some 1,400; the charter stands in it.
pub const MAX_WELCOME_LENGTH: usize = 128 * 1024;

/// What one new member is sent, once the commit stands in the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Welcome {
    /// Whom it is for.
    pub agent: AgentId,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A Welcome for each of the offers.
pub(super) fn split(
    mls: &Mls<'_>,
    welcome: &MlsWelcome,
    offers: &[Offer],
) -> Result<Vec<Welcome>, GroupError> {
    let encoded = welcome.tls_serialize_detached().map_err(|_| GroupError::Internal)?;
    let secrets = welcome.secrets();
    // The suite, all secrets, and then what is common to all.
    let common = encoded
        .get(SUITE_LENGTH + secrets.to_vec().tls_serialized_len()..)
        .ok_or(GroupError::Internal)?;
    offers
        .iter()
        .map(|offer| {
            let reference =
                offer.package().hash_ref(mls.crypto()).map_err(|_| GroupError::Internal)?;
            let own = secrets
                .iter()
                .find(|secrets| secrets.new_member() == reference)
                .ok_or(GroupError::Internal)?;
            let own = vec![own.clone()].tls_serialize_detached();
            let own = own.map_err(|_| GroupError::Internal)?;
            let suite = encoded.get(..SUITE_LENGTH).ok_or(GroupError::Internal)?;
            let bytes = [&MLS_10, &WELCOME, suite, &own, common].concat();
            Ok(Welcome { agent: offer.agent(), bytes })
        })
        .collect()
}

/// Reads a Welcome of `suite`.
pub(super) fn read(suite: Suite, bytes: &[u8]) -> Result<MlsWelcome, GroupError> {
    if bytes.len() > MAX_WELCOME_LENGTH {
        return Err(GroupError::TooLong);
    }
    match bytes {
        [0, 1, 0, 3, high, low, ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            suite.check(code).map_err(GroupError::UnknownSuite)?;
        }
        _ => return Err(GroupError::Malformed),
    }
    match MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| GroupError::Malformed)?.extract() {
        MlsMessageBodyIn::Welcome(welcome) => Ok(welcome),
        _ => Err(GroupError::Malformed),
    }
}

const MLS_10: [u8; 2] = [0, 1];
const WELCOME: [u8; 2] = [0, 3];
const SUITE_LENGTH: usize = 2;
