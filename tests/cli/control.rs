//! The control socket, spoken by hand.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use meshwork::control::{MAX_CONNECTIONS, MAX_LINE};
use serde_json::{Value, json};

use super::home::{Home, until};

/// A connection that speaks lines.
struct Spoken {
    reader: BufReader<UnixStream>,
}

impl Spoken {
    fn to(home: &Home, agent: &str) -> Self {
        Self { reader: BufReader::new(home.connect(agent)) }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }

    fn ask(&mut self, request: &Value) {
        self.write(format!("{request}\n").as_bytes());
    }

    /// The next line; nothing where the agent closed.
    fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
        }
    }

    /// The lines of one answer.
    fn answer(&mut self) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            lines.push(self.line().expect("the agent closed"));
            let last = &lines[lines.len() - 1]["is"];
            if last == "done" || last == "error" {
                return lines;
            }
        }
    }
}

#[test]
fn each_line_of_an_answer_carries_the_number_of_its_request() {
    let home = Home::with(&["alice"]);
    let _up = home.up("alice");
    let mut spoken = Spoken::to(&home, "alice");
    spoken.write(b"{\"id\":7,\"do\":\"id\"}\n{\"do\":\"peers\",\"id\":9}\r\n");
    let (first, second) = (spoken.answer(), spoken.answer());
    assert_eq!(first[0]["is"], "identity");
    assert_eq!(first[0]["control"], meshwork::control::VERSION);
    assert!(first.iter().all(|line| line["id"] == 7));
    assert_eq!(second, [json!({"id": 9, "is": "done"})]);
}

#[test]
fn garbage_is_answered_and_changes_nothing() {
    let home = Home::with(&["alice"]);
    let _up = home.up("alice");
    let mut spoken = Spoken::to(&home, "alice");
    let garbage: &[(&[u8], Option<u64>)] = &[
        (b"\n", None),
        (b"hello\n", None),
        (b"\xff\xfe\x00\n", None),
        (b"[1]\n", None),
        (b"{\"do\":\"id\"}\n", None),
        (b"{\"id\":\"1\",\"do\":\"id\"}\n", None),
        (b"{\"id\":-1,\"do\":\"id\"}\n", None),
        (b"{\"id\":1}\n", Some(1)),
        (b"{\"id\":2,\"do\":\"levitate\"}\n", Some(2)),
        (b"{\"id\":3,\"do\":\"id\",\"more\":1}\n", Some(3)),
        (b"{\"id\":4,\"do\":\"status\",\"message\":\"zz\"}\n", Some(4)),
        (b"{\"id\":5,\"do\":\"send\",\"to\":\"bob\",\"body\":{}}\n", Some(5)),
    ];
    for (line, id) in garbage {
        spoken.write(line);
        let answer = spoken.answer();
        assert_eq!(answer[0]["code"], "MESH-0502", "{answer:?}");
        assert_eq!(answer[0]["id"].as_u64(), *id, "{answer:?}");
    }
    // Brackets without an end: the parser has a bound of its own.
    spoken.write(&[&b"[".repeat(100_000)[..], b"\n"].concat());
    assert_eq!(spoken.answer()[0]["code"], "MESH-0502");
    spoken.ask(&json!({"id": 6, "do": "id"}));
    assert_eq!(spoken.answer()[0]["is"], "identity");
}

#[test]
fn a_line_one_past_the_bound_ends_the_connection_and_no_other() {
    let home = Home::with(&["alice"]);
    let _up = home.up("alice");
    let (mut other, mut spoken) = (Spoken::to(&home, "alice"), Spoken::to(&home, "alice"));
    let mut longest = vec![b' '; MAX_LINE];
    longest[..17].copy_from_slice(b"{\"id\":1,\"do\":\"id\"");
    longest[MAX_LINE - 1] = b'}';
    spoken.write(&longest);
    spoken.write(b"\n");
    assert_eq!(spoken.answer()[0]["is"], "identity");
    longest.push(b'}');
    spoken.write(&longest);
    assert_eq!(spoken.answer()[0]["code"], "MESH-0503");
    assert!(spoken.line().is_none());
    other.ask(&json!({"id": 1, "do": "id"}));
    assert_eq!(other.answer()[0]["is"], "identity");
}

#[test]
fn one_connection_too_many_is_told_and_the_others_go_on() {
    let home = Home::with(&["alice"]);
    let _up = home.up("alice");
    let mut open: Vec<_> = (0..MAX_CONNECTIONS).map(|_| Spoken::to(&home, "alice")).collect();
    for spoken in &mut open {
        spoken.ask(&json!({"id": 1, "do": "id"}));
        assert_eq!(spoken.answer()[0]["is"], "identity");
    }
    let mut refused = Spoken::to(&home, "alice");
    assert_eq!(refused.line().unwrap()["code"], "MESH-0504");
    assert!(refused.line().is_none());
    home.run("alice", &["id"]).failed("MESH-0504", 3, &["64"]);
    open.pop();
    until("a place is free again", || home.run("alice", &["id"]).code.filter(|code| *code == 0));
}

#[test]
fn an_endless_answer_ends_when_something_else_is_asked() {
    let home = Home::with(&["alice"]);
    let _up = home.up("alice");
    let mut spoken = Spoken::to(&home, "alice");
    for request in
        [json!({"id": 1, "do": "watch"}), json!({"id": 1, "do": "inbox", "follow": true})]
    {
        spoken.ask(&request);
        spoken.ask(&json!({"id": 2, "do": "id"}));
        assert_eq!(spoken.answer().last().unwrap(), &json!({"id": 1, "is": "done"}));
        assert_eq!(spoken.answer()[0]["is"], "identity");
    }
}

#[test]
fn who_closes_in_the_middle_of_an_endless_answer_gives_its_place_back() {
    let home = Home::with(&["alice"]);
    let _up = home.up("alice");
    for _ in 0..2 * MAX_CONNECTIONS {
        let mut spoken = until("a place", || {
            let mut spoken = Spoken::to(&home, "alice");
            spoken.ask(&json!({"id": 0, "do": "id"}));
            (spoken.line()?["is"] == "identity").then_some(spoken)
        });
        spoken.answer();
        spoken.ask(&json!({"id": 1, "do": "inbox", "follow": true}));
    }
}

#[test]
fn the_socket_is_for_the_owner_alone_and_goes_with_the_agent() {
    let home = Home::with(&["alice"]);
    let up = home.up("alice");
    let socket = home.path("alice/control");
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&socket), mode(&home.path("alice"))), (0o600, 0o700));
    let mut spoken = Spoken::to(&home, "alice");
    spoken.ask(&json!({"id": 1, "do": "stop"}));
    assert_eq!(spoken.answer(), [json!({"id": 1, "is": "done"})]);
    assert_eq!(up.wait(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_socket_that_a_killed_agent_left_is_nobody_and_is_replaced() {
    let home = Home::with(&["alice"]);
    home.up("alice").kill();
    assert!(home.path("alice/control").exists());
    home.run("alice", &["id"]).ok();
    let _up = home.up("alice");
    home.run("alice", &["up"]).failed("MESH-0104", 1, &[]);
}
