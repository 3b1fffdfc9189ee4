//! QUIC: our handshake in quinn-proto beside TLS 1.3 in the same quinn-proto, on virtual time and one
//! thread. Both authenticate classically here: Hello comes behind.

mod pair;

use std::sync::Arc;

use meshwork_protocols::live::quic::{
    NoiseClient, NoiseServer, QUIC_VERSION, Randomness, TLS_QUIC_VERSION,
};
use meshwork_protocols::live::{Dial, Local, Suite};
use quinn_proto::crypto;

use crate::Failure;
use crate::agents::{Agents, NOW};
use crate::bar::Bar;
use crate::stopwatch::{Contender, Plan, Times};
use crate::tls::Tls;
use pair::{Pair, Setup};

const HANDSHAKES: Plan = Plan { rounds: 21, turns: 40 };
const BULK: Plan = Plan { rounds: 41, turns: 10 };

/// Runs the comparison.
pub fn compare() -> Result<Vec<Bar>, Failure> {
    let agents = Agents::new(Suite::AesGcm)?;
    let (local, peer) = agents.locals();
    let tls = Tls::new()?;
    let (noise_server, tls_server) = (noise_server(peer)?, tls.quic().quic_server()?);
    let tls_client = tls.quic().quic_client()?;
    // As the driver does: what a dial begins with is made for it.
    let ours = || Ok(Setup::new(noise_client(local, peer)?, &noise_server, QUIC_VERSION));
    let theirs = || Setup::new(Arc::clone(&tls_client), &tls_server, TLS_QUIC_VERSION);
    let handshakes = Times::measure(
        HANDSHAKES,
        vec![
            Contender::new("QUIC handshake, Noise", || ours().and_then(Pair::connect).map(drop)),
            Contender::new("QUIC handshake, TLS 1.3", || Pair::connect(theirs()).map(drop)),
        ],
    )?;
    for (name, time) in handshakes.each() {
        println!("  {name:<64} {:>6.1} us", time * 1e6);
    }
    let (mut noise, mut tls) = (ours().and_then(Pair::connect)?, Pair::connect(theirs())?);
    let bulk = Times::measure(
        BULK,
        vec![
            Contender::new("QUIC stream, Noise", || noise.carry(MEGABYTE)),
            Contender::new("QUIC stream, TLS 1.3", || tls.carry(MEGABYTE)),
        ],
    )?;
    for (name, time) in bulk.each() {
        println!("  {name:<64} {:>6.0} MB/s", MEGABYTE as f64 / time / 1e6);
    }
    Ok(vec![
        Bar::at_least(1.0, "QUIC handshakes, Noise / TLS 1.3", handshakes.median(|t| t[1] / t[0])),
        Bar::at_least(0.98, "QUIC bulk, Noise / TLS 1.3", bulk.median(|t| t[1] / t[0])),
    ])
}

fn noise_client(
    local: &Arc<Local>,
    peer: &Arc<Local>,
) -> Result<Arc<dyn crypto::ClientConfig>, Failure> {
    let dial = Dial::Session(Arc::clone(peer.card()));
    let client = NoiseClient::new(Arc::clone(local), dial, NOW.wall, randomness(local))?;
    Ok(Arc::new(client))
}

fn noise_server(local: &Arc<Local>) -> Result<Arc<dyn crypto::ServerConfig>, Failure> {
    Ok(Arc::new(NoiseServer::new(Arc::clone(local), randomness(local))?))
}

fn randomness(local: &Arc<Local>) -> Randomness {
    let provider = Arc::clone(local.provider());
    Arc::new(move || provider.random())
}

const MEGABYTE: usize = 1 << 20;
