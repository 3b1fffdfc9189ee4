//! How what an agent says reads for people.

use std::time::Duration;

use meshwork::control::{
    Delivery, Event, Group, GroupEntry, GroupMember, GroupMessage, GroupState, Happening,
    Invitation, Moment, Named, Peer, Progress, RelayFigures, Reply, Route, Status, Transfer,
    TransferState, Via, WaitFor,
};
use meshwork::{GroupId, Standing};

use crate::output::{Halt, Output};
use crate::plain::Plain;
use crate::table::Table;

/// A message of ours, on one line.
pub(crate) fn status(status: &Status) -> String {
    let Status { message, to, level, protocol, why, refusal, .. } = status;
    let end = refusal.as_deref().map_or_else(
        || format!("{protocol}: {why}"),
        |refusal| format!("{} by the peer: {}", level.as_str(), Plain(refusal)),
    );
    format!("{:<9}  {message}  to {}  {end}", level.as_str(), Plain(&to.to_string()))
}

/// How far a message to a group got.
pub(crate) fn group_message(message: &GroupMessage) -> String {
    let GroupMessage { group, message: id, level, asks, .. } = message;
    let heard = |word: &str, said: u32, missing: &[Named]| {
        let all = usize::try_from(said).unwrap_or(usize::MAX).saturating_add(missing.len());
        let heard = format!("  {word} {said} of {all}");
        let names: Vec<_> = missing.iter().take(MISSING).map(name).collect();
        match missing.len().saturating_sub(MISSING) {
            _ if missing.is_empty() => heard,
            0 => format!("{heard}, missing: {}", names.join(", ")),
            more => format!("{heard}, missing: {} and {more} more", names.join(", ")),
        }
    };
    let mut line = format!("{:<9}  {id}  to group {}", level.as_str(), short(group));
    if asks.is_some() && *level != Progress::Queued {
        line += &heard("delivered", message.delivered, &message.undelivered);
    }
    if *asks == Some(WaitFor::Processed) && message.undelivered.is_empty() {
        line += &heard("processed", message.processed, &message.unprocessed);
    }
    line
}

/// How many of those who said nothing are named on a line.
const MISSING: usize = 8;

/// What a relay does, a line for each kind of thing.
pub(crate) fn relay(figures: &RelayFigures) -> String {
    let RelayFigures { deposits, repeated_deposits, fetches, fetched, acknowledged, .. } = figures;
    let RelayFigures { mail, fullest_mailbox, oldest_mail_seconds, stored, batches, .. } = figures;
    let RelayFigures { keys_taken, last_resorts, drains_refused, keys_left, .. } = figures;
    let RelayFigures { empty_pools, appended, blobs, recoveries, refusals, failing, .. } = figures;
    let refusals = refusals.iter().map(|(name, count)| format!("{count} {}", Plain(name)));
    let refusals: Vec<_> = refusals.collect();
    let refused = if refusals.is_empty() { "nothing".into() } else { refusals.join(", ") };
    let age = took(Duration::from_secs(*oldest_mail_seconds));
    let bytes = size(figures.stored_bytes);
    let disk = failing.as_deref().map_or_else(
        || format!("opened again {recoveries} times after a failure"),
        |why| format!("does not serve now: {}", Plain(why)),
    );
    [
        format!("deposits     {deposits} kept, {repeated_deposits} repeated"),
        format!("fetches      {fetches} answered, {fetched} pieces in them, {acknowledged} done with"),
        format!("mail         {mail} waiting, {fullest_mailbox} in the fullest mailbox, the oldest for {age}"),
        format!("keys         {keys_taken} taken, {last_resorts} last resorts, {drains_refused} of them by a limit"),
        format!("pools        {keys_left} keys left, {empty_pools} pools empty"),
        format!("logs, blobs  {appended} entries appended, {blobs} blobs kept"),
        format!("refused      {refused}"),
        format!("stored       {stored} entries, {bytes}, in {batches} transactions"),
        format!("disk         {disk}"),
    ]
    .join("\n")
}

