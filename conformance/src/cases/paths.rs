//! Section 8: paths and names.

use super::support::files::{all, by_name, by_path, expect_all, listed, refuse_all, setup_all};
use crate::{
    engine::{
        case::{Case, Need, may, must},
        context::CaseContext,
        error::{CaseResult, failed},
    },
    wire::{
        code::{BAD_NAME, LIMIT, NAME_CLASH, NOT_DIR, NOT_FILE, NOT_FOUND, OK},
        request::{copy, hash, list, mkdir, put, read, remove, rename, stat},
    },
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        bad("an-empty-path-is-refused", &["PATH-1", "PATH-7"], "the empty path", |_| vec![String::new()]),
        bad("a-path-begins-with-a-slash", &["PATH-1", "PATH-7"], "paths without a leading slash", |t| {
            vec![harmless(t), t.path("f")[1..].to_owned(), ".".into(), "..".into()]
        }),
        bad(
            "a-path-does-not-end-with-a-slash",
            &["PATH-1", "PATH-7"],
            "a file and a missing name with a slash at their end",
            |t| vec![t.path("f/"), t.path("x/"), format!("{}/", t.directory())],
        ),
        bad("a-name-is-not-empty", &["PATH-2", "PATH-7"], "paths with two slashes on end", |t| {
            vec!["//".into(), format!("/{}", t.path("f")), t.path("/f"), t.path("f//x"), t.path("x//")]
        }),
        bad("a-name-is-not-a-dot", &["PATH-2", "PATH-7"], "paths with the name `.`", |t| {
            vec!["/.".into(), t.path("."), t.path("./f"), t.path("missing/./x")]
        }),
        bad("a-name-is-not-two-dots", &["PATH-2", "PATH-7", "PATH-10"], "paths with the name `..`", |t| {
            let (above, far_above) = (format!("/../{}", harmless(t)), format!("/../../../../../../{}", harmless(t)));
            let mut paths = vec!["/..".into(), above, far_above];
            paths.extend(["..", "../x", "a/../../x", "f/..", "missing/../x"].map(|name| t.path(name)));
            paths
        }),
        bad(
            "a-name-has-no-nul",
            &["PATH-3", "PATH-7"],
            "names with U+0000 at the start, in the middle and at the end",
            |t| ["\0", "\0f", "f\0", "f\0x", "x\0/y"].map(|name| t.path(name)).into(),
        ),
        bad(
            "a-name-is-at-most-255-bytes",
            &["PATH-4", "PATH-7"],
            "names of 256 bytes, in one and in two bytes a character, last and not",
            |t| {
                let long = "n".repeat(256);
                vec![t.path(&long), t.path(&format!("{long}/x")), t.path(&"é".repeat(128)), t.path(&"é".repeat(200))]
            },
        ),
        bad(
            "the-reserved-name-is-refused-at-any-depth",
            &["PATH-6", "PATH-7"],
            "`.remofile` in the served directory and below, last and not",
            |t| {
                let deep = [".remofile", ".remofile/x", "missing/.remofile"].map(|name| t.path(name));
                deep.into_iter().chain(["/.remofile".into(), format!("/.remofile/{}", harmless(t))]).collect()
            },
        ),
        bad(
            "the-reserved-name-is-refused-in-any-case",
            &["PATH-6", "PATH-7"],
            "`.remofile` in mixtures of upper and lower case",
            |t| {
                let mut paths: Vec<_> =
                    [".REMOFILE", ".Remofile", ".remofilE", ".rEMOFILe/x"].map(|name| t.path(name)).into();
                paths.extend(["/.REMOFILE".into(), format!("/.ReMoFiLe/{}", harmless(t))]);
                paths
            },
        ),
        controls("no-name-has-a-c0-control-or-del", (0..0x20).chain([0x7f]).collect()),
        controls("no-name-has-a-c1-control", (0x80..0xa0).collect()),
    ];
    cases.extend(limits());
    cases.extend(names());
    cases.extend(components());
    cases
}

/// The beginning of names that lead out of the run's directory.
const HARMLESS: &str = "conformance-out-";

/// A name that does not exist, so that a server which follows such a path destroys nothing.
fn harmless(t: &CaseContext) -> String {
    format!("{HARMLESS}{}", crate::wire::cbor::hex(&t.id()))
}

