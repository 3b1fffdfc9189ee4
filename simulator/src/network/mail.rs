//! Mail: what stands in for a relay. A piece for a host that is off waits until it is on.

use std::collections::BTreeMap;

use super::{Arrival, Host, InTransit, Network, Parcel, RETRY, Transit};

/// Mail that waits for its host.
#[derive(Debug, Default)]
pub(super) struct Mailboxes(BTreeMap<Host, Vec<(Host, Vec<u8>)>>);

impl Mailboxes {
    fn keep(&mut self, from: Host, to: Host, bytes: Vec<u8>) {
        self.0.entry(to).or_default().push((from, bytes));
    }

    pub(super) fn empty(&mut self, host: Host) -> Vec<(Host, Vec<u8>)> {
        self.0.remove(&host).unwrap_or_default()
    }
}

impl Network {
    /// Leaves a piece of mail, with the same faults as a datagram.
    pub fn send_mail(&mut self, from: Host, to: Host, bytes: Vec<u8>, transit: &mut impl Transit) {
        for bytes in self.copies(bytes) {
            let at = transit.now() + self.delay();
            let what = Parcel::Mail(bytes);
            transit.deliver_at(at, InTransit { from, to, what, gives_up: at });
        }
    }

    pub(super) fn arrive_mail(
        &mut self,
        from: Host,
        to: Host,
        bytes: Vec<u8>,
        transit: &mut impl Transit,
    ) -> Option<(Host, Arrival)> {
        if !self.up.contains(&to) {
            self.mailboxes.keep(from, to, bytes);
            return None;
        }
        if self.cut.contains(&(from, to)) {
            // The relay is on the far side: it comes when the network has healed.
            let at = transit.now() + RETRY * 5;
            let what = Parcel::Mail(bytes);
            transit.deliver_at(at, InTransit { from, to, what, gives_up: at });
            return None;
        }
        Some((to, Arrival::Mail { from, bytes }))
    }
}
