//! Section 11.4: list.

mod after;

use super::support::files::{expect_all, refuse_all, setup_all};
use crate::{
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::{CaseResult, failed},
    },
    wire::{
        code::{BAD_ARGS, NOT_DIR, NOT_FOUND},
        request::{Request, list, mkdir, put, remove, rename, write},
    },
};

/// The names of a small tree in the order of listings, `/` counting as 00; those that end in `/` are directories.
const TREE: [&str; 15] =
    ["C", "a/", "a/b/", "a/b/c", "a/x", "a b", "a!", "a-b/", "a-b/y", "a.b", "aa", "b/", "z", "é", "日"];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = orders();
    cases.extend(pages());
    cases.extend(after::cases());
    cases.extend(changes());
    cases.extend(refusals());
    cases
}

/// Creates [`TREE`] in the case's directory.
fn plant(t: &mut CaseContext) -> CaseResult {
    let make = |name: &&str| match name.strip_suffix('/') {
        Some(name) => mkdir(&t.path(name)),
        None => put(&t.path(name), *name),
    };
    let steps = TREE.iter().map(make).collect();
    setup_all(t, steps).map(drop)
}

/// The expected listing of [`TREE`].
fn shown(tree: bool) -> Vec<String> {
    let names = TREE.iter().map(|name| name.trim_end_matches('/').to_owned());
    names.filter(|name| tree || !name.contains('/')).collect()
}

fn listing(t: &CaseContext, tree: bool) -> Request {
    list(t.directory()).arg("tree", tree)
}

/// Every name of a listing, from all pages; checks that `more` is true on all pages but the last [LIST-7]. Calls
/// `between` before each page but the first.
fn page_by_page(
    t: &mut CaseContext,
    request: &Request,
    mut between: impl FnMut(&mut CaseContext, &[String]) -> CaseResult,
) -> CaseResult<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    loop {
        let page = match names.last() {
            None => request.clone(),
            Some(last) => request.clone().arg("after", last),
        };
        let reply = t.expect_ok(page)?;
        let entries = reply.names()?;
        names.extend(entries.clone());
        if !reply.bool("more")? {
            return Ok(names);
        }
        if entries.is_empty() {
            return failed("a page without entries says that there are more");
        }
        between(t, &names)?;
    }
}

fn orders() -> Vec<Case> {
    vec![
        must("a-listing-is-in-bytewise-order", &["LIST-2", "LIST-8"])
            .sends("`list` of a directory with names that locales, cases and UTF-16 would put in another order")
            .passes("Every name once, in the order of its bytes.")
            .run(|t| {
                // U+FF5E comes after U+10000 where characters are compared as UTF-16.
                let names = ["!", "-", "0", "10", "9", "A", "Z", "_", "b", "c", "é", "\u{ff5e}", "\u{10000}"];
                let puts = names.iter().rev().map(|name| put(&t.path(name), "")).collect();
                setup_all(t, puts)?;
                let request = listing(t, false);
                let listed = page_by_page(t, &request, |_, _| Ok(()))?;
                t.equal("the names", listed, names)
            }),
        must("a-directory-is-followed-by-its-entries", &["LIST-2", "LIST-8"])
            .sends("`list` with `tree` of directories beside names that sort before `/` by its byte, such as `a b`")
            .passes("Every name below, each directory followed at once by all that is in it.")
            .run(|t| {
                plant(t)?;
                let request = listing(t, true);
                let listed = page_by_page(t, &request, |_, _| Ok(()))?;
                t.equal("the names", listed, shown(true))
            }),
        must("a-listing-without-tree-stays-in-its-directory", &["LIST-2", "LIST-8"])
            .sends("`list` of the same directory with `tree` false and without it")
            .passes("The names in the directory itself.")
            .run(|t| {
                plant(t)?;
                for request in [listing(t, false), list(t.directory())] {
                    let listed = page_by_page(t, &request, |_, _| Ok(()))?;
                    t.equal("the names", listed, shown(false))?;
                }
                Ok(())
            }),
        must("names-in-a-tree-are-relative-to-the-listed-directory", &["LIST-2"])
            .sends("`list` with `tree` of a directory two below")
            .passes("Names relative to that directory, and none of its siblings.")
            .run(|t| {
                plant(t)?;
                let request = list(&t.path("a")).arg("tree", true);
                let listed = page_by_page(t, &request, |_, _| Ok(()))?;
                t.equal("the names", listed, ["b", "b/c", "x"])
            }),
        must("an-empty-directory-lists-nothing", &["LIST-7", "LIST-12"])
            .sends("`list` of an empty directory, with `tree`, `limit` and `after` and without")
            .passes("No entries, `more` false, `skipped` 0.")
            .run(|t| {
                let path = t.subdirectory("d")?;
                let plain = list(&path);
                let requests = vec![
                    plain.clone(),
                    plain.clone().arg("tree", true),
                    plain.clone().arg("limit", 1_u64),
                    plain.arg("after", "x"),
                ];
                for reply in expect_all(t, requests, crate::wire::code::OK)? {
                    t.equal("the names", reply.names()?, Vec::<String>::new())?;
                    t.check(!reply.bool("more")?, "more is true")?;
                    t.equal("skipped", reply.uint("skipped")?, 0)?;
                }
                Ok(())
            }),
        must("nothing-is-skipped-where-all-names-are-valid", &["LIST-12"])
            .sends("`list` of directories with files and directories, page by page")
            .passes("`skipped` 0 in each page.")
            .run(|t| {
                plant(t)?;
                for request in
                    [listing(t, true), listing(t, true).arg("limit", 4_u64), listing(t, false).arg("after", "a")]
                {
                    let skipped = t.expect_ok(request)?.uint("skipped")?;
                    t.equal("skipped", skipped, 0)?;
                }
                Ok(())
            }),
    ]
}

