//! `meshctl group`

use std::time::Duration;

use clap::{Args, Subcommand};
use meshwork::control::{
    ChangeGroup, Code, Fault, Group as Facts, GroupChange, GroupMessage, Progress, Reply, Request,
    SendToGroup,
};

use crate::access::Access;
use crate::context::Context;
use crate::output::Halt;
use crate::plain::Plain;
use crate::send::{Content, Level};
use crate::{show, span, status};

/// Found, join and use groups: one encrypted channel for many
#[derive(Args, Debug)]
#[command(after_help = "\
A group has a log at a relay, which keeps its order and can read nothing of it. What is sent is sealed \
once, for everybody; each change of who is in it gives new keys, so that who was taken out reads \
nothing of what comes then. What comes for a group is in `meshctl inbox`, and what happens to it in \
`meshctl watch`. A group is named by its name here, its id, or the start of its id.

Example:
  $ meshctl group create crew
  $ meshctl group add crew bob carol        each is invited; it decides:
  $ meshctl group join crew                 there
  $ meshctl group send crew 'hello, crew'
  $ meshctl group remove crew carol")]
pub(crate) struct Group {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show the groups that this agent is in, and the invitations that wait (the default)
    #[command(after_help = "Example:\n  $ meshctl group list")]
    List,
    /// Found a group, with this agent as its admin
    #[command(after_help = "\
The first relay of this agent's card holds the log, unless another is named. No relay can read it.

Example:
  $ meshctl group create crew
  $ meshctl group create crew --relay mw1qrz3fh…@relay.example:7400")]
    Create {
        /// What to call it
        name: String,
        /// The relay that is to hold its log, as a contact line
        #[arg(long, value_name = "CONTACT")]
        relay: Option<String>,
    },
    /// Bring peers in: each gets the keys and an invitation, and decides whether to join
    #[command(
        visible_alias = "add",
        after_help = "\
Many are brought in by one commit. A relay of each must have keys of it, which it leaves there by \
itself while it is up; nothing of them is used up before it joins. Whoever has left none yet is waited \
for, a week long, while `meshctl up` runs: `group members` shows it, `group remove` gives it up.

Example:
  $ meshctl group add crew bob carol"
    )]
    Invite(Whom),
    /// Follow an invitation
    #[command(after_help = "Example:\n  $ meshctl group join crew")]
    Join(Named),
    /// Give an invitation up
    #[command(after_help = "Example:\n  $ meshctl group decline crew")]
    Decline(Named),
    /// Show who is in a group, and how it stands
    #[command(after_help = "Example:\n  $ meshctl group members crew")]
    Members(Named),
    /// Take members out: what is sent from then on they cannot read
    #[command(after_help = "Example:\n  $ meshctl group remove crew carol")]
    Remove(Whom),
    /// Make members admins, who may change the group
    #[command(after_help = "Example:\n  $ meshctl group appoint crew bob")]
    Appoint(Whom),
    /// Make admins members like the others
    #[command(after_help = "Example:\n  $ meshctl group dismiss crew bob")]
    Dismiss(Whom),
    /// Ask to be taken out, which an admin's agent does by itself
    #[command(after_help = "\
The last admin appoints another one first.

Example:
  $ meshctl group leave crew")]
    Leave(Oneself),
    /// Send a message to everybody in a group
    #[command(after_help = "\
When it returns without an error the message is durable here, and stands in the log, where each member \
finds it, or will: `relayed` or `queued`. `meshctl status` tells of it later. With --wait every member \
is asked to say that it has the message, which each does some seconds later.

Example:
  $ meshctl group send crew 'are you all there?'
  $ meshctl group send crew 'all in?' --wait delivered
  $ meshctl group send crew --file plan.pdf --type application/pdf")]
    Send(Send),
    /// Show what stands in the log of a group, as the relay that holds it sees it
    #[command(after_help = "Example:\n  $ meshctl group log crew --after 40")]
    Log {
        /// Its name or id
        group: String,
        /// Only entries behind this place
        #[arg(long, value_name = "PLACE", default_value_t = 0)]
        after: u64,
    },
    /// Draw new keys of this agent's: who copied its state reads nothing from then on
    #[command(after_help = "Example:\n  $ meshctl group rotate crew")]
    Rotate(Oneself),
    /// Move the log to another relay
    #[command(after_help = "\