/// The case that every operation answers BAD_NAME to each of these paths; the control is a similar valid path.
fn bad(id: &str, checks: &'static [&'static str], what: &str, paths: fn(&CaseContext) -> Vec<String>) -> Case {
    must(id, checks)
        .sends(format!("Every operation that takes a path, with {what}; `put` of a good name before"))
        .passes("BAD_NAME to each, also if the path exists; nothing changes.")
        .run(move |t| {
            let good = t.path("f");
            t.control(put(&good, "content"))?;
            let paths = paths(t);
            let requests = paths.iter().flat_map(|path| by_name(t, path, &good)).collect();
            let refused = refuse_all(t, requests, BAD_NAME);
            if refused.is_err() {
                for path in paths.iter().filter(|path| path.contains(HARMLESS)) {
                    // If the server accepted the path, it may be removed by the same path.
                    let _answer = t.call(remove(path));
                }
            }
            refused
        })
}

fn controls(id: &str, characters: Vec<u8>) -> Case {
    must(id, &["PATH-3", "PATH-7"])
        .sends("`put` and `stat` of a name with each of these characters; of one with U+00A0 before")
        .passes("BAD_NAME to each, and nothing changed.")
        .run(move |t| {
            let good = t.path("a\u{a0}b");
            t.control(put(&good, ""))?;
            let named = characters.iter().map(|character| t.path(&format!("a{}b", char::from(*character))));
            let requests = named.flat_map(|path| [put(&path, ""), stat(&path)]).collect();
            refuse_all(t, requests, BAD_NAME)
        })
}

/// A path of that many bytes in the case's directory; its names have up to 255 bytes.
fn long(t: &CaseContext, length: usize) -> String {
    let mut path = t.directory().to_owned();
    while path.len() < length {
        // The path never ends with a slash.
        let room = length - path.len() - 1;
        path.push('/');
        path.push_str(&"n".repeat(if room == 256 { 200 } else { room.min(255) }));
    }
    path
}

/// A path of that many names in the case's directory, which itself has two.
fn deep(t: &CaseContext, names: usize) -> String {
    format!("{}{}", t.directory(), "/d".repeat(names - 2))
}

