//! The virtual network: streams that stay in order but stall and break, datagrams that are lost,
//! doubled, reordered and changed, and mail that is kept for who is away.
//!
//! Knows hosts and bytes, nothing of what they mean. What a host may be told is decided at the
//! moment of arrival, so that a partition also stops what was on its way when it began.

mod datagram;
mod faults;
mod letter;
mod mail;
mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

pub use self::faults::NetworkFaults;
pub use self::letter::{CallId, Letter};
pub use self::stream::StreamId;

use self::mail::Mailboxes;
use self::stream::Stream;
use crate::queue::Queue;
use crate::seeded::Seeded;

/// A machine on the network.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Host(pub usize);

impl Host {
    /// Where its port is.
    pub fn address(self) -> SocketAddr {
        let number = u32::try_from(self.0).unwrap_or(u32::MAX);
        SocketAddr::from((Ipv4Addr::from_bits(FIRST_ADDRESS.saturating_add(number)), PORT))
    }

    /// Whose port is there.
    pub fn at(address: SocketAddr) -> Option<Self> {
        let IpAddr::V4(ip) = address.ip() else { return None };
        let number = ip.to_bits().checked_sub(FIRST_ADDRESS)?;
        usize::try_from(number).ok().map(Self)
    }
}

/// 10.0.0.1: each machine is one further.
const FIRST_ADDRESS: u32 = 0x0a00_0001;

/// The port of every agent.
const PORT: u16 = 7;

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = u8::try_from(self.0 % 26).unwrap_or(0);
        write!(f, "{}", char::from(b'a' + letter))
    }
}

/// What the network brings to a host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// Somebody opened a stream to it.
    Call {
        /// The stream.
        stream: StreamId,
        /// Who it is.
        from: Host,
    },
    /// The stream that it opened stands.
    Answered(StreamId),
    /// Bytes of a stream, in order.
    Bytes {
        /// The stream.
        stream: StreamId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The stream is gone: closed, broken, or never answered.
    Ended(StreamId),
    /// A datagram.
    Datagram {
        /// Who sent it, as far as addresses tell.
        from: Host,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A letter of a call.
    Letter {
        /// Who wrote it, as a session would prove.
        from: Host,
        /// What it says.
        letter: Letter,
    },
    /// A piece of mail.
    Mail {
        /// Who left it.
        from: Host,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

/// Something on its way.
#[derive(Debug)]
pub struct InTransit {
    from: Host,
    to: Host,
    what: Parcel,
    /// When it gives up, if it is one that is tried again.
    gives_up: Duration,
}

#[derive(Debug)]
enum Parcel {
    Call(StreamId),
    /// The next piece of a stream; the stream holds it.
    Piece(StreamId),
    Datagram(Vec<u8>),
    Letter(Letter),
    Mail(Vec<u8>),
}

/// Where what is on its way is put, and when it arrives.
pub trait Transit {
    /// The virtual time.
    fn now(&self) -> Duration;
    /// `parcel` comes back to [`Network::arrive`] at `at`.
    fn deliver_at(&mut self, at: Duration, parcel: InTransit);
}

impl<E: From<InTransit>> Transit for Queue<E> {
    fn now(&self) -> Duration {
        Self::now(self)
    }

    fn deliver_at(&mut self, at: Duration, parcel: InTransit) {
        self.put(at, E::from(parcel));
    }
}

/// The network of one run.
#[derive(Debug)]
pub struct Network {
    random: Seeded,
    faults: NetworkFaults,
    /// Hosts that are on.
    up: BTreeSet<Host>,
    /// From whom nothing comes through to whom.
    cut: BTreeSet<(Host, Host)>,
    streams: BTreeMap<StreamId, Stream>,
    next_stream: u64,
    next_call: u64,
    /// Hosts that reach nobody, whatever heals.
    alone: BTreeSet<Host>,
    mailboxes: Mailboxes,
}

impl Network {
    /// A network without hosts.
    pub fn new(random: Seeded, faults: NetworkFaults) -> Self {
        Self {
            random,
            faults,
            up: BTreeSet::new(),
            cut: BTreeSet::new(),
            streams: BTreeMap::new(),
            next_stream: 0,
            next_call: 0,
            alone: BTreeSet::new(),
            mailboxes: Mailboxes::default(),
        }
    }

    /// Sets what goes wrong from now on.
    pub const fn set_faults(&mut self, faults: NetworkFaults) {
        self.faults = faults;
    }

    /// The host is on; its mail comes.
    pub fn turn_on(&mut self, host: Host, transit: &mut impl Transit) {
        self.up.insert(host);
        for (from, bytes) in self.mailboxes.empty(host) {
            self.send_mail(from, host, bytes, transit);
        }
    }

    /// Nothing passes from any of `left` to any of `right`, nor back unless `one_way`.
    pub fn cut(&mut self, left: &[Host], right: &[Host], one_way: bool) {
        for from in left {
            for to in right {
                self.cut.insert((*from, *to));
                if !one_way {
                    self.cut.insert((*to, *from));
                }
            }
        }
    }

    /// Everything passes again, but to and from those that are alone.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// Whether nothing passes to and from a host, for as long as that is said.
    pub fn set_alone(&mut self, host: Host, alone: bool) {
        if alone {
            self.alone.insert(host);
        } else {
            self.alone.remove(&host);
        }
    }

    /// Whether a host is on and not alone.
    pub fn is_reachable(&self, host: Host) -> bool {
        self.up.contains(&host) && !self.alone.contains(&host)
    }

    /// Decides what becomes of a parcel whose time has come; gives what its host is told.
    pub fn arrive(
        &mut self,
        parcel: InTransit,
        transit: &mut impl Transit,
    ) -> Option<(Host, Arrival)> {
        let InTransit { from, to, what, gives_up } = parcel;
        let passes =
            self.is_reachable(to) && !self.alone.contains(&from) && !self.cut.contains(&(from, to));
        match what {
            Parcel::Datagram(bytes) => passes.then_some((to, Arrival::Datagram { from, bytes })),
            Parcel::Letter(letter) => passes.then_some((to, Arrival::Letter { from, letter })),
            Parcel::Mail(bytes) => self.arrive_mail(from, to, bytes, transit),
            Parcel::Call(stream) if passes => self.arrive_call(stream, to, from, transit),
            Parcel::Piece(stream) if passes => self.arrive_piece(stream, to, transit),
            what if transit.now() < gives_up => {
                let at = transit.now() + RETRY;
                transit.deliver_at(at, InTransit { from, to, what, gives_up });
                None
            }
            Parcel::Call(stream) | Parcel::Piece(stream) => self.give_up(stream, from),
        }
    }

    fn latency(&mut self) -> Duration {
        self.random.span(self.faults.least_latency, self.faults.most_latency)
    }
}

/// How often a machine tries again what was not acknowledged.
const RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
