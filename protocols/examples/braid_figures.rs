//! What the post-quantum ratchet costs, and how soon it heals:
//! `cargo run --release -p meshwork-protocols --example braid_figures`.
//!
//! Times are the best of several runs, so that what else the machine does matters little.

#![allow(clippy::print_stdout, reason = "it is what the program is for")]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use meshwork_protocols::deferred::braid::{Braid, BraidError, Role};
use meshwork_protocols::provider::SplitKem;
use meshwork_protocols::provider::aws::AwsLc;
use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::secret::Secret;

type Pair = [Braid; 2];

fn main() -> Result<(), Box<dyn Error>> {
    for provider in [&AwsLc as &dyn SplitKem, &Pure] {
        println!("{}", provider.name());
        let epochs = best(8, || ping_pong(provider, 20 * 87))?;
        println!("  ping-pong, 20 epochs: {:.2} us a message, both ends", epochs / (20.0 * 87.0));
        let [sealed, opened, stored] = one_sided(provider)?;
        println!("  one chain: send {sealed:.2} us, receive {opened:.2} us, store {stored:.2} us");
        println!("  receive after 1,999 skipped: {:.0} us", skipped(provider)?);
    }
    let (mean, largest) = stored_sizes()?;
    println!("a stored braid in ping-pong: {mean} bytes in the mean, {largest} at most");
    Ok(())
}

/// Microseconds of the best run.
fn best(
    runs: usize,
    mut run: impl FnMut() -> Result<Duration, BraidError>,
) -> Result<f64, BraidError> {
    let mut least = Duration::MAX;
    for _ in 0..runs {
        least = least.min(run()?);
    }
    Ok(least.as_secs_f64() * 1e6)
}

fn pair(provider: &dyn SplitKem) -> Result<Pair, BraidError> {
    let end = |role| Braid::new(&Secret::new([7; 32]), role, provider);
    Ok([end(Role::Initiator)?, end(Role::Responder)?])
}

fn exchange(provider: &dyn SplitKem, [from, to]: &mut Pair) -> Result<(), BraidError> {
    let (next, field, _) = from.send(provider, &mut *provider.random())?;
    *from = next;
    let (next, _) = to.receive(provider, &field)?;
    *to = next;
    Ok(())
}

fn ping_pong(provider: &dyn SplitKem, messages: usize) -> Result<Duration, BraidError> {
    let mut ends = pair(provider)?;
    let start = Instant::now();
    for _ in 0..messages {
        exchange(provider, &mut ends)?;
        ends.swap(0, 1);
    }
    Ok(start.elapsed())
}

/// Of a message in one chain, in the middle of an agreement.
fn one_sided(provider: &dyn SplitKem) -> Result<[f64; 3], BraidError> {
    const MESSAGES: u32 = 500;
    let mut ends = pair(provider)?;
    for _ in 0..40 {
        exchange(provider, &mut ends)?;
        ends.swap(0, 1);
    }
    let mut random = provider.random();
    let mut fields = Vec::new();
    let sent = best(20, || {
        let mut from = ends[0].clone();
        fields.clear();
        let start = Instant::now();
        for _ in 0..MESSAGES {
            let (next, field, key) = from.send(provider, &mut *random)?;
            black_box(key);
            fields.push(field);
            from = next;
        }
        Ok(start.elapsed())
    })?;
    let opened = best(20, || {
        let mut to = ends[1].clone();
        let start = Instant::now();
        for field in &fields {
            let (next, key) = to.receive(provider, field)?;
            black_box(key);
            to = next;
        }
        Ok(start.elapsed())
    })?;
    let stored = best(20, || {
        let start = Instant::now();
        for _ in 0..MESSAGES {
            black_box(ends[0].encode());
        }
        Ok(start.elapsed())
    })?;
    Ok([sent, opened, stored].map(|all| all / f64::from(MESSAGES)))
}

fn skipped(provider: &dyn SplitKem) -> Result<f64, BraidError> {
    let [mut from, to] = pair(provider)?;
    let mut last = Vec::new();
    for _ in 0..2_000 {
        let (next, field, _) = from.send(provider, &mut *provider.random())?;
        (from, last) = (next, field);
    }
    best(20, || {
        let start = Instant::now();
        black_box(to.receive(provider, &last)?);
        Ok(start.elapsed())
    })
}

fn stored_sizes() -> Result<(usize, usize), BraidError> {
    let mut ends = pair(&Pure)?;
    let mut sizes = Vec::new();
    for _ in 0..20 * 87 {
        exchange(&Pure, &mut ends)?;
        sizes.extend(ends.iter().map(|end| end.encode().len()));
        ends.swap(0, 1);
    }
    let largest = sizes.iter().copied().max().unwrap_or(0);
    Ok((sizes.iter().sum::<usize>() / sizes.len(), largest))
}