Nothing that is under way is lost: it comes into the log there. Who is away reads the old log, which \
its relay keeps for 30 days, up to the move, and follows. A relay that does not answer is asked for an \
hour, while `meshctl up` runs; until it has taken the log that stays where it is. To think better of \
it, name the relay that holds it.

Example:
  $ meshctl group move crew --relay mw1qrz3fh…@relay.example:7400")]
    Move(To),
    /// Bring members in anew that lost their state or cannot follow the log any more
    #[command(after_help = "\
They are taken out and invited by one commit, and join again with `meshctl group join`.

Example:
  $ meshctl group heal crew bob")]
    Heal(Whom),
    /// Forget a group here, without a word to its members
    #[command(after_help = "Example:\n  $ meshctl group forget crew")]
    Forget(Named),
}

#[derive(Args, Debug)]
struct Named {
    /// Its name or id
    group: String,
}

#[derive(Args, Debug)]
struct Whom {
    /// Its name or id
    group: String,
    /// Whom: local names or ids
    #[arg(required = true, value_name = "PEER")]
    members: Vec<String>,
    #[command(flatten)]
    wait: Patience,
}

#[derive(Args, Debug)]
struct Oneself {
    /// Its name or id
    group: String,
    #[command(flatten)]
    wait: Patience,
}

#[derive(Args, Debug)]
struct To {
    /// Its name or id
    group: String,
    /// The relay that is to hold its log, as a contact line
    #[arg(long, value_name = "CONTACT")]
    relay: String,
    #[command(flatten)]
    wait: Patience,
}

#[derive(Args, Debug)]
struct Patience {
    /// How long to wait until it is made; exit code 4 if it is not by then, and made later
    #[arg(long, default_value = "30s", value_parser = span::parse, value_name = "SPAN")]
    timeout: Duration,
}

#[derive(Args, Debug)]
struct Send {
    /// Its name or id
    group: String,
    #[command(flatten)]
    content: Content,
    /// An id of your own: the same message under the same id is sent once
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// How long it counts, up to 30d [default: 7d]
    #[arg(long, value_parser = span::parse, value_name = "SPAN")]
    expires: Option<Duration>,
    /// Ask every member to say that it is in its inbox, or that its application has dealt with it, and
    /// wait for them; exit code 4 if it has not come so far
    #[arg(long, value_name = "LEVEL")]
    wait: Option<Level>,
    /// How long to wait until it stands in the log, or the members have said so [default: 5s, or 30s
    /// with --wait]
    #[arg(long, value_parser = span::parse, value_name = "SPAN")]
    timeout: Option<Duration>,
}

impl Group {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        let what = self.what.unwrap_or(What::List);
        let request = request(&what)?;
        let access = Access::open(context).await?;
        if matches!(what, What::List | What::Join(_)) {
            // An invitation is mail.
            access.fetch().await;
        }
        let running = access.is_running();
        let asked = access.all(request).await;
        let replies = access.close_after(asked).await?;
        for reply in &replies {
            context.output.object(reply)?;
        }
        tell(context, &what, &replies, running)
    }
}

fn request(what: &What) -> Result<Request, Halt> {
    let change = |change, whom: &Whom| of_change(change, &whom.group, &whom.members, &whom.wait);
    let own = |change, own: &Oneself| of_change(change, &own.group, &[], &own.wait);
    Ok(match what {
        What::List => Request::Groups { group: None },
        What::Members(it) => Request::Groups { group: Some(it.group.clone()) },
        What::Create { name, relay } => {
            Request::CreateGroup { name: name.clone(), relay: relay.clone() }
        }
        What::Invite(whom) => change(GroupChange::Invite, whom),
        What::Remove(whom) => change(GroupChange::Remove, whom),
        What::Appoint(whom) => change(GroupChange::Appoint, whom),
        What::Dismiss(whom) => change(GroupChange::Dismiss, whom),
        What::Heal(whom) => change(GroupChange::Heal, whom),
        What::Rotate(it) => own(GroupChange::Rotate, it),
        What::Leave(it) => own(GroupChange::Leave, it),
        What::Move(it) => of_move(it),
        What::Join(it) => Request::JoinGroup { group: it.group.clone() },
        What::Decline(it) => Request::DeclineGroup { group: it.group.clone() },
        What::Forget(it) => Request::ForgetGroup { group: it.group.clone() },
        What::Send(it) => Request::SendToGroup(it.message()?),
        What::Log { group, after } => {
            Request::GroupLog { group: group.clone(), after: *after, sealed: false }
        }
    })
}