fn limits() -> Vec<Case> {
    vec![
        must("a-path-is-at-most-4096-bytes", &["PATH-5", "PATH-7", "LIMIT-1"])
            .sends("Every operation that takes a path, with one of 4,097 bytes; `stat` of one of 4,096 before")
            .passes("NOT_FOUND to the shorter, LIMIT to each of the longer.")
            .run(|t| {
                let other = t.file("f", b"")?;
                let within = long(t, 4_096);
                t.expect_absent(&within)?;
                let mut requests = by_name(t, &long(t, 4_097), &other);
                // Bytes count, not characters, of which this one has half as many.
                let mut wide = t.directory().to_owned();
                while wide.len() + 201 < 4_097 {
                    wide = format!("{wide}/{}", "é".repeat(100));
                }
                wide.push('/');
                requests.push(stat(&format!("{wide}{}", "z".repeat(4_097 - wide.len()))));
                refuse_all(t, requests, LIMIT)
            }),
        must("a-path-has-at-most-128-names", &["PATH-5", "PATH-7", "LIMIT-1"])
            .sends("Every operation that takes a path, with one of 129 names; `stat` of one of 128 before")
            .passes("NOT_FOUND to the shorter, LIMIT to each of the longer.")
            .run(|t| {
                let other = t.file("f", b"")?;
                let within = deep(t, 128);
                t.expect_absent(&within)?;
                refuse_all(t, by_name(t, &deep(t, 129), &other), LIMIT)
            }),
        must("a-too-long-path-with-a-bad-name-is-limit", &["PATH-7", "PATH-5", "CODE-5"])
            .sends("`stat` and `put` of texts that are not paths and have 4,097 bytes or 129 slashes, or one less")
            .passes("LIMIT to paths that are too long or deep, BAD_NAME to the others.")
            .run(|t| {
                let bad = |rest: usize| format!("{}/..", long(t, rest - 3));
                let over =
                    [bad(4_097), "a".repeat(4_097), "/".repeat(129), "/../".repeat(65), format!("{}/", deep(t, 128))];
                let within =
                    [bad(4_096), "a".repeat(4_096), "/".repeat(128), "/../".repeat(64), format!("{}/", deep(t, 127))];
                let both = |paths: &[String]| paths.iter().flat_map(|path| [stat(path), put(path, "")]).collect();
                refuse_all(t, both(&over), LIMIT)?;
                refuse_all(t, both(&within), BAD_NAME)
            }),
        must("the-source-is-checked-before-the-target", &["CODE-5", "PATH-7"])
            .sends("`move` and `copy` whose `from` has a bad name and whose `to` is too long, and the other way round")
            .passes("BAD_NAME to the first, LIMIT to the second.")
            .run(|t| {
                let (bad, over) = (t.path(".."), long(t, 4_097));
                refuse_all(t, vec![rename(&bad, &over), copy(&bad, &over)], BAD_NAME)?;
                refuse_all(t, vec![rename(&over, &bad), copy(&over, &bad)], LIMIT)
            }),
        must("a-path-of-4096-bytes-works", &["LIMIT-1", "PATH-5"])
            .sends("`mkdir` of all parents of a path of 4,096 bytes, `put`, `read`, `move` and `remove` there")
            .passes("OK to each.")
            .run(|t| {
                let path = long(t, 4_096);
                let below = t.directory().len() + 1;
                let ends: Vec<_> = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > below).collect();
                expect_all(t, ends.iter().map(|at| mkdir(&path[..*at])).collect(), OK)?;
                t.expect_ok(put(&path, "deep"))?;
                t.expect_content(&path, b"deep")?;
                let other = format!("{}m", &path[..path.len() - 1]);
                t.expect_ok(rename(&path, &other))?;
                t.expect_ok(remove(&other)).map(drop)
            }),
        must("a-path-of-128-names-works", &["LIMIT-1", "PATH-5"])
            .sends("`mkdir` of all parents of a path of 128 names, `put` and `read` there")
            .passes("OK to each.")
            .run(|t| {
                let path = deep(t, 128);
                expect_all(t, (3..128).map(|names| mkdir(&deep(t, names))).collect(), OK)?;
                t.expect_ok(put(&path, "deep"))?;
                t.expect_content(&path, b"deep")
            }),
        must("a-name-of-255-bytes-works", &["LIMIT-1", "PATH-4", "PATH-8"])
            .sends("`put` and `list` of names of 255 bytes, in one and in three bytes a character")
            .passes("OK, and the names come back as they are.")
            .run(|t| kept(t, &["n".repeat(255), "€".repeat(85)])),
    ]
}

/// Checks that names are accepted, returned byte for byte, and each has its own content.
fn kept(t: &mut CaseContext, names: &[impl AsRef<str>]) -> CaseResult {
    let puts = names.iter().map(|name| put(&t.path(name.as_ref()), name.as_ref())).collect();
    expect_all(t, puts, OK)?;
    let listed = listed(t)?;
    let mut wanted: Vec<_> = names.iter().map(|name| name.as_ref().to_owned()).collect();
    wanted.sort();
    t.equal("the names that are listed", listed, wanted)?;
    let reads = names.iter().map(|name| read(&t.path(name.as_ref()), 0, 1_000)).collect();
    for (name, reply) in names.iter().zip(expect_all(t, reads, OK)?) {
        t.equal_bytes("what is read", reply.payload.as_deref().unwrap_or_default(), name.as_ref().as_bytes())?;
    }
    Ok(())
}

