use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{Charter, CharterError, MAX_ADMINS, MAX_CHARTER_LENGTH, MAX_HOLDERS, MAX_INVITED};
use crate::identity::AgentId;

fn agent(number: usize) -> AgentId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    AgentId::from_bytes(bytes)
}

fn charter(admins: usize, holders: usize, roles: usize) -> Charter {
    Charter {
        admins: (0..admins).map(agent).collect(),
        holders: (0..holders).map(agent).collect(),
        roles: (0..roles).map(|number| (agent(number), "courier".parse().unwrap())).collect(),
        ..Charter::default()
    }
}

#[test]
fn a_charter_has_one_encoding() {
    let charter = charter(3, 2, 5);
    let bytes = charter.encode().unwrap();
    assert_eq!(Charter::decode(&bytes), Ok(charter));
    let trailing = [bytes.as_slice(), &[0]].concat();
    assert_eq!(Charter::decode(&trailing), Err(CharterError::Malformed));
    let other = [&[2], &bytes[1..]].concat();
    assert_eq!(Charter::decode(&other), Err(CharterError::UnsupportedVersion(2)));
    assert_eq!(Charter::decode(&[]), Err(CharterError::Malformed));
}

#[test]
fn each_bound_holds_at_it_and_one_past_it() {
    assert!(charter(MAX_ADMINS, MAX_HOLDERS, 0).encode().is_ok());
    assert_eq!(charter(MAX_ADMINS + 1, 0, 0).encode(), Err(CharterError::Admins));
    assert_eq!(charter(0, 0, 0).encode(), Err(CharterError::Admins));
    assert_eq!(charter(1, MAX_HOLDERS + 1, 0).encode(), Err(CharterError::Holders));
    let twice = Charter { holders: Vec::from([agent(1), agent(1)]), ..charter(1, 0, 0) };
    assert_eq!(twice.encode(), Err(CharterError::Holders));
    let invited = |number| {
        let invited = (0..number).map(|number| (agent(number), 7)).collect();
        Charter { invited, ..charter(1, 0, 0) }
    };
    assert!(invited(MAX_INVITED).encode().is_ok());
    assert_eq!(invited(MAX_INVITED + 1).encode(), Err(CharterError::Invited));
    assert!(invited(1).invites(&agent(0), 7) && !invited(1).invites(&agent(0), 8));
    assert!(!invited(1).invites(&agent(1), 7));
    let roles = |number| charter(1, 0, number).encode();
    let most = (0..2_000).rev().find(|number| roles(*number).is_ok()).unwrap();
    assert!(roles(most).unwrap().len() <= MAX_CHARTER_LENGTH);
    assert_eq!(roles(most + 1), Err(CharterError::TooLong));
    assert!(most >= 900, "{most}");
    let long = alloc::vec![1; MAX_CHARTER_LENGTH + 1];
    assert_eq!(Charter::decode(&long), Err(CharterError::TooLong));
}

#[test]
fn the_extensions_of_a_group_are_those_of_its_charter_and_no_others() {
    let charter = charter(2, 1, 1);
    let extensions = charter.extensions().unwrap();
    assert_eq!(Charter::of_extensions(&extensions), Ok(charter));
    let none = openmls::extensions::Extensions::empty();
    assert_eq!(Charter::of_extensions(&none), Err(CharterError::Missing));
    let mut more = extensions;
    let other = openmls::extensions::UnknownExtension(alloc::vec![1]);
    more.add(openmls::extensions::Extension::Unknown(0xF4D2, other)).unwrap();
    assert_eq!(Charter::of_extensions(&more), Err(CharterError::OtherExtensions));
    assert_eq!(BTreeSet::from([agent(0), agent(1)]).len(), 2);
}