/// A message that arrived: a line on it, then its body, each line set in.
pub(crate) fn delivery(output: Output, delivery: &Delivery) -> Result<(), Halt> {
    let Delivery { message, sender, protocol, posture, received, content_type, .. } = delivery;
    let repeat = if delivery.repeat { "  (told before)" } else { "" };
    output.say(format_args!(
        "from {}  {}  {protocol}, {} encryption, {} authentication  {message}{repeat}",
        Plain(&sender.to_string()),
        time(*received),
        Plain(&posture.encryption),
        Plain(&posture.authentication),
    ))?;
    if let Some(group) = &delivery.group {
        output.say(format_args!("  to group {}", short(group)))?;
    }
    if !content_type.as_str().is_empty() {
        output.say(format_args!("  [{}]", Plain(content_type.as_str())))?;
    }
    match std::str::from_utf8(&delivery.body.0) {
        Ok(text) => text.lines().try_for_each(|line| {
            // A terminal obeys a tab too, and harmlessly; spelled out it would only be in the way.
            let line = line.replace('\t', "    ");
            output.say(format_args!("  {}", Plain(&line)))
        }),
        Err(_) => {
            let length = delivery.body.0.len();
            output.say(format_args!("  ({length} bytes that are no text: --json shows them)"))
        }
    }
}

/// Peers, a line each.
pub(crate) fn peers(output: Output, peers: &[Peer]) -> Result<(), Halt> {
    let mut table = Table::with_heads(&[
        "NAME",
        "STANDING",
        "SESSION",
        "HANDSHAKES",
        "REUSED",
        "IN",
        "OUT",
        "ID",
    ]);
    for Peer { who, standing, connected, held, dealings, .. } in peers {
        let standing = match (standing, held) {
            (Standing::Known, _) => "known".into(),
            (Standing::Blocked, _) => "blocked".into(),
            (Standing::Stranger, held) => format!("stranger, {held} held"),
        };
        let name = who.name.as_deref().map_or_else(|| "-".into(), |name| Plain(name).to_string());
        let session = match dealings.transport {
            Some(Via::Quic) => "quic",
            Some(Via::Udp) => "udp",
            Some(Via::Tcp) => "tcp",
            None if *connected => "live",
            None => "-",
        };
        table.row([
            name,
            standing,
            session.into(),
            dealings.handshakes.to_string(),
            dealings.reuses.to_string(),
            bytes(dealings.bytes_in),
            bytes(dealings.bytes_out),
            who.agent.to_string(),
        ]);
    }
    table.lines().try_for_each(|line| output.say(line))
}

/// A number of bytes, with as much of it as people read.
fn bytes(count: u64) -> String {
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{} KiB", count / 1_024),
        _ => format!("{} MiB", count / 1_048_576),
    }
}

/// How a message would go.
pub(crate) fn route(output: Output, route: &Route) -> Result<(), Halt> {
    let standing = match route.standing {
        Standing::Known => "known",
        Standing::Stranger => "a stranger: its messages are held, and none go to it",
        Standing::Blocked => "blocked: nothing of it is wanted, and none go to it",
    };
    let session = if route.connected { "stands" } else { "does not stand" };
    let stored = if route.stored { "linked" } else { "not linked" };
    output.say(format_args!("to        {} {}", Plain(&route.to.to_string()), route.to.agent))?;
    output.say(format_args!("protocol  {}", route.protocol))?;
    output.say(format_args!("because   {}", route.why))?;
    output.say(format_args!("standing  {standing}"))?;
    output.say(format_args!("session   {session}; search: {}", route.dialling.as_str()))?;
    output.say(format_args!("deferred  {stored}"))?;
    output.say(format_args!("relays    {}", route.relays.as_str()))?;
    output.say(format_args!("waiting   {} not settled", route.waiting))
}

/// The groups that an agent is in, and those that it is invited to.
pub(crate) fn groups(
    output: Output,
    replies: &[Reply],
    command: &dyn Fn(&str) -> String,
) -> Result<(), Halt> {
    let mut table = Table::with_heads(&["NAME", "MEMBERS", "EPOCH", "STATE", "ID"]);
    let (mut any, mut invitations) = (false, Vec::new());
    for reply in replies {
        match reply {
            Reply::Group(group) => {
                any = true;
                table.row([
                    Plain(&group.name).to_string(),
                    group.members.len().to_string(),
                    group.epoch.to_string(),
                    state(group.state).into(),
                    group.group.to_string(),
                ]);
            }
            Reply::Invitation(invitation) => invitations.push(invitation),
            _ => {}
        }
    }
    if any {
        table.lines().try_for_each(|line| output.say(line))?;
    }
    for Invitation { group, name: called, by, .. } in invitations {
        output.say(format_args!("{} invites you to {} {group}", name(by), Plain(called)))?;
        let id = short(group);
        output.say(format_args!("  join:    {}", command(&format!("group join {id}"))))?;
        output.say(format_args!("  or not:  {}", command(&format!("group decline {id}"))))?;
    }
    Ok(())
}