fn names() -> Vec<Case> {
    const COMPOSED: &str = "caf\u{e9}";
    const DECOMPOSED: &str = "cafe\u{301}";
    vec![
        must("names-are-not-normalised", &["PATH-8"])
            .sends("`put` of a name in decomposed form, and `list`")
            .passes("The name is returned byte for byte.")
            .run(|t| kept(t, &[DECOMPOSED])),
        must("composed-and-decomposed-are-two-names", &["PATH-8", "HELLO-5"])
            .needs(&[Need::Exact])
            .sends("`put` of a name in composed and in decomposed form, of a ligature and its letters")
            .passes("Each is a file of its own.")
            .run(|t| kept(t, &[COMPOSED, DECOMPOSED, "\u{fb01}n", "fin"])),
        must("upper-and-lower-case-are-two-names", &["PATH-8", "HELLO-5"])
            .needs(&[Need::Exact])
            .sends("`put` of names that differ only in case")
            .passes("Each is a file of its own.")
            .run(|t| kept(t, &["Name", "name", "NAME", "straße", "STRASSE", "Ä", "ä"])),
        must("another-spelling-is-not-found-where-names-do-not-fold", &["PATH-8", "HELLO-5"])
            .needs(&[Need::Exact])
            .sends("`stat` of names that differ in case or normalisation from the one that is there")
            .passes("NOT_FOUND to each.")
            .run(|t| {
                let path = t.file(COMPOSED, b"")?;
                t.control(stat(&path))?;
                let others = [DECOMPOSED, "Caf\u{e9}", "CAF\u{c9}"].map(|name| stat(&t.path(name)));
                expect_all(t, others.into(), NOT_FOUND).map(drop)
            }),
        must("another-spelling-replaces-nothing-where-names-fold", &["PATH-8", "TARGET-3"])
            .needs(&[Need::Folds])
            .sends(
                "`put` with pre `any`, and `mkdir`, of names that differ from the one there in case or normalisation",
            )
            .passes("NAME_CLASH, or OK with a separate entry; the first keeps its name and content.")
            .run(|t| {
                let path = t.file("Caf\u{e9}", b"first")?;
                for other in ["caf\u{e9}", "Cafe\u{301}"] {
                    let second = t.path(other);
                    t.expect(put(&second, "second").arg("pre", "any"), [OK, NAME_CLASH])?;
                    t.expect_content(&path, b"first")?;
                }
                let listed = listed(t)?;
                t.check(
                    listed.iter().any(|name| name == "Caf\u{e9}"),
                    format!("the first name is not listed: {listed:?}"),
                )
            }),
        may("another-spelling-is-found-where-names-fold", &["PATH-15"])
            .needs(&[Need::Folds])
            .sends("`stat` of a name that differs in case from the one there")
            .passes("OK where the server finds it; NOT_FOUND is as good.")
            .run(|t| {
                t.file("Name", b"")?;
                let second = t.path("name");
                t.expect(stat(&second), OK).map(drop)
            }),
        must("a-backslash-is-an-ordinary-character", &["PATH-8"])
            .needs(&[Need::Posix])
            .sends("`put` of names with backslashes, one of which spells a path into a directory that is there")
            .passes("They are names in the case's directory, and nothing is in the other one.")
            .run(|t| {
                let directory = t.subdirectory("d")?;
                let names = ["d\\x", "..\\x", "\\", "C:\\x"];
                expect_all(t, names.map(|name| put(&t.path(name), name)).into(), OK)?;
                let within = t.names(&list(&directory))?;
                t.equal("what is in d", within, Vec::<String>::new())?;
                let listed = listed(t)?;
                t.equal("the names that are listed", listed, ["..\\x", "C:\\x", "\\", "d", "d\\x"])
            }),
        must("a-name-that-is-not-forbidden-is-accepted", &["PATH-8", "LIMIT-1"])
            .needs(&[Need::Posix])
            .sends(
                "`put` of names that programs like to mistake: spaces, dots, escapes, reserved words of other systems",
            )
            .passes("OK, and each is returned unchanged.")
            .run(|t| {
                kept(
                    t,
                    &[
                        " ",
                        " x",
                        "x ",
                        "x.",
                        "...",
                        "..x",
                        "a..b",
                        ".hidden",
                        "-rf",
                        "*",
                        "?",
                        "~",
                        "$HOME",
                        "`id`",
                        "a\"b'c",
                        "%2e%2e",
                        "%00",
                        "con",
                        "aux.txt",
                        "x~1",
                        "a:b",
                        "<>|",
                        ".remofil",
                        ".remofile-trash",
                        ".remofilex",
                        "remofile",
                        ".remof\u{131}le",
                        "\u{a0}",
                        "\u{200b}",
                        "\u{202e}",
                        "\u{feff}",
                        "\u{fffd}",
                        "日本語",
                        "😀",
                    ],
                )
            }),
        must("windows-refuses-its-reserved-names", &["PATH-9", "PATH-7"])
            .needs(&[Need::Windows])
            .sends("Every operation that takes a path, with names that Windows reserves, last and not")
            .passes("BAD_NAME to each, and nothing changed.")
            .run(|t| {
                let good = t.path("f");
                t.control(put(&good, ""))?;
                let devices =
                    ["CON", "prn", "Aux", "NUL", "com0", "COM1", "Com9", "lpt0", "LPT9", "con.txt", "NUL.tar.gz"];
                let marks =
                    ["a<", "a>", "a:b", "a\"b", "a|b", "a?", "*", "a\\b", "a.", "a ", "a~1", "LONGFI~12.TXT", "~1"];
                let names = devices.iter().chain(&marks);
                let named = names.flat_map(|name| [t.path(name), t.path(&format!("{name}/x"))]);
                let requests = named.flat_map(|path| [stat(&path), put(&path, ""), mkdir(&path), rename(&good, &path)]);
                let requests = requests.chain(by_name(t, &t.path("aux"), &good)).collect();
                refuse_all(t, requests, BAD_NAME)
            }),
        must("windows-accepts-names-that-are-not-reserved", &["PATH-9", "LIMIT-1"])
            .needs(&[Need::Windows])
            .sends("`put` of names that look like those that Windows reserves")
            .passes("OK, and each is returned unchanged.")
            .run(|t| kept(t, &["COM", "COM10", "CONx", "LPTx", "a~b", "a~1x", "x.aux", "xcon.txt", ".hidden", "a b"])),
    ]
}

