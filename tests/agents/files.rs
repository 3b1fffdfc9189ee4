//! Files over streams.

use std::fs;
use std::path::{Path, PathBuf};

use meshwork::files::{
    self, FileNameError, HeaderError, Incoming, Kept, ReceiveError, Refusal, SendError,
};
use meshwork::provider::Provider;
use meshwork::provider::aws::AwsLc;
use meshwork::{Agent, Stream, StreamError};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::common::{PATIENCE, acquainted};

/// Two agents, a folder of the first, and one into which the second takes files.
struct Pair {
    alice: Agent,
    bob: Agent,
    from: TempDir,
    into: TempDir,
}

impl Pair {
    async fn new() -> Self {
        let (alice, bob) = acquainted().await;
        let folder = || tempfile::tempdir().unwrap();
        Self { alice, bob, from: folder(), into: folder() }
    }

    /// A file to send.
    fn file(&self, content: &[u8]) -> PathBuf {
        let path = self.from.path().join("local");
        fs::write(&path, content).unwrap();
        path
    }

    fn at(&self, name: &str) -> PathBuf {
        self.into.path().join(name)
    }

    /// Takes one file.
    fn taking(&self) -> JoinHandle<Result<Kept, ReceiveError>> {
        let mut streams = self.bob.streams(files::NAME).unwrap();
        let into = self.into.path().to_owned();
        tokio::spawn(async move {
            let stream = streams.next().await.unwrap();
            drop(streams);
            let incoming = Incoming::begin(stream).await?;
            incoming.keep(&into, &provider(), |_, _| {}).await
        })
    }

    async fn open(&self) -> Stream {
        self.alice.open_stream(self.bob.id(), files::NAME).await.unwrap()
    }

    async fn send(&self, content: &[u8], name: &str) -> Result<u64, SendError> {
        let (stream, file) = (self.open().await, self.file(content));
        let provider = provider();
        let sending = files::send(stream, &file, name.parse()?, &provider, |_, _| {});
        timeout(PATIENCE, sending).await.unwrap()
    }
}

fn provider() -> impl Provider {
    AwsLc
}

