//! Names that Windows has another use for.

use crate::{behaviour::Behaviour, mutations};

const MARKS: [char; 8] = ['<', '>', ':', '"', '|', '?', '*', '\\'];

/// Whether a name is refused for the sake of Windows ([PATH-9]); each mutation counts where it judges otherwise.
pub(super) fn refuses(name: &str, behaviour: &Behaviour) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let marked = name.contains(MARKS);
    let trimmed = name.ends_with(['.', ' ']);
    let shortened = is_shortened(stem);
    let device = is_device(stem);
    let refused = marked || trimmed || shortened || device;
    let alone =
        |reason: bool| reason && [marked, trimmed, shortened, device].into_iter().filter(|one| *one).count() == 1;
    let judged_otherwise = behaviour.any(&[
        (alone(marked), &mutations::paths::MARKS_ARE_LETTERS),
        (alone(marked) && !name.contains(':'), &mutations::paths::COLONS_ALONE),
        (alone(trimmed), &mutations::paths::ENDS_ARE_KEPT),
        (alone(shortened), &mutations::paths::SHORT_NAMES_ARE_NAMES),
        (alone(shortened) && stem != name, &mutations::paths::SHORT_NAMES_WITH_ENDINGS),
        (alone(device), &mutations::paths::DEVICES_ARE_NAMES),
        (alone(device) && stem != name, &mutations::paths::DEVICES_WITH_ENDINGS),
        (alone(device) && stem != stem.to_ascii_uppercase(), &mutations::paths::DEVICES_IN_CAPITALS),
        (alone(device) && stem.ends_with('0'), &mutations::paths::DEVICES_FROM_ONE),
        (!refused && stem.len() == 4 && stem.get(..3).is_some_and(is_device), &mutations::paths::LIKE_DEVICES),
        (!refused && name.contains('~'), &mutations::paths::NO_TILDES),
    ]);
    refused != judged_otherwise
}

/// Whether a name may be the short form of another, such as `PROGRA~1`.
fn is_shortened(stem: &str) -> bool {
    let digits = stem.rsplit_once('~').map(|(_, digits)| digits).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
}

fn is_device(stem: &str) -> bool {
    let stem = stem.to_ascii_uppercase();
    let numbered = |kind| stem.strip_prefix(kind).is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']));
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}
