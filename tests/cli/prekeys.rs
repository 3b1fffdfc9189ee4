//! The keys for mail while away, by command.

use std::time::Duration;

use super::home::{Home, until};

fn file(home: &Home, name: &str) -> String {
    home.path(name).display().to_string()
}

/// Alice and Bob, who hold each other's cards and have never met.
fn with_cards() -> Home {
    let home = Home::with(&["alice", "bob"]);
    for (one, other) in [("alice", "bob"), ("bob", "alice")] {
        let card = file(&home, &format!("{one}.card"));
        home.run(one, &["card", "export", "--out", &card]).ok();
        home.run(other, &["card", "import", &card, "--name", one]).ok();
    }
    home
}

#[test]
fn a_bundle_goes_by_file_to_who_holds_the_card_and_is_checked_on_the_way() {
    let home = with_cards();
    let (bundle, card) = (file(&home, "bob.bundle"), file(&home, "bob.card"));
    let written = home.run("bob", &["prekeys", "export", "--out", &bundle]);
    assert!(written.ok().starts_with("Written to"), "{written:?}");
    let text = std::fs::read_to_string(&bundle).unwrap();
    assert!(text.starts_with("-----BEGIN MESHWORK BUNDLE-----\n"), "{text}");

    let verified = home.run("alice", &["prekeys", "verify", &bundle, "--card", &card]);
    assert!(verified.ok().contains("signature  holds, both halves of it"), "{verified:?}");
    let other = file(&home, "alice.card");
    let refused = home.run("alice", &["prekeys", "verify", &bundle, "--card", &other]);
    assert!(refused.err.contains("MESH-0212"), "{refused:?}");

    assert!(home.run("alice", &["prekeys", "status"]).ok().contains("none can be written to"));
    home.run("alice", &["prekeys", "import", &bundle]).ok();
    let status = &home.json("alice", &["prekeys", "status"])[0];
    assert_eq!(status["peers"][0]["name"], "bob");
    assert_eq!(status["peers"][0]["one_time"], false);

    // One changed character in the middle of it.
    let place = text.len() / 2;
    let changed = if &text[place..=place] == "A" { "B" } else { "A" };
    let forged = format!("{}{changed}{}", &text[..place], &text[place + 1..]);
    std::fs::write(&bundle, forged).unwrap();
    let refused = home.run("alice", &["prekeys", "import", &bundle]);
    assert!(refused.err.contains("MESH-0212"), "{refused:?}");
    assert_eq!(home.json("alice", &["prekeys", "status"])[0], *status);
}

#[test]
fn rotated_prekeys_make_the_bundle_before_an_older_one() {
    let home = with_cards();
    let (old, new) = (file(&home, "old.bundle"), file(&home, "new.bundle"));
    home.run("bob", &["prekeys", "export", "--out", &old]).ok();
    let before = &home.json("bob", &["prekeys", "status"])[0];
    let after = &home.json("bob", &["prekeys", "rotate"])[0];
    assert_eq!(after["generations"], before["generations"].as_u64().unwrap() + 1);
    assert!(after["bundle"].as_u64() > before["bundle"].as_u64());
    home.run("bob", &["prekeys", "export", "--out", &new]).ok();
    home.run("alice", &["prekeys", "import", &new]).ok();
    let refused = home.run("alice", &["prekeys", "import", &old]);
    assert!(refused.err.contains("MESH-0214"), "{refused:?}");
    let status = &home.json("alice", &["prekeys", "status"])[0];
    assert_eq!(status["peers"][0]["bundle"], after["bundle"]);
}

#[test]
fn agents_that_meet_have_each_others_bundles_and_a_one_time_key() {
    let home = Home::with(&["alice", "bob"]);
    let (_alice, bob) = (home.up("alice"), home.up("bob"));
    home.run("alice", &["send", &bob.contact, "hello"]).ok();
    let id = bob.contact.split('@').next().unwrap();
    let stranger = until("the stranger", || {
        home.json("bob", &["peers"]).into_iter().find(|peer| peer["standing"] == "stranger")
    });
    // A moment later, as an owner decides.
    std::thread::sleep(Duration::from_millis(600));
    home.run("bob", &["peers", "accept", stranger["agent"].as_str().unwrap()]).ok();
    until("the bundle", || {
        let status = &home.json("alice", &["prekeys", "status"])[0];
        let peer = status["peers"].as_array()?.iter().find(|peer| peer["agent"] == id)?;
        (peer["one_time"] == true).then_some(())
    });
    // Published anew it reaches who is here without another meeting.
    let published = &home.json("bob", &["prekeys", "publish"])[0]["bundle"];
    until("the bundle that was published", || {
        let status = &home.json("alice", &["prekeys", "status"])[0];
        let peer = status["peers"].as_array()?.iter().find(|peer| peer["agent"] == id)?;
        (peer["bundle"] == *published).then_some(())
    });
}

#[test]
fn an_agent_that_names_a_relay_shows_its_keys_there_and_its_inbox_fetches_what_was_left() {
    let home = Home::with(&["relay"]);
    let relay = home.up_with("relay", &["--relay"]);
    for name in ["alice", "bob"] {
        home.run(name, &["init", "--name", name, "--relay", &relay.contact]).ok();
    }
    for (one, other) in [("alice", "bob"), ("bob", "alice")] {
        let card = file(&home, &format!("{one}.card"));
        home.run(one, &["card", "export", "--out", &card]).ok();
        home.run(other, &["card", "import", &card, "--name", one]).ok();
    }
    let mut bob = home.up("bob");
    let at_relay = until("the keys at the relay", || {
        let relays = home.json("bob", &["prekeys", "status"])[0]["relays"].clone();
        relays[0]["one_time"].as_u64().is_some_and(|count| count > 0).then_some(relays)
    });
    assert_eq!(at_relay.as_array().unwrap().len(), 1);
    assert_eq!(at_relay[0]["answers"], true);
    assert_eq!(relay.contact.split('@').next(), at_relay[0]["agent"].as_str());
    let shown = home.run("bob", &["prekeys", "status"]);
    assert!(shown.ok().contains("At the relays that keep its mail:"), "{shown:?}");
    bob.kill();

    // Neither runs from here on: each command is there for as long as it takes.
    let sent = home.json("alice", &["send", "bob", "left for you"]);
    let id = sent[0]["message"].as_str().unwrap().to_owned();
    let status = home.json("alice", &["status", &id]);
    assert_eq!(status[0]["level"], "relayed", "{status:?}");
    let inbox = home.run("bob", &["inbox"]);
    assert!(inbox.ok().contains("left for you"), "{inbox:?}");
    assert!(home.run("bob", &["inbox"]).ok().contains("Nothing is here."));
}
