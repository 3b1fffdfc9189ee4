//! Mistakes that a person makes, and what helps.

use super::home::Home;

#[test]
fn a_command_before_init_says_how_to_begin() {
    let home = Home::new();
    for command in [&["send", "bob", "hi"][..], &["inbox"], &["id"], &["up"], &["peers"]] {
        home.run("alice", command).failed("MESH-0101", 1, &["meshctl --state ", "init"]);
    }
    assert!(!home.path("alice").exists(), "nothing was made");
}

#[test]
fn init_twice_changes_nothing() {
    let home = Home::with(&["alice"]);
    let before = std::fs::read(home.path("alice/state.redb")).unwrap();
    home.run("alice", &["init"]).failed("MESH-0102", 1, &["--state"]);
    assert_eq!(std::fs::read(home.path("alice/state.redb")).unwrap(), before);
}

#[test]
fn a_name_that_is_nearly_one_brings_a_suggestion() {
    let home = Home::with(&["alice", "bob"]);
    let card = home.path("bob.card");
    let card = card.to_str().unwrap();
    home.run("bob", &["card", "export", "--out", card]).ok();
    home.run("alice", &["peers", "add", card, "--name", "bob"]).ok();
    home.run("alice", &["send", "bbo", "hi"]).failed("MESH-0201", 1, &["did you mean bob?"]);
    home.run("alice", &["send", "zoe", "hi"]).failed("MESH-0201", 1, &["peers add CONTACT"]);
}

#[test]
fn a_mistyped_contact_is_told_before_anything_is_dialled() {
    let home = Home::with(&["alice"]);
    let id = home.json("alice", &["id"])[0]["agent"].as_str().unwrap().to_owned();
    let last = if id.ends_with('q') { "p" } else { "q" };
    let typo = format!("{}{last}", &id[..id.len() - 1]);
    for contact in [format!("{typo}@127.0.0.1:1"), typo] {
        let ran = home.run("alice", &["send", &contact, "hi"]);
        let code = if contact.contains('@') { "MESH-0203" } else { "MESH-0202" };
        ran.failed(code, 1, &["mistyped", "checksum"]);
    }
    for (contact, words) in [(format!("{id}@host"), "port"), ("mw1q@host:1".into(), "characters")] {
        home.run("alice", &["peers", "add", &contact]).failed("MESH-0203", 1, &[words]);
    }
}

#[test]
fn a_contact_where_nobody_answers_can_be_tried_again() {
    let home = Home::with(&["alice", "bob"]);
    let id = home.json("bob", &["id"])[0]["agent"].as_str().unwrap().to_owned();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let contact = format!("{id}@127.0.0.1:{port}");
    home.run("alice", &["send", &contact, "hi"]).failed("MESH-0401", 3, &["a retry can help"]);
}

#[test]
fn oneself_is_nobody_to_write_to() {
    let home = Home::with(&["alice"]);
    let id = home.json("alice", &["id"])[0]["agent"].as_str().unwrap().to_owned();
    let contact = format!("{id}@127.0.0.1:7400");
    home.run("alice", &["send", &contact, "hi"]).failed("MESH-0210", 1, &[]);
}

#[test]
fn wrong_usage_is_told_as_every_other_mistake() {
    let home = Home::new();
    home.run("alice", &["levitate"]).failed("MESH-0115", 2, &["levitate", "meshctl help"]);
    home.run("alice", &["send", "bob"]).failed("MESH-0115", 2, &["<TEXT>"]);
    home.run("alice", &["send", "bob", "hi", "--expires", "soon"]).failed(
        "MESH-0115",
        2,
        &["90s, 10m, 1h, 7d"],
    );
    let line = &home.json("alice", &["levitate"])[0];
    assert_eq!((&line["is"], &line["code"]), (&"error".into(), &"MESH-0115".into()));
}

#[test]
fn what_cannot_be_sent_is_told_and_not_queued() {
    let home = Home::with(&["alice", "bob"]);
    let card = home.path("bob.card");
    let card = card.to_str().unwrap();
    home.run("bob", &["card", "export", "--out", card]).ok();
    home.run("alice", &["peers", "add", card, "--name", "bob"]).ok();
    let large = home.path("large");
    std::fs::write(&large, vec![b'x'; meshwork::MAX_BODY + 1]).unwrap();
    let send = |more: &[&str]| home.run("alice", &[&["send", "bob"], more].concat());
    send(&["--file", large.to_str().unwrap()]).failed("MESH-0301", 1, &["1 MiB"]);
    send(&["--file", "/no/such"]).failed("MESH-0116", 1, &["/no/such"]);
    send(&["hi", "--expires", "31d"]).failed("MESH-0302", 1, &["30d"]);
    send(&["hi", "--expires", "0s"]).failed("MESH-0302", 1, &[]);
    send(&["hi", "--id", "5f"]).failed("MESH-0306", 1, &["32 hexadecimal"]);
    send(&["hi", "--type", "a\nb"]).failed("MESH-0310", 1, &[]);
    assert_eq!(home.json("alice", &["route", "explain", "bob"])[0]["waiting"], 0);
}

#[test]
fn a_path_too_long_for_a_socket_is_told_before_anything_is_made() {
    let home = Home::new();
    let long = "x".repeat(100);
    home.run(&long, &["init"]).failed("MESH-0111", 1, &["103", "--state"]);
    assert!(!home.path(&long).exists());
}

#[test]
fn what_no_peer_may_be_called_is_refused() {
    let home = Home::with(&["alice", "bob"]);
    let card = home.path("bob.card");
    let card = card.to_str().unwrap();
    home.run("bob", &["card", "export", "--out", card]).ok();
    for name in ["mw1bob", "Bob", "b\u{1b}[2J"] {
        home.run("alice", &["peers", "add", card, "--name", name]).failed("MESH-0208", 1, &[]);
    }
}

#[test]
fn an_empty_inbox_says_what_to_do_next() {
    let home = Home::with(&["alice"]);
    let ran = home.run("alice", &["inbox"]);
    assert!(ran.ok().contains("No agent runs") && ran.out.contains(" up`"), "{ran:?}");
    let _up = home.up("alice");
    let ran = home.run("alice", &["inbox"]);
    assert!(ran.ok().contains("inbox --follow"), "{ran:?}");
}

#[test]
fn a_second_up_is_told_of_the_first() {
    let home = Home::with(&["alice"]);
    let up = home.up("alice");
    home.run("alice", &["up"]).failed("MESH-0104", 1, &["meshctl down"]);
    home.run("alice", &["init"]).failed("MESH-0102", 1, &[]);
    home.run("alice", &["down"]).ok();
    assert_eq!(up.wait(), Some(0));
    home.run("alice", &["down"]).failed("MESH-0117", 1, &["nothing to end"]);
    home.run("alice", &["watch"]).failed("MESH-0117", 1, &[]);
}
