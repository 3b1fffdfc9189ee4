//! Letters: calls with a relay. The session around a call is left out; what it makes of a bad network
//! is not: a letter is not changed, and may be lost, late or doubled, as a call that is made again is.

use super::{Host, InTransit, Network, Parcel, Transit};

/// Names a call within a run.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CallId(u64);

/// What two hosts say about a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Letter {
    /// A request.
    Request(CallId, Vec<u8>),
    /// Its answer.
    Answer(CallId, Vec<u8>),
    /// A call that wants no answer.
    Nudge(Vec<u8>),
}

impl Network {
    /// A name for a call.
    pub const fn next_call(&mut self) -> CallId {
        let call = CallId(self.next_call);
        self.next_call += 1;
        call
    }

    /// Sends a letter.
    pub fn send_letter(
        &mut self,
        from: Host,
        to: Host,
        letter: &Letter,
        transit: &mut impl Transit,
    ) {
        if self.random.chance(self.faults.loss) {
            return;
        }
        let copies = if self.random.chance(self.faults.duplication) { 2 } else { 1 };
        for _ in 0..copies {
            let at = transit.now() + self.delay();
            let what = Parcel::Letter(letter.clone());
            transit.deliver_at(at, InTransit { from, to, what, gives_up: at });
        }
    }
}
