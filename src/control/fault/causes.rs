//! The library's errors as faults.

use meshwork_protocols::deferred::agent::BundleError;
use meshwork_protocols::fleet::GroupError as Rule;
use meshwork_protocols::identity::CardError;

use super::{Code, Fault};
use crate::files::{self, Refusal as FileRefusal};
use crate::{
    CallError, CloseError, FetchError, GroupError, MeetError, OpenStreamError, PeerError,
    PrekeyError, ProcessError, ReachError, Refusal, SendError, ServeError, StatusError, Stopped,
    StreamCode, StreamError, TakeStreamsError,
};

/// One line an error: its code, and its own words for the cause.
macro_rules! faults {
    ($error:ident: $($pattern:pat => $code:ident,)+) => {
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                let code = match &error { $($pattern => Code::$code,)+ };
                Self::new(code, error.to_string())
            }
        }
    };
}

faults! { Stopped: Stopped => Stopping, }

faults! { SendError:
    SendError::UnknownPeer => UnknownPeer,
    SendError::Blocked => Blocked,
    SendError::TooLarge => TooLarge,
    SendError::BadLifetime => BadLifetime,
    SendError::IdReused => IdReused,
    SendError::Busy => Busy,
    SendError::Store(_) | SendError::CommitFailed => Disk,
    SendError::Stopped(_) => Stopping,
    SendError::Broken => Broken,
}

faults! { ProcessError:
    ProcessError::UnknownMessage => UnknownMessage,
    ProcessError::Store(_) | ProcessError::CommitFailed => Disk,
    ProcessError::Stopped(_) => Stopping,
    ProcessError::Broken => Broken,
}

faults! { StatusError:
    StatusError::UnknownMessage => UnknownMessage,
    StatusError::Store(_) => Disk,
    StatusError::Stopped(_) => Stopping,
}

faults! { PeerError:
    PeerError::UnknownPeer => UnknownPeer,
    PeerError::NameTaken => NameTaken,
    PeerError::Store(_) | PeerError::CommitFailed => Disk,
    PeerError::Stopped(_) => Stopping,
    PeerError::Broken => Broken,
}

faults! { MeetError:
    MeetError::Oneself => OwnId,
    MeetError::Fetch(FetchError::Session(_) | FetchError::Closed) => NotThere,
    MeetError::Fetch(_) => NoAnswer,
    MeetError::Card(_) => CardNotValid,
    MeetError::CardRefused => CardRefused,
    MeetError::NameTaken => NameTaken,
    MeetError::Full => Busy,
    MeetError::Store(_) | MeetError::CommitFailed => Disk,
    MeetError::Stopped(_) => Stopping,
    MeetError::Broken => Broken,
}

faults! { ReachError:
    ReachError::UnknownPeer => UnknownPeer,
    ReachError::Blocked => Blocked,
    ReachError::Unreachable => PeerAway,
    ReachError::Busy => Busy,
    ReachError::Store(_) => Disk,
    ReachError::Stopped(_) => Stopping,
    ReachError::Broken => Broken,
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        let code = match error {
            CallError::NotReached(error) => return error.into(),
            CallError::NotReachedInTime => Code::PeerAway,
            CallError::Interrupted { may_have_run: false } => Code::PeerAway,
            CallError::Interrupted { may_have_run: true } => Code::CallInterrupted,
            CallError::BadName(_) => Code::BadService,
            CallError::BadDeadline => Code::BadDeadline,
            CallError::TooLarge => Code::TooLarge,
            CallError::Busy => Code::Busy,
            CallError::DeadlinePassed => Code::DeadlinePassed,
            CallError::Refused(refusal) => code_of(refusal),
        };
        Self::new(code, error.to_string())
    }
}

fn code_of(refusal: Refusal) -> Code {
    match refusal {
        Refusal::NoSuchService => Code::NoService,
        Refusal::NotAllowed => Code::CallNotAllowed,
        Refusal::Busy => Code::PeerBusy,
        Refusal::DeadlinePassed => Code::DeadlinePassed,
        _ => Code::ServiceFailed,
    }
}

impl Fault {
    /// Why a service is not offered.
    pub fn of(service: &str, error: ServeError) -> Self {
        let code = match error {
            ServeError::BadName(_) => Code::BadService,
            ServeError::NameTaken => Code::ServiceTaken,
            ServeError::TooMany => Code::Busy,
        };
        Self::new(code, format!("{service}: {error}"))
    }
}

impl From<OpenStreamError> for Fault {
    fn from(error: OpenStreamError) -> Self {
        let code = match error {
            OpenStreamError::NotReached(error) => return error.into(),
            OpenStreamError::SessionOver => Code::PeerAway,
            OpenStreamError::BadName(_) => Code::BadArguments,
            OpenStreamError::NeedsQuicOrTcp => Code::NoStreams,
            OpenStreamError::TooMany => Code::TooManyStreams,
        };
        Self::new(code, error.to_string())
    }
}

