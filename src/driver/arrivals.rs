//! How far the inbox reaches.

/// Which arrival numbers are announced: what an inbox waits for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Arrivals {
    /// Those below were there at the start of the agent.
    pub(crate) repeat_below: u64,
    /// All below are durable.
    pub(crate) end: u64,
}

impl Arrivals {
    /// One more is durable.
    pub(crate) fn announce(&mut self, arrival: u64, repeat: bool) {
        self.end = self.end.max(arrival + 1);
        if repeat {
            self.repeat_below = self.end;
        }
    }
}
