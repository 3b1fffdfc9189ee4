//! The command line of a Meshwork agent.

fn main() {}
