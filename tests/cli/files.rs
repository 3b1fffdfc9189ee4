//! Files between two agents as processes of their own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::home::{Home, Up, until};

/// Alice and Bob are up and know each other; Alice has a file.
fn met() -> (Home, Up, Up) {
    let home = Home::with(&["alice", "bob"]);
    let (alice, bob) = (home.up("alice"), home.up("bob"));
    home.run("alice", &["peers", "add", &bob.contact, "--name", "bob"]).ok();
    home.run("bob", &["peers", "add", &alice.contact, "--name", "alice"]).ok();
    fs::write(home.path("report.bin"), content()).unwrap();
    fs::create_dir(home.path("into")).unwrap();
    (home, alice, bob)
}

fn content() -> Vec<u8> {
    (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn a_file_goes_to_who_receives_and_is_never_written_over() {
    let (home, _alice, _bob) = met();
    let file = home.path("report.bin").display().to_string();
    let refused = home.run("alice", &["stream", &file, "bob"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("MESH-0514") && refused.err.contains("receive --into"));

    let into = home.path("into").display().to_string();
    let mut receive = home.command("bob", &["receive", "--into", &into]);
    let mut receive = receive.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(receive.stdout.take().unwrap()).lines();
    let sent = until("the receiver", || {
        let sent = home.run("alice", &["stream", &file, "bob", "--as", "kept.bin"]);
        (sent.code == Some(0)).then_some(sent)
    });
    assert!(sent.out.starts_with("kept       kept.bin  by bob  12.0 MB in"), "{sent:?}");
    let line = lines.next().unwrap().unwrap();
    assert!(line.starts_with("kept  ") && line.contains("kept.bin  from alice"), "{line}");
    assert!(fs::read(home.path("into").join("kept.bin")).unwrap() == content());

    let again = home.run("alice", &["stream", &file, "bob", "--as", "kept.bin"]);
    assert!(again.code == Some(1) && again.err.contains("MESH-0518"), "{again:?}");
    let line = lines.next().unwrap().unwrap();
    assert!(line.starts_with("failed  ") && line.contains("there already"), "{line}");
    // The end of the process takes it away, and then nobody takes files. (Who runs tests in the
    // background may have them ignore Ctrl-C.)
    let id = receive.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    receive.wait().unwrap();
    until("the end of receiving", || {
        let refused = home.run("alice", &["stream", &file, "bob"]);
        refused.err.contains("MESH-0514").then_some(())
    });
}

#[test]
fn a_program_sees_how_far_a_file_got_and_which_mistakes_help_themselves() {
    let (home, _alice, mut bob) = met();
    bob.kill();
    let into = home.path("into").display().to_string();
    let _bob = home.up_with("bob", &["--accept-files", &into]);
    let file = home.path("report.bin").display().to_string();
    let lines = home.json("alice", &["stream", &file, "bob", "--via", "tcp"]);
    let last = lines.last().unwrap();
    assert_eq!((&last["is"], &last["state"]), (&"transfer".into(), &"kept".into()), "{lines:?}");
    assert_eq!((&last["bytes"], &last["size"]), (&12_000_000.into(), &12_000_000.into()));
    assert_eq!((&last["file"], &last["direction"]), (&"report.bin".into(), &"out".into()));
    assert!(fs::read(home.path("into").join("report.bin")).unwrap() == content());

    for (arguments, code, exit) in [
        (&["stream", &file, "bob", "--via", "udp"][..], "MESH-0511", 1),
        (&["stream", &file, "carol"], "MESH-0201", 1),
        (&["stream", &file, "bob", "--as", "../up"], "MESH-0517", 1),
        (&["stream", &file, "bob", "--name", "Not A Name"], "MESH-0115", 2),
        (&["stream", "/nothing/there", "bob"], "MESH-0116", 1),
        (&["receive", "--into", "/nothing/there"], "MESH-0110", 3),
    ] {
        let ran = home.run("alice", arguments);
        assert!(ran.err.contains(code), "{arguments:?}: {ran:?}");
        assert_eq!(ran.code, Some(exit), "{ran:?}");
    }
    let taken = home.run("bob", &["receive", "--into", &into]);
    assert!(taken.err.contains("MESH-0516"), "{taken:?}");
}
