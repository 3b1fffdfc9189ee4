//! One agent tells another its temperature, over and over: what is late is of no use, and so may
//! be lost.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use meshwork::Agent;
use tokio::time::{interval, timeout};

/// How many readings are sent.
const READINGS: u32 = 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sensor = Agent::builder().in_memory().start().await?;
    let display = Agent::builder().in_memory().listen("127.0.0.1:0").start().await?;
    sensor.meet(display.card()).await?;
    display.meet(sensor.card()).await?;

    let mut readings = display.datagrams();
    let id = display.id();
    let sending = tokio::spawn(async move {
        let mut tick = interval(Duration::from_millis(5));
        for number in 0..READINGS {
            tick.tick().await;
            let celsius = 20.0 + f64::from(number) / 10.0;
            // At most 1,100 bytes. It returns when they are on their way, and nothing is kept.
            sensor.datagram(id, format!("{celsius:.1}")).await?;
        }
        Ok::<_, meshwork::DatagramError>(sensor)
    });

    let mut seen = 0;
    while let Ok(Some(reading)) = timeout(Duration::from_secs(1), readings.next()).await {
        seen += 1;
        println!("{} °C", String::from_utf8_lossy(&reading.body));
        if seen == READINGS {
            break;
        }
    }
    println!("{seen} of {READINGS} readings came; {} were not read in time", readings.missed());
    sending.await??;
    Ok(())
}
