//! LIST: order, pages, names left out, and directories that change meanwhile.

use proptest::prelude::*;
use remofile::StoreOptions;
use remofile_proto::{Answer, Code, Kind, SessionId, encode_reply};
use remofile_testkit::storage::{Served, served, served_with};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The order of the specification, and of nothing else.
fn key(name: &str) -> Vec<u8> {
    name.bytes().map(|byte| if byte == b'/' { 0 } else { byte }).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_by_key(|name| key(name));
    names
}

#[test]
fn siblings_come_in_the_order_of_their_bytes() {
    let mut served = served();
    for name in ["b", "B", "a b", "a", "a!", "ä", "~", "10", "9"] {
        served.file(name, b"");
    }
    assert_eq!(served.list_all("/", None, false).0, ["10", "9", "B", "a", "a b", "a!", "b", "~", "ä"]);
}

#[test]
fn in_a_tree_a_directory_is_followed_by_what_is_in_it() {
    let mut served = served();
    served.dir("a/b");
    served.dir("a b");
    for name in ["a/b/c", "a/b!", "a b/c", "a!"] {
        served.file(name, b"");
    }
    let expected = ["a", "a/b", "a/b/c", "a/b!", "a b", "a b/c", "a!"];
    for limit in [None, Some(1), Some(2), Some(3)] {
        assert_eq!(served.list_all("/", limit, true), (expected.map(str::to_owned).to_vec(), 0), "{limit:?}");
    }
}

#[test]
fn a_listing_that_is_not_a_tree_stays_on_top() {
    let mut served = served();
    served.dir("a/b");
    assert_eq!(served.list_all("/", None, false).0, ["a"]);
    assert_eq!(served.list_all("/a", None, false).0, ["b"]);
}

#[test]
fn links_are_listed_and_not_entered() {
    let mut served = served();
    served.dir("../outside/deep");
    served.link("../outside", "out");
    served.dir("in");
    served.link("in", "link");
    let page = served.list("/", "", None, true).unwrap();
    let kinds: Vec<_> = page.entries.iter().map(|listed| (listed.name.as_str(), listed.entry.kind)).collect();
    assert_eq!(kinds, [("in", Kind::Dir), ("link", Kind::Link), ("out", Kind::Link)]);
}

#[test]
fn a_listed_entry_is_what_stat_says() {
    let mut served = served();
    served.file("file", b"12345");
    served.dir("dir");
    served.link("file", "link");
    for listed in served.list("/", "", None, false).unwrap().entries {
        let stat = served.stat(&format!("/{}", listed.name)).unwrap();
        let without_racy = |entry: remofile_proto::Entry| remofile_proto::Entry { racy: false, ..entry };
        assert_eq!(without_racy(listed.entry), without_racy(stat), "{}", listed.name);
    }
}

#[test]
fn what_is_no_directory_is_not_listed() {
    let mut served = served();
    served.file("file", b"");
    served.link("/", "link");
    assert_eq!(served.list("/file", "", None, false), Err(Code::NotDir));
    assert_eq!(served.list("/link", "", None, false), Err(Code::NotDir));
    assert_eq!(served.list("/missing", "", None, false), Err(Code::NotFound));
}

#[test]
fn a_page_begins_behind_a_name_that_need_not_be_there() {
    let mut served = served();
    served.dir("b/m");
    for name in ["a", "b/k", "b/m/x", "c"] {
        served.file(name, b"");
    }
    let mut names = |after: &str, tree| -> Vec<String> {
        let page = served.list("/", after, None, tree).unwrap();
        page.entries.into_iter().map(|listed| listed.name).collect()
    };
    assert_eq!(names("aa", false), ["b", "c"]);
    assert_eq!(names("b/zzz", false), ["c"]);
    assert_eq!(names("b/l", true), ["b/m", "b/m/x", "c"]);
    assert_eq!(names("b", true), ["b/k", "b/m", "b/m/x", "c"]);
    assert_eq!(names("b/", true), ["b/k", "b/m", "b/m/x", "c"]);
    assert_eq!(names("b/m/x/y", true), ["c"]);
    assert_eq!(names("/x", true), ["a", "b", "b/k", "b/m", "b/m/x", "c"]);
    assert_eq!(names("b\0k", true), ["b/m", "b/m/x", "c"]);
    assert_eq!(names("zz", true), [""; 0]);
}

