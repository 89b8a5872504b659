//! The case that is run before and after all others.

use crate::{
    engine::case::{Case, must},
    runner::SANITY,
    wire::request::{list, ping},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        must(SANITY, &["SES-6", "LIST-1"])
            .without_directory()
            .sends("`ping`, and `list` of `/` with a limit of 1")
            .passes("OK to both.")
            .run(|t| {
                t.expect_ok(ping())?;
                t.expect_ok(list("/").arg("limit", 1_u64)).map(drop)
            }),
    ]
}