async fn taken<T>(taking: JoinHandle<T>) -> T {
    timeout(PATIENCE, taking).await.unwrap().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A header as a peer may write it.
fn header(name: &str, size: u64) -> Vec<u8> {
    let length = u16::try_from(name.len()).unwrap().to_be_bytes();
    [&[1][..], &size.to_be_bytes(), &length, name.as_bytes()].concat()
}

#[tokio::test]
async fn a_file_arrives_whole_under_its_name_and_its_sender_knows() {
    let pair = Pair::new().await;
    for (name, size) in [("empty", 0), ("one byte", 1), ("large.bin", 3_000_001)] {
        let content: Vec<_> = (0..size).map(|at: usize| at.to_le_bytes()[1]).collect();
        let taking = pair.taking();
        assert_eq!(pair.send(&content, name).await.unwrap(), size as u64);
        let kept = taken(taking).await.unwrap();
        assert_eq!(kept, Kept { path: pair.at(name), size: size as u64 });
        assert!(fs::read(pair.at(name)).unwrap() == content);
    }
    assert_eq!(names(pair.into.path()), ["empty", "large.bin", "one byte"]);
}

#[tokio::test]
async fn a_file_may_have_as_many_bytes_as_the_receiver_says_and_not_one_more() {
    let pair = Pair::new().await;
    for (name, size) in [("most", 3_u64), ("one more", 4)] {
        let (mut coming, into) =
            (pair.bob.streams(files::NAME).unwrap(), pair.into.path().to_owned());
        let taking = tokio::spawn(async move {
            let stream = coming.next().await.unwrap();
            Incoming::begin_up_to(3, stream).await?.keep(&into, &provider(), |_, _| {}).await
        });
        let sent = pair.send(&vec![7; usize::try_from(size).unwrap()], name).await;
        match taken(taking).await {
            Ok(kept) => assert_eq!((kept.size, sent.unwrap()), (3, 3)),
            Err(error) => {
                assert!(matches!(error, ReceiveError::TooLarge { size: 4, most: 3 }), "{error}");
                assert!(matches!(sent, Err(SendError::Refused(Refusal::TooLarge))), "{sent:?}");
            }
        }
    }
    assert_eq!(names(pair.into.path()), ["most"]);
}

#[tokio::test]
async fn nothing_is_overwritten_be_it_there_before_or_meanwhile() {
    let pair = Pair::new().await;
    fs::write(pair.at("there"), "before").unwrap();
    let taking = pair.taking();
    let sent = pair.send(&[7; 2_000_000], "there").await;
    assert!(matches!(sent, Err(SendError::Refused(Refusal::Exists))), "{sent:?}");
    assert!(matches!(taken(taking).await, Err(ReceiveError::Exists)));
    assert_eq!(fs::read(pair.at("there")).unwrap(), b"before");

    let taking = pair.taking();
    let mut stream = pair.open().await;
    stream.write_all(&header("meanwhile", 3)).await.unwrap();
    stream.write_all(b"new").await.unwrap();
    let hash = {
        let mut hash = provider().sha256();
        hash.update(b"new");
        hash.finish()
    };
    crate::common::until(async || pair.at("meanwhile.part").exists()).await;
    fs::write(pair.at("meanwhile"), "before").unwrap();
    stream.write_all(&hash).await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(matches!(taken(taking).await, Err(ReceiveError::Exists)));
    assert_eq!(fs::read(pair.at("meanwhile")).unwrap(), b"before");
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_is_refused_and_makes_nothing() {
    let pair = Pair::new().await;
    for name in ["../escaped", "/tmp/escaped", ".hidden", "", "a\nb"] {
        let taking = pair.taking();
        let mut stream = pair.open().await;
        stream.write_all(&header(name, 3)).await.unwrap();
        let error = timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap_err();
        let why = StreamError::of(&error).unwrap();
        assert_eq!(why, StreamError::Reset(Refusal::BadName.code()), "{name:?}");
        let refused = taken(taking).await;
        assert!(matches!(refused, Err(ReceiveError::Header(HeaderError::Name(_)))), "{name:?}");
    }
    assert_eq!(names(pair.into.path()), Vec::<String>::new());
    let sent = pair.send(b"x", "../escaped").await;
    assert!(matches!(sent, Err(SendError::Name(FileNameError::Character))));
}

#[tokio::test]
async fn what_is_not_what_was_sent_or_not_all_of_it_never_gets_the_name() {
    let whole = |content: &[u8], size| [&header("x", size), content, &[9; 32]].concat();
    for (sent, finished) in [
        // Another hash; too little; too much; an end in the middle; a sender that is gone.
        (whole(b"content", 7), true),
        (whole(b"content", 8), true),
        (whole(b"content", 6), true),
        ([&header("x", 9), &b"cont"[..]].concat(), true),
        ([&header("x", 9), &b"cont"[..]].concat(), false),
    ] {
        let pair = Pair::new().await;
        let taking = pair.taking();
        let mut stream = pair.open().await;
        stream.write_all(&sent).await.unwrap();
        stream.flush().await.unwrap();
        crate::common::until(async || pair.at("x.part").exists()).await;
        if finished {
            // Where too much came, the receiver has given up already.
            let _ = stream.shutdown().await;
        } else {
            drop(stream);
        }
        let failed = taken(taking).await.unwrap_err();
        match finished {
            true => assert!(matches!(failed, ReceiveError::Damaged), "{failed}"),
            false => assert!(matches!(failed, ReceiveError::Stream(_)), "{failed}"),
        }
        assert_eq!(names(pair.into.path()), ["x.part"]);
    }
}

#[tokio::test]
async fn what_an_earlier_attempt_left_is_replaced_and_two_at_once_do_not_mix() {
    let pair = Pair::new().await;
    fs::write(pair.at("x.part"), "what was left, which is longer").unwrap();
    let first = pair.taking();
    let mut slow = pair.open().await;
    slow.write_all(&header("x", 9)).await.unwrap();
    crate::common::until(async || fs::read(pair.at("x.part")).unwrap().is_empty()).await;
    let second = pair.taking();
    let sent = pair.send(b"other", "x").await;
    assert!(matches!(sent, Err(SendError::Refused(Refusal::Exists))), "{sent:?}");
    assert!(matches!(taken(second).await, Err(ReceiveError::Coming)));
    drop(slow);
    assert!(taken(first).await.is_err());
    let third = pair.taking();
    pair.send(b"whole", "x").await.unwrap();
    taken(third).await.unwrap();
    assert_eq!(fs::read(pair.at("x")).unwrap(), b"whole");
    assert_eq!(names(pair.into.path()), ["x"]);
}
