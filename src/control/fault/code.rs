//! The codes, one table: `docs/errors.md` is written from it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Writes the enumeration and its columns from one table, so that no code lacks one.
macro_rules! codes {
    ($($name:ident = $number:literal, $retry:literal, $meaning:literal, $advice:literal;)+) => {
        /// A kind of fault, by a number that never changes its meaning.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
        #[serde(try_from = "String", into = "String")]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $meaning] $name,)+
        }

        impl Code {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The number behind `MESH-`.
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number),+ }
            }

            /// Whether the same request can succeed later, with nothing changed here.
            pub const fn retry(self) -> bool {
                match self { $(Self::$name => $retry),+ }
            }

            /// What it means, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning),+ }
            }

            /// What to do, where nothing more is known.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice),+ }
            }
        }
    };
}

codes! {
    NoAgent = 101, false,
        "There is no agent in the state directory.",
        "make one with `meshctl init`, or name another directory with --state";
    AgentExists = 102, false,
        "The state directory holds an agent already.",
        "use that one, or name another directory with --state";
    StateInUse = 103, true,
        "Another process has the state open and no `meshctl up` answers for it.",
        "wait until that process is done; while `meshctl up` runs, commands go through it";
    AlreadyUp = 104, false,
        "`meshctl up` runs on this state already.",
        "talk to it with the other commands, or end it with `meshctl down`";
    WrongKey = 105, false,
        "The key or passphrase is not this state's.",
        "type it again; without the right one nobody can open the state";
    NoKey = 106, false,
        "Nothing was given that opens the state, or it is of the wrong kind.",
        "run at a terminal to type the passphrase, or give --passphrase-file or --key-file";
    KeyFile = 107, false,
        "The key or passphrase file cannot be used.",
        "check the path, and that only you can read the file (mode 0600)";
    StateDamaged = 108, false,
        "The state was truncated or changed by something else.",
        "bring back the whole directory from a backup; a restore is recognised and handled";
    StateTooNew = 109, false,
        "The state was written by a newer version.",
        "use the version that wrote it, or a later one";
    Disk = 110, true,
        "The disk or the file system refused.",
        "check space and permissions of the path named, then try again";
    SocketPath = 111, false,
        "The state directory's path is too long for its control socket.",
        "choose a shorter path with --state";
    Listen = 112, true,
        "The address to listen on cannot be used.",
        "choose another with --listen; port 0 takes any that is free";
    RootApart = 113, false,
        "The agent's root is kept apart, and this needs it.",
        "name its file with --root-file";
    RootFile = 114, false,
        "The root file cannot be used.",
        "check the path, and that the file is the one that `meshctl init --root-file` wrote";
    BadArguments = 115, false,
        "The command line makes no sense.",
        "see `meshctl help` and `meshctl help COMMAND`";
    InputFile = 116, false,
        "A file to read cannot be read.",
        "check the path and its permissions";
    NotUp = 117, false,
        "No agent runs on this state, and this needs one that does.",
        "start it with `meshctl up`";
    UnknownPeer = 201, false,
        "Nobody of that name or id is known.",
        "list those who are with `meshctl peers`, or add one with `meshctl peers add CONTACT`";
    BadId = 202, false,
        "The text is not an agent's id.",
        "copy it again, whole: an id starts with mw1 and has 61 characters";
    BadContact = 203, false,
        "The text is not a contact.",
        "copy the line that the other's `meshctl up` prints: mw1..@host:port";
    BadCard = 204, false,
        "The card is not one, or its signatures do not hold.",
        "ask for the card again, as the file that `meshctl card export` writes";
    CardNotValid = 205, false,
        "The card does not count at this time.",
        "ask its owner for a new card, and check the clock here";
    CardRefused = 206, false,
        "A newer card of this agent is known, or this one was revoked or contradicted.",
        "ask its owner for the newest card";
    NameTaken = 207, false,
        "Another peer has this local name.",
        "choose another name";
    BadName = 208, false,
        "The name cannot be given.",
        "use at most 32 of a-z, 0-9, '-' and '.', a letter first, and not mw1 as the start";
    Blocked = 209, false,
        "The peer is blocked.",
        "accept it first: `meshctl peers accept ID`";
    OwnId = 210, false,
        "That is this agent itself.",
        "name another agent";
    NoMail = 211, false,
        "The agent's card names no key for mail.",
        "start it once with its root: `meshctl card renew --root-file FILE`";
    BadBundle = 212, false,
        "The bundle of prekeys is not one, or is not its agent's.",
        "ask for it again, as the file that `meshctl prekeys export` writes";
    BundleNotValid = 213, false,
        "The bundle of prekeys does not count at this time.",
        "ask its owner for a new one, and check the clock here";
    BundleOld = 214, false,
        "A newer bundle of this agent is known.",
        "nothing is to be done: the newer one is used";
    TooLarge = 301, false,
        "The body is larger than a message may be.",
        "send at most 1 MiB a message: split it, or send where it can be fetched";
    BadLifetime = 302, false,
        "The lifetime is zero or longer than 30 days.",
        "choose between 1s and 30d";
    IdReused = 303, false,
        "The message id already names another message.",
        "choose another id, or leave it out and have one drawn";
    UnknownMessage = 304, false,
        "No such message is known.",
        "check the id: `meshctl send` prints it, and it is forgotten a week after its expiry";
    Busy = 305, true,
        "A queue is full.",
        "try again in a moment; if it stays so, peers are away or the inbox is not read";
    BadMessageId = 306, false,
        "The text is not a message's id.",
        "a message id is 32 hexadecimal digits, as `meshctl send` prints it";
    NotYet = 307, true,
        "The message did not get as far as was waited for in time.",
        "it is kept and tried on while `meshctl up` runs; ask with `meshctl status ID`";
    Refused = 308, false,
        "The peer will never take the message.",
        "see the reason; a new message may do better";
    Expired = 309, false,
        "The message expired before a receipt for it came.",
        "send it again, with more time (--expires) or when the peer is there";
    BadContentType = 310, false,
        "The content type is malformed.",
        "use at most 127 printable ASCII characters";
    NoService = 320, false,
        "The peer offers no service of that name.",
        "check the name; the services on its card are in `meshctl card show`";
    CallNotAllowed = 321, false,
        "The peer does not allow this call.",
        "ask the peer's owner";
    PeerBusy = 322, true,
        "The peer has too much to do.",
        "try again in a moment; nothing was done";
    ServiceFailed = 323, false,
        "The peer's service failed, or its answer was too long.",
        "ask the peer's owner; something may have been done";
    DeadlinePassed = 324, true,
        "No answer came before the deadline.",
        "call again if that is safe: it may have been done; --deadline gives it more time";
    CallInterrupted = 325, true,
        "The session ended before an answer came.",
        "call again if that is safe: it may have been done";
    BadService = 326, false,
        "The text is not the name of a service.",
        "use at most 64 of a-z, 0-9, '-' and '.', a letter first";
    BadDeadline = 327, false,
        "A call cannot take that long, or no time at all.",
        "name a time of at most an hour; what takes longer should be a message";
    UnknownCall = 328, false,
        "No such call waits for an answer.",
        "it was answered already, or its caller does not wait any more";
    ServiceTaken = 329, false,
        "The agent offers a service of that name already.",
        "choose another name, or end the program that offers it";
    NoAnswer = 401, true,
        "Nobody answers at the contact's address.",
        "check that the other agent is up and reachable, then try again";
    NotThere = 402, true,
        "Who answers at that address did not show the card of that agent.",
        "ask for a fresh contact: the agent may have moved";
    PeerAway = 403, true,
        "The peer does not answer.",
        "try again when it is up; nothing was done";
    ControlLost = 501, true,
        "The running agent's control socket broke off.",
        "see what `meshctl up` says, then try again";
    Malformed = 502, false,
        "The line is not a request.",
        "see docs/control.md for what can be asked";
    LineTooLong = 503, false,
        "The line is longer than one may be.",
        "send at most 2 MiB a line";
    TooManyConnections = 504, true,
        "Too many programs are connected to the control socket.",
        "close one, or try again";
    Stopping = 505, true,
        "The agent is stopping.",
        "start it again with `meshctl up`";
    NoStreams = 511, false,
        "The transport carries no streams.",
        "leave --via out, or take quic or tcp: streams and bulk need one that loses nothing";
    TooManyStreams = 513, true,
        "As many streams to the peer are open as may be.",
        "wait until one has ended";
    StreamRefused = 514, false,
        "The peer does not take the stream.",
        "ask its owner to take files: `meshctl receive --into DIR` there, or `up --accept-files DIR`";
    StreamBroken = 515, true,
        "The stream ended before its end.",
        "try again; what came so far is kept there under the name and .part";
    StreamsTaken = 516, false,
        "Somebody takes streams of this name already.",
        "end the other `meshctl receive`, or choose another --name at both ends";
    BadFileName = 517, false,
        "The file has no name that a receiver takes.",
        "give it another name there with --as";
    FileExists = 518, false,
        "The receiver has a file of this name already, which is never overwritten.",
        "give it another name there with --as, or have the one there moved";
    FileDamaged = 519, true,
        "The file did not arrive as it was sent, or changed while it was read.",
        "send it again, and leave it unchanged meanwhile";
    PeerDisk = 520, true,
        "The receiver cannot write the file.",
        "ask its owner for space; what came so far is kept there under the name and .part";
    FileTooLarge = 521, false,
        "The file is larger than the receiver takes any.",
        "send it in pieces, or have it fetched another way";
    DemoFailed = 601, false,
        "The demo lost or doubled a message, or did not finish in time.",
        "look at the table above; a busy machine may need longer, anything else is a bug: report it";
    DemoSetup = 602, true,
        "The demo could not start its agents.",
        "see the cause; it needs a temporary directory and free ports on 127.0.0.1";
    UnknownGroup = 701, false,
        "This agent is in no such group.",
        "list those that it is in with `meshctl group`; who was taken out is invited anew by an admin";
    AmbiguousGroup = 702, false,
        "Several groups are called that.",
        "name the one by its id, or the start of it, which `meshctl group` shows";
    BadGroupName = 703, false,
        "A group cannot be called that.",
        "use between 1 and 64 bytes, without control characters";
    NoFleets = 704, false,
        "The agent's card names no key for groups.",
        "start it once with its root: `meshctl card renew --root-file FILE`";
    NoGroupRelay = 705, false,
        "No relay is known that would hold the group's log.",
        "name one: `meshctl group create NAME --relay CONTACT`; `meshctl relay` makes one";
    NotInvited = 706, false,
        "There is no invitation to this group that counts.",
        "see those that wait with `meshctl group`, or ask an admin of the group for one";
    NotAdmin = 707, false,
        "Only an admin of the group may do this.",
        "ask one of those that `meshctl group members GROUP` shows as admin";
    LastAdmin = 708, false,
        "The group would have no admin.",
        "make somebody else one first: `meshctl group appoint GROUP MEMBER`";
    IsMember = 709, false,
        "It is a member already.",
        "nothing is to be done; one that lost its state comes in anew by `meshctl group heal`";
    NoMember = 710, false,
        "It is no member of the group.",
        "see who is with `meshctl group members GROUP`";
    NotAdded = 711, true,
        "For a week there were no keys of it at a relay of its own, by which it could be brought in.",
        "its card must name a relay (`meshctl init --relay`); have it run `meshctl up`, then try again";
    GroupStranded = 712, false,
        "This agent cannot follow the group's log any more.",
        "it comes back by itself while members are up; else ask an admin for `meshctl group heal`";
    LogAway = 713, true,
        "The relay that holds what is needed of the group does not answer, or refuses.",
        "try again when that relay is up; what was taken on here is kept and done then";
    ChangeNotYet = 714, true,
        "The change was not made in time.",
        "it is kept and made while `meshctl up` runs; `meshctl group members GROUP` shows when";
    GroupBodyTooLarge = 715, false,
        "The body is larger than a message to a group may be.",
        "split it, or send where it can be fetched";
    NotMade = 716, false,
        "The group's rules do not allow the change.",
        "see the cause; the group is as it was";
    LogNotMoved = 717, true,
        "The relay that was to hold the group's log does not take it, or did not answer for an hour.",
        "the log stays where it is; name a relay that is up: `meshctl group move GROUP --relay CONTACT`";
    Broken = 901, false,
        "Something that cannot happen did.",
        "it is a bug: report it with the cause";
}