fn pages() -> Vec<Case> {
    let by_limit = [1_u64, 2, 3, 15, 16].into_iter().map(|limit| {
        must(&format!("pages-of-{limit}-cover-the-listing"), &["LIST-3", "LIST-5", "LIST-7", "LIST-8"])
            .sends(format!("`list` with a `limit` of {limit}, `after` the last name, with `tree` and without"))
            .passes("Every name once and in order; `more` is false on the page that ends with the last name.")
            .run(move |t| {
                plant(t)?;
                for tree in [true, false] {
                    let request = listing(t, tree).arg("limit", limit);
                    let wanted = shown(tree);
                    let last = wanted.len();
                    let listed = page_by_page(t, &request, |t, names| {
                        t.check(names.len() < last, "a page that ends with the last name says that there are more")
                    })?;
                    t.equal("the names", listed, wanted)?;
                }
                Ok(())
            })
    });
    let mut cases: Vec<Case> = by_limit.collect();
    cases.push(
        must("a-listing-longer-than-a-chunk-is-paged", &["LIST-6", "LIST-7", "LIST-8", "LIMIT-2"])
            .sends("`list` with `tree` of files at paths so long that their entries do not fit into one chunk")
            .passes("Every name once, in more than one page, no page longer than `chunk`.")
            .run(|t| {
                let chunk = t.server()?.chunk;
                let mut deep = String::new();
                let mut steps = Vec::new();
                while t.directory().len() + deep.len() + 300 < 4_096 {
                    deep.push_str(&format!("{}/", "n".repeat(250)));
                    steps.push(mkdir(&t.path(deep.trim_end_matches('/'))));
                }
                // The names together are longer than a chunk.
                let files = chunk / deep.len() as u64 + 1;
                steps.extend((0..files).map(|index| put(&t.path(&format!("{deep}{index:04}")), "")));
                let made = steps.len();
                setup_all(t, steps)?;
                let (request, mut turns) = (listing(t, true), 1);
                let listed = page_by_page(t, &request, |_, _| {
                    turns += 1;
                    Ok(())
                })?;
                t.check(turns > 1, "all came in one page")?;
                t.equal("the number of names", listed.len(), made)?;
                let last: Vec<_> = listed.iter().rev().take(2).rev().cloned().collect();
                t.equal("the last names", last, [files - 2, files - 1].map(|index| format!("{deep}{index:04}")))
            }),
    );
    cases.push(
        must("a-limit-may-be-larger-than-the-directory", &["LIST-5", "LIMIT-1"])
            .sends("`list` with limits of 1,000, 2^32 and 2^63−1")
            .passes("Every name once.")
            .run(|t| {
                plant(t)?;
                for limit in [1_000, 1 << 32, i64::MAX as u64] {
                    let request = listing(t, true).arg("limit", limit);
                    let listed = page_by_page(t, &request, |_, _| Ok(()))?;
                    t.equal("the names", listed, shown(true))?;
                }
                Ok(())
            }),
    );
    cases
}

