//! Deferred messages: what it costs to begin a session, to answer one and to write in one, beside
//! vodozemac's Olm, which has the same two ratchets and nothing post-quantum.
//!
//! What is asked for is microseconds of the machine on which the official client was measured. So
//! vodozemac runs in each round here as it did there, and where this machine is slower now, because
//! it is another or is shared, a figure is judged by as much.

use std::cell::RefCell;

use meshwork_protocols::deferred::Suite;

use crate::Failure;
use crate::bar::Bar;
use crate::mail::Mail;
use crate::olm;
use crate::sessions::{Beginning, Conversation, Skipped};
use crate::stopwatch::{Contender, Plan, Times};

/// Messages of one turn where a single one is too short for the clock.
pub const MESSAGES: usize = 100;

/// What is sealed.
pub const TEXT: [u8; 64] = [0x5a; 64];

/// Microseconds of one ping-pong of vodozemac where the official client was measured.
const REFERENCE: f64 = 254.0;

/// Runs the comparison.
pub fn compare() -> Result<Vec<Bar>, Failure> {
    let parts = [beginnings()?, messages()?, skipped()?, agents()?, records()?];
    Ok(parts.into_iter().flatten().collect())
}

/// A session's first step at each end, signatures of its keys and introductions apart.
fn beginnings() -> Result<Vec<Bar>, Failure> {
    const PLAN: Plan = Plan { rounds: 11, turns: 20 };
    let own = Beginning::new(Suite::MlKem1024)?;
    let official = Beginning::new(Suite::Kyber1024)?;
    let theirs = RefCell::new(olm::Beginning::new((PLAN.rounds + 1) * PLAN.turns)?);
    let reference = RefCell::new(olm::Conversation::answered()?);
    let times = Times::measure(
        PLAN,
        vec![
            Contender::new("initiate, 0x0A", || own.initiate()),
            Contender::new("initiate, 0x08, both signatures verified", || official.process()),
            Contender::new("vodozemac: initiate", || theirs.borrow_mut().initiate()),
            Contender::new("accept, 0x0A", || own.accept()),
            Contender::new("accept, 0x08", || official.accept()),
            Contender::new("vodozemac: accept", || theirs.borrow_mut().accept()),
            Contender::new(PING_PONG, || reference.borrow_mut().ping_pong(1)),
        ],
    )?;
    print(&times, 1);
    Ok(vec![
        at_most(350.0, "initiate, 0x0A, us", &times, 0, 1),
        at_most(350.0, "initiate, 0x08, us", &times, 1, 1),
        at_most(350.0, "accept, 0x0A, us", &times, 3, 1),
        at_most(350.0, "accept, 0x08, us", &times, 4, 1),
    ])
}

/// Messages of 64 bytes: a hundred of one chain, and one there and one back.
fn messages() -> Result<Vec<Bar>, Failure> {
    const PLAN: Plan = Plan { rounds: 21, turns: 10 };
    let chain = RefCell::new(Conversation::answered()?);
    let turns = RefCell::new(Conversation::answered()?);
    let their_chain = RefCell::new(olm::Conversation::answered()?);
    let reference = RefCell::new(olm::Conversation::answered()?);
    let times = Times::measure(
        PLAN,
        vec![
            Contender::new("encrypt 64 B, same chain", || chain.borrow_mut().seal()),
            Contender::new("decrypt 64 B, same chain", || chain.borrow_mut().open()),
            Contender::new("ping-pong 64 B", || turns.borrow_mut().ping_pong()),
            Contender::new("vodozemac: encrypt", || their_chain.borrow_mut().seal()),
            Contender::new("vodozemac: decrypt", || their_chain.borrow_mut().open()),
            Contender::new(PING_PONG, || reference.borrow_mut().ping_pong(MESSAGES)),
        ],
    )?;
    print(&times, MESSAGES);
    Ok(vec![
        Bar::shown("this machine now / the figures' one, by vodozemac", slowness(&times)),
        at_most(7.0, "encrypt 64 B, same chain, us", &times, 0, MESSAGES),
        at_most(5.0, "decrypt 64 B, same chain, us", &times, 1, MESSAGES),
        at_most(280.0, "ping-pong 64 B, both ends, us", &times, 2, MESSAGES),
    ])
}

