//! `meshctl receive`

use std::path::{Path, PathBuf};

use clap::Args;
use meshwork::control::{Code, Fault, Reply, Request};

use crate::access::Access;
use crate::context::Context;
use crate::output::Halt;
use crate::show;

/// Take the files that known peers send, one line a file
#[derive(Args, Debug)]
#[command(after_help = "\
Only peers that are known may send, and only while this runs: it ends with Ctrl-C, or with the agent. \
A file gets its name once all of it came and its hash is right; before, and if it never does, it is \
NAME.part. Nothing is overwritten, and no name leads out of the directory.

Example:
  $ meshctl receive --into ~/incoming")]
pub(crate) struct Receive {
    /// The directory to keep them in
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
    /// Which streams [default: files]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl Receive {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        let request = request(&self.into, self.name)?;
        let access = Access::open(context).await?;
        if !access.is_running() {
            let up = context.command("up");
            let fault = Fault::new(Code::NotUp, "no agent runs on this state");
            return access
                .close_after(Err(fault.advise(format!("start it with `{up}`")).into()))
                .await;
        }
        context.output.note(format_args!("files go to {}", self.into.display()))?;
        access.ask(request, async |reply| tell(context, &reply)).await
    }
}

/// What asks for files to be kept in a directory.
pub(crate) fn request(into: &Path, name: Option<String>) -> Result<Request, Fault> {
    let absolute = std::path::absolute(into);
    let absolute = absolute.ok().and_then(|path| path.into_os_string().into_string().ok());
    let into = absolute.ok_or_else(|| {
        Fault::new(Code::Disk, format!("{}: not a path in UTF-8", into.display()))
    })?;
    Ok(Request::ReceiveFiles { into, name })
}

/// Tells of a file that came, or did not.
pub(crate) fn tell(context: &Context, reply: &Reply) -> Result<(), Halt> {
    context.output.object(reply)?;
    match reply {
        Reply::Transfer(transfer) => match show::transfer(transfer) {
            Some(line) => context.output.say(line),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}