impl Code {
    /// How a command that ends with it exits.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::BadArguments => 2,
            Self::NotYet | Self::ChangeNotYet => 4,
            code if code.retry() => 3,
            _ => 1,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MESH-{:04}", self.number())
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.to_string()
    }
}

impl TryFrom<String> for Code {
    type Error = UnknownCode;

    fn try_from(text: String) -> Result<Self, UnknownCode> {
        text.parse()
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|code| code.to_string() == text).ok_or(UnknownCode)
    }
}

/// A text that is none of the codes of this version.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an error code of this version")]
pub struct UnknownCode;

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn each_code_has_a_number_of_its_own_and_reads_back() {
        let numbers: Vec<u16> = Code::ALL.iter().map(|code| code.number()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
        for code in Code::ALL {
            assert_eq!(code.to_string().parse(), Ok(*code));
        }
    }

    #[test]
    fn each_text_is_one_line_of_its_form() {
        for code in Code::ALL {
            let (meaning, advice) = (code.meaning(), code.advice());
            assert!(meaning.ends_with('.') && !meaning.contains('\n'), "{code}: {meaning}");
            assert!(!advice.ends_with('.') && !advice.contains('\n'), "{code}: {advice}");
            assert!(advice.len() <= 100, "{code}: {advice}");
        }
    }
}
