//! Datagrams.

use std::time::Duration;

use super::{Host, InTransit, Network, Parcel, Transit};

impl Network {
    /// Sends a datagram, which may not come, come twice, come late, or come changed.
    pub fn send_datagram(
        &mut self,
        from: Host,
        to: Host,
        bytes: Vec<u8>,
        transit: &mut impl Transit,
    ) {
        for bytes in self.copies(bytes) {
            let at = transit.now() + self.delay();
            let what = Parcel::Datagram(bytes);
            transit.deliver_at(at, InTransit { from, to, what, gives_up: at });
        }
    }

    /// What the network makes of something that nobody repeats: nothing, one or two of it.
    pub(super) fn copies(&mut self, mut bytes: Vec<u8>) -> Vec<Vec<u8>> {
        if self.random.chance(self.faults.loss) {
            return Vec::new();
        }
        let twice = self.random.chance(self.faults.duplication);
        let copy = twice.then(|| bytes.clone());
        self.corrupt(&mut bytes);
        std::iter::once(bytes).chain(copy).collect()
    }

    /// Turns a bit, if it is the moment for it.
    pub(super) fn corrupt(&mut self, bytes: &mut [u8]) -> bool {
        let turns = self.random.chance(self.faults.corruption);
        if turns {
            let at = self.random.index(bytes.len());
            let bit = self.random.below(8);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        turns
    }

    /// How long one copy takes.
    pub(super) fn delay(&mut self) -> Duration {
        let straggles = self.random.chance(self.faults.straggling);
        let late =
            if straggles { self.random.span(Duration::ZERO, STRAGGLING) } else { Duration::ZERO };
        self.latency() + late
    }
}

/// The most that something straggles: longer than any timer that waits for it.
const STRAGGLING: Duration = Duration::from_secs(40);
