//! The runtime that suits an agent.

use tokio::runtime::Builder;

/// How many tasks a thread runs before it looks at its sockets again. A task that moves a stream
/// takes 50 us at a time, so that with tokio's default of 61 a call on another socket waits three
/// milliseconds beside a stream, and with this a quarter of one.
const TASKS_BETWEEN_LOOKS: u32 = 5;

/// A runtime on which streams delay calls by little: threads for all processors, sockets and time
/// enabled.
///
/// An agent runs on every runtime of tokio that has both. On this one, calls, datagrams and messages
/// are seen sooner while streams take all that they can.
///
/// ```
/// let runtime = meshwork::runtime().build()?;
/// let agent = runtime.block_on(meshwork::Agent::builder().in_memory().start());
/// # agent.unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn runtime() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all().event_interval(TASKS_BETWEEN_LOOKS);
    builder
}