/// A group, and who is in it.
pub(crate) fn group(output: Output, group: &Group) -> Result<(), Halt> {
    output.say(format_args!("group     {} {}", Plain(&group.name), group.group))?;
    output.say(format_args!("state     {}, epoch {}", state(group.state), group.epoch))?;
    output.say(format_args!("protocol  {}", group.protocol))?;
    output.say(format_args!("because   {}", group.why))?;
    let moved = match group.moves {
        0 => String::new(),
        1 => ", moved once".to_owned(),
        times => format!(", moved {times} times"),
    };
    output.say(format_args!("log       held by {}{moved}", name(&group.holder)))?;
    if group.changes + group.waiting > 0 {
        let (changes, waiting) = (group.changes, group.waiting);
        output.say(format_args!("waiting   {changes} changes, {waiting} messages"))?;
    }
    let mut table = Table::with_heads(&["NAME", "ROLE", "ID"]);
    for GroupMember { who, admin, own, in_again } in &group.members {
        let named = who.name.as_deref().map_or_else(|| "-".into(), |it| Plain(it).to_string());
        let named = if *own { "(this agent)".into() } else { named };
        table.row([named, role(*admin, *in_again).into(), who.agent.to_string()]);
    }
    for who in &group.wanted {
        let named = who.name.as_deref().map_or_else(|| "-".into(), |it| Plain(it).to_string());
        table.row([named, "waited for".into(), who.agent.to_string()]);
    }
    table.lines().try_for_each(|line| output.say(line))
}

const fn role(is_admin: bool, is_in_again: bool) -> &'static str {
    match (is_admin, is_in_again) {
        (true, false) => "admin",
        (true, true) => "admin, in again",
        (false, false) => "member",
        (false, true) => "member, in again",
    }
}

const fn state(state: GroupState) -> &'static str {
    match state {
        GroupState::Founding => "being founded",
        GroupState::Follows => "follows the log",
        GroupState::Stranded => "on its way back",
        _ => "unknown",
    }
}

/// The entries of a group's log.
pub(crate) fn log(output: Output, replies: &[Reply]) -> Result<(), Halt> {
    let mut table = Table::with_heads(&["PLACE", "TIME", "AUTHOR", "ENTRY"]);
    for reply in replies {
        let Reply::GroupEntry(entry) = reply else { continue };
        table.row([entry.index.to_string(), time(entry.at), name(&entry.author), in_words(entry)]);
    }
    table.lines().try_for_each(|line| output.say(line))
}

fn in_words(entry: &GroupEntry) -> String {
    let names = |agents: &[Named]| agents.iter().map(name).collect::<Vec<_>>().join(", ");
    let mut words = entry.kind.as_str().to_owned();
    if let Some(on) = entry.on {
        words += &format!(" {on}");
    }
    if let Some(epoch) = entry.epoch {
        words += &format!(", which ended epoch {epoch}");
    }
    if !entry.admitted.is_empty() {
        words += &format!(", in: {}", names(&entry.admitted));
    }
    if !entry.removed.is_empty() {
        words += &format!(", out: {}", names(&entry.removed));
    }
    if entry.bytes > 0 {
        words += &format!(" ({} sealed bytes)", entry.bytes);
    }
    words
}

/// As much of a group's id as tells it from others.
pub(crate) fn short(group: &GroupId) -> String {
    group.to_string().chars().take(12).collect()
}

