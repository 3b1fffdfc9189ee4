//! Each command on a state that nobody else has open.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::home::Home;

#[test]
fn init_without_a_terminal_makes_a_key_file_for_the_owner_alone_and_says_so() {
    let home = Home::new();
    let ran = home.run("alice", &["init", "--name", "alice"]);
    assert!(ran.ok().contains("made here, mode 0600"), "{ran:?}");
    for (file, mode) in [("alice", 0o700), ("alice/key", 0o600), ("alice/state.redb", 0o600)] {
        let permissions = std::fs::metadata(home.path(file)).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{file}");
    }
    let key = std::fs::read_to_string(home.path("alice/key")).unwrap();
    let secret = key.split(' ').nth(1).unwrap();
    assert!(!ran.out.contains(secret) && !ran.err.contains(secret));
}

#[test]
fn a_state_with_a_passphrase_opens_with_it_and_with_nothing_else() {
    let home = Home::new();
    let (right, wrong) = (home.path("right"), home.path("wrong"));
    std::fs::write(&right, "correct horse\n").unwrap();
    std::fs::write(&wrong, "battery staple\n").unwrap();
    let with = |file: &std::path::Path, command: &str| {
        home.run("alice", &[command, "--passphrase-file", file.to_str().unwrap()])
    };
    with(&right, "init").ok();
    with(&right, "id").ok();
    with(&wrong, "id").failed("MESH-0105", 1, &["not this state's"]);
    home.run("alice", &["id"]).failed("MESH-0106", 1, &["passphrase", "--passphrase-file"]);
    let key = home.path("key");
    let ran = home.run("alice", &["id", "--key-file", key.to_str().unwrap()]);
    ran.failed("MESH-0106", 1, &["leave --key-file out"]);
    let all = [with(&right, "id"), with(&wrong, "id")];
    assert!(all.iter().all(|ran| !format!("{ran:?}").contains("horse")));
}

#[test]
fn a_key_file_elsewhere_is_found_again_and_another_one_is_refused() {
    let home = Home::with(&["bob"]);
    let key = home.path("alice.key");
    home.run("alice", &["init", "--key-file", key.to_str().unwrap()]).ok();
    assert!(!home.path("alice/key").exists());
    home.run("alice", &["id"]).ok();
    let other = home.path("bob/key");
    home.run("alice", &["id", "--key-file", other.to_str().unwrap()]).failed("MESH-0105", 1, &[]);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    home.run("alice", &["id"]).failed("MESH-0107", 1, &["chmod 600"]);
}

#[test]
fn every_command_prints_json_lines_where_it_is_asked_to() {
    let home = Home::with(&["alice", "bob"]);
    let card = home.path("bob.card");
    home.run("bob", &["card", "export", "--out", card.to_str().unwrap()]).ok();
    let card = card.to_str().unwrap();
    let is = |arguments: &[&str]| -> Vec<Value> {
        home.json("alice", arguments).into_iter().map(|mut line| line["is"].take()).collect()
    };
    assert_eq!(is(&["id"]), ["identity"]);
    assert_eq!(is(&["card", "show"]), ["card"]);
    assert_eq!(is(&["card", "verify", card]), ["card"]);
    assert_eq!(is(&["card", "import", card, "--name", "bob"]), ["peer"]);
    assert_eq!(is(&["peers"]), ["peer"]);
    assert_eq!(is(&["route", "explain", "bob"]), ["route"]);
    assert_eq!(is(&["inbox"]), Vec::<Value>::new());
    assert_eq!(is(&["peers", "remove", "bob"]), Vec::<Value>::new());
    assert_eq!(is(&["send", "bob", "hi"]), ["error"]);
    assert_eq!(is(&["levitate"]), ["error"]);
    assert_eq!(is(&["down"]), ["error"]);
}

#[test]
fn a_card_verifies_where_it_is_whole_and_not_where_a_character_changed() {
    let home = Home::with(&["alice"]);
    let path = home.path("alice.card");
    let file = path.to_str().unwrap();
    home.run("alice", &["card", "export", "--out", file]).ok();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(home.run("alice", &["card", "export"]).ok(), text);
    home.run("nobody", &["card", "verify", file]).ok();
    let middle = text.len() / 2;
    let changed = if text.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let changed = [&text[..middle], changed, &text[middle + 1..]].concat();
    std::fs::write(&path, changed).unwrap();
    home.run("nobody", &["card", "verify", file]).failed("MESH-0204", 1, &[]);
    std::fs::write(&path, "hello").unwrap();
    home.run("nobody", &["card", "verify", file]).failed("MESH-0204", 1, &["card export"]);
    home.run("nobody", &["card", "verify", "/no/such"]).failed("MESH-0116", 1, &["/no/such"]);
}

