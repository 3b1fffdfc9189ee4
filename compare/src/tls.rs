//! rustls: TLS 1.3 with X25519MLKEM768 alone and Ed25519 raw public keys on both sides, as
//! `meshwork_protocols` sets it up for its control.

use std::io::Read;
use std::sync::Arc;

use meshwork_protocols::live::quic::TlsControl;
use meshwork_protocols::secret::Secret;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection};

use crate::Failure;

/// Both ends' configurations.
pub struct Tls(TlsControl);

impl Tls {
    pub fn new() -> Result<Self, Failure> {
        Ok(Self(TlsControl::new(&Secret::new([1; 32]), &Secret::new([2; 32]))?))
    }

    /// What quinn-proto takes.
    pub fn quic(&self) -> &TlsControl {
        &self.0
    }

    /// One handshake.
    pub fn handshake(&self) -> Result<(), Failure> {
        self.connect().map(drop)
    }

    /// Both ends of a connection whose handshake is done.
    pub fn connect(&self) -> Result<(ClientConnection, ServerConnection), Failure> {
        let name = ServerName::try_from("peer")?;
        let mut client = ClientConnection::new(Arc::clone(self.0.client()), name)?;
        let mut server = ServerConnection::new(Arc::clone(self.0.server()))?;
        let mut wire = Vec::with_capacity(8192);
        while client.is_handshaking() || server.is_handshaking() {
            wire.clear();
            while client.wants_write() {
                client.write_tls(&mut wire)?;
            }
            feed(&wire, |rest| server.read_tls(rest))?;
            server.process_new_packets()?;
            wire.clear();
            while server.wants_write() {
                server.write_tls(&mut wire)?;
            }
            feed(&wire, |rest| client.read_tls(rest))?;
            client.process_new_packets()?;
        }
        match server.peer_certificates() {
            Some([_]) => Ok((client, server)),
            _ => Err("the client showed no key".into()),
        }
    }
}

/// Has an end read all of `wire`.
pub fn feed(
    wire: &[u8],
    mut read: impl FnMut(&mut dyn Read) -> std::io::Result<usize>,
) -> Result<(), Failure> {
    let mut rest = wire;
    while !rest.is_empty() {
        read(&mut rest)?;
    }
    Ok(())
}
