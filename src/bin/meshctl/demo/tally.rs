//! What was sent and what arrived, counted from the agents' own answers.

use std::collections::{BTreeSet, HashMap};

use meshwork::MessageId;
use meshwork::control::{Delivery, Protection, Status};
use serde::Serialize;

use crate::output::{Halt, Output};
use crate::table::Table;

/// What went from one agent to another.
#[derive(Debug, Default)]
pub(super) struct Way {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    /// The messages that were accepted, with their bodies.
    pub(super) sent: HashMap<MessageId, String>,
    /// How often each was in the inbox with the body that was sent.
    arrived: HashMap<MessageId, usize>,
    /// What was in the inbox and was never sent so.
    strange: usize,
    protections: BTreeSet<String>,
    reasons: BTreeSet<String>,
}

impl Way {
    pub(super) fn new(from: &'static str, to: &'static str) -> Self {
        Self { from, to, ..Self::default() }
    }

    /// Takes what the receiver's inbox holds.
    pub(super) fn arrived(&mut self, delivery: &Delivery) {
        let same = self.sent.get(&delivery.message).map(String::as_bytes);
        if same != Some(&delivery.body.0[..]) {
            self.strange += 1;
            return;
        }
        *self.arrived.entry(delivery.message).or_default() += 1;
        self.protections.insert(protection(delivery));
    }

    /// Takes what the sender knows of a message.
    pub(super) fn told(&mut self, status: &Status) {
        self.reasons.insert(status.why.clone());
    }

    /// What it came to.
    pub(super) fn row(&self) -> Row {
        let counts = || self.sent.keys().map(|id| self.arrived.get(id).copied().unwrap_or(0));
        Row {
            from: self.from,
            to: self.to,
            sent: self.sent.len(),
            once: counts().filter(|count| *count == 1).count(),
            lost: counts().filter(|count| *count == 0).count(),
            doubled: counts().filter(|count| *count > 1).count() + self.strange,
            protected: join(&self.protections),
            route: join(&self.reasons),
        }
    }
}

/// In few words: a table has room for few.
fn protection(delivery: &Delivery) -> String {
    let Protection { encryption, authentication } = &delivery.posture;
    let protocol = delivery.protocol;
    if encryption == authentication {
        format!("{protocol}, {encryption}")
    } else {
        format!("{protocol}, {encryption} encryption, {authentication} authentication")
    }
}

fn join(texts: &BTreeSet<String>) -> String {
    texts.iter().map(String::as_str).collect::<Vec<_>>().join("; ")
}

/// A line of the table.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    from: &'static str,
    to: &'static str,
    sent: usize,
    #[serde(rename = "arrived_once")]
    once: usize,
    lost: usize,
    doubled: usize,
    protected: String,
    route: String,
}

/// What all of it came to.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) sent: usize,
    pub(super) arrived_once: usize,
    pub(super) lost: usize,
    pub(super) doubled: usize,
}

impl Verdict {
    pub(super) fn of(rows: &[Row]) -> Self {
        Self {
            sent: rows.iter().map(|row| row.sent).sum(),
            arrived_once: rows.iter().map(|row| row.once).sum(),
            lost: rows.iter().map(|row| row.lost).sum(),
            doubled: rows.iter().map(|row| row.doubled).sum(),
        }
    }

    /// Whether each message arrived, and once.
    pub(super) fn holds(&self) -> bool {
        self.sent > 0 && self.arrived_once == self.sent && self.lost == 0 && self.doubled == 0
    }
}

/// Prints the table.
pub(super) fn show(output: Output, rows: &[Row]) -> Result<(), Halt> {
    let heads = ["FROM", "TO", "SENT", "ARRIVED ONCE", "LOST", "DOUBLED", "PROTECTED BY", "ROUTE"];
    let mut table = Table::with_heads(&heads);
    for row in rows {
        output.object(row)?;
        let Row { from, to, sent, once, lost, doubled, protected, route } = row.clone();
        let counts = [sent, once, lost, doubled].map(|count| count.to_string());
        let cells = [from.to_owned(), to.to_owned()].into_iter().chain(counts);
        table.row(cells.chain([protected, route]));
    }
    table.lines().try_for_each(|line| output.say(line))?;
    output.say("(hybrid: classical and post-quantum, both in encryption and in authentication)")
}

#[cfg(test)]
mod tests {
    use meshwork::control::{Body, Moment, Named};
    use meshwork::time::WallTime;
    use meshwork::{AgentId, ContentType, Protocol};

    use super::*;

    const ONE: MessageId = MessageId::from_bytes([1; 16]);
    const TWO: MessageId = MessageId::from_bytes([2; 16]);

    fn delivery(message: MessageId, body: &str) -> Delivery {
        let moment = Moment(WallTime::from_secs(1));
        let hybrid = || "hybrid".to_owned();
        Delivery {
            message,
            sender: Named { agent: AgentId::from_bytes([1; 32]), name: None },
            protocol: Protocol::Live,
            posture: Protection { encryption: hybrid(), authentication: hybrid() },
            received: moment,
            created: moment,
            content_type: ContentType::default(),
            body: Body(body.into()),
            repeat: false,
            group: None,
        }
    }

    fn verdict(arrivals: &[Delivery]) -> Verdict {
        let mut way = Way::new("a", "b");
        way.sent = [(ONE, "one".to_owned()), (TWO, "two".to_owned())].into();
        arrivals.iter().for_each(|delivery| way.arrived(delivery));
        Verdict::of(&[way.row()])
    }

    #[test]
    fn all_once_holds() {
        assert!(verdict(&[delivery(ONE, "one"), delivery(TWO, "two")]).holds());
    }

    #[test]
    fn a_lost_a_doubled_and_a_changed_message_do_not_hold() {
        let (one, two) = (delivery(ONE, "one"), delivery(TWO, "two"));
        let lost = verdict(std::slice::from_ref(&one));
        assert!(!lost.holds() && lost.lost == 1);
        let doubled = verdict(&[one.clone(), two, one.clone()]);
        assert!(!doubled.holds() && doubled.doubled == 1);
        let changed = verdict(&[one.clone(), delivery(TWO, "other")]);
        assert!(!changed.holds() && changed.lost == 1);
        let added =
            verdict(&[one, delivery(TWO, "two"), delivery(MessageId::from_bytes([3; 16]), "")]);
        assert!(!added.holds() && added.doubled == 1);
    }

    #[test]
    fn nothing_sent_proves_nothing() {
        assert!(!Verdict::of(&[Way::new("a", "b").row()]).holds());
    }
}