fn of_move(to: &To) -> Request {
    Request::ChangeGroup(ChangeGroup {
        group: to.group.clone(),
        change: GroupChange::Move,
        members: Vec::new(),
        relay: Some(to.relay.clone()),
        wait_seconds: Some(to.wait.timeout.as_secs()),
    })
}

fn of_change(change: GroupChange, group: &str, members: &[String], wait: &Patience) -> Request {
    Request::ChangeGroup(ChangeGroup {
        group: group.to_owned(),
        change,
        members: members.to_vec(),
        relay: None,
        wait_seconds: Some(wait.timeout.as_secs()),
    })
}

impl Send {
    fn message(&self) -> Result<SendToGroup, Halt> {
        let (content_type, body) = self.content.read()?;
        let patience = if self.wait.is_some() { PATIENCE } else { BRIEFLY };
        Ok(SendToGroup {
            group: self.group.clone(),
            body,
            content_type,
            message: self.id.as_deref().map(status::message_id).transpose()?,
            lifetime_seconds: self.expires.map(|span| span.as_secs()),
            asks: self.wait.map(Level::wait_for),
            wait_seconds: Some(self.timeout.unwrap_or(patience).as_secs()),
        })
    }
}

fn tell(context: &Context, what: &What, replies: &[Reply], running: bool) -> Result<(), Halt> {
    let output = context.output;
    match what {
        What::Decline(it) => output.say(format_args!("declined: {}", Plain(&it.group))),
        What::Forget(it) => output.say(format_args!("forgotten: {}", Plain(&it.group))),
        What::Leave(it) => output.say(format_args!("left: {}", Plain(&it.group))),
        What::Log { .. } => show::log(output, replies),
        What::List if replies.is_empty() => {
            let create = context.command("group create NAME");
            output.say(format_args!("This agent is in no group. Found one with `{create}`."))
        }
        What::List => show::groups(output, replies, &|rest| context.command(rest)),
        What::Send(it) => replies.iter().try_for_each(|reply| match reply {
            Reply::GroupMessage(message) => {
                sent(context, message, it.wait.map(Level::progress), running)
            }
            _ => Ok(()),
        }),
        _ => groups(replies).try_for_each(|group| show::group(output, group)),
    }
}

fn groups(replies: &[Reply]) -> impl Iterator<Item = &Facts> {
    replies.iter().filter_map(|reply| match reply {
        Reply::Group(group) => Some(group),
        _ => None,
    })
}

fn sent(
    context: &Context,
    message: &GroupMessage,
    wanted: Option<Progress>,
    running: bool,
) -> Result<(), Halt> {
    context.output.say(show::group_message(message))?;
    match message.level {
        Progress::Expired => Err(Fault::new(Code::Expired, "the message expired").into()),
        Progress::Queued | Progress::Relayed | Progress::Delivered
            if wanted.is_some_and(|wanted| message.level < wanted) =>
        {
            let cause = format!("the message is {} so far", message.level.as_str());
            Err(Fault::new(Code::NotYet, cause).into())
        }
        Progress::Queued if !running => {
            let up = context.command("up");
            let line = "Kept here. No agent runs: it goes out with the next";
            context.output.say(format_args!("{line} `{up}`."))
        }
        _ => Ok(()),
    }
}

/// How long a message is waited for that asks for nothing: the log answers at once, or not now.
const BRIEFLY: Duration = Duration::from_secs(5);

/// How long the members are waited for.
const PATIENCE: Duration = Duration::from_secs(30);