#[test]
fn invalid_names_are_counted_and_left_out() {
    let mut served = served();
    for name in [&b"a"[..], b"b\xff", b"c\n", b"d", b"\xc2\x85"] {
        std::fs::write(served.disk("").join(OsStr::from_bytes(name)), b"").unwrap();
    }
    served.dir(".REMOFILE/inside");
    served.dir("d2/.Remofile");
    std::fs::create_dir(served.disk("").join(OsStr::from_bytes(b"e\xff"))).unwrap();
    std::fs::write(served.disk("").join(OsStr::from_bytes(b"e\xff/inside")), b"").unwrap();
    let expected = ["a", "d", "d2"].map(str::to_owned).to_vec();
    for limit in [None, Some(1)] {
        assert_eq!(served.list_all("/", limit, false), (expected.clone(), 5), "{limit:?}");
        assert_eq!(served.list_all("/", limit, true), (expected.clone(), 6), "{limit:?}");
    }
}

#[test]
fn names_left_out_are_counted_on_the_page_of_the_entry_behind_them() {
    let mut served = served();
    for name in [&b"a"[..], b"b\xff", b"c", b"d\xff", b"e\xff"] {
        std::fs::write(served.disk("").join(OsStr::from_bytes(name)), b"").unwrap();
    }
    let mut page = |after: &str| {
        let page = served.list("/", after, Some(1), false).unwrap();
        (page.entries.len(), page.skipped, page.more)
    };
    assert_eq!(page(""), (1, 0, true));
    assert_eq!(page("a"), (1, 3, false), "the last page counts to the end");
    assert_eq!(page("c"), (0, 2, false));
    assert_eq!(page("b"), (1, 3, false), "a fresh look counts the same");
}

#[test]
fn the_staging_directory_is_not_mentioned() {
    let mut served = served();
    served.begin(1, "/film", None).unwrap();
    assert_eq!(served.list_all("/", None, true), (vec![], 0));
}

#[test]
fn a_directory_of_invalid_names_is_not_empty() {
    let mut served = served();
    served.dir("dir");
    std::fs::write(served.disk("dir").join(OsStr::from_bytes(b"\xff")), b"").unwrap();
    assert_eq!(served.list_all("/dir", None, false), (vec![], 1));
    assert_eq!(served.remove("/dir"), Code::NotEmpty);
}

#[test]
fn a_page_fits_a_chunk() {
    let chunk = 64 << 10;
    let mut served = served_with(StoreOptions { chunk, ..StoreOptions::default() });
    for n in 0..2_000 {
        served.file(&format!("{n:04}-{}", "x".repeat(n % 200)), b"");
    }
    let (mut after, mut pages, mut seen) = (String::new(), 0, 0);
    loop {
        let page = served.list("/", &after, None, false).unwrap();
        let (more, count) = (page.more, page.entries.len());
        after = page.entries.last().unwrap().name.clone();
        let header = encode_reply(SessionId::new([255; 16]), (1 << 63) - 1, &Ok(Answer::Listing(page)));
        assert!(header.len() as u64 <= chunk, "{}", header.len());
        pages += 1;
        seen += count;
        if !more {
            break;
        }
        assert!(header.len() as u64 > chunk - 1_000, "a page of {} bytes is wasteful", header.len());
    }
    assert_eq!(seen, 2_000);
    assert!(pages > 3);
}

#[test]
fn what_stays_is_listed_once_while_other_names_come_and_go() {
    let mut served = served();
    let stays: Vec<String> = (0..300).map(|n| format!("stays-{n:03}")).collect();
    for name in &stays {
        served.file(name, b"");
    }
    let (mut seen, mut after, mut round) = (Vec::new(), String::new(), 0);
    loop {
        let page = served.list("/", &after, Some(7), false).unwrap();
        seen.extend(page.entries.iter().map(|listed| listed.name.clone()));
        if !page.more {
            break;
        }
        after = seen.last().unwrap().clone();
        round += 1;
        served.file(&format!("a-new-{round}"), b"");
        served.file(&format!("stays-{:03}-new", 300 - round), b"");
        let _ = std::fs::remove_file(served.disk(&format!("a-new-{}", round - 1)));
    }
    let unique: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len(), "listed twice");
    assert!(stays.iter().all(|name| unique.contains(name)), "left out");
}

