//! How bad a network is.

use std::time::Duration;

use crate::seeded::Seeded;

/// How bad a network is. The chances are per thousand.
#[derive(Clone, Copy, Debug)]
pub struct NetworkFaults {
    /// The least time that anything takes.
    pub least_latency: Duration,
    /// The most; the more it differs from the least, the more overtakes.
    pub most_latency: Duration,
    /// A datagram or a piece of mail vanishes; bytes of a stream come late.
    pub loss: u64,
    /// A datagram or a piece of mail comes twice.
    pub duplication: u64,
    /// A datagram or a piece of mail comes seconds late.
    pub straggling: u64,
    /// One bit of a datagram, a piece of mail or a write to a stream is turned.
    pub corruption: u64,
    /// A write to a stream breaks it.
    pub breaking: u64,
    /// A write to a stream arrives in pieces.
    pub splitting: u64,
}

impl NetworkFaults {
    /// A good network.
    pub const CALM: Self = Self {
        least_latency: Duration::from_millis(1),
        most_latency: Duration::from_millis(20),
        loss: 0,
        duplication: 0,
        straggling: 0,
        corruption: 0,
        breaking: 0,
        splitting: 0,
    };

    /// A bad one, each time bad in another way: half of the faults are left out altogether, so
    /// that the rest is not drowned by them.
    pub fn storm(random: &mut Seeded) -> Self {
        let mut up_to = |most| if random.chance(500) { random.below(most) } else { 0 };
        let (loss, duplication, straggling) = (up_to(400), up_to(300), up_to(100));
        let (corruption, breaking, splitting) = (up_to(40), up_to(30), up_to(500));
        let least_latency = random.span(Duration::from_micros(100), Duration::from_millis(50));
        let spread = random.span(Duration::from_millis(1), Duration::from_millis(400));
        Self {
            least_latency,
            most_latency: least_latency + spread,
            loss,
            duplication,
            straggling,
            corruption,
            breaking,
            splitting,
        }
    }
}