/// What happened, on one line; `command` types a command.
pub(crate) fn event(event: &Event, command: &dyn Fn(&str) -> String) -> String {
    let time = time(event.at);
    match &event.happening {
        Happening::Moved(moved) => format!("{time}  {}", status(moved)),
        Happening::Arrived { sender, message } => {
            let read = command("inbox");
            format!("{time}  arrived    {message}  from {}  (read: {read})", name(sender))
        }
        Happening::FirstContact { peer } => {
            let accept = command(&format!("peers accept {}", peer.agent));
            format!("{time}  stranger   {} wrote; held until you decide: {accept}", peer.agent)
        }
        Happening::Connected { peer } => format!("{time}  connected  {}", name(peer)),
        Happening::Disconnected { peer } => format!("{time}  gone       {}", name(peer)),
        Happening::Unreachable { peer, why } => {
            format!("{time}  away       {}: {}", name(peer), Plain(why))
        }
        Happening::Rejected { from, why, more } => {
            let more = if *more > 0 { format!(", and {more} more") } else { String::new() };
            format!("{time}  rejected   {}: {}{more}", Plain(from), Plain(why))
        }
        Happening::Group { group, what } => format!("{time}  group      {group}: {}", Plain(what)),
        Happening::CardRenewed { sequence } => format!("{time}  card       number {sequence}"),
        Happening::Suspect { peer, what } => {
            format!("{time}  suspect    {}: {}", name(peer), Plain(what))
        }
        Happening::Trouble { what } => format!("{time}  trouble    {}", Plain(what)),
        Happening::Missed { events } => format!("{time}  missed     {events} events"),
        other => format!("{time}  {}", Plain(&format!("{other:?}"))),
    }
}

/// What to say of a message that did not get there yet, where nobody is left to carry it.
pub(crate) fn is_under_way(level: Progress) -> bool {
    matches!(level, Progress::Queued | Progress::Sent | Progress::Relayed)
}

/// Seconds are enough for people.
pub(crate) fn time(moment: Moment) -> String {
    let text = moment.to_string();
    let seconds = text.get(..19).unwrap_or(&text).replace('T', " ");
    format!("{seconds}Z")
}

fn name(who: &Named) -> String {
    Plain(&who.to_string()).to_string()
}

/// A file that came in, or did not; nothing while it is on its way.
pub(crate) fn transfer(transfer: &Transfer) -> Option<String> {
    let Transfer { peer, file, state, size: bytes, path, why, .. } = transfer;
    let from = name(peer);
    match state {
        TransferState::Moving => None,
        TransferState::Kept => {
            let place = path.as_deref().unwrap_or(file);
            Some(format!("kept       {}  from {from}  {}", Plain(place), size(*bytes)))
        }
        TransferState::Failed => {
            let why = why.as_deref().unwrap_or_default();
            Some(format!("failed     {}  from {from}: {}", Plain(file), Plain(why)))
        }
    }
}

/// A number of bytes with three digits.
pub(crate) fn size(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    scaled(bytes as f64)
}

/// Bytes a second.
pub(crate) fn rate(rate: f64) -> String {
    format!("{}/s", scaled(rate))
}

fn scaled(bytes: f64) -> String {
    let mut rest = bytes;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if rest < 999.5 {
            let digits = if unit == "B" || rest >= 99.95 { 0 } else { 1 };
            return format!("{rest:.digits$} {unit}");
        }
        rest /= 1_000.0;
    }
    format!("{rest:.0} PB")
}

/// A span of time.
pub(crate) fn took(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 if span.subsec_millis() > 0 => format!("{:.1} s", span.as_secs_f64()),
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_change_took_out_that_does_not_count_is_shown() {
        assert_eq!((role(false, false), role(true, false)), ("member", "admin"));
        assert_eq!((role(false, true), role(true, true)), ("member, in again", "admin, in again"));
    }

    #[test]
    fn sizes_and_spans_are_short() {
        let sizes = [0, 999, 1_000, 12_345, 999_499, 999_999, 1_234_567, 5_000_000_000_000];
        let shown = ["0 B", "999 B", "1.0 kB", "12.3 kB", "999 kB", "1.0 MB", "1.2 MB", "5.0 TB"];
        for (bytes, shown) in sizes.into_iter().zip(shown) {
            assert_eq!(size(bytes), shown);
        }
        let spans = [(0, "0 s"), (1_500, "1.5 s"), (61_000, "61 s"), (200_000, "3 min")];
        for (millis, shown) in spans {
            assert_eq!(took(Duration::from_millis(millis)), shown);
        }
    }
}
