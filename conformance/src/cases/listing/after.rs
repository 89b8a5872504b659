//! Where a page of a listing begins: after the name in `after`, which need not exist.

use super::{listing, plant, shown};
use crate::{
    cases::support::files::{refuse_all, setup_all},
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::CaseResult,
    },
    wire::{code::BAD_ARGS, request::remove},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        after(
            "after-a-name-comes-the-next",
            "names that are there",
            false,
            &[
                ("", "C"),
                ("C", "a"),
                ("a", "a b"),
                ("a b", "a!"),
                ("a!", "a-b"),
                ("a.b", "aa"),
                ("z", "é"),
                ("é", "日"),
                ("日", ""),
            ],
        ),
        after(
            "after-need-not-be-there",
            "names that are not there, between, before and after those that are",
            false,
            &[
                (" ", "C"),
                ("A", "C"),
                ("CC", "a"),
                ("a ", "a b"),
                ("a c", "a!"),
                ("a0", "aa"),
                ("ab", "b"),
                ("zz", "é"),
                ("f", "z"),
                ("\u{10ffff}", ""),
                ("~", "é"),
            ],
        ),
        after(
            "after-need-not-be-a-name",
            "texts that are not names",
            false,
            &[
                ("/", "C"),
                ("/a", "C"),
                ("..", "C"),
                ("\0", "C"),
                ("\n", "C"),
                ("a\0", "a b"),
                ("\u{7f}", "é"),
                ("a\u{1f}", "a b"),
                (".remofile", "C"),
                ("b\u{80}", "z"),
            ],
        ),
        after(
            "a-slash-in-after-counts-as-00",
            "texts with slashes",
            false,
            &[
                ("a/", "a b"),
                ("a/x", "a b"),
                ("a/zzz", "a b"),
                ("a//", "a b"),
                ("a-b/z", "a.b"),
                ("a b/", "a!"),
                ("//", "C"),
            ],
        ),
        after(
            "after-a-directory-in-a-tree-come-its-entries",
            "directories that are there, full and empty",
            true,
            &[("a", "a/b"), ("a/b", "a/b/c"), ("a-b", "a-b/y"), ("b", "z"), ("C", "a")],
        ),
        after(
            "after-in-a-tree-is-a-path-in-it",
            "paths below, that are there and that are not",
            true,
            &[
                ("a/b/c", "a/x"),
                ("a/b/", "a/b/c"),
                ("a/b/d", "a/x"),
                ("a/a", "a/b"),
                ("a/c/d/e", "a/x"),
                ("a/x", "a b"),
                ("a/z", "a b"),
                ("a ", "a b"),
                ("a-b/y", "a.b"),
                ("a-b/z", "a.b"),
                ("b/x", "z"),
                ("日/x", ""),
                ("", "C"),
            ],
        ),
        must("after-may-have-4096-bytes", &["LIST-4", "LIMIT-1"])
            .sends("`list` with an `after` of 4,096 bytes, and of 4,097, in one and in two bytes a character")
            .passes("OK to the first, BAD_ARGS to the others.")
            .run(|t| {
                plant(t)?;
                for text in ["a".repeat(4_096), "é".repeat(2_048), "/".repeat(4_096)] {
                    let request = listing(t, false).arg("after", text);
                    t.expect_ok(request)?;
                }
                let long = ["a".repeat(4_097), format!("a{}", "é".repeat(2_048)), "é".repeat(4_000)];
                let requests = long.into_iter().map(|text| listing(t, false).arg("after", text)).collect();
                refuse_all(t, requests, BAD_ARGS)
            }),
        must("after-a-removed-name-comes-the-next", &["LIST-3", "LIST-8"])
            .sends("`list` with `after` a name and a directory that were just removed, with `tree` and without")
            .passes("Everything that sorts after it.")
            .run(|t| {
                plant(t)?;
                let gone = ["a.b", "a-b/y", "a-b", "a/b/c", "a/b"].map(|name| remove(&t.path(name)));
                setup_all(t, gone.into())?;
                for (tree, mark, wanted) in [
                    (false, "a.b", vec!["aa", "b", "z", "é", "日"]),
                    (false, "a!", vec!["aa", "b", "z", "é", "日"]),
                    (true, "a-b/y", vec!["aa", "b", "z", "é", "日"]),
                    (true, "a/b/c", vec!["a/x", "a b", "a!", "aa", "b", "z", "é", "日"]),
                ] {
                    let listed = names_after(t, tree, mark)?;
                    t.equal(&format!("what is listed after {mark:?}"), listed, wanted)?;
                }
                Ok(())
            }),
    ]
}

/// A listing after a name that may or may not exist.
fn after(id: &str, what: &str, tree: bool, marks: &'static [(&'static str, &'static str)]) -> Case {
    must(id, &["LIST-3", "LIST-2", "LIST-4"])
        .sends(format!("`list` with `after` {what}"))
        .passes("Everything that sorts after it and nothing else.")
        .run(move |t| {
            plant(t)?;
            let whole = shown(tree);
            for (mark, first) in marks {
                let from = whole.iter().position(|name| name == first).unwrap_or(whole.len());
                let listed = names_after(t, tree, mark)?;
                t.equal(&format!("what is listed after {mark:?}"), listed, &whole[from..])?;
            }
            Ok(())
        })
}

/// The names after `after`, page by page.
fn names_after(t: &mut CaseContext, tree: bool, after: &str) -> CaseResult<Vec<String>> {
    let mut names = Vec::new();
    let mut after = after.to_owned();
    loop {
        let request = listing(t, tree).arg("after", &after);
        let reply = t.expect_ok(request)?;
        names.extend(reply.names()?);
        match names.last() {
            Some(last) if reply.bool("more")? => after.clone_from(last),
            _ => return Ok(names),
        }
    }
}
