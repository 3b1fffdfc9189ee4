//! An agent whose root is kept apart.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use super::home::Home;

#[test]
fn the_root_is_in_its_file_and_nowhere_else() {
    let home = Home::new();
    let root = home.path("alice.root");
    let file = root.to_str().unwrap();
    let ran = home.run("alice", &["init", "--root-file", file, "--listen", "127.0.0.1:0"]);
    assert!(ran.ok().contains("keep it off line"), "{ran:?}");
    assert_eq!(std::fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&root).unwrap();
    let secret = text.lines().nth(1).unwrap();
    assert!(text.starts_with("-----BEGIN MESHWORK ROOT KEY-----"));
    assert!(!ran.out.contains(secret) && !ran.err.contains(secret));
    // Without it there is no new card, and with it there is.
    let number = || home.json("alice", &["card", "show"])[0]["sequence"].as_u64().unwrap();
    let before = number();
    home.run("alice", &["card", "renew"]).failed("MESH-0113", 1, &["--root-file"]);
    assert_eq!(number(), before);
    home.run("alice", &["card", "renew", "--root-file", file]).ok();
    assert!(number() > before);
}

#[test]
fn an_agent_that_listens_where_its_card_does_not_say_is_told() {
    let home = Home::new();
    let root = home.path("alice.root");
    home.run("alice", &["init", "--root-file", root.to_str().unwrap()]).ok();
    let mut up = home.command("alice", &["up"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(up.stderr.take().unwrap()).read_line(&mut line).unwrap();
    up.kill().unwrap();
    up.wait().unwrap();
    assert!(line.contains("the card does not name 127.0.0.1:"), "{line}");
}

#[test]
fn a_root_apart_that_is_lost_with_the_state_makes_the_same_agent_again() {
    let home = Home::new();
    let root = home.path("alice.root");
    let file = root.to_str().unwrap();
    let init = |agent: &str| {
        home.json(agent, &["init", "--root-file", file])[0]["agent"].as_str().unwrap().to_owned()
    };
    assert_eq!(init("alice"), init("alice-again"));
}

#[test]
fn another_agents_root_signs_nothing() {
    let home = Home::new();
    let (alices, bobs) = (home.path("alice.root"), home.path("bob.root"));
    home.run("alice", &["init", "--root-file", alices.to_str().unwrap()]).ok();
    home.run("bob", &["init", "--root-file", bobs.to_str().unwrap()]).ok();
    home.run("alice", &["card", "renew", "--root-file", bobs.to_str().unwrap()]).failed(
        "MESH-0114",
        1,
        &["not that of"],
    );
    std::fs::write(&bobs, "hello").unwrap();
    home.run("alice", &["card", "renew", "--root-file", bobs.to_str().unwrap()]).failed(
        "MESH-0114",
        1,
        &[],
    );
}

#[test]
fn an_agent_that_is_up_renews_its_card_by_itself() {
    let home = Home::with(&["alice"]);
    let _up = home.up("alice");
    home.run("alice", &["card", "renew"]).failed("MESH-0104", 1, &["meshctl down"]);
}
