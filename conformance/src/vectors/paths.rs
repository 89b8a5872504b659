//! Paths by the rules of spec section 8, for a server with POSIX or Windows names.

use super::classify::VectorRefusal;
use crate::wire::{
    code::{BAD_NAME, LIMIT},
    name,
};

/// The first refusal of a path.
pub(super) fn check(path: &str, windows: bool) -> Result<(), VectorRefusal> {
    if path.len() > 4_096 || path.bytes().filter(|byte| *byte == b'/').count() > 128 {
        return Err(VectorRefusal(LIMIT));
    }
    if path == "/" {
        return Ok(());
    }
    let names = path.strip_prefix('/').ok_or(VectorRefusal(BAD_NAME))?.split('/');
    for name in names {
        let fine = name::is_valid(name) && !name.eq_ignore_ascii_case(".remofile");
        if !fine || windows && !is_fine_on_windows(name) {
            return Err(VectorRefusal(BAD_NAME));
        }
    }
    Ok(())
}

/// Whether a name meets [PATH-9].
fn is_fine_on_windows(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let tail = stem.trim_end_matches(|character: char| character.is_ascii_digit());
    let upper = stem.to_ascii_uppercase();
    let numbered = |prefix: &str| {
        upper
            .strip_prefix(prefix)
            .is_some_and(|number| number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let short = tail.len() < stem.len() && tail.ends_with('~');
    let device = matches!(upper.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT");
    !name.contains(['<', '>', ':', '"', '|', '?', '*', '\\']) && !name.ends_with(['.', ' ']) && !short && !device
}
