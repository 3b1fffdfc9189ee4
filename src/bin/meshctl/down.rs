//! `meshctl down`

use std::time::{Duration, Instant};

use clap::Args;
use meshwork::control::{Client, Code, Fault, Reply, Request};

use crate::context::Context;
use crate::output::Halt;

/// End the running agent in good order
#[derive(Args, Debug)]
#[command(after_help = "\
What is queued stays in the state, and goes out when the agent is up again.

Example:
  $ meshctl down")]
pub(crate) struct Down {}

impl Down {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Halt> {
        let Some(mut client) = Client::connect(&context.state).await? else {
            let cause = format!("no agent runs on {}", context.state.display());
            return Err(Fault::new(Code::NotUp, cause).advise("there is nothing to end").into());
        };
        let mut replies = client.ask(&Request::Stop {}).await?;
        while replies.next().await?.is_some() {}
        gone(context).await?;
        context.output.object(&Reply::Done {})?;
        context.output.say("The agent ended; what is queued waits for the next `up`.")
    }
}

/// Waits until nobody answers any more.
async fn gone(context: &Context) -> Result<(), Fault> {
    let patience = Instant::now() + PATIENCE;
    while Client::connect(&context.state).await?.is_some() {
        if Instant::now() > patience {
            return Err(Fault::new(Code::StateInUse, "the agent was asked to end and still runs"));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Closing the state takes a fraction of it.
const PATIENCE: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(20);
