//! The errands that the router has at one relay, one request after the other.

use std::time::Duration;

use meshwork_protocols::relay::{Answer, Request};
use meshwork_router::{Errand, Errands};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::client::Client;
use crate::driver::happening::Happening;
use crate::driver::lines::Lines;

/// How long a session stands without an errand, at a relay that keeps no mail of ours: as long as
/// a conversation pauses.
const IDLE: Duration = Duration::from_secs(60);

/// Runs errands until no more come.
pub(super) async fn run(client: &Client, mut coming: mpsc::Receiver<Errand>, lines: Lines) {
    let mut errands = Errands::new(lines.shared.id, client.agent());
    loop {
        let errand = match timeout(IDLE, coming.recv()).await {
            Ok(Some(errand)) => errand,
            Ok(None) => return,
            Err(_) => {
                client.part(&lines).await;
                continue;
            }
        };
        take(client, &lines, &mut errands, errand).await;
        loop {
            while let Ok(errand) = coming.try_recv() {
                take(client, &lines, &mut errands, errand).await;
            }
            let Some(request) = errands.next_request() else { break };
            let answer = client.ask(&lines, &request).await;
            note(client, &lines, &request, answer.as_ref().ok());
            for news in errands.answered(answer) {
                lines.tell(Happening::Relay(news)).await;
            }
        }
    }
}

async fn take(client: &Client, lines: &Lines, errands: &mut Errands, errand: Errand) {
    if let Err(errand) = errands.push(errand)
        && let Some(news) = errand.found_no_room(client.agent())
    {
        lines.tell(Happening::Relay(news)).await;
    }
}

/// Remembers what is shown of a relay.
fn note(client: &Client, lines: &Lines, request: &Request, answer: Option<&Answer>) {
    lines.shared.relays.learn(client.agent(), |state| match (request, answer) {
        // One that is lost is made again when the mail comes again.
        (Request::Acknowledge { numbers, .. }, _) => state.acknowledged += numbers.len() as u64,
        (Request::Publish(_), Some(Answer::Depth(depth))) => state.has(depth),
        _ => {}
    });
}
