use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Root, RootFileError};
use crate::identity::armour::{Armour, ArmourError};
use crate::identity::fixture::{Counting, PROVIDER, VERIFIER, root};

fn file() -> String {
    String::from_utf8(root(1).to_file(PROVIDER).expose().to_vec()).unwrap()
}

fn read(text: &str) -> Result<Root, RootFileError> {
    Root::from_file(VERIFIER, text.as_bytes())
}

fn content() -> Vec<u8> {
    Armour::Root.decode(&file(), super::file::LENGTH).unwrap().expose().to_vec()
}

#[test]
fn a_root_reads_back_from_its_file() {
    let read = read(&file()).unwrap();
    assert_eq!(read.agent(), root(1).agent());
    assert_eq!(read.seeds(), root(1).seeds());
    assert_eq!(read.public(), root(1).public());
}

#[test]
fn each_flipped_bit_of_a_root_file_is_found() {
    let mut content = content();
    for index in 0..content.len() {
        let bit = 1 << (index % 8);
        content[index] ^= bit;
        let expected = match index {
            0 => RootFileError::UnsupportedVersion(0),
            _ => RootFileError::Damaged,
        };
        let read = read(&Armour::Root.encode(&content));
        assert_eq!(read.map(|root| root.agent()), Err(expected), "byte {index}");
        content[index] ^= bit;
    }
}

#[test]
fn each_truncation_of_a_root_file_is_found() {
    let content = content();
    for length in 0..content.len() {
        let read = read(&Armour::Root.encode(&content[..length]));
        assert_eq!(read.map(|root| root.agent()), Err(RootFileError::Damaged), "{length} bytes");
    }
    let longer = [&content[..], &[0]].concat();
    let read = read(&Armour::Root.encode(&longer));
    let expected = RootFileError::Armour(ArmourError::TooLong);
    assert_eq!(read.map(|root| root.agent()), Err(expected));
}

#[test]
fn a_root_file_that_names_another_agent_is_refused() {
    let mut content = content();
    let signed = content.len() - 32;
    content[65..97].copy_from_slice(root(2).agent().as_bytes());
    let checksum = PROVIDER.digest(&[&content[..signed]]);
    content[signed..].copy_from_slice(&checksum);
    let read = read(&Armour::Root.encode(&content));
    assert_eq!(read.map(|root| root.agent()), Err(RootFileError::OtherAgent));
}

#[test]
fn a_file_of_something_else_is_named_as_such() {
    let card = Armour::Card.encode(&content());
    let expected = RootFileError::Armour(ArmourError::NoBegin);
    assert_eq!(read(&card).map(|root| root.agent()), Err(expected));
    let read = Root::from_file(VERIFIER, &[0xff]);
    assert_eq!(read.map(|root| root.agent()), Err(RootFileError::NotText));
}

#[test]
fn each_root_drawn_is_another_agent() {
    let draw = |first| Root::generate(PROVIDER, &mut Counting(first)).unwrap().agent();
    assert_eq!(draw(0), draw(0));
    assert_ne!(draw(0), draw(1));
}

#[test]
fn debug_shows_no_byte_of_a_secret() {
    let root = root(1);
    assert_eq!(format!("{root:?}"), format!("Root({})", root.agent()));
    let file = root.to_file(PROVIDER);
    assert_eq!(format!("{file:?}"), format!("SecretBytes({} bytes)", file.len()));
}
