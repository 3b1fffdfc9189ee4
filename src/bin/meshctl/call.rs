//! `meshctl call`

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use meshwork::control::{self, Body, CallAnswer, Code, Fault, Reply, Request};

use crate::access::Access;
use crate::context::Context;
use crate::output::Halt;
use crate::plain::Plain;
use crate::via::Via;
use crate::{send, span};

/// Call a service of a peer and print its answer
#[derive(Args, Debug)]
#[command(after_help = "\
A call is made now and runs at most once; nothing of it is kept. The peer must know this agent \
(`meshctl peers accept` there), or it gets no answer. The answer goes to standard output as it is; \
at a terminal, what is no text is not shown.

Exit code 3 means that a retry can help; docs/errors.md says of each code whether the peer may have \
done what was asked.

Examples:
  $ meshctl call bob date
  $ meshctl call bob translate 'good morning' --deadline 5s
  $ meshctl call bob resize --file photo.png > small.png
  $ meshctl call bob date --via tcp")]
pub(crate) struct Call {
    /// Whom: a local name, an id, or a contact, mw1..@host:port
    peer: String,
    /// Which of its services
    service: String,
    /// What the service is told
    #[arg(conflicts_with = "file")]
    text: Option<String>,
    /// Tell it the content of this file; - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How long to wait for the answer, up to 1h
    #[arg(long, default_value = "30s", value_parser = span::parse, value_name = "SPAN")]
    deadline: Duration,
    /// Go over this transport and no other
    #[arg(long, value_name = "TRANSPORT")]
    via: Option<Via>,
}

impl Call {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        let body = match (&self.text, &self.file) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(path)) => send::read(path)?,
            (None, None) => Vec::new(),
        };
        let call = control::Call {
            to: self.peer,
            service: self.service,
            body: Body(body),
            deadline_millis: Some(u64::try_from(self.deadline.as_millis()).unwrap_or(u64::MAX)),
            via: self.via.map(control::Via::from),
        };
        let replies = Access::once(context, Request::Call(call)).await?;
        for reply in &replies {
            context.output.object(reply)?;
        }
        let answer = replies.into_iter().find_map(|reply| match reply {
            Reply::Answer(answer) => Some(answer),
            _ => None,
        });
        let answer = answer.ok_or_else(|| Fault::new(Code::Broken, "no answer came"))?;
        show(context, &answer)
    }
}

/// At a terminal for people; as it is where a program reads.
fn show(context: &Context, answer: &CallAnswer) -> Result<(), Halt> {
    if context.output.is_json() {
        return Ok(());
    }
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        let mut out = std::io::stdout().lock();
        out.write_all(&answer.body.0)?;
        return Ok(out.flush()?);
    }
    match std::str::from_utf8(&answer.body.0) {
        Ok(text) => text.lines().try_for_each(|line| {
            let line = line.replace('\t', "    ");
            context.output.say(Plain(&line))
        }),
        Err(_) => {
            let length = answer.body.0.len();
            context.output.say(format_args!("({length} bytes that are no text: pipe them on)"))
        }
    }
}
