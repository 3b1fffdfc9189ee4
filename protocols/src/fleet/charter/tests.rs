use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{
    Charter, CharterError, MAX_ADDRESSES, MAX_ADMINS, MAX_CHARTER_LENGTH, MAX_HOLDERS, MAX_INVITED,
    MovedLog,
};
use crate::identity::{AgentId, Relay};
use crate::relay::LogId;

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
    let other = [&[3], &bytes[1..]].concat();
    assert_eq!(Charter::decode(&other), Err(CharterError::UnsupportedVersion(3)));
    assert_eq!(Charter::decode(&[]), Err(CharterError::Malformed));
}

fn relay(number: usize) -> Relay {
    let address = "tcp:relay.example.org:443".parse().unwrap();
    Relay { agent: agent(number), addresses: Vec::from([address]) }
}

#[test]
fn a_charter_whose_log_moved_has_one_encoding_and_names_who_holds_it() {
    let never = charter(1, 2, 1);
    assert_eq!((never.holder(), never.moves()), (None, 0));
    let moved = never.moved(&relay(7), LogId([9; 32])).unwrap();
    assert_eq!((moved.holder(), moved.moves()), (Some(relay(7)), 1));
    assert_eq!(moved.holders, [agent(7), agent(0), agent(1)], "earlier ones come after it");
    let bytes = moved.encode().unwrap();
    assert_eq!(bytes[0], 2);
    assert_eq!(Charter::decode(&bytes), Ok(moved.clone()));
    for bad in [&[&[1], &bytes[1..]].concat(), &[&bytes, &[0][..]].concat()] {
        assert_eq!(Charter::decode(bad), Err(CharterError::Malformed));
    }
    let short = &bytes[..bytes.len() - 1];
    assert_eq!(Charter::decode(short), Err(CharterError::Malformed));
    // Back to who held it first: the same relay, and another log.
    let back = moved.moved(&relay(0), LogId([8; 32])).unwrap();
    assert_eq!((back.holders.as_slice(), back.moves()), (&[agent(0), agent(7), agent(1)][..], 2));
    let many = charter(1, MAX_HOLDERS, 0).moved(&relay(70), LogId([9; 32])).unwrap();
    assert_eq!(many.holders.len(), MAX_HOLDERS);
    assert!(many.encode().is_ok());
}

#[test]
fn a_log_that_moved_has_a_holder_a_number_and_so_many_addresses() {
    let with = |change: fn(&mut Charter)| {
        let mut charter = charter(1, 1, 0).moved(&relay(7), LogId([9; 32])).unwrap();
        change(&mut charter);
        charter.encode().err()
    };
    fn log(charter: &mut Charter) -> &mut MovedLog {
        charter.log.as_mut().unwrap()
    }
    fn repeat(charter: &mut Charter, count: usize) {
        let addresses = &mut log(charter).addresses;
        *addresses = alloc::vec![addresses[0].clone(); count];
    }
    assert_eq!(with(|_| {}), None);
    assert_eq!(with(|it| repeat(it, MAX_ADDRESSES)), None);
    let bad = Some(CharterError::Log);
    assert_eq!(with(|it| repeat(it, MAX_ADDRESSES + 1)), bad);
    assert_eq!(with(|it| repeat(it, 0)), bad);
    assert_eq!(with(|it| log(it).number = 0), bad);
    assert_eq!(with(|it| it.holders.clear()), bad);
}

#[test]
fn a_log_stays_or_moves_on_by_one() {
    let first = charter(2, 1, 0);
    let second = first.moved(&relay(7), LogId([9; 32])).unwrap();
    let third = second.moved(&relay(0), LogId([8; 32])).unwrap();
    let admins = Charter { admins: BTreeSet::from([agent(5)]), ..second.clone() };
    for (before, after) in [(&first, &second), (&second, &third), (&second, &admins)] {
        assert!(after.goes_on_from(before) && before.goes_on_from(before));
    }
    let other =
        Charter { log: first.moved(&relay(7), LogId([1; 32])).unwrap().log, ..first.clone() };
    let holder = Charter { holders: Vec::from([agent(1)]), ..second.clone() };
    for (before, after) in [(&first, &third), (&third, &second), (&second, &first)] {
        assert!(!after.goes_on_from(before));
    }
    assert!(!other.goes_on_from(&second), "another log under the same number");
    assert!(!holder.goes_on_from(&second), "the same log at another holder");
    let last = Charter { log: Some(MovedLog { number: u16::MAX, ..second.log.unwrap() }), ..first };
    assert_eq!(last.moved(&relay(0), LogId([8; 32])), None);
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
