//! What a test does where it cannot be what it is: it says so, and fails where skipping is not wanted.

/// A test cannot be what it is here: says so, and fails where skipping is not wanted.
pub fn skip(reason: &str) {
    say_skipped(reason);
    let test = this_test();
    assert!(std::env::var_os("REMOFILE_NO_SKIP").is_none(), "{test} must not be skipped: {reason}");
}

/// Like [`skip`], for a feature that the kernel was built without: it is let pass where `REMOFILE_KERNEL_LACKS` names it.
pub fn skip_lacking(feature: &str, reason: &str) {
    let lacking = std::env::var("REMOFILE_KERNEL_LACKS").unwrap_or_default();
    if lacking.split(',').any(|lacking| lacking == feature) {
        say_skipped(&format!("the kernel lacks {feature}: {reason}"));
    } else {
        skip(reason);
    }
}

/// Written past the test harness, which would keep what `eprintln!` prints in a test that passes.
fn say_skipped(reason: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "SKIPPED {}: {reason}", this_test());
}

fn this_test() -> String {
    std::thread::current().name().unwrap_or("test").to_owned()
}
