//! The system's randomness, and the end of a process that is refused it.
//!
//! Knows neither library: each provider brings the function that asks the system.

use core::fmt;

use crate::random::Random;

/// Randomness from the system.
pub(super) struct SystemRandom {
    /// Fills a buffer; false if the system refused.
    ask: fn(&mut [u8]) -> bool,
}

impl SystemRandom {
    pub(super) fn new(ask: fn(&mut [u8]) -> bool) -> Self {
        Self { ask }
    }
}

impl Random for SystemRandom {
    fn fill(&mut self, out: &mut [u8]) {
        if !(self.ask)(out) {
            stop_the_process();
        }
    }
}

impl fmt::Debug for SystemRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemRandom")
    }
}

/// Ends the process, whatever would catch an unwinding panic: Rust aborts rather than let one
/// leave a function of the C calling convention.
#[allow(clippy::panic, reason = "without randomness no key is safe to make, see `Random::fill`")]
extern "C" fn stop_the_process() -> ! {
    panic!("the system refuses randomness")
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::env;
    use std::panic;
    use std::process::Command;

    use super::SystemRandom;
    use crate::random::Random;

    const CHILD: &str = "MESHWORK_TEST_REFUSED_RANDOMNESS";

    #[test]
    fn a_process_that_is_refused_randomness_ends_even_where_panics_are_caught() {
        const NAME: &str = "provider::system_random::tests::\
                            a_process_that_is_refused_randomness_ends_even_where_panics_are_caught";
        if env::var_os(CHILD).is_some() {
            let survived = panic::catch_unwind(|| SystemRandom::new(|_| false).fill(&mut [0; 8]));
            assert!(survived.is_err());
            return;
        }
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert!(!child.status.success());
        let said = std::string::String::from_utf8_lossy(&child.stderr);
        assert!(said.contains("the system refuses randomness"), "{said}");
    }
}
