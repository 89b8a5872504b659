//! Faults of token, keys and CURVE.

use super::declare::faults;

faults! {
    TOKEN_IN_CLEAR = "token-in-clear", ["KEY-3"],
        "It tells who has the wrong token which one would be right.";
}
