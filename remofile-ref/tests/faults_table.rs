//! The table of situations names tests that exist, and names every test that was written for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files whose tests are all there for a situation of the table.
const WRITTEN_FOR_IT: [&str; 12] = [
    "cli/tests/faults/content.rs",
    "cli/tests/faults/cost.rs",
    "cli/tests/faults/disk.rs",
    "cli/tests/faults/hostile_server.rs",
    "cli/tests/faults/kill.rs",
    "cli/tests/faults/long_work.rs",
    "cli/tests/faults/network.rs",
    "cli/tests/faults/paths.rs",
    "cli/tests/landlock.rs",
    "tests/storage/faults.rs",
    "tests/storage/power.rs",
    "tests/storage/racer.rs",
];

/// Tests of those files that concern no situation but the machine.
const OTHERS: [&str; 2] =
    ["without_the_flag_of_rename_a_link_keeps_what_appeared", "without_openat2_nothing_is_served"];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of the tests in a file: functions behind the attribute.
fn tests_in(file: &Path) -> BTreeSet<String> {
    let source = fs::read_to_string(file).unwrap();
    let behind = source.split("#[test]\n").skip(1);
    behind.filter_map(|test| Some(test.split_once("fn ")?.1.split_once('(')?.0.to_owned())).collect()
}

fn all_tests() -> BTreeSet<String> {
    let (mut found, mut open) = (
        BTreeSet::new(),
        vec![here().join("src"), here().join("tests"), here().join("cli/src"), here().join("cli/tests")],
    );
    while let Some(directory) = open.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => open.push(path),
                false if path.extension().is_some_and(|ending| ending == "rs") => found.extend(tests_in(&path)),
                false => {}
            }
        }
    }
    found
}

/// The rows of the table: the situation, and the tests in its last column.
fn rows() -> Vec<(String, Vec<String>)> {
    let table = fs::read_to_string(here().join("tests/FAULTS.md")).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| situation"));
    let cells = rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    let named =
        |cell: &str| cell.split('`').skip(1).step_by(2).filter(|name| !name.contains('/')).map(str::to_owned).collect();
    cells.map(|cells| (cells[0].to_owned(), named(cells.last().unwrap()))).collect()
}

#[test]
fn every_test_that_the_table_names_exists() {
    let tests = all_tests();
    let rows = rows();
    assert!(rows.len() > 40, "the table was not read");
    for (situation, named) in rows {
        assert!(!named.is_empty(), "{situation}: no test");
        for name in named {
            assert!(tests.contains(&name), "{situation}: there is no test {name}");
        }
    }
}

#[test]
fn every_test_that_was_written_for_the_table_is_in_it() {
    let named: BTreeSet<String> = rows().into_iter().flat_map(|(_, named)| named).collect();
    for file in WRITTEN_FOR_IT {
        let tests = tests_in(&PathBuf::from(here()).join(file));
        assert!(!tests.is_empty(), "{file} has no tests");
        for test in tests.iter().filter(|test| !OTHERS.contains(&test.as_str())) {
            assert!(named.contains(test), "{file}: {test} is in no row");
        }
    }
}
