use alloc::format;
use alloc::string::ToString;
use core::net::SocketAddr;

use super::{Endpoint, EndpointError};

#[test]
fn an_endpoint_reads_back_as_it_was_written() {
    let longest_label = format!("{}.org:1", "a".repeat(63));
    let longest_name = format!("{}.com:1", ["a"; 125].join("."));
    assert_eq!(longest_name.len(), 253 + 2);
    for text in [
        "localhost:7400",
        "agent-1.example.org:443",
        "1password.com:443",
        "127.0.0.1:1",
        "[::1]:65535",
        "[2001:db8::7400]:7400",
        &longest_label,
        &longest_name,
    ] {
        let endpoint: Endpoint = text.parse().unwrap();
        assert_eq!(endpoint.to_string(), text);
    }
}

#[test]
fn the_error_names_the_part_at_fault() {
    let long_label = format!("{}:1", "a".repeat(64));
    let long_name = format!("{}.comm:1", ["a"; 125].join("."));
    assert_eq!(long_name.len(), 254 + 2);
    for (text, expected) in [
        ("", EndpointError::NoPort),
        ("host", EndpointError::NoPort),
        ("[::1]", EndpointError::NoPort),
        ("host:", EndpointError::BadPort),
        ("host:0", EndpointError::BadPort),
        ("host:65536", EndpointError::BadPort),
        ("host:+80", EndpointError::BadPort),
        ("host:080", EndpointError::BadPort),
        ("host:80 ", EndpointError::BadPort),
        ("[::1:80", EndpointError::BadIpv6),
        ("[127.0.0.1]:80", EndpointError::BadIpv6),
        ("[fe80::1%eth0]:80", EndpointError::BadIpv6),
        ("::1:80", EndpointError::BareIpv6),
        (":80", EndpointError::BadName),
        ("127.0.0.256:80", EndpointError::BadName),
        ("127.1:80", EndpointError::BadName),
        ("Host:80", EndpointError::BadName),
        ("a..b:80", EndpointError::BadName),
        ("host.:80", EndpointError::BadName),
        ("-a:80", EndpointError::BadName),
        ("a-:80", EndpointError::BadName),
        ("a_b:80", EndpointError::BadName),
        ("a b:80", EndpointError::BadName),
        ("h\u{f6}st:80", EndpointError::BadName),
        (&long_label, EndpointError::BadName),
        (&long_name, EndpointError::BadName),
    ] {
        assert_eq!(text.parse::<Endpoint>(), Err(expected), "{text:?}");
    }
}

#[test]
fn a_socket_address_goes_there_and_back() {
    for text in ["127.0.0.1:7400", "[::1]:7400"] {
        let address: SocketAddr = text.parse().unwrap();
        let endpoint = Endpoint::try_from(address).unwrap();
        assert_eq!((endpoint.to_string(), endpoint.socket_addr()), (text.into(), Some(address)));
    }
    assert_eq!("localhost:1".parse::<Endpoint>().unwrap().socket_addr(), None);
    let unbound: SocketAddr = "127.0.0.1:0".parse().unwrap();
    assert_eq!(Endpoint::try_from(unbound), Err(EndpointError::BadPort));
}

#[test]
fn a_name_from_the_wire_keeps_the_same_rules() {
    let endpoint: Endpoint = "host:80".parse().unwrap();
    let mut bytes = postcard::to_allocvec(&endpoint).unwrap();
    assert_eq!(postcard::from_bytes(&bytes), Ok(endpoint));
    let first = bytes.iter().position(|byte| *byte == b'h').unwrap();
    bytes[first] = b'H';
    assert!(postcard::from_bytes::<Endpoint>(&bytes).is_err());
}
