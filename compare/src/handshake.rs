//! Handshakes, both sides on one thread, until both hold transport keys.

use meshwork_protocols::live::Suite;

use crate::Failure;
use crate::agents::Agents;
use crate::bar::Bar;
use crate::noise::{Hybrid, classical};
use crate::stopwatch::{Contender, Plan, Times};
use crate::tls::Tls;

const PLAN: Plan = Plan { rounds: 21, turns: 60 };

/// Runs the comparison.
pub fn compare() -> Result<Vec<Bar>, Failure> {
    let chacha = Hybrid::new(Suite::ChaChaPoly);
    let aes = Hybrid::new(Suite::AesGcm);
    let (tls, agents) = (Tls::new()?, Agents::new(Suite::ChaChaPoly)?);
    let signing = agents.signatures()?;
    let times = Times::measure(
        PLAN,
        vec![
            Contender::new("Meshwork, ChaChaPoly", || chacha.handshake()),
            Contender::new("Meshwork, AESGCM", || aes.handshake()),
            Contender::new("Meshwork with Hello, cards cached", || agents.session()),
            Contender::new("the signatures of both Hellos alone", || signing.run()),
            Contender::new("rustls, X25519MLKEM768, Ed25519 raw public keys", || tls.handshake()),
            Contender::new("snow, XX, default resolver", classical),
        ],
    )?;
    for (name, time) in times.each() {
        println!("  {name:<64} {:>6.1} us", time * 1e6);
    }
    Ok(vec![
        Bar::at_most(1.0, "handshake, ChaChaPoly / rustls", times.median(|t| t[0] / t[4])),
        Bar::at_most(1.0, "handshake, AESGCM / rustls", times.median(|t| t[1] / t[4])),
        Bar::at_most(0.65, "handshake, ChaChaPoly / snow", times.median(|t| t[0] / t[5])),
        Bar::at_most(0.65, "handshake, AESGCM / snow", times.median(|t| t[1] / t[5])),
        Bar::at_most(
            1.1,
            "with Hello / (handshake + its signatures)",
            times.median(|t| t[2] / (t[0] + t[3])),
        ),
        Bar::shown(
            "with Hello / rustls, which proves nothing post-quantum",
            times.median(|t| t[2] / t[4]),
        ),
    ])
}
