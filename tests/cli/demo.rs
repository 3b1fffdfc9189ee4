//! The demo, as the README has it run.

use std::time::{Duration, Instant};

use super::home::{Home, PATIENCE, until};

#[test]
fn the_demo_loses_nothing_and_leaves_nothing_behind() {
    let home = Home::new();
    let temporary = home.path("t");
    std::fs::create_dir(&temporary).unwrap();
    let started = Instant::now();
    let output = home.command("nobody", &["demo"]).env("TMPDIR", &temporary).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for words in [
        "killed with SIGKILL",
        "ARRIVED ONCE",
        "it hears that all three were read",
        "who join: 4 members",
        "opens:         a message",
        "opens:         a commit that takes this agent out",
        "stays closed:",
        "nothing: the session went on",
        "sessions ended, and were made anew",
        "It got nowhere",
        "Nothing lost, nothing doubled",
    ] {
        assert!(text.contains(words), "{words} is missing:\n{text}");
    }
    assert!(started.elapsed() < PATIENCE);
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "something was left behind");
}

#[test]
fn a_demo_that_is_interrupted_leaves_nothing_behind() {
    let home = Home::new();
    let temporary = home.path("t");
    std::fs::create_dir(&temporary).unwrap();
    let mut demo = home
        .command("nobody", &["demo"])
        .env("TMPDIR", &temporary)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let count = || std::fs::read_dir(&temporary).unwrap().count();
    until("it began", || (count() > 0).then_some(()));
    std::thread::sleep(Duration::from_millis(300));
    let mut interrupt = std::process::Command::new("kill");
    assert!(interrupt.args(["-INT", &demo.id().to_string()]).status().unwrap().success());
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    assert_eq!(count(), 0, "something was left behind");
}

#[test]
fn a_demo_that_keeps_leaves_agents_that_the_printed_commands_reach() {
    let home = Home::new();
    let temporary = home.path("t");
    std::fs::create_dir(&temporary).unwrap();
    let output = home.command("nobody", &["demo", "--keep"]).env("TMPDIR", &temporary).output();
    let output = output.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let (_, kept) = text.split_once("Try:\n").unwrap_or_else(|| panic!("{text}"));
    let commands: Vec<_> = kept.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(commands.len(), 4, "{text}");
    for command in &commands {
        let ran = std::process::Command::new("sh").args(["-c", command]).output().unwrap();
        assert!(ran.status.success(), "{command}: {ran:?}");
    }
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "something was left behind");
}