#[test]
fn a_tree_can_be_removed_while_it_is_listed() {
    let mut served = served();
    for n in 0..30 {
        served.dir(&format!("d{n:02}/sub"));
        served.file(&format!("d{n:02}/sub/file"), b"");
    }
    let (mut after, mut seen) = (String::new(), 0);
    loop {
        let page = served.list("/", &after, Some(2), true).unwrap();
        seen += page.entries.len();
        if !page.more {
            break;
        }
        after = page.entries.last().unwrap().name.clone();
        let _ = std::fs::remove_dir_all(served.disk(after.split('/').next().unwrap()));
    }
    assert!(seen >= 30, "{seen}");
    assert_eq!(served.list_all("/", None, true).0.len(), 0);
}

#[test]
fn a_fresh_listing_sees_what_was_just_made() {
    let mut served = served();
    served.file("a", b"");
    served.file("b", b"");
    assert!(served.list("/", "", Some(1), false).unwrap().more);
    served.mkdir("/0").unwrap();
    assert_eq!(served.list_all("/", Some(1), false).0, ["0", "a", "b"]);
}

#[test]
fn a_tree_deeper_than_paths_may_be_is_counted_and_not_entered() {
    let mut served = served();
    let deepest = vec!["d"; 127].join("/");
    served.dir(&format!("{deepest}/e/f"));
    served.file(&format!("{deepest}/g"), b"");
    let (names, skipped) = served.list_all("/", None, true);
    assert_eq!((names.len(), skipped), (129, 1), "127 directories, e and g; f has 129 names");
    let (names, skipped) = served.list_all("/d", Some(5), true);
    assert_eq!((names.len(), skipped), (128, 1));
}

fn tree() -> impl Strategy<Value = BTreeSet<String>> {
    let name = proptest::sample::select(vec!["a", "b", "a!", "a b", "ä", "A", "a\u{1}", "-", "~"]);
    proptest::collection::btree_set(proptest::collection::vec(name, 1..4).prop_map(|names| names.join("/")), 0..30)
}

fn build(served: &Served, paths: &BTreeSet<String>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for path in paths {
        served.dir(path);
        for (index, _) in path.match_indices('/') {
            all.insert(path[..index].to_owned());
        }
        all.insert(path.clone());
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: remofile_testkit::storage::beside_the_source(), ..ProptestConfig::default() })]

    #[test]
    fn pages_make_up_the_whole_in_order(paths in tree(), limit in 1_u64..6) {
        let mut served = served();
        let all = build(&served, &paths);
        let hidden = |path: &str| path.contains('\u{1}');
        let expected = sorted(all.iter().filter(|path| !hidden(path)).cloned().collect());
        let topmost = |path: &&String| {
            hidden(path) && path.rsplit_once('/').is_none_or(|(parent, _)| !hidden(parent))
        };
        let skipped = all.iter().filter(topmost).count() as u64;
        prop_assert_eq!(served.list_all("/", Some(limit), true), (expected, skipped));
    }

    #[test]
    fn any_after_yields_what_sorts_behind_it(paths in tree(), after in "[aäb!/\u{0}\u{1} ~-]{0,6}") {
        let mut served = served();
        let all = build(&served, &paths);
        for tree in [false, true] {
            let expected = sorted(all.iter().filter(|path| !path.contains('\u{1}') && (tree || !path.contains('/')))
                .filter(|path| after.is_empty() || key(path) > key(&after)).cloned().collect());
            let page = served.list("/", &after, None, tree).unwrap();
            let names: Vec<String> = page.entries.into_iter().map(|listed| listed.name).collect();
            prop_assert_eq!(names, expected);
        }
    }
}
