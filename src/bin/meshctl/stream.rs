//! `meshctl stream`

use std::path::PathBuf;

use clap::Args;
use meshwork::control::{Code, Fault, Reply, Request, SendFile, TransferState};

use crate::access::Access;
use crate::bar::Bar;
use crate::context::Context;
use crate::output::Halt;
use crate::via::Via;

/// Send a file over a stream
#[derive(Args, Debug)]
#[command(after_help = "\
The peer must take files: with `meshctl receive --into DIR`, or `meshctl up --accept-files DIR`. \
When it returns without an error, the file is durable there, whole and as it was read here. It is \
not kept for a peer that is away, and not resumed: for that a message is the better way.

Examples:
  $ meshctl stream report.pdf bob
  $ meshctl stream ./build/image.tar bob --as nightly.tar --via quic")]
pub(crate) struct Stream {
    /// The file
    file: PathBuf,
    /// To whom: a local name, an id, or a contact, mw1..@host:port
    peer: String,
    /// The name that the file is to have there [default: its own]
    #[arg(long = "as", value_name = "FILENAME")]
    rename: Option<String>,
    /// Which streams of the peer [default: files]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Over which transport, and no other; UDP carries no streams
    #[arg(long, value_name = "TRANSPORT")]
    via: Option<Via>,
}

impl Stream {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        let request = self.request()?;
        let access = Access::open(context).await?;
        let mut bar = Bar::new(context.output);
        let each = async |reply| {
            context.output.object(&reply)?;
            match reply {
                Reply::Transfer(told) if told.state == TransferState::Kept => bar.end(&told),
                Reply::Transfer(told) => bar.show(&told),
                _ => Ok(()),
            }
        };
        let sent = access.ask(Request::SendFile(request), each).await;
        bar.clear()?;
        access.close_after(sent).await
    }

    fn request(self) -> Result<SendFile, Fault> {
        let file = std::path::absolute(&self.file);
        let file = file.ok().and_then(|path| path.into_os_string().into_string().ok());
        let file = file.ok_or_else(|| {
            Fault::new(Code::InputFile, format!("{}: not a path in UTF-8", self.file.display()))
        })?;
        let via = self.via.map(Into::into);
        Ok(SendFile { to: self.peer, file, rename: self.rename, name: self.name, via })
    }
}
