//! Names that Windows has another use for.

use crate::behaviour::Behaviour;

const MARKS: [char; 8] = ['<', '>', ':', '"', '|', '?', '*', '\\'];

/// Whether a name is refused for the sake of Windows ([PATH-9]).
pub(super) fn refuses(name: &str, behaviour: &Behaviour) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let marked = name.contains(MARKS);
    let trimmed = name.ends_with(['.', ' ']);
    let shortened = is_shortened(stem);
    let device = is_device(stem);
    behaviour.mutated_windows_name(name, stem, [marked, trimmed, shortened, device])
}

/// Whether a name may be the short form of another, such as `PROGRA~1`.
fn is_shortened(stem: &str) -> bool {
    let digits = stem.rsplit_once('~').map(|(_, digits)| digits).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
}

pub(super) fn is_device(stem: &str) -> bool {
    let stem = stem.to_ascii_uppercase();
    let numbered = |kind| stem.strip_prefix(kind).is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']));
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}
