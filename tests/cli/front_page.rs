//! What README tells a newcomer to type, typed.

use std::process::{Command, Stdio};
use std::{env, fs, path};

use super::home::Home;

#[test]
fn two_agents_are_linked_as_the_front_page_says() {
    let home = Home::new();
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, page) = page.split_once("## Link two agents of your own").unwrap();
    let (_, page) = page.split_once("```sh\n").unwrap();
    let (typed, _) = page.split_once("```").unwrap();
    // The agents that it leaves up end with the shell.
    let script = format!("set -e\ntrap 'kill $(jobs -p)' EXIT\n{typed}");
    let there = path::Path::new(env!("CARGO_BIN_EXE_meshctl")).parent().unwrap();
    let usual = env::var_os("PATH").unwrap_or_default();
    let all = env::join_paths([there.to_owned()].into_iter().chain(env::split_paths(&usual)));
    let shell = Command::new("bash")
        .args(["-c", &script])
        .current_dir(home.path("."))
        .env("PATH", all.unwrap())
        .env("XDG_DATA_HOME", home.path("data"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(shell.status.success(), "{shell:?}");
    let said = String::from_utf8(shell.stdout).unwrap();
    for part in ["live, hybrid encryption, hybrid authentication", "\n  hello\n", "delivered"] {
        assert!(said.contains(part), "{said}");
    }
}
