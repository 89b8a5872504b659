//! Section 9: entries and etags.

use crate::{
    case::{Case, must},
    request::stat,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("a-directory-has-neither-size-nor-etag", &["ENTRY-2", "STAT-1"])
            .sends("`mkdir`, and `stat` of the new directory")
            .passes("kind dir with mtime_ns, and neither size nor etag.")
            .run(|t| {
                let path = t.subdirectory("d")?;
                let entry = t.expect_ok(stat(&path))?.entry()?;
                t.equal("the entry's kind", entry.kind()?, "dir")?;
                t.equal("the entry's keys", entry.keys(), ["kind", "mtime_ns"])
            }),
    ]
}
