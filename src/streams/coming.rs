//! Taking up the streams that a peer opens over QUIC.

use std::sync::Arc;

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::live::stream::{MAX_UNACCEPTED, StreamCode};
use tokio::task::JoinSet;

use super::{NativeStream, SessionStreams, Stream};
use crate::driver::{Session, Shared};

/// Takes up the streams that the peer opens over a session, for as long as it stands. Who is not
/// heard can open none, so that nothing of it is kept and nothing is said; once it is, it can.
pub(crate) async fn take_native(shared: Arc<Shared>, session: Arc<Session>) {
    let Some(SessionStreams::Native(streams)) = &session.streams else { return };
    shared.peers.until_heard(&session.peer).await;
    streams.let_open();
    let mut naming = JoinSet::new();
    loop {
        let mut stream = tokio::select! {
            opened = streams.accept() => match opened {
                Ok(stream) => stream,
                // The line finds out by itself.
                Err(_) => return,
            },
            Some(_) = naming.join_next() => continue,
        };
        if !shared.peers.is_heard(&session.peer) {
            // No longer: over the next session it can open none.
            session.outbound.end();
        } else if naming.len() >= MAX_UNACCEPTED {
            stream.release(StreamCode::BUSY);
        } else {
            naming.spawn(offer(Arc::clone(&shared), stream, session.peer));
        }
    }
}

/// Reads what a stream is for, and gives it to who takes those.
async fn offer(shared: Arc<Shared>, mut stream: NativeStream, peer: AgentId) {
    match stream.name().await {
        Some(name) => shared.streams.offer(Stream::native(stream, name, peer)),
        None => stream.release(StreamCode::NAME_UNKNOWN),
    }
}
