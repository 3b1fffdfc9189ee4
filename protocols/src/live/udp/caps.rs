//! The caps on who has not proved itself, as an endpoint sees them. They may be shared with others
//! that listen; an [`Admission`] of its own will do where there are none.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use super::super::admission::{Admission, Admitted, Applicant};
use crate::random::Random;

/// Who may try to prove itself, and who has to go for it.
pub trait Caps: fmt::Debug + Send {
    /// Somebody came from an address.
    fn admit(&mut self, from: IpAddr, random: &mut dyn Random) -> Admitted;

    /// So many bytes are now held for this one; returns those that have to go for them.
    fn buffered(
        &mut self,
        applicant: Applicant,
        bytes: usize,
        random: &mut dyn Random,
    ) -> Vec<Applicant>;

    /// This one proved itself, or is gone.
    fn leave(&mut self, applicant: Applicant);

    /// One that has to go for somebody who came elsewhere.
    fn turned_out(&mut self) -> Option<Applicant>;
}

impl Caps for Admission {
    fn admit(&mut self, from: IpAddr, random: &mut dyn Random) -> Admitted {
        Self::admit(self, from, random)
    }

    fn buffered(
        &mut self,
        applicant: Applicant,
        bytes: usize,
        random: &mut dyn Random,
    ) -> Vec<Applicant> {
        Self::buffered(self, applicant, bytes, random)
    }

    fn leave(&mut self, applicant: Applicant) {
        Self::leave(self, applicant);
    }

    fn turned_out(&mut self) -> Option<Applicant> {
        None
    }
}