fn changes() -> Vec<Case> {
    /// Twelve files that stay, in two directories and next to them.
    const STAY: [&str; 12] = ["d/c", "d/f", "d/i", "d/l", "e/c", "e/f", "e/i", "e/l", "p", "s", "v", "y"];
    vec![
        must("unchanged-entries-are-listed-once-during-changes", &["LIST-8", "LIST-3"])
            .sends("`list` page by page; before each of the first dozen the last name is removed and others are made before and after it")
            .passes("Every name that existed throughout is listed once, in order.")
            .run(|t| {
                let directories = ["d", "e"].map(|name| mkdir(&t.path(name)));
                setup_all(t, directories.into())?;
                let goers = ["d/d", "d/j", "e/d", "e/j", "q", "w"];
                let puts = STAY.iter().chain(&goers).map(|name| put(&t.path(name), "")).collect();
                setup_all(t, puts)?;
                let (request, mut turn) = (listing(t, true).arg("limit", 2_u64), 0);
                let listed = page_by_page(t, &request, |t, names| {
                    turn += 1;
                    // A server may list fewer entries on a page than are created for each.
                    if turn > 12 {
                        return Ok(());
                    }
                    let last = names.last().filter(|last| goers.contains(&last.as_str()));
                    if let Some(last) = last {
                        let path = t.path(last);
                        t.setup(remove(&path))?;
                    }
                    let made = ["d/a", "d/k", "e/k", "o", "z"].map(|name| put(&t.path(&format!("{name}{turn}")), ""));
                    setup_all(t, made.into()).map(drop)
                })?;
                let stayed: Vec<_> = listed.into_iter().filter(|name| STAY.contains(&name.as_str())).collect();
                t.equal("what stayed and was listed", stayed, STAY)
            }),
        must("a-listing-continues-after-a-removed-directory", &["LIST-8", "LIST-3"])
            .sends("`list` with `tree` and a `limit` of 2; the directory that the page ends in is removed, or moved to a later place")
            .passes("Every name that stayed is listed once, in order.")
            .run(|t| {
                let steps = ["a", "b", "c"].map(|name| mkdir(&t.path(name))).into_iter();
                let files = ["a/1", "a/2", "b/1", "b/2", "c/1", "d"].map(|name| put(&t.path(name), ""));
                let steps = steps.chain(files).collect();
                setup_all(t, steps)?;
                let request = listing(t, true).arg("limit", 2_u64);
                let mut gone = false;
                let listed = page_by_page(t, &request, |t, _| {
                    if std::mem::replace(&mut gone, true) {
                        return Ok(());
                    }
                    let away = ["a/1", "a/2", "a"].map(|name| remove(&t.path(name)));
                    setup_all(t, away.into())?;
                    let (from, to) = (t.path("b"), t.path("x"));
                    t.setup(rename(&from, &to)).map(drop)
                })?;
                let stayed: Vec<_> = listed.into_iter().filter(|name| ["c", "c/1", "d"].contains(&name.as_str())).collect();
                t.equal("what stayed and was listed", stayed, ["c", "c/1", "d"])
            }),
        must("a-new-listing-shows-the-latest-changes", &["SEQ-9", "LIST-8", "ENTRY-5"])
            .sends("`list`, `put`, `write`, `remove` and `move`, each followed by a new `list` of the same directory")
            .passes("Each listing shows the effect of all before it, `size` too.")
            .run(|t| {
                let steps: [(Request, &[(&str, u64)]); 5] = [
                    (put(&t.path("b"), "1"), &[("b", 1)]),
                    (put(&t.path("a"), "12"), &[("a", 2), ("b", 1)]),
                    (write(&t.path("a"), 2, "345"), &[("a", 5), ("b", 1)]),
                    (rename(&t.path("a"), &t.path("c")), &[("b", 1), ("c", 5)]),
                    (remove(&t.path("b")), &[("c", 5)]),
                ];
                for (step, wanted) in steps {
                    t.setup(step)?;
                    for tree in [false, true] {
                        let request = listing(t, tree);
                        let entries = t.entries(&request)?;
                        let got: Vec<_> = entries.iter().map(|entry| Ok((entry.text("name")?, entry.size()?))).collect::<CaseResult<_>>()?;
                        t.equal("the names and sizes", got, wanted)?;
                    }
                }
                Ok(())
            }),
    ]
}

fn refusals() -> Vec<Case> {
    vec![
        must("list-needs-a-directory", &["LIST-1", "KIND-2"])
            .sends("`list` of a file and of a missing name, with `tree`, `after` and `limit` and without; of a directory before")
            .passes("NOT_DIR and NOT_FOUND.")
            .run(|t| {
                let (directory, file, missing) = (t.subdirectory("d")?, t.file("f", b"content")?, t.path("missing"));
                t.control(list(&directory))?;
                let of = |path: &str| {
                    let plain = list(path);
                    vec![plain.clone(), plain.clone().arg("tree", true), plain.clone().arg("after", "x"), plain.arg("limit", 1_u64)]
                };
                refuse_all(t, of(&file), NOT_DIR)?;
                refuse_all(t, of(&missing), NOT_FOUND)
            }),
        must("a-limit-is-at-least-1", &["LIST-5", "OP-2"])
            .sends("`list` with a `limit` of 0; of 1 before")
            .passes("BAD_ARGS.")
            .run(|t| {
                let path = t.directory().to_owned();
                t.control(list(&path).arg("limit", 1_u64))?;
                t.expect_refused(list(&path).arg("limit", 0_u64), BAD_ARGS).map(drop)
            }),
    ]
}
