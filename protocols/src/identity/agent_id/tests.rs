use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bech32::{Bech32, Bech32m, Fe32, Fe32IterExt, Hrp};

use super::{AgentId, AgentIdError, LABEL};
use crate::identity::fixture::{PROVIDER, root};

const AGENT: AgentId = AgentId::from_bytes([0x5a; 32]);

#[test]
fn an_id_is_the_hash_of_both_root_keys_behind_their_label() {
    let root = root(1);
    let hashed = [LABEL, &[0], &root.public().keys().as_bytes()[..]].concat();
    assert_eq!(root.agent().as_bytes(), &PROVIDER.digest(&[&hashed]));
}

#[test]
fn an_id_reads_back_from_its_text_in_either_case() {
    let text = AGENT.to_string();
    assert_eq!(text.len(), AgentId::TEXT_LENGTH);
    assert_eq!(text.parse(), Ok(AGENT));
    assert_eq!(text.to_uppercase().parse(), Ok(AGENT));
}

#[test]
fn the_short_form_is_the_start_of_the_text() {
    assert_eq!(AGENT.short(), AGENT.to_string()[..10]);
    assert_eq!(format!("{AGENT:?}"), AGENT.to_string());
}

#[test]
fn each_mistyped_character_is_found() {
    let text = AGENT.to_string();
    for index in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[index] = if bytes[index] == b'q' { b'p' } else { b'q' };
        let mistyped = String::from_utf8(bytes).unwrap();
        let expected =
            if index < 3 { AgentIdError::WrongPrefix } else { AgentIdError::WrongChecksum };
        assert_eq!(mistyped.parse::<AgentId>(), Err(expected), "{mistyped}");
    }
}

#[test]
fn each_text_of_another_form_is_refused() {
    let text = AGENT.to_string();
    let encode = |prefix, bytes: &[u8]| {
        bech32::encode::<Bech32m>(Hrp::parse(prefix).unwrap(), bytes).unwrap()
    };
    let older = bech32::encode::<Bech32>(Hrp::parse("mw").unwrap(), AGENT.as_bytes()).unwrap();
    // The same length by another split of prefix and data: 28 bytes are 45 characters.
    let second_separator = encode("mw1abcdef", &[0; 28]);
    let mixed = format!("{}{}", &text[..30], text[30..].to_uppercase());
    let cases = [
        (String::new(), AgentIdError::WrongPrefix),
        (encode("bc", AGENT.as_bytes()), AgentIdError::WrongPrefix),
        (format!("Mw1{}", &text[3..]), AgentIdError::WrongPrefix),
        (format!(" {text}"), AgentIdError::WrongPrefix),
        (encode("mw", &[0x5a; 31]), AgentIdError::WrongLength),
        (encode("mw", &[0x5a; 33]), AgentIdError::WrongLength),
        (format!("{text} "), AgentIdError::WrongLength),
        (second_separator, AgentIdError::WrongCharacter),
        (text.replacen('q', "b", 1), AgentIdError::WrongCharacter),
        (format!("{}\u{e4}", &text[..60]), AgentIdError::WrongCharacter),
        (mixed, AgentIdError::MixedCase),
        (older, AgentIdError::WrongChecksum),
        (with_padding_set(&text), AgentIdError::NotCanonical),
    ];
    for (text, expected) in cases {
        assert_eq!(text.parse::<AgentId>(), Err(expected), "{text:?}");
    }
}

/// The text with one of the four padding bits set and the checksum made to fit.
fn with_padding_set(text: &str) -> String {
    let data: Vec<Fe32> = text[3..55].chars().map(|c| Fe32::from_char(c).unwrap()).collect();
    let (last, rest) = data.split_last().unwrap();
    let set = Fe32::try_from(last.to_u8() | 1).unwrap();
    let data = rest.iter().copied().chain([set]);
    data.with_checksum::<Bech32m>(&Hrp::parse("mw").unwrap()).chars().collect()
}
