//! Opening a stream: over a session that stands, or one that is looked for.

use std::sync::Arc;

use meshwork_protocols::identity::{ServiceName, Transport};
use meshwork_router::Needs;

use super::{OpenStreamError, SessionStreams, Stream};
use crate::agent::Addressee;
use crate::driver::Shared;

/// Opens a stream to a peer.
pub(crate) async fn open(
    shared: &Shared,
    peer: &Addressee,
    name: &str,
    via: Option<Transport>,
) -> Result<Stream, OpenStreamError> {
    let name: ServiceName = name.parse()?;
    if via == Some(Transport::Udp) {
        return Err(OpenStreamError::NeedsQuicOrTcp);
    }
    let needs = via.map_or(Needs::Bulk, Needs::Via);
    let session = shared.reach(peer, needs).await?;
    session.count_use();
    match session.streams.as_ref().ok_or(OpenStreamError::NeedsQuicOrTcp)? {
        SessionStreams::Native(streams) => {
            let stream = streams.open(&name).await?;
            Ok(Stream::native(stream, name, session.peer))
        }
        SessionStreams::Muxed(streams) => {
            if streams.is_deaf() {
                // The next one listens.
                session.outbound.end();
            }
            let id = streams.open(name.clone())?;
            Ok(Stream::muxed(Arc::clone(streams), id, name, session.peer))
        }
    }
}
