//! A text as a path, checked against a second implementation of the rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use remofile_proto::path::{valid_name, windows_name};
use remofile_proto::{Code, RemotePath};

fuzz_target!(|text: &str| {
    let is_limited = text.len() > 4096 || text.matches('/').count() > 128;
    let is_valid = text == "/" || text.strip_prefix('/').is_some_and(|names| names.split('/').all(is_name));
    match RemotePath::parse(text) {
        Ok(path) => {
            assert!(is_valid && !is_limited);
            assert_eq!(path.as_str(), text);
            assert!(path.names().all(|name| valid_name(name).is_ok() && is_name(name)));
            let again = path.names().try_fold(RemotePath::root(), |parent, name| parent.join(name));
            assert_eq!(again.as_ref(), Ok(&path));
            if let Some((parent, name)) = path.split_last() {
                let parent = RemotePath::parse(parent).expect("the parent of a path is a path");
                assert!(path.is_at_or_below(&parent) && !parent.is_at_or_below(&path));
                assert_eq!(parent.join(name).as_ref(), Ok(&path));
            }
            assert_eq!(path.check_windows().is_ok(), path.names().all(|name| windows_name(name).is_ok()));
        }
        Err(error) => {
            assert!(!is_valid || is_limited);
            assert_eq!(error.code(), if is_limited { Code::Limit } else { Code::BadName });
            assert!(!error.to_string().chars().any(char::is_control));
        }
    }
});

fn is_name(name: &str) -> bool {
    let is_control = |byte: char| matches!(u32::from(byte), 0..=0x1f | 0x7f..=0x9f);
    !matches!(name, "" | "." | "..")
        && name.len() <= 255
        && !name.contains('/')
        && !name.contains(is_control)
        && name.to_ascii_lowercase() != ".remofile"
}
