//! What goes wrong through nobody's mistake at the keyboard.

use std::net::TcpListener;

use super::home::Home;

#[test]
fn a_truncated_store_is_told_and_nothing_is_written() {
    let home = Home::with(&["alice"]);
    let store = home.path("alice/state.redb");
    let whole = std::fs::read(&store).unwrap();
    std::fs::write(&store, &whole[..whole.len() / 2]).unwrap();
    for command in [&["id"][..], &["up"], &["inbox"]] {
        home.run("alice", command).failed("MESH-0108", 1, &["backup"]);
    }
    assert_eq!(std::fs::read(&store).unwrap(), &whole[..whole.len() / 2]);
}

#[test]
fn a_state_that_another_process_holds_is_waited_for_and_then_told() {
    let home = Home::with(&["alice"]);
    let lock = std::fs::File::open(home.path("alice/state.lock")).unwrap();
    lock.lock().unwrap();
    let waiting = home.command("alice", &["id"]).stdout(std::process::Stdio::piped()).spawn();
    std::thread::sleep(std::time::Duration::from_millis(300));
    lock.unlock().unwrap();
    assert!(waiting.unwrap().wait_with_output().unwrap().status.success());
    lock.lock().unwrap();
    home.run("alice", &["id"]).failed("MESH-0103", 3, &["a retry can help"]);
}

#[test]
fn an_address_that_is_taken_or_is_none_is_told() {
    let home = Home::with(&["alice"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let listen = |address: &str| home.run("alice", &["up", "--listen", address]);
    listen(&taken).failed("MESH-0112", 3, &[&taken, "--listen"]);
    listen("here").failed("MESH-0112", 3, &["not an IP address"]);
    let ran = home.run("alice", &["up", "--advertise", "alice.example:7400"]);
    ran.failed("MESH-0112", 3, &["tcp:host:port"]);
}

#[test]
fn an_address_of_another_agent_shows_no_card_of_this_one() {
    let home = Home::with(&["alice", "bob", "carol"]);
    let bob = home.up("bob");
    let carol = home.json("carol", &["id"])[0]["agent"].as_str().unwrap().to_owned();
    let (_, address) = bob.contact.split_once('@').unwrap();
    let contact = format!("{carol}@{address}");
    home.run("alice", &["peers", "add", &contact]).failed("MESH-0402", 3, &["fresh contact"]);
    assert!(home.json("alice", &["peers"]).is_empty());
}

#[test]
fn a_name_names_one_peer_and_an_old_card_replaces_no_newer_one() {
    let home = Home::with(&["alice", "bob", "carol"]);
    let export = |agent: &str, file: &str| {
        let path = home.path(file).to_str().unwrap().to_owned();
        home.run(agent, &["card", "export", "--out", &path]).ok();
        path
    };
    let (old, carol) = (export("bob", "old"), export("carol", "carol.card"));
    home.run("bob", &["card", "renew"]).ok();
    let new = export("bob", "new");
    home.run("alice", &["peers", "add", &new, "--name", "bob"]).ok();
    home.run("alice", &["peers", "add", &old]).failed("MESH-0206", 1, &["newest card"]);
    home.run("alice", &["peers", "add", &carol, "--name", "bob"]).failed("MESH-0207", 1, &[]);
}

#[test]
fn a_message_that_expires_unreceived_ends_as_expired() {
    let home = Home::with(&["alice", "bob"]);
    let card = home.path("bob.card");
    let card = card.to_str().unwrap();
    home.run("bob", &["card", "export", "--out", card]).ok();
    home.run("alice", &["peers", "add", card, "--name", "bob"]).ok();
    home.run("alice", &["send", "bob", "quick", "--expires", "1s", "--wait", "delivered"]).failed(
        "MESH-0309",
        1,
        &["--expires"],
    );
}

#[test]
fn a_state_that_was_put_back_from_a_copy_is_told() {
    let home = Home::with(&["alice"]);
    let store = home.path("alice/state.redb");
    let copy = std::fs::read(&store).unwrap();
    home.run("alice", &["id"]).ok();
    home.run("alice", &["card", "renew"]).ok();
    let before = home.run("alice", &["id"]);
    assert!(!before.err.contains("put back"), "{before:?}");
    std::fs::write(&store, copy).unwrap();
    let after = home.run("alice", &["id"]);
    after.ok();
    assert!(after.err.contains("put back from a copy"), "{after:?}");
}
