//! The examples do what they say.
#![cfg(feature = "transport")]
#![allow(clippy::unwrap_used)]

#[path = "../examples/in_process.rs"]
#[allow(dead_code, reason = "main is the example's own")]
mod in_process;

#[test]
fn a_handler_without_a_socket_puts_and_reads() {
    let mut printed = Vec::new();
    in_process::run(&mut printed).unwrap();
    assert_eq!(printed, b"/greeting.txt: hello\n");
}

#[path = "../examples/remote_zip.rs"]
#[allow(dead_code, reason = "main is the example's own")]
mod remote_zip;

#[test]
fn a_member_of_an_archive_comes_without_the_archive() {
    let mut printed = Vec::new();
    let (transferred, size) = remote_zip::run(&mut printed).unwrap();
    assert!(transferred < size / 8, "{transferred} of {size} bytes");
    let printed = String::from_utf8(printed).unwrap();
    assert!(printed.starts_with("member 20 of 40: 262144 bytes, as they were\n"), "{printed}");
}
