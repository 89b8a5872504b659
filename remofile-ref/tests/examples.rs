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
