//! The library's errors as faults.

use meshwork_protocols::identity::CardError;

use super::{Code, Fault};
use crate::{
    CloseError, FetchError, MeetError, PeerError, ProcessError, SendError, StatusError, Stopped,
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

faults! { CloseError:
    CloseError::Store(_) | CloseError::Witness(_) => Disk,
    CloseError::Stopped(_) => Stopping,
}

faults! { CardError:
    CardError::NotYetValid(_) | CardError::Expired(_) => CardNotValid,
    _ => BadCard,
}