/// The message after so many that have not come, and one of those when it comes late.
fn skipped() -> Result<Vec<Bar>, Failure> {
    const PLAN: Plan = Plan { rounds: 11, turns: 10 };
    let ours = Skipped::new()?;
    let reference = RefCell::new(olm::Conversation::answered()?);
    let times = Times::measure(
        PLAN,
        vec![
            Contender::new("decrypt after 1,999 skipped", || ours.open_last()),
            Contender::new("decrypt one of 1,999 that comes late", || ours.open_late()),
            Contender::new(PING_PONG, || reference.borrow_mut().ping_pong(1)),
        ],
    )?;
    print(&times, 1);
    Ok(vec![
        at_most(1_000.0, "decrypt after 1,999 skipped, us", &times, 0, 1),
        at_most(1_000.0, "decrypt one of 1,999 that comes late, us", &times, 1, 1),
    ])
}

/// The same steps with all that our agents put around them.
fn agents() -> Result<Vec<Bar>, Failure> {
    const PLAN: Plan = Plan { rounds: 11, turns: 10 };
    let (bare, mail) = (Beginning::new(Suite::MlKem1024)?, Mail::begun()?);
    let chain = RefCell::new(Mail::answered()?);
    let times = Times::measure(
        PLAN,
        vec![
            Contender::new("bundle and its hybrid signature verified", || mail.verify_bundle()),
            Contender::new("initiate, 0x0A", || bare.initiate()),
            Contender::new("initiate with introduction", || mail.initiate()),
            Contender::new("accept, 0x0A", || bare.accept()),
            Contender::new("accept with introduction", || mail.accept()),
        ],
    )?;
    print(&times, 1);
    let packets = Times::measure(
        PLAN,
        vec![
            Contender::new("seal 64 B between agents", || chain.borrow_mut().seal()),
            Contender::new("open 64 B between agents", || chain.borrow_mut().open()),
        ],
    )?;
    print(&packets, MESSAGES);
    Ok(vec![
        Bar::shown("the introduction adds to initiate, us", times.median(|t| (t[2] - t[1]) * 1e6)),
        Bar::shown("the introduction adds to accept, us", times.median(|t| (t[4] - t[3]) * 1e6)),
    ])
}

/// What one step writes.
fn records() -> Result<Vec<Bar>, Failure> {
    const PLAN: Plan = Plan { rounds: 11, turns: 2 };
    let states = Mail::states()?;
    let (mean, largest) = states.sizes();
    let times = Times::measure(
        PLAN,
        vec![
            Contender::new("a record encoded", || states.encode()),
            Contender::new("a record read", || states.decode()),
        ],
    )?;
    print(&times, states.len());
    Ok(vec![
        Bar::shown("bytes of a record in ping-pong, mean", mean),
        Bar::shown("the same, the largest", largest),
    ])
}

fn slowness(times: &Times) -> f64 {
    times.median(|round| round[round.len() - 1] * 1e6 / MESSAGES as f64 / REFERENCE)
}

fn print(times: &Times, messages: usize) {
    for (name, time) in times.each() {
        println!("  {name:<64} {:>7.1} us", time * 1e6 / messages as f64);
    }
}

/// The last contender is the reference, over as many messages.
fn at_most(bound: f64, what: &'static str, times: &Times, which: usize, messages: usize) -> Bar {
    let each = |time: f64| time * 1e6 / messages as f64;
    let slower = |round: &[f64]| (each(round[round.len() - 1]) / REFERENCE).max(1.0);
    Bar::at_most(bound, what, times.median(|round| each(round[which]) / slower(round)))
}

const PING_PONG: &str = "vodozemac: ping-pong";
