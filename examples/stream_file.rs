//! Streams a file from one agent to another and counts what arrives, with the progress in between:
//! `cargo run --example stream_file -- FILE`.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Instant;

use meshwork::Agent;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| file!().into());
    let alice = Agent::builder().in_memory().listen("127.0.0.1:0").start().await?;
    let bob = Agent::builder().in_memory().listen("127.0.0.1:0").start().await?;
    alice.meet(bob.card()).await?;
    bob.meet(alice.card()).await?;

    // Bob takes streams of this name; others are refused by name.
    let mut streams = bob.streams("upload")?;
    let taking = tokio::spawn(async move {
        let mut stream = streams.next().await.ok_or("the agent stopped")?;
        let mut sink = tokio::io::sink();
        // It ends only where Alice finished: a stream that was cut off is an error.
        let bytes = copy(&mut stream, &mut sink).await.map_err(|error| error.to_string())?;
        // The other direction is still open.
        let answer = format!("{bytes} bytes, thank you");
        stream.write_all(answer.as_bytes()).await.map_err(|error| error.to_string())?;
        stream.finish().await.map_err(|error| error.to_string())
    });

    let mut file = File::open(&path).await?;
    let began = Instant::now();
    let mut stream = alice.open_stream(bob.id(), "upload").await?;
    let mut chunk = vec![0; 256 << 10];
    loop {
        let count = file.read(&mut chunk).await?;
        if count == 0 {
            break;
        }
        // Waits while Bob does not read: nobody keeps more than the credit that he gave.
        stream.write_all(chunk.get(..count).unwrap_or_default()).await?;
        let progress = stream.progress();
        println!("{} written, {} taken by Bob", progress.written, progress.acknowledged);
    }
    let taken = stream.finish().await?;
    println!("Bob has taken all {taken} bytes after {:?}", began.elapsed());
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    println!("Bob says: {answer}");

    taking.await??;
    alice.close().await?;
    bob.close().await?;
    Ok(())
}
