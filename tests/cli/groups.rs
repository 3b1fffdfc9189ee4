//! Groups by commands, over a relay in a process of its own.

use serde_json::Value;

use super::home::{Home, Up, until};

/// A relay, and agents that are up, keep their keys there and know each other.
pub(crate) struct Crew {
    pub(crate) home: Home,
    pub(crate) relay: Up,
    pub(crate) ups: Vec<Up>,
}

impl Crew {
    pub(crate) fn new(agents: &[&str]) -> Self {
        let home = Home::with(&["relay"]);
        let relay = home.up_with("relay", &["--relay"]);
        for agent in agents {
            home.run(agent, &["init", "--name", agent, "--relay", &relay.contact]).ok();
        }
        let ups: Vec<Up> = agents.iter().map(|agent| home.up(agent)).collect();
        for one in agents {
            for (other, up) in agents.iter().zip(&ups).filter(|(other, _)| *other != one) {
                home.run(one, &["peers", "add", &up.contact, "--name", other]).ok();
            }
        }
        Self { home, relay, ups }
    }

    /// Brings peers in, however long their keys take to reach the relay; they join.
    pub(crate) fn bring_in(&self, admin: &str, group: &str, peers: &[&str]) {
        self.home.run(admin, &[&["group", "add", group], peers].concat()).ok();
        for peer in peers {
            self.join(peer, group);
        }
    }

    pub(crate) fn join(&self, peer: &str, group: &str) {
        until("to be in", || {
            let joined = self.home.run(peer, &["group", "join", group]);
            (joined.code == Some(0)).then_some(())
        });
    }

    fn group(&self, agent: &str) -> Value {
        self.home.json(agent, &["group", "members", "crew"]).remove(0)
    }
}

/// Names of the members that somebody sees, with those that are admins.
fn members(group: &Value) -> Vec<(String, bool)> {
    let members = group["members"].as_array().unwrap().iter();
    let mut named: Vec<_> = members
        .map(|member| {
            let name = if member["own"] == true { "me" } else { member["name"].as_str().unwrap() };
            (name.to_owned(), member["admin"] == true)
        })
        .collect();
    named.sort();
    named
}

#[test]
fn a_group_is_created_added_to_sent_to_and_read() {
    let crew = Crew::new(&["alice", "bob", "carol"]);
    let home = &crew.home;
    let created = home.run("alice", &["group", "create", "crew"]);
    assert!(created.ok().contains("(this agent)  admin"), "{created:?}");
    crew.bring_in("alice", "crew", &["bob", "carol"]);
    let sent = home.run("alice", &["group", "send", "crew", "hello, crew"]);
    assert!(sent.ok().starts_with("relayed  "), "{sent:?}");
    for reader in ["bob", "carol"] {
        let shown = until("the message", || {
            let shown = home.run(reader, &["inbox", "--keep"]);
            shown.out.contains("hello, crew").then_some(shown)
        });
        assert!(shown.out.contains("from alice  "), "{shown:?}");
        assert!(shown.out.contains("  fleet, hybrid encryption"), "{shown:?}");
        assert!(shown.out.contains("\n  to group "), "{shown:?}");
        let read = home.json(reader, &["inbox"]);
        assert_eq!(read.len(), 1, "{read:?}");
        assert_eq!(read[0]["group"], crew.group("alice")["group"]);
    }
    until("all", || (members(&crew.group("bob")).len() == 3).then_some(()));
    assert_eq!(
        members(&crew.group("bob")),
        [("alice".into(), true), ("carol".into(), false), ("me".into(), false)]
    );
    let explained = home.run("bob", &["route", "explain", "crew"]);
    assert!(explained.ok().contains("because   the destination is a group"), "{explained:?}");

    // Who is taken out sees it go, and what is sent then is not for it.
    home.run("alice", &["group", "remove", "crew", "carol"]).ok();
    until("the end", || {
        home.run("carol", &["group"]).ok().starts_with("This agent is in no group").then_some(())
    });
    home.run("bob", &["group", "send", "crew", "without carol"]).ok();
    until("the message", || {
        let read = home.json("alice", &["inbox"]);
        (read.first()?["body"]["text"] == "without carol").then_some(())
    });
    let nothing = home.run("carol", &["inbox"]);
    assert!(nothing.ok().starts_with("Nothing is here."), "{nothing:?}");
    home.run("carol", &["group", "send", "crew", "am I heard?"]).failed(
        "MESH-0701",
        1,
        &["this agent is in no group crew", "invited anew by an admin"],
    );
}

