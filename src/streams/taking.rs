//! Taking the streams that peers open.

use std::sync::Arc;

use meshwork_protocols::identity::ServiceName;
use tokio::sync::mpsc;

use super::{Stream, StreamDesk};

/// The streams that known peers open under a name, as they come. Dropped, further ones are refused
/// by name, and so are those that wait.
#[derive(Debug)]
pub struct Streams {
    name: ServiceName,
    coming: mpsc::Receiver<Stream>,
    desk: Arc<StreamDesk>,
}

impl Streams {
    pub(super) fn new(
        name: ServiceName,
        coming: mpsc::Receiver<Stream>,
        desk: Arc<StreamDesk>,
    ) -> Self {
        Self { name, coming, desk }
    }

    /// The next stream; `None` once the agent has stopped. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Stream> {
        let stream = self.coming.recv().await?;
        stream.accept();
        Some(stream)
    }

    /// What the streams are opened for.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.desk.leave(&self.name);
        self.coming.close();
        while let Ok(stream) = self.coming.try_recv() {
            StreamDesk::refuse_unknown(stream);
        }
    }
}
