//! Section 6.3: the end of a session.

use super::{sequence::expect_remembered, session::greet};
use crate::{
    engine::case::{Case, Need, must},
    wire::{
        code::{BUSY, NO_SESSION, OK, SEQ},
        request::{bye, mkdir, ping, read, stat},
    },
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("bye-lets-another-client-open-a-session", &["SES-17", "SES-6"])
            .sends("`hello` of another client, `bye` of the holder, and `hello` of the other client without `take`")
            .passes("BUSY, OK and OK.")
            .run(|t| {
                let mut other = t.another_client()?;
                greet(&mut other, BUSY)?;
                t.expect_ok(bye())?;
                let reply = greet(&mut other, OK)?;
                other.opened(&reply)?;
                other.close()
            }),
        must("hello-of-a-released-id-is-refused", &["SES-18", "SES-5"])
            .sends("`bye`, and `hello` of the same id, without and with `take` naming itself")
            .passes("NO_SESSION to both; a new id opens.")
            .run(|t| {
                t.setup(bye())?;
                t.client.expect(t.hello_request(), NO_SESSION)?;
                t.client.expect(t.hello_request().arg("take", t.session), NO_SESSION)?;
                t.open().map(drop)
            }),
        must("ping-of-a-released-id-is-refused", &["SES-18"])
            .sends("`ping`, `bye`, `ping`")
            .passes("OK, OK and NO_SESSION.")
            .run(|t| {
                t.control(ping())?;
                t.setup(bye())?;
                t.expect(ping(), NO_SESSION).map(drop)
            }),
        must("bye-of-a-released-id-is-answered-ok", &["SES-18"]).sends("`bye` three times").passes("OK to each.").run(
            |t| {
                t.setup(bye())?;
                t.expect_ok(bye())?;
                t.expect_ok(bye()).map(drop)
            },
        ),
        must("a-remembered-reply-is-given-after-bye", &["SES-18", "SEQ-3"])
            .sends("`mkdir`; `bye`; the `mkdir` again, twice, `bye`, and once more")
            .passes("the same reply byte for byte, and OK to `bye`.")
            .run(|t| {
                let made = t.client.expect_ok(mkdir(&t.path("d")))?;
                t.setup(bye())?;
                expect_remembered(t, &made)?;
                expect_remembered(t, &made)?;
                t.setup(bye())?;
                expect_remembered(t, &made)
            }),
        must("a-read-sent-again-after-bye-gets-its-reply-or-no-session", &["SES-18"])
            .sends("`read`, `bye`, the `read` again")
            .passes("OK with the same bytes, or NO_SESSION.")
            .run(|t| {
                let path = t.file("f", b"content")?;
                let first = t.setup(read(&path, 0, 100))?;
                t.setup(bye())?;
                t.resend(first.seq)?;
                let again = t.expect_reply(first.seq, [OK, NO_SESSION])?;
                t.check(again.code == NO_SESSION || again.payload == first.payload, "the read gave other bytes")
            }),
        must("a-new-request-of-a-released-id-is-not-executed", &["SES-18", "CODE-5"])
            .sends("`bye`, `mkdir` under the next number, and under one far ahead")
            .passes("NO_SESSION to both, and nothing is created; before `bye` a number far ahead is SEQ.")
            .run(|t| {
                let path = t.path("d");
                let far = t.next + 1_000;
                t.send_as(far, &mkdir(&path))?;
                t.expect_reply(far, SEQ).map_err(|error| error.into_prerequisite("the control"))?;
                t.setup(bye())?;
                for seq in [t.next, far] {
                    t.send_as(seq, &mkdir(&path))?;
                    t.expect_reply(seq, NO_SESSION)?;
                }
                t.open()?;
                t.expect_absent(&path)
            }),
        must("another-request-under-a-remembered-number-after-bye-is-refused", &["SES-18", "CODE-5"])
            .sends("`mkdir`, `bye`, and another `mkdir` under the same number")
            .passes("NO_SESSION, and nothing is there.")
            .run(|t| {
                let first = t.client.setup(mkdir(&t.path("one")))?;
                t.setup(bye())?;
                let path = t.path("two");
                t.send_as(first.seq, &mkdir(&path))?;
                t.expect_reply(first.seq, NO_SESSION)?;
                t.open()?;
                t.expect_absent(&path)
            }),
        must("requests-after-bye-are-not-executed", &["SES-25", "SES-18"])
            .sends("pipelined: `bye`, and `mkdir` under the next number")
            .passes("OK and NO_SESSION, and nothing is there.")
            .run(|t| {
                let path = t.path("d");
                t.send(&bye())?;
                let later = t.send(&mkdir(&path))?;
                t.expect_reply(0, OK)?;
                t.expect_reply(later, NO_SESSION)?;
                t.open()?;
                t.expect_absent(&path)
            }),
        must("a-replaced-released-id-has-ended", &["SES-9", "SES-18", "SES-19"])
            .sends("`mkdir`, `bye`; `hello` of another client; then of the first the `mkdir` again, `bye` and `hello`")
            .passes("NO_SESSION to each of the three, and the other continues.")
            .run(|t| {
                let first = t.client.setup(mkdir(&t.path("d")))?;
                t.setup(bye())?;
                let mut other = t.another_client()?;
                let reply = greet(&mut other, OK)?;
                other.opened(&reply)?;
                t.resend(first.seq)?;
                t.expect_reply(first.seq, NO_SESSION)?;
                t.expect(bye(), NO_SESSION)?;
                t.client.expect(t.hello_request(), NO_SESSION)?;
                other.expect_ok(ping())?;
                other.close()
            }),
        must("another-client-is-refused-while-the-session-is-released", &["SES-19"])
            .sends("`bye`; of a client that said no `hello` `ping`, `bye` and request 1; `bye` of the first again")
            .passes("NO_SESSION to the three, and OK.")
            .run(|t| {
                t.setup(bye())?;
                let mut other = t.another_client()?;
                other.expect(ping(), NO_SESSION)?;
                other.expect(bye(), NO_SESSION)?;
                other.expect(stat("/"), NO_SESSION)?;
                t.expect_ok(bye()).map(drop)
            }),
        must("a-restart-ends-the-session", &["SES-21", "HELLO-3"])
            .needs(&[Need::Restart])
            .sends("a request; the server is started again; the request again, and `ping`")
            .passes("NO_SESSION to both; a new session opens, with another `boot`.")
            .run(|t| {
                let boot = t.server()?.boot;
                let request = mkdir(&t.path("d"));
                let first = t.setup(request.clone())?;
                t.environment.server.borrow_mut().kill_and_restart()?;
                t.reconnect()?;
                t.send_as(first.seq, &request)?;
                t.expect_reply(first.seq, NO_SESSION)?;
                t.expect(ping(), NO_SESSION)?;
                let now = t.open()?.boot;
                t.check(now != boot, "`boot` is the same after a restart")
            }),
    ]
}