#[test]
fn keys_are_drawn_anew_admins_change_members_leave_and_the_log_tells() {
    let crew = Crew::new(&["alice", "bob"]);
    let home = &crew.home;
    home.run("alice", &["group", "create", "crew"]).ok();
    crew.bring_in("alice", "crew", &["bob"]);
    let before = crew.group("bob")["epoch"].as_u64().unwrap();
    home.run("bob", &["group", "rotate", "crew"]).ok();
    assert_eq!(crew.group("bob")["epoch"].as_u64().unwrap(), before + 1);

    // The last admin appoints another one before it goes.
    home.run("alice", &["group", "leave", "crew"]).failed("MESH-0708", 1, &["group appoint"]);
    home.run("alice", &["group", "appoint", "crew", "bob"]).ok();
    home.run("alice", &["group", "leave", "crew"]).ok();
    assert!(home.json("alice", &["group"]).is_empty());
    until("bob alone", || (members(&crew.group("bob")).len() == 1).then_some(()));

    let log = home.json("bob", &["group", "log", "crew"]);
    let kinds: Vec<_> = log.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.first(), Some(&"founding"), "{log:#?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "commit").count(), 4, "{log:#?}");
    assert!(kinds.contains(&"message") && kinds.contains(&"confirmed"), "{log:#?}");
    let places: Vec<_> = log.iter().map(|entry| entry["index"].as_u64().unwrap()).collect();
    assert_eq!(places, (1..=log.len() as u64).collect::<Vec<_>>());
    let last = home.json("bob", &["group", "log", "crew", "--after", &(log.len() - 1).to_string()]);
    assert_eq!(last, log[log.len() - 1..]);
    let shown = home.run("bob", &["group", "log", "crew"]);
    assert!(shown.ok().contains("commit, which ended epoch "), "{shown:?}");
}

#[test]
fn who_lost_its_state_is_brought_in_anew() {
    let mut crew = Crew::new(&["alice", "bob"]);
    crew.home.run("alice", &["group", "create", "crew"]).ok();
    crew.bring_in("alice", "crew", &["bob"]);
    crew.home.run("bob", &["group", "forget", "crew"]).ok();
    assert!(crew.home.json("bob", &["group"]).is_empty());
    // Whether it is up or not: the invitation is mail.
    crew.ups[1].kill();
    crew.home.run("alice", &["group", "heal", "crew", "bob"]).ok();
    crew.ups[1] = crew.home.up("bob");
    crew.join("bob", "crew");
    crew.home.run("alice", &["group", "send", "crew", "welcome back"]).ok();
    until("the message", || {
        let read = crew.home.json("bob", &["inbox"]);
        (read.first()?["body"]["text"] == "welcome back").then_some(())
    });
}

#[test]
fn what_a_person_gets_wrong_is_told_with_what_to_do() {
    let crew = Crew::new(&["alice", "bob"]);
    let home = &crew.home;
    home.run("alice", &["group", "create", "crew"]).ok();
    let of = |arguments: &[&str]| home.run("alice", &[&["group"], arguments].concat());
    let send = of(&["send", "crw", "hello"]);
    send.failed("MESH-0701", 1, &["did you mean crew?"]);
    // Nobody whose card is not known can be added.
    of(&["add", "crew", "dora"]).failed("MESH-0201", 1, &["no peer dora", "peers add CONTACT"]);
    of(&["remove", "crew", "bob"]).failed("MESH-0710", 1, &["group members"]);
    of(&["join", "crew"]).failed("MESH-0709", 1, &["already"]);
    of(&["join", "other"]).failed("MESH-0706", 1, &["meshctl group"]);
    of(&["create", "a\u{7}b"]).failed("MESH-0703", 1, &["64 bytes"]);
    of(&["create", "far", "--relay", "nowhere"]).failed("MESH-0203", 1, &["mw1..@host:port"]);
    of(&["create", "crew"]).ok();
    of(&["members", "crew"]).failed("MESH-0702", 1, &["by its id"]);
    // One whose card names no relay has no keys anywhere by which it could be added.
    home.run("erin", &["init", "--name", "erin"]).ok();
    let erin = home.up("erin");
    home.run("bob", &["peers", "add", &erin.contact, "--name", "erin"]).ok();
    home.run("bob", &["group", "create", "others"]).ok();
    let late = home.run("bob", &["group", "add", "others", "erin", "--timeout", "1s"]);
    late.failed("MESH-0714", 4, &["no relay has keys of erin yet", "it is kept and made while"]);
    home.run("erin", &["group", "create", "none"]).failed("MESH-0705", 1, &["--relay CONTACT"]);
}

#[test]
fn who_has_left_no_keys_yet_is_waited_for_or_given_up() {
    let mut crew = Crew::new(&["alice"]);
    let home = &crew.home;
    home.run("alice", &["group", "create", "crew"]).ok();
    for late in ["bob", "carol"] {
        home.run(late, &["init", "--name", late, "--relay", &crew.relay.contact]).ok();
        // Its card is there, and it was never up.
        let file = home.path(&format!("{late}.card"));
        let file = file.to_str().unwrap();
        home.run(late, &["card", "export", "--out", file]).ok();
        home.run("alice", &["card", "import", file, "--name", late]).ok();
    }
    let add = home.run("alice", &["group", "add", "crew", "bob", "carol", "--timeout", "1s"]);
    add.failed("MESH-0714", 4, &["bob", "carol", "it is kept and made while"]);
    let shown = home.run("alice", &["group", "members", "crew"]);
    assert_eq!(shown.ok().matches("waited for").count(), 2, "{shown:?}");
    home.run("alice", &["group", "remove", "crew", "carol"]).ok();
    assert_eq!(crew.group("alice")["wanted"][0]["name"], "bob");
    assert_eq!(crew.group("alice")["wanted"].as_array().unwrap().len(), 1);
    // It comes up, and is invited by itself.
    crew.ups.push(crew.home.up("bob"));
    crew.home.run("bob", &["peers", "add", &crew.ups[0].contact, "--name", "alice"]).ok();
    crew.join("bob", "crew");
    assert!(crew.group("alice").get("wanted").is_none());
}

#[test]
fn while_the_log_is_away_what_was_asked_is_kept_and_done_later() {
    let mut crew = Crew::new(&["alice", "bob"]);
    crew.home.run("alice", &["group", "create", "crew"]).ok();
    crew.bring_in("alice", "crew", &["bob"]);
    crew.relay.kill();
    let home = &crew.home;
    let sent = home.run("alice", &["group", "send", "crew", "later", "--timeout", "1s"]);
    assert!(sent.ok().starts_with("queued  "), "{sent:?}");
    let rotated = home.run("alice", &["group", "rotate", "crew", "--timeout", "1s"]);
    rotated.failed("MESH-0714", 4, &["it is kept and made while"]);
    home.run("alice", &["group", "log", "crew"]).failed("MESH-0713", 3, &["try again"]);
    crew.relay = crew.home.up_with("relay", &["--relay"]);
    until("the message", || {
        let read = crew.home.json("bob", &["inbox"]);
        (read.first()?["body"]["text"] == "later").then_some(())
    });
    until("the change", || (crew.group("alice")["changes"] == 0).then_some(()));
}

#[test]
fn who_sends_to_a_group_learns_who_has_it_and_who_is_missing() {
    let crew = Crew::new(&["alice", "bob", "carol"]);
    let home = &crew.home;
    home.run("alice", &["group", "create", "crew"]).ok();
    crew.bring_in("alice", "crew", &["bob", "carol"]);
    let id = "07".repeat(16);
    let all_in = ["group", "send", "crew", "all in?", "--wait", "delivered", "--id", &id];
    for _ in 0..2 {
        let sent = home.run("alice", &all_in);
        assert!(sent.ok().starts_with("delivered  "), "{sent:?}");
        assert!(sent.out.contains("  delivered 2 of 2\n"), "{sent:?}");
    }
    let told = home.run("alice", &["status", &id]);
    assert!(told.ok().contains("  delivered 2 of 2\n"), "{told:?}");
    home.run("alice", &["group", "send", "crew", "else", "--id", &id]).failed("MESH-0303", 1, &[]);

    home.run("carol", &["down"]).ok();
    let id = "08".repeat(16);
    let asks = ["group", "send", "crew", "still?", "--wait", "processed", "--id", &id];
    let sent = home.run("alice", &[&asks[..], &["--timeout", "8s"]].concat());
    assert_eq!(sent.code, Some(4), "{sent:?}");
    until("who is missing", || {
        let told = home.run("alice", &["status", &id]);
        told.ok().contains("  delivered 1 of 2, missing: carol\n").then_some(())
    });
    let _up = home.up("carol");
    for reader in ["bob", "carol"] {
        until("the message", || home.run(reader, &["inbox"]).ok().contains("still?").then_some(()));
    }
    until("all of them", || {
        let told = home.run("alice", &["status", &id]);
        told.ok().ends_with("  delivered 2 of 2  processed 2 of 2\n").then_some(())
    });
}

#[test]
fn the_log_moves_to_another_relay_with_what_is_under_way_and_the_first_one_may_go() {
    let mut crew = Crew::new(&["alice", "bob", "carol"]);
    crew.home.run("other", &["init", "--name", "other"]).ok();
    let other = crew.home.up_with("other", &["--relay"]);
    let home = &crew.home;
    home.run("alice", &["group", "create", "crew"]).ok();
    crew.bring_in("alice", "crew", &["bob", "carol"]);
    let before = crew.group("alice");
    assert!(before.get("moves").is_none());
    let first = before["holder"]["agent"].clone();

    // Only an admin moves it, to a relay and nothing else.
    let moving = |who: &str, contact: &str, span: &str| {
        let asked = ["group", "move", "crew", "--relay", contact, "--timeout", span];
        home.run(who, &asked)
    };
    moving("bob", &other.contact, "9s").failed("MESH-0707", 1, &["only an admin"]);
    moving("alice", "nowhere", "9s").failed("MESH-0203", 1, &["mw1..@host:port"]);
    home.run("alice", &["group", "move", "crew"]).failed("MESH-0115", 2, &["--relay"]);
    // One that does not answer gets nothing; naming the one that has it ends that.
    let (agent, _) = other.contact.split_once('@').unwrap();
    let late = moving("alice", &format!("{agent}@127.0.0.1:9"), "1s");
    late.failed("MESH-0714", 4, &["it is kept and made while"]);
    moving("alice", &crew.relay.contact, "9s").ok();
    assert_eq!(
        (&crew.group("alice")["holder"]["agent"], crew.group("alice").get("moves")),
        (&first, None)
    );

    home.run("carol", &["down"]).ok();
    let moved = moving("alice", &other.contact, "30s");
    assert!(moved.ok().contains(", moved once"), "{moved:?}");
    home.run("bob", &["group", "send", "crew", "in the next log"]).ok();
    let _up = home.up("carol");
    for reader in ["alice", "carol"] {
        until("the message", || {
            let shown = home.run(reader, &["inbox"]);
            shown.out.contains("in the next log").then_some(())
        });
    }
    let seen = crew.group("carol");
    assert_eq!((&seen["moves"], &seen["state"]), (&1.into(), &"follows".into()));
    assert_ne!(seen["holder"]["agent"], first);
    let log = home.json("carol", &["group", "log", "crew"]);
    assert_eq!((&log[0]["kind"], &log[0]["index"]), (&"founding".into(), &1.into()));
    assert!(log.len() < 12, "the log begins anew: {log:#?}");

    // The first one is not needed any more.
    crew.relay.kill();
    let sent = crew.home.run("carol", &["group", "send", "crew", "without the first"]);
    assert!(sent.ok().starts_with("relayed  "), "{sent:?}");
    until("the message", || {
        let shown = crew.home.run("bob", &["inbox"]);
        shown.out.contains("without the first").then_some(())
    });
}
