//! What a connection promises, over each carrier.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it set it up"
)]

use std::net::SocketAddr;

use meshwork_protocols::identity::{Address, Transport};
use meshwork_transports::{Connection, DialError, Listener, dial, loopback};

/// Both ends of a connection over TCP.
async fn over_tcp() -> (Connection, Connection) {
    let listener = Listener::tcp(local()).await.unwrap();
    let address = address(listener.address().unwrap());
    let (dialled, accepted) = tokio::join!(dial(&address), listener.accept());
    (dialled.unwrap(), accepted.unwrap())
}

fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn address(socket: SocketAddr) -> Address {
    Address { transport: Transport::Tcp, endpoint: socket.try_into().unwrap() }
}

async fn write_all(writer: &mut meshwork_transports::Writer, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let written = writer.write(bytes).await.unwrap();
        bytes = &bytes[written..];
    }
}

#[tokio::test]
async fn port_443_is_dialled_like_any_other() {
    let place = SocketAddr::from(([127, 0, 0, 44], 443));
    let address = address(place);
    assert_eq!(address.to_string(), "tcp:127.0.0.44:443");
    match Listener::tcp(place).await {
        Ok(listener) => {
            let (dialled, accepted) = tokio::join!(dial(&address), listener.accept());
            assert_eq!(dialled.unwrap().remote(), place);
            assert!(accepted.is_ok());
        }
        // Not this user's to listen at: it is dialled all the same.
        Err(_) => assert!(matches!(dial(&address).await, Err(DialError::Unreachable(_)))),
    }
}

async fn carries_bytes_both_ways_until_the_end((one, other): (Connection, Connection)) {
    const LENGTH: usize = 100_000;
    let ((mut one_reader, mut one_writer), (mut other_reader, mut other_writer)) =
        (one.split(), other.split());
    let sending = async {
        write_all(&mut one_writer, &[7; LENGTH]).await;
        one_writer.finish().await.unwrap();
    };
    let receiving = async {
        let mut received = Vec::new();
        loop {
            let bytes = other_reader.read(1_000).await.unwrap();
            assert!(bytes.len() <= 1_000, "no more than was asked for");
            if bytes.is_empty() {
                return received;
            }
            received.extend(bytes);
        }
    };
    let ((), received) = tokio::join!(sending, receiving);
    assert_eq!(received, [7; LENGTH]);
    write_all(&mut other_writer, b"still open this way").await;
    assert_eq!(one_reader.read(1_000).await.unwrap(), b"still open this way");
}

#[tokio::test]
async fn tcp_carries_bytes_both_ways_until_the_end() {
    carries_bytes_both_ways_until_the_end(over_tcp().await).await;
}

#[tokio::test]
async fn memory_carries_bytes_both_ways_until_the_end() {
    carries_bytes_both_ways_until_the_end(loopback::pair(4_096)).await;
}

#[tokio::test]
async fn each_end_knows_where_the_other_is() {
    let listener = Listener::tcp(local()).await.unwrap();
    let socket = listener.address().unwrap();
    let address = address(socket);
    let (dialled, accepted) = tokio::join!(dial(&address), listener.accept());
    assert_eq!(dialled.unwrap().remote(), socket);
    assert_eq!(accepted.unwrap().remote().ip(), socket.ip());
}

#[tokio::test]
async fn where_nobody_listens_the_error_says_so() {
    let listener = Listener::tcp(local()).await.unwrap();
    let closed = address(listener.address().unwrap());
    drop(listener);
    let error = dial(&closed).await.unwrap_err();
    assert_eq!(error, DialError::Unreachable(std::io::ErrorKind::ConnectionRefused));
}

#[tokio::test]
async fn a_transport_that_is_not_built_is_named() {
    let address = "quic:127.0.0.1:7400".parse().unwrap();
    assert_eq!(dial(&address).await.unwrap_err(), DialError::Unsupported(Transport::Quic));
}

#[tokio::test]
async fn a_name_of_this_machine_is_found() {
    let listener = Listener::tcp(local()).await.unwrap();
    let port = listener.address().unwrap().port();
    let address = format!("tcp:localhost:{port}").parse().unwrap();
    let (dialled, accepted) = tokio::join!(dial(&address), listener.accept());
    assert!(dialled.is_ok() && accepted.is_ok());
}
