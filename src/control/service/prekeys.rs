//! The agent's prekeys and its peers'.

use meshwork_protocols::deferred::agent::Bundle;
use meshwork_protocols::identity::Unverified;

use super::{Ended, Out};
use crate::Agent;
use crate::control::prekeys::{BundleFacts, PeerBundle, Prekeys, RelayPool};
use crate::control::{Fault, Reply, roster};

/// What there is.
pub(super) async fn tell(agent: &Agent, out: &Out) -> Result<(), Ended> {
    let status = agent.prekeys().await.map_err(Fault::from)?;
    let peers = status.peers.iter().map(|it| PeerBundle {
        who: roster::named(agent, it.peer),
        bundle: it.bundle.0,
        until: it.until.into(),
        one_time: it.one_time,
    });
    let peers = peers.collect();
    let relays = agent.relays().into_iter().map(|(relay, state)| RelayPool {
        who: roster::named(agent, relay),
        answers: state.answers,
        one_time: state.prekeys,
        last_resorts: state.last_resorts,
        fetched: state.fetched,
    });
    let relays = relays.collect();
    out.say(Reply::Prekeys(Prekeys::new(&status, peers, relays))).await
}

pub(super) async fn rotate(agent: &Agent, out: &Out) -> Result<(), Ended> {
    agent.rotate_prekeys().await.map_err(Fault::from)?;
    tell(agent, out).await
}

pub(super) async fn publish(agent: &Agent, out: &Out) -> Result<(), Ended> {
    agent.publish_prekeys().await.map_err(Fault::from)?;
    tell(agent, out).await
}

pub(super) async fn export(agent: &Agent, out: &Out) -> Result<(), Ended> {
    let bundle = agent.export_bundle().await.map_err(Fault::from)?;
    let bundle = Unverified::<Bundle>::parse(&bundle).map_err(Fault::from)?;
    out.say(Reply::Bundle(BundleFacts::new(&bundle, None))).await
}

pub(super) async fn import(agent: &Agent, text: &str, out: &Out) -> Result<(), Ended> {
    let bundle = Unverified::<Bundle>::parse_text(text).map_err(Fault::from)?;
    let peer = agent.import_bundle(bundle.as_bytes()).await.map_err(Fault::from)?;
    let name = roster::named(agent, peer).name;
    out.say(Reply::Bundle(BundleFacts::new(&bundle, name))).await
}