faults! { TakeStreamsError:
    TakeStreamsError::BadName(_) => BadArguments,
    TakeStreamsError::NameTaken => StreamsTaken,
}

faults! { StreamError:
    StreamError::Reset(StreamCode::NAME_UNKNOWN | StreamCode::NOT_ALLOWED)
    | StreamError::Stopped(StreamCode::NAME_UNKNOWN | StreamCode::NOT_ALLOWED) => StreamRefused,
    StreamError::Reset(StreamCode::BUSY) | StreamError::Stopped(StreamCode::BUSY) => Busy,
    _ => StreamBroken,
}

faults! { FileRefusal:
    FileRefusal::BadName => BadFileName,
    FileRefusal::Exists => FileExists,
    FileRefusal::Disk => PeerDisk,
    FileRefusal::Damaged => FileDamaged,
    FileRefusal::Busy => Busy,
    FileRefusal::TooLarge => FileTooLarge,
}

impl From<files::SendError> for Fault {
    fn from(error: files::SendError) -> Self {
        match error {
            files::SendError::Stream(error) => error.into(),
            files::SendError::Refused(refusal) => refusal.into(),
            files::SendError::File(_) => Self::new(Code::InputFile, error.to_string()),
            files::SendError::Name(_) => Self::new(Code::BadFileName, error.to_string()),
            files::SendError::Changed => Self::new(Code::FileDamaged, error.to_string()),
            files::SendError::BadAnswer => Self::new(Code::StreamRefused, error.to_string()),
        }
    }
}

faults! { CloseError:
    CloseError::Store(_) | CloseError::Witness(_) => Disk,
    CloseError::Stopped(_) => Stopping,
}

faults! { BundleError:
    BundleError::NotYetValid(_) | BundleError::Expired(_) => BundleNotValid,
    BundleError::Older => BundleOld,
    BundleError::CardTooOld(_) => CardRefused,
    _ => BadBundle,
}

impl From<PrekeyError> for Fault {
    fn from(error: PrekeyError) -> Self {
        let code = match error {
            PrekeyError::Bundle(error) => return error.into(),
            PrekeyError::NoMail => Code::NoMail,
            PrekeyError::UnknownPeer => Code::UnknownPeer,
            PrekeyError::CardRefused => Code::CardRefused,
            PrekeyError::Store(_) | PrekeyError::CommitFailed => Code::Disk,
            PrekeyError::Stopped(_) => Code::Stopping,
            PrekeyError::Broken => Code::Broken,
        };
        Self::new(code, error.to_string())
    }
}

impl From<GroupError> for Fault {
    fn from(error: GroupError) -> Self {
        let code = match error {
            GroupError::NoFleets => Code::NoFleets,
            GroupError::UnknownGroup => Code::UnknownGroup,
            GroupError::UnknownPeer => Code::UnknownPeer,
            GroupError::NoRelay => Code::NoGroupRelay,
            GroupError::NotInvited => Code::NotInvited,
            GroupError::BadName => Code::BadGroupName,
            GroupError::TooLarge => Code::GroupBodyTooLarge,
            GroupError::BadLifetime => Code::BadLifetime,
            GroupError::Stranded => Code::GroupStranded,
            GroupError::Unreachable => Code::LogAway,
            GroupError::Busy => Code::Busy,
            GroupError::IdReused => Code::IdReused,
            GroupError::UnknownMessage => Code::UnknownMessage,
            GroupError::Rule(rule) => code_of_rule(&rule),
            GroupError::Store(_) | GroupError::CommitFailed => Code::Disk,
            GroupError::Stopped(_) => Code::Stopping,
            GroupError::Broken => Code::Broken,
        };
        Self::new(code, error.to_string())
    }
}

fn code_of_rule(rule: &Rule) -> Code {
    match rule {
        Rule::NoGroup => Code::UnknownGroup,
        Rule::Joined | Rule::Member(_) => Code::IsMember,
        Rule::KeyNotInCard => Code::NoFleets,
        Rule::NotAdmin => Code::NotAdmin,
        Rule::LastAdmin => Code::LastAdmin,
        Rule::NoMember(_) => Code::NoMember,
        Rule::Empty | Rule::TooMany => Code::BadArguments,
        Rule::NotForUs | Rule::Malformed => Code::NotInvited,
        Rule::Store(_) => Code::Disk,
        Rule::Crypto(_) | Rule::Internal => Code::Broken,
        _ => Code::NotMade,
    }
}

faults! { CardError:
    CardError::NotYetValid(_) | CardError::Expired(_) => CardNotValid,
    _ => BadCard,
}
