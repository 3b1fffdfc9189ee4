//! Writes the seeds of every corpus: `cargo run -p meshwork-fuzz --example seeds`.
//!
//! A seed that changes is a format that changed: look at the difference before you commit it.

use std::path::Path;
use std::{fs, io};

use meshwork_fuzz::{TARGETS, seeds};

fn main() -> io::Result<()> {
    for (target, _) in TARGETS {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        for (name, bytes) in seeds::of(target) {
            fs::write(corpus.join(format!("seed_{name}")), bytes)?;
        }
    }
    Ok(())
}
