//! What a run's queue holds: everything that is going to happen to somebody.

use std::time::Duration;

use meshwork_protocols::fleet::Asks;
use meshwork_protocols::identity::AgentId;
use meshwork_protocols::wire::MessageId;

use crate::network::{Host, InTransit};

/// Something that is going to happen.
#[derive(Debug)]
pub enum Happening {
    /// Something arrives, or does not.
    Parcel(InTransit),
    /// Time alone matters to a host.
    Wake(Host),
    /// The disk of a host has done what the start of this number asked for.
    DiskDone(Host, Start),
    /// The driver of a host hears of it.
    DiskHeard(Host, Start),
    /// The application of a host has dealt with a message.
    Read {
        /// The host.
        host: Host,
        /// Who sent it.
        sender: AgentId,
        /// Its id.
        id: MessageId,
    },
    /// The application of a host sends.
    Send(Sending),
    /// A relay's disk has done what the start of this number asked for, or a wait is over.
    RelayServes(Host, Start),
    /// A way for mail opens at a host.
    OpenMail(Host, Start, AgentId),
    /// The owner of a host does something in the group of the run.
    Group(Host, GroupAct),
    /// Something that nobody asked for.
    Weather(Weather),
}

/// Something that an owner does in the group of the run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GroupAct {
    /// Founds it.
    Create,
    /// Invites one, or everybody who is not there.
    Invite(Option<Host>),
    /// Follows its invitation.
    Join,
    /// Takes somebody out.
    Remove(Host),
    /// Makes somebody an admin.
    Appoint(Host),
    /// Draws new keys.
    Rotate,
    /// Draws new keys, and again in each epoch until so many have passed.
    RotateFor(u64),
    /// Moves the log to the relay at this host.
    Move(Host),
    /// Leaves.
    Leave,
    /// Sends.
    Send(Sending),
}

/// Numbers the starts of one host's process.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Start(pub u32);

/// A message that an application sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sending {
    /// From whom.
    pub from: Host,
    /// To whom.
    pub to: Host,
    /// Names it within the run; stands at the start of its body.
    pub number: u64,
    /// The id that the application chose, if it did.
    pub id: Option<MessageId>,
    /// The length of its body.
    pub length: usize,
    /// How long it is tried.
    pub lifetime: Duration,
    /// Whether it keeps its place among others.
    pub ordered: bool,
}

impl Sending {
    /// Its body.
    pub fn body(&self) -> Vec<u8> {
        let mut body = self.number.to_be_bytes().to_vec();
        let filler = self.number.to_le_bytes();
        body.extend(filler.iter().cycle().take(self.length.saturating_sub(body.len())));
        body
    }

    /// What it asks of the members of a group: two of three ask something.
    pub const fn asks(&self) -> Asks {
        match self.number % 3 {
            0 => Asks::Nothing,
            1 => Asks::Delivered,
            _ => Asks::Processed,
        }
    }

    /// The number of the message with this body.
    pub fn number_of(body: &[u8]) -> Option<u64> {
        body.first_chunk().map(|number| u64::from_be_bytes(*number))
    }
}

/// Something that nobody asked for.
#[derive(Clone, Debug)]
pub enum Weather {
    /// A process ends.
    Crash(Host, Ending),
    /// A process starts.
    Start(Host),
    /// Some hosts do not reach the others.
    Cut {
        /// The hosts on one side.
        left: Vec<Host>,
        /// Those on the other.
        right: Vec<Host>,
        /// Whether the others still reach them.
        one_way: bool,
    },
    /// All hosts reach each other.
    Heal,
    /// A wall clock is set.
    SetClock(Host),
    /// The disk of a host is copied.
    Copy(Host),
    /// A host's disk is put back to its copy.
    PutBack(Host),
    /// The disk of a host breaks.
    Lose(Host),
    /// A host is told of another, which it may have forgotten.
    Meet(Host, Host),
    /// A relay ends, for so long.
    CrashRelay(Host, Duration),
    /// A relay starts.
    StartRelay(Host),
    /// A relay reaches nobody, for so long.
    LeaveAlone(Host, Duration),
    /// A relay reaches everybody again.
    Rejoin(Host),
    /// A relay ends, and its disk breaks.
    LoseRelay(Host),
    /// The disk of each relay is copied.
    CopyRelays,
    /// The log of the group is put back to the copy of its holder's disk.
    PutLogBack,
    /// Whether a group is one again whose log was put back.
    LookWhetherHealed,
    /// The session key of a host is replaced.
    RotateKey(Host),
    /// The owner of a host decides on its strangers.
    Decide(Host),
    /// The owner of a host gives its bundle, as a file, to the owner of another.
    HandOut(Host, Host),
    /// Somebody who is no agent sends bytes to a host.
    Knock(Host),
    /// Nothing goes wrong any more.
    Calm,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Ending {
    /// It is killed; the system closes its streams.
    Killed,
    /// The power goes; nobody is told.
    PowerLost,
    /// It stops by itself, because its state does not open.
    Stopped,
}

impl From<InTransit> for Happening {
    fn from(parcel: InTransit) -> Self {
        Self::Parcel(parcel)
    }
}
