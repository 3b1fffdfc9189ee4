//! `docs/errors.md` is written from the table of codes.

use meshwork::control::Code;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");

const HEAD: &str = "\
# Errors

Whatever fails says what went wrong, what to do about it, a code that never changes its meaning, and
whether the same request can succeed later. `meshctl` prints it on standard error, and with `--json`
as a line on standard output; the control socket answers with it:

```json
{\"is\":\"error\",\"code\":\"MESH-0201\",\"cause\":\"no peer bbo is known\",\"advice\":\"did you mean bob? `meshctl peers` lists all\",\"retry\":false}
```

The cause and the advice are for people and may be said differently; programs go by the code.

`meshctl` exits with 0 if all was done; 1 if it failed and trying again alone does not help; 2 if the
command line makes no sense; 3 if it failed and the same command can succeed later; 4 if the message
is safe, but did not get as far as was waited for; 130 if Ctrl-C ended it.

This page is written from the table in `src/control/fault/code.rs`, and a test holds it to that.

| Code | What it means | What to do | Retry | Exit |
|---|---|---|---|---|
";

fn page() -> String {
    let rows = Code::ALL.iter().map(|code| {
        let retry = if code.retry() { "can help" } else { "no" };
        let (meaning, advice, exit) = (code.meaning(), code.advice(), code.exit_code());
        format!("| {code} | {meaning} | {advice} | {retry} | {exit} |\n")
    });
    HEAD.to_owned() + &rows.collect::<String>()
}

#[test]
fn the_page_of_errors_is_the_table_of_codes() {
    if std::env::var_os("MESHWORK_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, page()).unwrap();
    }
    let written = std::fs::read_to_string(PAGE).unwrap();
    assert!(written == page(), "write it anew: MESHWORK_WRITE_DOCS=1 cargo test --test cli page");
}
