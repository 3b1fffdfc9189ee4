//! Two agents as processes of their own.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::home::{Home, Up, until};

/// Alice and Bob are up, and Alice knows Bob.
fn met() -> (Home, Up, Up) {
    let home = Home::with(&["alice", "bob"]);
    let (alice, bob) = (home.up("alice"), home.up("bob"));
    home.run("alice", &["peers", "add", &bob.contact, "--name", "bob"]).ok();
    home.run("bob", &["peers", "add", &alice.contact, "--name", "alice"]).ok();
    (home, alice, bob)
}

#[test]
fn a_message_goes_from_send_to_inbox_and_its_receipts_come_back() {
    let (home, _alice, _bob) = met();
    let sent = home.run("alice", &["send", "bob", "hello", "--wait", "delivered"]);
    assert!(sent.ok().starts_with("delivered"), "{sent:?}");
    let id = sent.out.split_whitespace().nth(1).unwrap().to_owned();
    let kept = home.run("bob", &["inbox", "--keep"]);
    for words in ["from alice", "live, hybrid encryption, hybrid authentication", "\n  hello\n"] {
        assert!(kept.ok().contains(words), "{words}: {kept:?}");
    }
    assert_eq!(home.json("alice", &["status", &id])[0]["level"], "delivered");
    let read = home.json("bob", &["inbox"]);
    assert_eq!(read[0]["body"]["text"], "hello");
    assert_eq!(read[0]["message"], id.as_str());
    assert_eq!(home.json("bob", &["inbox"]), Vec::<Value>::new());
    until("the receipt", || {
        (home.json("alice", &["status", &id])[0]["level"] == "processed").then_some(())
    });
    let route = home.run("alice", &["route", "explain", "bob"]);
    assert!(route.ok().contains("because   a live session with the peer stands"), "{route:?}");
}

#[test]
fn a_message_to_a_contact_fetches_the_card_and_waits_for_a_stranger_to_be_accepted() {
    let home = Home::with(&["alice", "bob"]);
    let (alice, bob) = (home.up("alice"), home.up("bob"));
    home.run("alice", &["send", &bob.contact, "may I?"]).ok();
    let stranger = until("the stranger", || {
        home.json("bob", &["peers"]).into_iter().find(|peer| peer["standing"] == "stranger")
    });
    assert_eq!(stranger["held"], 1);
    let id = stranger["agent"].as_str().unwrap();
    assert!(alice.contact.starts_with(id));
    let held = home.run("bob", &["inbox"]);
    assert!(held.ok().starts_with("A stranger wrote (1 held)"), "{held:?}");
    assert!(held.out.contains(&format!("peers accept {id}")), "{held:?}");
    home.run("bob", &["peers", "accept", id]).ok();
    let read = home.json("bob", &["inbox"]);
    assert_eq!(read[0]["body"]["text"], "may I?");
}

#[test]
fn without_an_agent_that_is_up_send_delivers_and_says_so() {
    let (home, mut alice, _bob) = met();
    alice.kill();
    let sent = home.run("alice", &["send", "bob", "hello"]);
    assert!(sent.ok().starts_with("delivered"), "{sent:?}");
    assert_eq!(home.json("bob", &["inbox"])[0]["body"]["text"], "hello");
}

#[test]
fn what_was_queued_while_the_peer_was_away_arrives_when_it_is_back() {
    let (home, _alice, mut bob) = met();
    bob.kill();
    let id = "ab".repeat(16);
    home.run("alice", &["send", "bob", "later", "--id", &id]).ok();
    // Asked for again under its id, it is still one message.
    home.run("alice", &["send", "bob", "later", "--id", &id]).ok();
    let _bob = home.up("bob");
    until("the receipt", || {
        (home.json("alice", &["status", &id])[0]["level"] == "delivered").then_some(())
    });
    let read = home.json("bob", &["inbox"]);
    assert_eq!(read.len(), 1);
    assert_eq!(read[0]["body"]["text"], "later");
}

#[test]
fn what_a_peer_writes_is_never_obeyed_by_the_terminal() {
    let (home, _alice, _bob) = met();
    let body = "\u{1b}[2J\u{1b}]0;owned\u{7}line one\r\nline two\u{202e}, and more of it";
    home.run("alice", &["send", "bob", body, "--wait", "delivered"]).ok();
    let shown = home.run("bob", &["inbox", "--keep"]);
    let obeyed = |character: char| character.is_control() && character != '\n';
    assert!(!shown.ok().contains(obeyed) && !shown.out.contains('\u{202e}'), "{shown:?}");
    assert!(shown.out.contains(r"\u{1b}[2J") && shown.out.contains("\n  line two"), "{shown:?}");
    assert_eq!(home.json("bob", &["inbox"])[0]["body"]["text"], body);
}

#[test]
fn bytes_that_are_no_text_arrive_as_they_were() {
    let (home, _alice, _bob) = met();
    let path = home.path("bytes");
    std::fs::write(&path, [0, 159, 146, 150, 0xff]).unwrap();
    let file = path.to_str().unwrap();
    let send = ["send", "bob", "--file", file, "--type", "image/x", "--wait", "delivered"];
    home.run("alice", &send).ok();
    let shown = home.run("bob", &["inbox", "--keep"]);
    assert!(shown.ok().contains("[image/x]") && shown.out.contains("5 bytes"), "{shown:?}");
    let read = home.json("bob", &["inbox"]);
    assert_eq!(read[0]["body"]["base64"], "AJ+Slv8=");
    assert_eq!(read[0]["content_type"], "image/x");
}

#[test]
fn ordered_messages_are_read_in_the_order_in_which_they_were_sent() {
    let (home, _alice, _bob) = met();
    for number in 0..5 {
        home.run("alice", &["send", "bob", &number.to_string(), "--ordered"]).ok();
    }
    let read = until("all", || {
        let read = home.json("bob", &["inbox", "--keep"]);
        (read.len() == 5).then_some(read)
    });
    for (number, delivery) in read.iter().enumerate() {
        assert_eq!(delivery["body"]["text"], number.to_string());
    }
}

#[test]
fn an_inbox_that_follows_shows_what_arrives_and_marks_it() {
    let (home, _alice, _bob) = met();
    let mut follow = home
        .command("bob", &["inbox", "--follow", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    for text in ["one", "two"] {
        home.run("alice", &["send", "bob", text, "--wait", "processed"]).ok();
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["body"]["text"], text);
    }
    follow.kill().unwrap();
    follow.wait().unwrap();
    assert_eq!(home.json("bob", &["inbox"]), Vec::<Value>::new());
}

#[test]
fn the_example_in_python_sends_through_the_socket() {
    let (home, _alice, _bob) = met();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/control.py");
    let run = |peer: &str| {
        let mut python = Command::new("python3");
        python.arg(script).arg(home.path("alice")).args([peer, "from Python"]).output()
    };
    let Ok(output) = run("bob") else { return };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("\ndelivered"), "{output:?}");
    assert_eq!(home.json("bob", &["inbox"])[0]["body"]["text"], "from Python");
    let nobody = run("nobody").unwrap();
    assert!(String::from_utf8_lossy(&nobody.stderr).starts_with("MESH-0201"), "{nobody:?}");
}
