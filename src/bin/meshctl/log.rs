//! What the library notes while it works, on standard error.

use tracing_subscriber::EnvFilter;

use crate::output::Output;

/// Shows warnings, or what `MESHWORK_LOG` asks for, as in `MESHWORK_LOG=meshwork=debug`.
pub(crate) fn show(output: Output) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new("warn"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Fails only where one is set already, and nobody else sets one.
    let _ = if output.is_json() { lines.json().try_init() } else { lines.try_init() };
}

const VARIABLE: &str = "MESHWORK_LOG";
