//! `meshctl send`

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use meshwork::control::{self, Body, Code, Fault, Progress, Reply, Request, Status, Wait, WaitFor};
use meshwork::{ContentType, MAX_BODY};

use crate::access::Access;
use crate::context::Context;
use crate::output::Halt;
use crate::{show, span, status};

/// Send a message
#[derive(Args, Debug)]
#[command(after_help = "\
When it returns without an error, the message is durable here and will be put into the peer's inbox \
exactly once, or end as expired or refused; `meshctl status ID` tells which. Where no `meshctl up` \
runs, it is tried for 5 seconds and otherwise left queued for the next `up`.

Examples:
  $ meshctl send mw1qrz3fh…@192.0.2.7:7400 'hello'    the card is fetched on the way
  $ meshctl send bob 'are you there?' --wait processed --timeout 1m
  $ meshctl send bob --file report.pdf --type application/pdf
  $ date | meshctl send bob --file -")]
pub(crate) struct Send {
    /// To whom: a local name, an id, or a contact, mw1..@host:port
    peer: String,
    #[command(flatten)]
    content: Content,
    /// Wait until it is in the peer's inbox, or marked by the application there; exit code 4 if it
    /// does not get so far in time
    #[arg(long, value_name = "LEVEL")]
    wait: Option<Level>,
    /// How long to wait
    #[arg(long, default_value = "30s", value_parser = span::parse, value_name = "SPAN")]
    timeout: Duration,
    /// Hand it out there only after the earlier ordered messages to this peer
    #[arg(long)]
    ordered: bool,
    /// How long to try, up to 30d [default: 7d]
    #[arg(long, value_parser = span::parse, value_name = "SPAN")]
    expires: Option<Duration>,
    /// A message id of your own, 32 hexadecimal digits: sent again under it, it arrives once
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

/// What is sent, to one or to many.
#[derive(Args, Debug)]
pub(crate) struct Content {
    /// The message
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    text: Option<String>,
    /// Send the content of this file; - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// What the content is: a media type, or any short name that all sides know
    #[arg(long = "type", value_name = "TYPE")]
    content_type: Option<String>,
}

impl Content {
    /// What it is, and its bytes.
    pub(crate) fn read(&self) -> Result<(ContentType, Body), Fault> {
        let content_type = self.content_type.as_deref().unwrap_or_default();
        let content_type = content_type
            .parse()
            .map_err(|error| Fault::new(Code::BadContentType, format!("{error}")))?;
        let body = match (&self.text, &self.file) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(path)) => read(path)?,
            (None, None) => Vec::new(),
        };
        Ok((content_type, Body(body)))
    }
}

/// What can be waited for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Level {
    Delivered,
    Processed,
}

impl Level {
    pub(crate) const fn wait_for(self) -> WaitFor {
        match self {
            Self::Delivered => WaitFor::Delivered,
            Self::Processed => WaitFor::Processed,
        }
    }

    pub(crate) const fn progress(self) -> Progress {
        match self {
            Self::Delivered => Progress::Delivered,
            Self::Processed => Progress::Processed,
        }
    }
}

impl Send {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        let wanted = self.wait;
        let message = self.message()?;
        let access = Access::open(context).await?;
        let alone = !access.is_running();
        let wait = wanted.map(|level| self.wait_for(level)).or(alone.then_some(BRIEFLY));
        let replies = access.all(Request::Send(control::Send { wait, ..message })).await;
        let replies = access.close_after(replies).await?;
        let last = replies.into_iter().rev().find_map(|reply| match reply {
            Reply::Status(status) => Some(status),
            _ => None,
        });
        let status = last.ok_or_else(|| Fault::new(Code::Broken, "no status came"))?;
        report(context, &status, alone)?;
        judge(&status, wanted)
    }

    fn message(&self) -> Result<control::Send, Halt> {
        let (content_type, body) = self.content.read()?;
        Ok(control::Send {
            to: self.peer.clone(),
            body,
            content_type,
            message: self.id.as_deref().map(status::message_id).transpose()?,
            lifetime_seconds: self.expires.map(|span| span.as_secs()),
            ordered: self.ordered,
            wait: None,
        })
    }

    fn wait_for(&self, level: Level) -> Wait {
        Wait { level: level.wait_for(), seconds: self.timeout.as_secs() }
    }
}

/// Reads no more than a message may hold, and one byte to tell that there is more.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let limit = MAX_BODY as u64 + 1;
    let mut body = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut body)
    } else {
        let file = std::fs::File::open(path);
        file.and_then(|file| file.take(limit).read_to_end(&mut body))
    };
    match read {
        Ok(length) if length > MAX_BODY => {
            let cause = format!("{} is larger than {MAX_BODY} bytes", path.display());
            Err(Fault::new(Code::TooLarge, cause))
        }
        Ok(_) => Ok(body),
        Err(error) => Err(Fault::new(Code::InputFile, format!("{}: {error}", path.display()))),
    }
}

fn report(context: &Context, status: &Status, alone: bool) -> Result<(), Halt> {
    context.output.object(&Reply::Status(status.clone()))?;
    context.output.say(show::status(status))?;
    if alone && show::is_under_way(status.level) {
        let up = context.command("up");
        let line = format_args!("Kept here. No agent runs: it goes out with the next `{up}`.");
        return context.output.say(line);
    }
    Ok(())
}

/// Whether it came to what was wanted.
fn judge(status: &Status, wanted: Option<Level>) -> Result<(), Halt> {
    let (code, cause) = match (status.level, wanted) {
        (Progress::Refused, _) => {
            let why = status.refusal.as_deref().unwrap_or("it says no more");
            (Code::Refused, format!("the peer refused the message: {why}"))
        }
        (Progress::Expired, _) => (Code::Expired, "the message expired".to_owned()),
        (Progress::Processed, _) | (_, None) => return Ok(()),
        (Progress::Delivered, Some(Level::Delivered)) => return Ok(()),
        (level, Some(_)) => (Code::NotYet, format!("the message is {} so far", level.as_str())),
    };
    Err(Fault::new(code, cause).into())
}

/// Where no agent stays to carry it: long enough to dial and to hear, short enough to wait for.
const BRIEFLY: Wait = Wait { level: WaitFor::Delivered, seconds: 5 };