fn components() -> Vec<Case> {
    vec![
        must("a-missing-component-is-not-found", &["PATH-13", "CODE-5"])
            .sends("Every operation that takes a path, with a path whose first or second name of two is missing")
            .passes("NOT_FOUND to each, nothing is created.")
            .run(|t| {
                let other = t.file("f", b"")?;
                t.subdirectory("d")?;
                let requests =
                    ["x/y", "d/x/y", "x/y/z"].iter().flat_map(|name| by_path(&t.path(name), &other)).collect();
                refuse_all(t, requests, NOT_FOUND)
            }),
        must("a-file-in-place-of-a-directory-is-not-dir", &["PATH-13", "CODE-5"])
            .sends("Every operation that takes a path, with a path that leads through a file")
            .passes("NOT_DIR to each, nothing is created.")
            .run(|t| {
                let (other, _) = (t.file("f", b"")?, t.file("g", b"content")?);
                let requests = ["g/x", "g/x/y"].iter().flat_map(|name| by_path(&t.path(name), &other)).collect();
                refuse_all(t, requests, NOT_DIR)
            }),
        must("components-are-checked-from-the-root-down", &["PATH-13", "CODE-5"])
            .sends("`stat` and `put` of paths with a missing component before a file, and a file before a missing one")
            .passes("The first failing component decides: NOT_FOUND, and NOT_DIR.")
            .run(|t| {
                setup_all(t, vec![put(&t.path("g"), ""), mkdir(&t.path("d")), put(&t.path("d/g"), "")])?;
                let both = |name: &str| vec![stat(&t.path(name)), put(&t.path(name), "")];
                let (missing, file) = (both("x/g/y"), both("d/g/x/y"));
                refuse_all(t, missing, NOT_FOUND)?;
                refuse_all(t, file, NOT_DIR)
            }),
        must("the-served-directory-is-a-directory", &["STAT-1", "ENTRY-1", "KIND-1", "PATH-1"])
            .without_directory()
            .sends("`stat`, `read`, `hash` and `list` of `/`")
            .passes("An entry of kind dir, NOT_FILE to `read` and `hash`, OK to `list`.")
            .run(|t| {
                let requests = vec![stat("/"), read("/", 0, 1), hash("/"), list("/").arg("limit", 1_u64)];
                let replies = all(t, requests)?;
                let codes: Vec<_> = replies.iter().map(|reply| reply.code).collect();
                t.equal("the answers", codes, [OK, NOT_FILE, NOT_FILE, OK])?;
                match replies[0].entry()?.kind()? {
                    "dir" => Ok(()),
                    other => failed(format!("the served directory is of kind {other:?}")),
                }
            }),
    ]
}
