//! Names on disk that are invalid in the protocol, and directories that cannot be read.

use super::case;
use crate::{
    cases::support::{
        disk::{Disk, harness},
        files::setup_all,
    },
    engine::{
        case::Case,
        context::CaseContext,
        error::{CaseResult, failed},
    },
    wire::{
        code::{NOT_EMPTY, OK},
        request::{Request, list, mkdir, put, remove, stat},
    },
};
use std::{fs, os::unix::fs::PermissionsExt};

/// Names that break [PATH-2] to [PATH-4] or [PATH-6], or are not UTF-8, in the order of their bytes.
const ODD: [&[u8]; 9] =
    [b"\x01", b".REMOFILE", b".remofile", b"a\nb", b"b\x7f", b"c\xc2\x85", b"m\xff", b"\xc3", b"\xff\xfe"];

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("invalid-names-are-skipped-and-counted", &["LIST-12", "LIST-10", "LIST-11"])
            .sends("`list` of a directory with 9 names that are not UTF-8, have control characters or are reserved, and 2 others")
            .passes("The 2 others, and `skipped` 9; with `tree` too.")
            .run(|t| {
                let disk = Disk::new(t)?;
                setup_all(t, vec![put(&t.path("a"), ""), put(&t.path("z"), "")])?;
                ODD.iter().try_for_each(|name| disk.invalid_file("", name))?;
                for tree in [false, true] {
                    let request = list(t.directory()).arg("tree", tree);
                    let (names, skipped) = all_names(t, &request)?;
                    t.equal("the names", names, ["a", "z"])?;
                    t.equal("skipped", skipped, ODD.len() as u64)?;
                }
                Ok(())
            }),
        case("invalid-names-are-counted-on-their-page", &["LIST-12", "LIST-3"])
            .sends("`list` with `after` each name, of a directory with invalid names before, between and after the others")
            .passes("`skipped` counts the invalid names after `after` up to the page's last entry; on the last page, up to the end.")
            .run(|t| {
                let disk = Disk::new(t)?;
                setup_all(t, vec![put(&t.path("b"), ""), put(&t.path("d"), ""), put(&t.path("f"), "")])?;
                let odd = [&b"a\xff"[..], b"c\x01", b"c\xff", b"e\n", b"g\xff", b"h\x7f"];
                odd.iter().try_for_each(|name| disk.invalid_file("", name))?;
                for (after, first, skipped, more) in
                    [("", "b", 1, true), ("b", "d", 2, true), ("d", "f", 3, false), ("c\x01x", "d", 1, true), ("e\n", "f", 2, false)]
                {
                    let request = list(t.directory()).arg("limit", 1_u64).arg("after", after);
                    let reply = t.expect_ok(request)?;
                    t.equal(&format!("what is listed after {after:?}"), reply.names()?, [first])?;
                    t.equal(&format!("skipped after {after:?}"), reply.uint("skipped")?, skipped)?;
                    t.equal(&format!("more after {after:?}"), reply.bool("more")?, more)?;
                }
                for (after, skipped) in [("f", 2), ("h", 1), ("i", 0)] {
                    let request = list(t.directory()).arg("after", after);
                    let reply = t.expect_ok(request)?;
                    t.equal(&format!("what is listed after {after:?}"), reply.names()?, Vec::<String>::new())?;
                    t.equal(&format!("skipped after {after:?}"), reply.uint("skipped")?, skipped)?;
                }
                Ok(())
            }),
        case("a-directory-with-an-invalid-name-is-counted-once", &["LIST-10", "LIST-12"])
            .sends("`list` with `tree` of a directory with a reserved and a directory with an invalid name that have files in them")
            .passes("Nothing of them is listed, and `skipped` is 2.")
            .run(|t| {
                let disk = Disk::new(t)?;
                setup_all(t, vec![mkdir(&t.path("d")), put(&t.path("d/f"), ""), put(&t.path("z"), "")])?;
                for name in ["d/.remofile", "d/x\n"] {
                    fs::create_dir(disk.inside(name)).map_err(harness)?;
                    disk.invalid_file(name, b"below")?;
                    disk.invalid_file(name, b"\xff")?;
                }
                let request = list(t.directory()).arg("tree", true);
                let (names, skipped) = all_names(t, &request)?;
                t.equal("the names", names, ["d", "d/f", "z"])?;
                t.equal("skipped", skipped, 2)
            }),
        case("an-entry-that-is-too-deep-is-skipped-and-counted", &["LIST-10", "LIST-12", "PATH-5"])
            .sends("`list` with `tree` of 140 directories in one another, and `list` of the last one that has a path")
            .passes("Those with a path are listed, and `skipped` is 1.")
            .run(|t| {
                let disk = Disk::new(t)?;
                fs::create_dir_all(disk.inside(&["d"; 140].join("/"))).map_err(harness)?;
                // The case's directory has a depth of two.
                let request = list(t.directory()).arg("tree", true);
                let (names, skipped) = all_names(t, &request)?;
                t.equal("how many are listed", names.len(), 126)?;
                t.equal("skipped", skipped, 1)?;
                let last = t.path(&["d"; 126].join("/"));
                t.control(stat(&last))?;
                let (names, skipped) = all_names(t, &list(&last))?;
                t.equal("what the last one lists", names, Vec::<String>::new())?;
                t.equal("skipped in it", skipped, 1)
            }),
        case("an-entry-with-a-too-long-path-is-skipped-and-counted", &["LIST-10", "LIST-12", "PATH-5"])
            .sends("`list` with `tree` of files whose paths would have more than 4,096 bytes since a directory was renamed")
            .passes("What has a path is listed, and the others are counted.")
            .run(|t| {
                let disk = Disk::new(t)?;
                let mut deep = "d".to_owned();
                let mut steps = vec![mkdir(&t.path(&deep))];
                while t.directory().len() + deep.len() < 3_700 {
                    deep = format!("{deep}/{}", "n".repeat(200));
                    steps.push(mkdir(&t.path(&deep)));
                }
                let room = 4_095 - t.directory().len() - deep.len() - 1;
                let name = |first: &str, length: usize| format!("{deep}/{first}{}", "n".repeat(length - 1));
                steps.push(put(&t.path(&name("a", room / 2)), ""));
                steps.push(put(&t.path(&name("b", room.min(255))), ""));
                let wanted = steps.len() - 1;
                setup_all(t, steps)?;
                fs::rename(disk.inside("d"), disk.inside(&format!("d{}", "d".repeat(room - room / 2 - 1)))).map_err(harness)?;
                let request = list(t.directory()).arg("tree", true);
                let (names, skipped) = all_names(t, &request)?;
                t.equal("how many are listed", names.len(), wanted)?;
                t.equal("skipped", skipped, 1)
            }),
        case("a-directory-of-invalid-names-is-not-empty", &["REMOVE-2", "LIST-12"])
            .sends("`remove` of a directory that holds nothing but an invalid name, and of it once that is gone")
            .passes("NOT_EMPTY, and the file with the invalid name is there; OK.")
            .run(|t| {
                let disk = Disk::new(t)?;
                for name in [&b"\xff"[..], b"a\nb", b".remofile"] {
                    let path = t.subdirectory("d")?;
                    disk.invalid_file("d", name)?;
                    t.expect_refused(remove(&path), NOT_EMPTY)?;
                    let left = fs::read_dir(disk.inside("d")).map_err(harness)?.count();
                    t.equal("what is left in it", left, 1)?;
                    fs::remove_dir_all(disk.inside("d")).map_err(harness)?;
                    t.setup(mkdir(&path))?;
                    t.control(remove(&path))?;
                }
                Ok(())
            }),
        case("a-directory-that-cannot-be-read-is-listed-and-counted", &["LIST-13", "LIST-12"])
            .sends("`list` with `tree` of a directory without permissions and with files in it, and one beside it")
            .passes("It is listed and not entered, and `skipped` is 1; or, if the server may read it, entered.")
            .run(|t| {
                let disk = Disk::new(t)?;
                setup_all(t, vec![mkdir(&t.path("d")), put(&t.path("d/f"), ""), put(&t.path("e"), "")])?;
                let mode = |mode| fs::set_permissions(disk.inside("d"), fs::Permissions::from_mode(mode)).map_err(harness);
                mode(0)?;
                let request = list(t.directory()).arg("tree", true);
                let listed = all_names(t, &request);
                mode(0o777)?;
                let (names, skipped) = listed?;
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                match (names.as_slice(), skipped) {
                    (["d", "e"], 1) | (["d", "d/f", "e"], 0) => Ok(()),
                    _ => failed(format!("{names:?} are listed, and skipped is {skipped}")),
                }
            }),
        case("the-servers-own-directory-is-neither-listed-nor-counted", &["LIST-11", "LIST-12"])
            .sends("`list` of `/` with `after` set to `.remofild` and a `limit` of 1")
            .passes("Another name than `.remofile`, and `skipped` without it.")
            .run(|t| {
                let request = list("/").arg("after", ".remofild").arg("limit", 1_u64);
                let reply = t.expect_ok(request)?;
                let listed = reply.names()?;
                let root = t.environment.root.clone().unwrap_or_default();
                let mut odd = 0;
                for entry in fs::read_dir(root).map_err(harness)? {
                    let name = entry.map_err(harness)?.file_name();
                    let text = name.to_str();
                    let valid = text.is_some_and(|name| crate::wire::name::is_valid(name) && !name.eq_ignore_ascii_case(".remofile"));
                    let within = name.as_encoded_bytes() > b".remofild".as_slice()
                        && listed.iter().all(|last| name.as_encoded_bytes() <= last.as_bytes());
                    if !valid && within && text != Some(".remofile") {
                        odd += 1;
                    }
                }
                t.check(!listed.iter().any(|name| name == ".remofile"), "`.remofile` is listed")?;
                t.equal("skipped", reply.uint("skipped")?, odd)
            }),
    ]
}

/// Every name of a listing and the number of skipped ones, from all pages.
fn all_names(t: &mut CaseContext, request: &Request) -> CaseResult<(Vec<String>, u64)> {
    let (mut names, mut skipped): (Vec<String>, u64) = (Vec::new(), 0);
    loop {
        let page = match names.last() {
            None => request.clone(),
            Some(last) => request.clone().arg("after", last),
        };
        let reply = t.expect(page, OK)?;
        let entries = reply.names()?;
        skipped += reply.uint("skipped")?;
        let empty = entries.is_empty();
        names.extend(entries);
        if !reply.bool("more")? || empty {
            return Ok((names, skipped));
        }
    }
}
