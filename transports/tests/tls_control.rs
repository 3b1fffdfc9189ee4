//! The QUIC endpoint of sessions with TLS 1.3 in the place of Noise: the seam is the same.
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it set it up")]

use meshwork_protocols::identity::Endpoint;
use meshwork_protocols::live::quic::{TLS_QUIC_VERSION, TlsControl};
use meshwork_protocols::secret::Secret;
use meshwork_transports::{Port, QuicConnection, QuicDialError, QuicEndpoint, QuicKeys};

fn control(client: u8, server: u8) -> TlsControl {
    TlsControl::new(&Secret::new([client; 32]), &Secret::new([server; 32])).unwrap()
}

fn endpoint(tls: &TlsControl) -> QuicEndpoint {
    let port = Port::open(([127, 0, 0, 1], 0).into()).unwrap();
    let server = Some(tls.quic_server().unwrap());
    port.serve(QuicKeys { version: TLS_QUIC_VERSION, server, reset: [1; 32] }).unwrap().0
}

async fn dial(
    from: &QuicEndpoint,
    to: &QuicEndpoint,
    tls: &TlsControl,
) -> Result<QuicConnection, QuicDialError> {
    let to = Endpoint::try_from(to.address().unwrap()).unwrap();
    QuicEndpoint::dial(std::slice::from_ref(from), &to, tls.quic_client().unwrap()).await
}

/// Answers the first who comes, on its first stream.
async fn echo(endpoint: QuicEndpoint, tls: TlsControl) {
    let incoming = endpoint.accept().await.unwrap();
    let connecting = incoming.answer(tls.quic_server().unwrap()).unwrap();
    let Ok(connection) = connecting.finish().await else { return };
    let Ok((mut sender, mut receiver)) = connection.accept_stream().await else { return };
    let heard = receiver.read_to_end(1_000).await.unwrap();
    sender.write_all(&heard).await.unwrap();
    sender.finish().unwrap();
    sender.stopped().await.unwrap();
}

#[tokio::test]
async fn the_same_endpoint_carries_streams_under_tls() {
    let tls = control(1, 2);
    let (here, there) = (endpoint(&tls), endpoint(&tls));
    let answering = tokio::spawn(echo(there.clone(), tls.clone()));
    let connection = dial(&here, &there, &tls).await.unwrap();
    let (mut sender, mut receiver) = connection.open_stream().await.unwrap();
    sender.write_all(b"under TLS").await.unwrap();
    sender.finish().unwrap();
    assert_eq!(receiver.read_to_end(1_000).await.unwrap(), b"under TLS");
    answering.await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_not_pinned_is_refused_on_either_side() {
    let tls = control(1, 2);
    let (here, there) = (endpoint(&tls), endpoint(&tls));
    let answering = tokio::spawn(echo(there.clone(), tls.clone()));
    // Another server was wanted.
    assert!(matches!(dial(&here, &there, &control(1, 3)).await, Err(QuicDialError::Handshake(_))));
    answering.await.unwrap();
    // Another client comes: TLS tells it once it is connected.
    let answering = tokio::spawn(echo(there.clone(), tls.clone()));
    if let Ok(connection) = dial(&here, &there, &control(4, 2)).await {
        let refused = match connection.open_stream().await {
            Ok((_sender, mut receiver)) => receiver.read_to_end(1_000).await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
    }
    answering.await.unwrap();
}
