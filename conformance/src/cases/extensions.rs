//! Section 17: extensions.

use crate::{
    engine::{
        case::{Case, must},
        error::not_applicable,
    },
    wire::{
        cbor::{Value, encode},
        code::{BAD_ARGS, BAD_OP, VERSION},
        malformed::HeaderParts,
        request::{list, read, request, stat},
    },
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("operations-of-extensions-not-announced-are-unknown", &["ENV-20"])
            .without_directory()
            .sends("To a server without capabilities: operations with the names of planned extensions")
            .passes("BAD_OP to each.")
            .run(|t| {
                let caps = t.server()?.caps;
                if !caps.is_empty() {
                    return not_applicable(format!("hello said caps: {caps:?}"));
                }
                t.control(stat("/"))?;
                for op in ["batch", "puts", "blocks", "delta", "watch", "changes", "x-batch", "rmdir", "symlink"] {
                    t.expect(request(op).arg("path", "/"), BAD_OP)?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
        must("arguments-of-extensions-not-announced-are-unknown", &["CBOR-13"])
            .sends("To a server without capabilities: `read` with `compress`, `list` with `watch_ms`, `stat` with `follow`")
            .passes("BAD_ARGS to each, and OK without.")
            .run(|t| {
                let caps = t.server()?.caps;
                if !caps.is_empty() {
                    return not_applicable(format!("hello said caps: {caps:?}"));
                }
                let path = t.file("file", b"content")?;
                for (request, key, value) in [
                    (read(&path, 0, 100), "compress", Value::from("zstd")),
                    (list("/").arg("limit", 1_u64), "watch_ms", Value::Int(0)),
                    (stat(&path), "follow", Value::Bool(false)),
                ] {
                    t.control(request.clone())?;
                    t.expect(request.arg(key, value), BAD_ARGS)?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
        must("a-hello-of-the-next-version-is-answered-with-version-1", &["ENV-16"])
            .without_directory()
            .sends("A `hello` of `rmf2`, as this version has it, and one with items that this version does not have")
            .passes("VERSION with the magic `rmf1` to both; the session continues.")
            .run(|t| {
                let mut parts = HeaderParts::of(&t.hello_request(), t.session, 0);
                parts.magic = encode(&"rmf2".into());
                let mut other = parts.clone();
                other.seq = encode(&Value::Array(vec![1_u64.into(), 2_u64.into()]));
                for parts in [parts, other] {
                    t.send_raw(&parts.frames(), Some(([0; 16], 0)))?;
                    let reply = t.any_reply()?;
                    t.code("a hello of rmf2", &reply, VERSION)?;
                    t.equal("the session of VERSION", reply.session, [0; 16])?;
                }
                t.expect_ok(stat("/")).map(drop)
            }),
    ]
}
