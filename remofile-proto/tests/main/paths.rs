//! Paths and names.

use crate::strategies::path;
use proptest::prelude::*;
use remofile_proto::path::{NameError, WindowsNameError, valid_name, windows_name};
use remofile_proto::{Code, PathError, RemotePath};

fn name_error(text: &str) -> NameError {
    match RemotePath::parse(text) {
        Err(PathError::Name { error, .. }) => error,
        other => panic!("{text:?}: {other:?}"),
    }
}

proptest! {
    #[test]
    fn a_path_is_the_joint_of_its_names(path in path()) {
        let joined = path.names().fold(RemotePath::root(), |parent, name| parent.join(name).unwrap());
        prop_assert_eq!(joined, path);
    }

    #[test]
    fn a_path_splits_into_its_parent_and_name(path in path()) {
        match path.split_last() {
            Some((parent, name)) => prop_assert_eq!(RemotePath::parse(parent).unwrap().join(name).unwrap(), path),
            None => prop_assert!(path.is_root()),
        }
    }

    #[test]
    fn what_parses_has_only_valid_names(text in "(/|\\.|a|\\\\|\\PC|\\x00|.remofile){0,12}") {
        if let Ok(path) = RemotePath::parse(&text) {
            prop_assert_eq!(path.as_str(), &text);
            prop_assert!(path.names().all(|name| valid_name(name).is_ok()));
            prop_assert!(path.names().all(|name| !name.contains('/')));
        }
    }

    #[test]
    fn a_path_lies_below_each_of_its_parents(path in path(), name in "[a-z]{1,8}") {
        let below = path.join(&name).unwrap();
        prop_assert!(below.is_at_or_below(&path));
        prop_assert!(!path.is_at_or_below(&below));
    }
}

#[test]
fn a_path_begins_with_a_slash() {
    assert_eq!(RemotePath::parse("a"), Err(PathError::Relative));
    assert_eq!(RemotePath::parse(""), Err(PathError::Relative));
}

#[test]
fn only_the_root_ends_with_a_slash() {
    assert!(RemotePath::parse("/").unwrap().is_root());
    assert_eq!(RemotePath::parse("/a/"), Err(PathError::TrailingSlash));
    assert_eq!(RemotePath::parse("//"), Err(PathError::TrailingSlash));
}

#[test]
fn names_are_not_empty_and_not_dots() {
    assert_eq!(name_error("/a//b"), NameError::Empty);
    assert_eq!(name_error("/a/./b"), NameError::Dots);
    assert_eq!(name_error("/.."), NameError::Dots);
    assert!(RemotePath::parse("/...").is_ok());
}

#[test]
fn control_characters_are_refused_up_to_the_last_of_c1() {
    for control in ['\0', '\x1f', '\x7f', '\u{80}', '\u{9f}'] {
        assert_eq!(name_error(&format!("/a{control}")), NameError::Control(control));
    }
    assert!(RemotePath::parse("/ ~\u{a0}").is_ok());
}

#[test]
fn a_backslash_is_an_ordinary_character() {
    assert!(RemotePath::parse(r"/..\..\a").is_ok());
}

#[test]
fn the_staging_name_is_reserved_in_any_case_at_any_depth() {
    assert_eq!(name_error("/.remofile"), NameError::Reserved);
    assert_eq!(name_error("/a/.ReMoFiLe/b"), NameError::Reserved);
    assert!(RemotePath::parse("/.remofile-trash/.remofile2").is_ok());
}

#[test]
fn a_name_of_255_bytes_is_accepted_and_one_of_256_is_not() {
    assert!(RemotePath::parse(&format!("/{}", "a".repeat(255))).is_ok());
    assert_eq!(name_error(&format!("/{}", "a".repeat(256))), NameError::TooLong(256));
}

#[test]
fn a_path_of_4096_bytes_is_accepted_and_one_of_4097_is_not() {
    let path = |len: usize| format!("/{}/{}", vec!["a".repeat(255); 15].join("/"), "b".repeat(len - 15 * 256 - 1));
    assert_eq!(path(4_096).len(), 4_096);
    assert!(RemotePath::parse(&path(4_096)).is_ok());
    assert_eq!(RemotePath::parse(&path(4_097)), Err(PathError::TooLong(4_097)));
}

#[test]
fn a_path_of_128_names_is_accepted_and_one_of_129_is_not() {
    assert!(RemotePath::parse(&"/a".repeat(128)).is_ok());
    assert_eq!(RemotePath::parse(&"/a".repeat(129)), Err(PathError::TooDeep(129)));
}

#[test]
fn limits_and_names_have_different_codes() {
    assert_eq!(PathError::TooLong(5_000).code(), Code::Limit);
    assert_eq!(PathError::TooDeep(200).code(), Code::Limit);
    assert_eq!(PathError::TrailingSlash.code(), Code::BadName);
}

#[test]
fn joining_never_leaves_the_directory() {
    let below = RemotePath::parse("/a").unwrap();
    for relative in ["", "..", "../b", "/b", "b/", "b/../../c", "."] {
        assert!(below.join(relative).is_err(), "{relative}");
        assert!(RemotePath::root().join(relative).is_err(), "{relative}");
    }
    assert_eq!(below.join("b/c").unwrap().as_str(), "/a/b/c");
}

#[test]
fn windows_devices_are_refused_with_any_extension() {
    for name in ["CON", "con.txt", "Nul.tar.gz", "COM0", "lpt9.x", "aux", "PRN"] {
        assert_eq!(windows_name(name), Err(WindowsNameError::Device), "{name}");
    }
    for name in ["CONSOLE", "COM", "COM10", "LPTA", "a.con"] {
        assert_eq!(windows_name(name), Ok(()), "{name}");
    }
}

#[test]
fn windows_refuses_its_special_characters() {
    for character in r#"<>:"|?*\"#.chars() {
        assert_eq!(windows_name(&format!("a{character}b")), Err(WindowsNameError::Character(character)));
    }
}

#[test]
fn windows_refuses_a_dot_or_space_at_the_end() {
    assert_eq!(windows_name("a."), Err(WindowsNameError::TrailingDotOrSpace));
    assert_eq!(windows_name("a "), Err(WindowsNameError::TrailingDotOrSpace));
}

#[test]
fn windows_refuses_generated_short_names() {
    assert_eq!(windows_name("PROGRA~1"), Err(WindowsNameError::ShortName));
    assert_eq!(windows_name("LONGNA~12.TXT"), Err(WindowsNameError::ShortName));
    assert_eq!(windows_name("a~1b"), Ok(()));
    assert_eq!(windows_name("a~"), Ok(()));
}

#[test]
fn a_path_is_refused_by_its_first_windows_name() {
    let path = RemotePath::parse("/a/nul/b.").unwrap();
    assert_eq!(path.check_windows(), Err((2, WindowsNameError::Device)));
    assert_eq!(RemotePath::root().check_windows(), Ok(()));
}
