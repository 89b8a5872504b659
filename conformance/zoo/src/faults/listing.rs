//! Faults of list.

use super::declare::faults;

faults! {
    AFTER_IS_INCLUDED = "after-is-included", ["LIST-3", "LIST-8"],
        "It begins a page with the name that the page before ended with.";
}
