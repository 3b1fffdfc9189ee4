//! Calls between agents that are processes of their own.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::home::{Home, Up, until};

/// Alice and Bob are up and know each other; Bob offers some programs.
fn met() -> (Home, Up, Up) {
    let home = Home::with(&["alice", "bob"]);
    let services = ["echo=cat", "upper=tr a-z A-Z", "fails=false", "who=printenv MESHWORK_CALLER"];
    let services: Vec<_> = services.iter().flat_map(|service| ["--serve", service]).collect();
    let (alice, bob) = (home.up("alice"), home.up_with("bob", &services));
    home.run("alice", &["peers", "add", &bob.contact, "--name", "bob"]).ok();
    home.run("bob", &["peers", "add", &alice.contact, "--name", "alice"]).ok();
    (home, alice, bob)
}

#[test]
fn a_call_runs_the_operators_command_and_brings_its_output_back() {
    let (home, alice, _bob) = met();
    assert_eq!(home.run("alice", &["call", "bob", "echo", "hello"]).ok(), "hello");
    assert_eq!(home.run("alice", &["call", "bob", "upper", "good; morning"]).ok(), "GOOD; MORNING");
    let caller = home.run("alice", &["call", "bob", "who"]).ok().trim().to_owned();
    assert!(alice.contact.starts_with(&caller), "{caller}");
    // The hop is counted, and one session served them all.
    let bob = &home.json("alice", &["peers"])[0];
    assert_eq!(bob["dealings"]["handshakes"], 1, "{bob}");
    assert!(bob["dealings"]["reuses"].as_u64() >= Some(2), "{bob}");
    assert!(home.run("alice", &["peers"]).ok().contains("HANDSHAKES"));
    for via in ["tcp", "quic"] {
        let answer = &home.json("alice", &["call", "bob", "echo", "hi", "--via", via])[0];
        assert_eq!((&answer["is"], &answer["from"]["name"]), (&json!("answer"), &json!("bob")));
        assert_eq!(answer["body"]["text"], "hi", "{via}");
    }
}

#[test]
fn a_call_without_an_answer_says_why_and_whether_a_retry_helps() {
    let (home, _alice, mut bob) = met();
    home.run("alice", &["call", "bob", "missing"]).failed("MESH-0320", 1, &["no service"]);
    home.run("alice", &["call", "bob", "fails"]).failed("MESH-0323", 1, &["failed"]);
    home.run("alice", &["call", "bob", "Bad Name"]).failed("MESH-0326", 1, &["service"]);
    home.run("alice", &["call", "nobody", "echo"]).failed("MESH-0201", 1, &["nobody"]);
    bob.kill();
    // The session that stood may be found dead by the call; the next ones find nobody.
    until("nobody is there", || {
        let ran = home.run("alice", &["call", "bob", "echo", "--deadline", "3s"]);
        assert_eq!(ran.code, Some(3), "{ran:?}");
        ran.err.starts_with("error[MESH-0403]").then_some(())
    });
}

#[test]
fn a_command_that_is_not_there_is_told_at_the_start() {
    let home = Home::with(&["alice"]);
    let up = home.run("alice", &["up", "--serve", "x=no-such-program-here"]);
    up.failed("MESH-0115", 2, &["no-such-program-here"]);
    home.run("alice", &["up", "--serve", "echo"]).failed("MESH-0115", 2, &["NAME=COMMAND"]);
}

struct Spoken(BufReader<UnixStream>);

impl Spoken {
    fn ask(&mut self, request: &Value) {
        self.0.get_mut().write_all(format!("{request}\n").as_bytes()).unwrap();
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

#[test]
fn a_program_at_the_socket_answers_calls_and_hears_of_those_given_up() {
    let (home, _alice, _bob) = met();
    let mut serving = Spoken(BufReader::new(home.connect("bob")));
    let mut answering = Spoken(BufReader::new(home.connect("bob")));
    serving.ask(&json!({"id": 1, "do": "serve", "services": ["translate"]}));
    // Offered once the agent has said so by refusing it a second time.
    loop {
        answering.ask(&json!({"id": 1, "do": "serve", "services": ["translate"]}));
        answering.ask(&json!({"id": 2, "do": "id"}));
        let first = answering.line();
        while answering.line()["id"] != 2 {}
        answering.line();
        if first["code"] == "MESH-0329" {
            break;
        }
    }
    let mut calling = home.command("alice", &["call", "bob", "translate", "hello", "--json"]);
    let calling = calling.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let asked = serving.line();
    assert_eq!((&asked["is"], &asked["service"]), (&json!("asked"), &json!("translate")));
    assert_eq!(
        (&asked["caller"]["name"], &asked["body"]["text"]),
        (&json!("alice"), &json!("hello"))
    );
    let answer =
        json!({"id": 3, "do": "answer", "call": asked["call"], "body": {"text": "bonjour"}});
    answering.ask(&answer);
    assert_eq!(answering.line(), json!({"id": 3, "is": "done"}));
    let out = calling.wait_with_output().unwrap();
    let line: Value = serde_json::from_slice(out.stdout.trim_ascii()).unwrap();
    assert_eq!(line["body"]["text"], "bonjour");
    // Answered once, and no more.
    answering.ask(&answer);
    assert_eq!(answering.line()["code"], "MESH-0328");
    // One that is given up is withdrawn.
    let given_up = home.run("alice", &["call", "bob", "translate", "--deadline", "1s"]);
    given_up.failed("MESH-0324", 3, &["deadline"]);
    let asked = serving.line();
    assert_eq!(serving.line(), json!({"id": 1, "is": "withdrawn", "call": asked["call"]}));
    // A refusal arrives as one.
    let mut calling = home.command("alice", &["call", "bob", "translate", "--json"]);
    let calling = calling.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let call = serving.line()["call"].clone();
    answering.ask(&json!({"id": 4, "do": "decline", "call": call, "why": "not_allowed"}));
    assert_eq!(answering.line()["is"], "done");
    let out = calling.wait_with_output().unwrap();
    let line: Value = serde_json::from_slice(out.stdout.trim_ascii()).unwrap();
    assert_eq!(line["code"], "MESH-0321");
    // Once the program is gone, so is its service.
    drop(serving);
    until("the service goes with its program", || {
        let lines = home.json("alice", &["call", "bob", "translate", "--deadline", "2s"]);
        (lines[0]["code"] == "MESH-0320").then_some(())
    });
}
