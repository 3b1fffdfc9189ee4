//! The documents name what there is: tests, commands and files.

#![allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

mod tree;

use std::collections::BTreeSet;
use std::path::Path;

/// Whoever removes or renames a test changes what `docs/validation.md` may claim.
#[test]
fn every_test_that_validation_names_exists() {
    let rows = rows("| What must hold | Where | Tests |");
    assert!(!rows.is_empty());
    for row in rows {
        let [_, place, named] = &row[..] else { panic!("{row:?}") };
        let [place] = &quoted(place)[..] else { panic!("{place} is not one place") };
        let there = tests_below(&tree::root().join(place));
        let named = quoted(named);
        assert!(!named.is_empty(), "{row:?} names no test");
        for name in named {
            assert!(there.contains(name), "there is no test {name} below {place}");
        }
    }
}

/// What a page tells the reader to run is what is run here.
#[test]
fn every_command_that_a_page_promises_is_run() {
    let scripts = tree::text(".ci/run") + &tree::text(".ci/nightly");
    let validation = rows("| What must hold | Command |");
    assert!(!validation.is_empty());
    for row in validation {
        for command in quoted(&row[1]) {
            assert!(scripts.contains(command), "nothing runs {command}");
        }
    }
    let readme = tree::text("README.md");
    let commands: Vec<_> = shell(&readme).filter(|line| line.starts_with("cargo ")).collect();
    assert!(commands.len() >= 2, "README.md has lost its commands");
    for command in commands {
        assert!(tree::text(".ci/run").contains(command), ".ci/run does not run {command}");
    }
}

#[test]
fn no_page_links_to_nothing() {
    let mut links = 0;
    for page in tree::files(tree::root(), "md") {
        let text = tree::read(&page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let there = page.parent().unwrap().join(file).exists();
            assert!(there, "{} links to {target}", page.display());
            links += 1;
        }
    }
    assert!(links > 0);
}

/// The cells of each row of each table of `docs/validation.md` with this header.
fn rows(header: &str) -> Vec<Vec<String>> {
    let page = tree::text("docs/validation.md");
    let mut rows = Vec::new();
    for table in page.split(header).skip(1) {
        for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
            let cells = row.trim_matches('|').split('|');
            rows.push(cells.map(|cell| cell.trim().to_owned()).collect());
        }
    }
    rows
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The lines of a page's shell blocks, without their comments.
fn shell(page: &str) -> impl Iterator<Item = &str> {
    page.split("```sh\n")
        .skip(1)
        .flat_map(|block| block.split("```").next().unwrap_or_default().lines())
        .map(|line| line.split(" #").next().unwrap_or_default().trim())
}

/// The names of the tests in the sources below a folder.
fn tests_below(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in tree::files(folder, "rs") {
        let text = tree::read(&file);
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            let attribute = ["#[test]", "#[tokio::test"].iter().any(|test| line.starts_with(test));
            let function = lines[number..].iter().find_map(|line| {
                line.trim_start_matches("async ").strip_prefix("fn ")?.split('(').next()
            });
            if let Some(name) = function.filter(|_| attribute) {
                names.insert(name.to_owned());
            }
        }
    }
    names
}