#[test]
fn peers_are_added_named_blocked_accepted_and_removed() {
    let home = Home::with(&["alice", "bob"]);
    let path = home.path("bob.card");
    let card = path.to_str().unwrap();
    home.run("bob", &["card", "export", "--out", card]).ok();
    let standing = |arguments: &[&str]| home.json("alice", arguments)[0]["standing"].take();
    assert_eq!(standing(&["peers", "add", card, "--name", "bob"]), "known");
    assert_eq!(standing(&["peers", "block", "bob"]), "blocked");
    assert_eq!(home.json("alice", &["send", "bob", "hi"])[0]["code"], "MESH-0209");
    assert_eq!(standing(&["peers", "accept", "bob"]), "known");
    assert_eq!(home.json("alice", &["peers", "name", "bob", "rob"])[0]["name"], "rob");
    assert_eq!(home.json("alice", &["peers"])[0]["name"], "rob");
    home.run("alice", &["peers", "remove", "rob"]).ok();
    let none = home.run("alice", &["peers"]);
    assert!(none.ok().contains("peers add CONTACT"), "{none:?}");
}

#[test]
fn a_message_for_a_peer_that_is_away_is_kept_and_its_sender_is_told_so() {
    let home = Home::with(&["alice", "bob"]);
    let path = home.path("bob.card");
    home.run("bob", &["card", "export", "--out", path.to_str().unwrap()]).ok();
    home.run("alice", &["peers", "add", path.to_str().unwrap(), "--name", "bob"]).ok();
    let id = "5f".repeat(16);
    let ran = home.run("alice", &["send", "bob", "hi", "--id", &id]);
    assert!(ran.ok().contains("queued") && ran.out.contains("Kept here"), "{ran:?}");
    let waited = home.run(
        "alice",
        &["send", "bob", "hi", "--id", &id, "--wait", "delivered", "--timeout", "1s"],
    );
    waited.failed("MESH-0307", 4, &["queued so far"]);
    let status = home.json("alice", &["status", &id]);
    assert_eq!(status[0]["level"], json!("queued"));
    assert_eq!(status[0]["to"]["name"], "bob");
    let other = home.run("alice", &["send", "bob", "other", "--id", &id]);
    other.failed("MESH-0303", 1, &[]);
}

#[test]
fn help_teaches_with_an_example_in_each_command() {
    let home = Home::new();
    let commands: &[&[&str]] = &[
        &["init"],
        &["id"],
        &["card"],
        &["card", "export"],
        &["card", "import"],
        &["card", "verify"],
        &["card", "renew"],
        &["peers"],
        &["peers", "add"],
        &["peers", "accept"],
        &["peers", "block"],
        &["peers", "name"],
        &["peers", "remove"],
        &["up"],
        &["down"],
        &["send"],
        &["inbox"],
        &["status"],
        &["route"],
        &["route", "explain"],
        &["watch"],
        &["demo"],
        &["relay"],
        &["call"],
        &["stream"],
        &["receive"],
        &["prekeys"],
        &["prekeys", "status"],
        &["prekeys", "publish"],
        &["prekeys", "rotate"],
        &["prekeys", "export"],
        &["prekeys", "import"],
        &["prekeys", "verify"],
        &["group"],
        &["group", "list"],
        &["group", "create"],
        &["group", "invite"],
        &["group", "join"],
        &["group", "decline"],
        &["group", "members"],
        &["group", "remove"],
        &["group", "appoint"],
        &["group", "dismiss"],
        &["group", "leave"],
        &["group", "send"],
        &["group", "log"],
        &["group", "rotate"],
        &["group", "move"],
        &["group", "heal"],
        &["group", "forget"],
    ];
    for command in commands {
        let ran = home.run("nobody", &[command, &["--help"][..]].concat());
        assert!(ran.ok().contains("\n  $ meshctl "), "{command:?}: {}", ran.out);
        assert!(
            ran.out.lines().all(|line| line.chars().count() <= 100),
            "{command:?}: {}",
            ran.out
        );
        assert_eq!(broken_line(&ran.out), None, "{command:?}: {}", ran.out);
    }
    assert!(home.run("nobody", &["--help"]).ok().contains("First steps"));
}

/// A line of prose that ends though the next word would still fit: it is broken where the page is narrower.
fn broken_line(page: &str) -> Option<&str> {
    let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ') && !line.contains("  ");
    let lines: Vec<_> = page.lines().collect();
    let mut pairs = lines.windows(2).filter(|pair| pair.iter().all(|line| is_prose(line)));
    let ends_early = |pair: &&[&str]| {
        let next = pair[1].split(' ').next().unwrap_or_default();
        pair[0].chars().count() + 1 + next.chars().count() <= 100
    };
    pairs.find(ends_early).map(|pair| pair[0])
}

#[test]
fn output_that_nobody_reads_ends_quietly() {
    let home = Home::with(&["alice"]);
    let mut child = home
        .command("alice", &["card", "export"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
