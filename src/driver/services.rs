//! The services that this agent offers, by name.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use meshwork_protocols::identity::ServiceName;
use meshwork_protocols::live::call::Refusal;

use crate::agent::Asked;

/// The most services of one agent: each is a handler that the application registered, so that more
/// are a mistake of its own.
pub(crate) const MAX_SERVICES: usize = 1_024;

/// An answer that is being made.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Vec<u8>, Refusal>> + Send>>;

/// What answers the calls of a service.
pub(crate) type Handler = Arc<dyn Fn(Asked) -> Answering + Send + Sync>;

/// The services by name.
#[derive(Default)]
pub(crate) struct Services {
    by_name: RwLock<HashMap<ServiceName, Offered>>,
    next: AtomicU64,
    /// How many strangers may be connected to call what is open to them; none where nothing is.
    strangers: AtomicUsize,
}

struct Offered {
    registration: Registration,
    handler: Handler,
    /// How many strangers may be connected to call it; none where it is not open to them.
    strangers: usize,
}

/// Which registration a service is from: a name can be given back and taken again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Registration(u64);

/// Why a service was not registered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotRegistered {
    NameTaken,
    TooMany,
}

impl Services {
    pub(crate) fn register(
        &self,
        name: ServiceName,
        handler: Handler,
    ) -> Result<Registration, NotRegistered> {
        self.offer(name, handler, 0)
    }

    /// The same for a service that any agent may call, once its session proved who it is, with so
    /// many of them connected at once.
    pub(crate) fn register_open(
        &self,
        name: ServiceName,
        handler: Handler,
        strangers: usize,
    ) -> Result<Registration, NotRegistered> {
        self.offer(name, handler, strangers)
    }

    fn offer(
        &self,
        name: ServiceName,
        handler: Handler,
        strangers: usize,
    ) -> Result<Registration, NotRegistered> {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if by_name.contains_key(&name) {
            return Err(NotRegistered::NameTaken);
        }
        if by_name.len() >= MAX_SERVICES {
            return Err(NotRegistered::TooMany);
        }
        let registration = Registration(self.next.fetch_add(1, Ordering::Relaxed));
        by_name.insert(name, Offered { registration, handler, strangers });
        self.count_strangers(&by_name);
        Ok(registration)
    }

    /// Gives a name back, if it is still of this registration.
    pub(crate) fn remove(&self, name: &ServiceName, registration: Registration) {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let removed = match by_name.get(name) {
            Some(offered) if offered.registration == registration => by_name.remove(name),
            _ => None,
        };
        self.count_strangers(&by_name);
        // What a handler holds may want the lock when it is dropped.
        drop(by_name);
        drop(removed);
    }

    /// Gives all names back: the agent has stopped.
    pub(crate) fn clear(&self) {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let removed = std::mem::take(&mut *by_name);
        self.count_strangers(&by_name);
        drop(by_name);
        drop(removed);
    }

    /// What answers a caller, known or not.
    pub(crate) fn find(&self, name: &ServiceName, is_known: bool) -> Option<Handler> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        let offered = by_name.get(name).filter(|offered| is_known || offered.strangers > 0);
        offered.map(|offered| Arc::clone(&offered.handler))
    }

    /// Whether strangers may call anything at all.
    pub(crate) fn are_open(&self) -> bool {
        self.strangers() > 0
    }

    /// How many strangers may be connected for what they may call.
    pub(crate) fn strangers(&self) -> usize {
        self.strangers.load(Ordering::Relaxed)
    }

    fn count_strangers(&self, by_name: &HashMap<ServiceName, Offered>) {
        let most = by_name.values().map(|offered| offered.strangers).max();
        self.strangers.store(most.unwrap_or(0), Ordering::Relaxed);
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(by_name.keys().map(ServiceName::as_str)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handler() -> Handler {
        Arc::new(|asked| Box::pin(async { Ok(asked.body) }))
    }

    #[test]
    fn a_name_is_given_once_and_back_by_its_holder_alone() {
        let services = Services::default();
        let name: ServiceName = "echo".parse().unwrap();
        let first = services.register(name.clone(), handler()).unwrap();
        assert_eq!(services.register(name.clone(), handler()), Err(NotRegistered::NameTaken));
        services.remove(&name, first);
        assert!(services.find(&name, true).is_none());
        services.register(name.clone(), handler()).unwrap();
        services.remove(&name, first);
        assert!(services.find(&name, true).is_some());
    }

    #[test]
    fn strangers_find_what_is_open_to_them_and_nothing_else() {
        let services = Services::default();
        let (open, closed): (ServiceName, ServiceName) =
            ("open".parse().unwrap(), "closed".parse().unwrap());
        services.register(closed.clone(), handler()).unwrap();
        assert!(!services.are_open());
        let registration = services.register_open(open.clone(), handler(), 10).unwrap();
        assert!(services.are_open() && services.strangers() == 10);
        assert!(services.find(&open, false).is_some() && services.find(&open, true).is_some());
        assert!(services.find(&closed, false).is_none() && services.find(&closed, true).is_some());
        services.remove(&open, registration);
        assert!(!services.are_open() && services.find(&open, true).is_none());
    }

    #[test]
    fn services_are_refused_one_past_the_bound() {
        let services = Services::default();
        let register = |number| services.register(format!("s{number}").parse().unwrap(), handler());
        (0..MAX_SERVICES).for_each(|number| assert!(register(number).is_ok()));
        assert_eq!(register(MAX_SERVICES), Err(NotRegistered::TooMany));
    }
}
