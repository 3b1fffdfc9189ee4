//! HKDF and HMAC: RFC 5869 and Wycheproof.

use meshwork_interop_vectors::primitives;
use meshwork_protocols::provider::CryptoError;

use crate::given::{PROVIDERS, assert_both_verdicts};

#[test]
fn hkdf_sha256_derives_as_published_and_no_more_than_it_may() {
    let cases = primitives::hkdf_sha256().unwrap();
    assert_both_verdicts(cases.iter().map(|case| case.valid));
    for provider in PROVIDERS {
        for case in &cases {
            let place = format!("{} by {}", case.id, provider.name());
            let mut output = vec![0; case.length];
            let result = provider.hkdf_sha256(&case.salt, &case.input, &case.info, &mut output);
            if case.valid {
                result.unwrap();
                assert_eq!(output, *case.output, "{place}");
            } else {
                assert_eq!(result, Err(CryptoError::WrongLength), "{place}");
            }
        }
    }
}

#[test]
fn hmac_sha256_gives_the_published_tags_however_the_message_is_cut() {
    let cases = primitives::hmac_sha256().unwrap();
    assert_both_verdicts(cases.iter().map(|case| case.valid));
    for provider in PROVIDERS {
        for case in &cases {
            let place = format!("{} by {}", case.id, provider.name());
            let whole = provider.hmac_sha256(&case.key, &[&case.message]);
            assert_eq!(*whole.expose() == *case.tag, case.valid, "{place}");
            let (start, end) = case.message.split_at(case.message.len() / 3);
            assert_eq!(provider.hmac_sha256(&case.key, &[start, &[], end]), whole, "{place}");
        }
    }
}
