//! The invariants of ARCHITECTURE.md that a look at the sources can check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The Rust sources below a directory of the repository.
fn sources(below: &str) -> Vec<(PathBuf, String)> {
    let (mut found, mut open) = (Vec::new(), vec![repository().join(below)]);
    while let Some(directory) = open.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{below} has no sources");
    found
}

/// The lines of code, without comments, and without the unit tests at the end of a file.
fn code(source: &str) -> impl Iterator<Item = &str> {
    let production = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    production.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// Fails if a line of code below a directory contains one of the words, but for files below `except`.
fn assert_absent(below: &str, words: &[&str], except: &[&str]) {
    let allowed: Vec<PathBuf> = except.iter().map(|path| repository().join(path)).collect();
    for (path, source) in sources(below) {
        if allowed.iter().any(|allowed| path.starts_with(allowed)) {
            continue;
        }
        for line in code(&source) {
            for word in words {
                assert!(!line.contains(word), "{}: '{word}' in '{}'", path.display(), line.trim());
            }
        }
    }
}

#[test]
fn the_state_machines_use_no_clock_socket_file_or_thread() {
    let words = ["Instant", "SystemTime", "std::net", "std::fs", "std::thread", "rustix", "zmq", "getrandom"];
    assert_absent("remofile-ref/src/protocol", &words, &[]);
}

#[test]
fn the_codec_uses_nothing_of_std() {
    assert_absent("remofile-proto/src", &["std::", "extern crate std"], &[]);
}

#[test]
fn only_the_transport_names_zmq() {
    assert_absent("remofile-ref/src", &["zmq::", "zmq_sys"], &["remofile-ref/src/transport"]);
}

#[test]
fn the_suite_and_the_mutation_server_do_not_depend_on_the_library() {
    for (path, manifest) in manifests("conformance") {
        let dependencies = manifest.split("[dev-dependencies]").next().unwrap();
        let names = dependencies.lines().map(|line| line.split(['.', '=', ' ']).next().unwrap());
        let forbidden = names.filter(|name| ["remofile", "remofile-cli", "remofile-testkit"].contains(name));
        assert_eq!(forbidden.count(), 0, "{} depends on the library", path.display());
    }
}

/// The manifests below a directory.
fn manifests(below: &str) -> Vec<(PathBuf, String)> {
    let (mut found, mut open) = (Vec::new(), vec![repository().join(below)]);
    while let Some(directory) = open.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                open.push(path);
            } else if path.file_name().is_some_and(|name| name == "Cargo.toml") {
                found.push((path.clone(), fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(found.len() >= 2, "{below} has {} manifests", found.len());
    found
}

#[test]
fn every_test_that_the_invariants_name_exists() {
    let document = fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let invariants = document.lines().filter(|line| line.starts_with("**Invariant"));
    let named: BTreeSet<&str> = invariants
        .flat_map(|line| line.split_once("Test").expect("an invariant names its test").1.split('`').skip(1).step_by(2))
        .collect();
    assert!(named.len() >= 8, "{named:?}");
    let all: String = ["remofile-proto", "remofile-ref", "conformance"]
        .iter()
        .flat_map(|package| sources(package))
        .map(|(_, source)| source)
        .chain([".ci/run", ".ci/fast"].map(|script| fs::read_to_string(repository().join(script)).unwrap_or_default()))
        .collect();
    for name in named {
        let exists = all.contains(&format!("fn {name}(")) || all.contains(&format!("step \"{name}"));
        assert!(exists, "there is no test {name}");
    }
}
