//! Passphrases typed at a terminal, which `script` provides.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use super::home::Home;

/// A command at a terminal of its own.
struct Typed {
    child: Child,
    shown: String,
}

impl Typed {
    fn run(home: &Home, arguments: &str) -> Self {
        let state = home.path("alice");
        let program = env!("CARGO_BIN_EXE_meshctl");
        let command = format!("{program} --state {} {arguments}", state.display());
        let child = Command::new("script")
            .args(["--quiet", "--return", "--echo", "never", "--command", &command, "/dev/null"])
            .env("XDG_DATA_HOME", home.path("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, shown: String::new() }
    }

    /// Waits until the terminal shows that, then types.
    fn answer(&mut self, prompt: &str, typed: &str) {
        let from = self.shown.len();
        let mut byte = [0];
        while !self.shown[from..].contains(prompt) {
            let read = self.child.stdout.as_mut().unwrap().read(&mut byte).unwrap();
            assert_eq!(read, 1, "it ended without {prompt}: {}", self.shown);
            self.shown.push(char::from(byte[0]));
        }
        // The echo goes off right after the prompt.
        std::thread::sleep(std::time::Duration::from_millis(100));
        self.child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
    }

    /// Its end: the exit code, and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), self.shown + &rest)
    }
}

#[test]
#[cfg(target_os = "linux")]
fn init_at_a_terminal_asks_twice_for_a_passphrase_and_never_shows_it() {
    let home = Home::new();
    let mut init = Typed::run(&home, "init");
    init.answer("New passphrase: ", "correct horse\n");
    init.answer("The same again: ", "correct horse\n");
    let (code, shown) = init.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("your passphrase") && !shown.contains("horse"), "{shown}");
    assert!(!home.path("alice/key").exists());

    let mut id = Typed::run(&home, "id");
    id.answer("Passphrase: ", "battery staple\n");
    let (code, shown) = id.end();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("MESH-0105") && !shown.contains("staple"), "{shown}");

    let mut id = Typed::run(&home, "id");
    id.answer("Passphrase: ", "correct horse\n");
    assert_eq!(id.end().0, Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_passphrase_typed_differently_the_second_time_makes_no_agent() {
    let home = Home::new();
    let mut init = Typed::run(&home, "init");
    init.answer("New passphrase: ", "correct horse\n");
    init.answer("The same again: ", "correct hose\n");
    let (code, shown) = init.end();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("MESH-0106") && shown.contains("differ"), "{shown}");
    home.run("alice", &["id"]).failed("MESH-0101", 1, &[]);
}
