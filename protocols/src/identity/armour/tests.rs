use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Armour, ArmourError, BLANK_LENGTH};

const LIMIT: usize = 200;

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index % 256).unwrap()).collect()
}

fn decode(text: &str) -> Result<Vec<u8>, ArmourError> {
    Armour::Card.decode(text, LIMIT).map(|bytes| bytes.expose().to_vec())
}

#[test]
fn text_is_what_the_format_page_shows() {
    let text = Armour::Card.encode(&bytes(49));
    let expected = "-----BEGIN MESHWORK CARD-----\n\
        AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v\n\
        MA==\n\
        -----END MESHWORK CARD-----\n";
    assert_eq!(text, expected);
}

#[test]
fn bytes_read_back_up_to_the_limit_and_not_past_it() {
    for length in 0..=LIMIT {
        assert_eq!(decode(&Armour::Card.encode(&bytes(length))), Ok(bytes(length)));
    }
    assert_eq!(decode(&Armour::Card.encode(&bytes(LIMIT + 1))), Err(ArmourError::TooLong));
}

#[test]
fn the_buffer_of_a_text_never_grows() {
    for armour in [Armour::Card, Armour::Endorsement, Armour::Revocation, Armour::Root] {
        for length in [0, 1, 48, 49, 1_000] {
            let text = armour.encode(&bytes(length));
            let lines = length.div_ceil(48);
            assert_eq!(text.capacity(), lines * 65 + 128, "{armour:?} of {length} bytes");
        }
    }
}

#[test]
fn what_mail_and_editors_do_to_lines_changes_nothing() {
    let text = Armour::Card.encode(&bytes(100));
    let crlf = text.replace('\n', "\r\n");
    for text in [&crlf, &format!("\r\n\n{text}\n\n"), &text.replace('\n', " \n"), text.trim_end()] {
        assert_eq!(decode(text), Ok(bytes(100)), "{text:?}");
    }
}

#[test]
fn a_text_that_is_endless_is_not_read() {
    let blank = |length| format!("{}{}", Armour::Card.encode(&[1]), " ".repeat(length));
    let longest = 2 * LIMIT + BLANK_LENGTH;
    let fill = longest - blank(0).len();
    assert_eq!(decode(&blank(fill)), Ok([1].into()));
    assert_eq!(decode(&blank(fill + 1)), Err(ArmourError::TooLong));
}

#[test]
fn each_other_text_is_refused() {
    let text = Armour::Card.encode(&bytes(100));
    let replaced = |from: &str, to: &str| -> String {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let cases = [
        (String::new(), ArmourError::NoBegin),
        (Armour::Root.encode(&bytes(100)), ArmourError::NoBegin),
        (format!("To: you\n{text}"), ArmourError::NoBegin),
        (replaced("BEGIN MESHWORK", "BEGIN  MESHWORK"), ArmourError::NoBegin),
        (replaced("END MESHWORK CARD", "END MESHWORK ROOT KEY"), ArmourError::NoEnd),
        (replaced("\n-----END", "-----END"), ArmourError::NoEnd),
        (format!("{text}{text}"), ArmourError::BadBase64),
        (replaced("AAEC", "AA*C"), ArmourError::BadBase64),
        (replaced("AAEC", "AAE"), ArmourError::BadBase64),
        (replaced("AAEC", "AA C"), ArmourError::BadBase64),
        (replaced("Yw==", "Yx=="), ArmourError::BadBase64),
        (replaced("Yw==", "Yw"), ArmourError::BadBase64),
    ];
    for (text, expected) in cases {
        assert_eq!(decode(&text), Err(expected), "{text:?}");
    }
}
