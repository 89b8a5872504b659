//! No reply contains the token.

use crate::{
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::CaseResult,
    },
    wire::{
        code::{AUTH, BAD_ARGS, BAD_OP, NO_SESSION, OK},
        reply::Reply,
        request::{ping, request, stat},
    },
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        must("no-reply-contains-the-token", &["KEY-3"])
            .without_directory()
            .sends("`hello` of the session, with a wrong `auth` and with none; another client's `ping`; requests with an unknown operation and an unknown argument")
            .passes("OK and the refusals; no reply contains half of the token.")
            .run(|t| {
                let hello = t.hello_request();
                let mut replies = vec![
                    t.expect(hello.clone(), OK)?,
                    t.expect(hello.clone().arg("auth", [7_u8; 32]), AUTH)?,
                    t.expect(hello.without("auth"), BAD_ARGS)?,
                ];
                replies.push(t.another_client()?.expect(ping(), NO_SESSION)?);
                replies.push(t.expect(request("token"), BAD_OP)?);
                replies.push(t.expect(stat("/").arg("token", "x"), BAD_ARGS)?);
                replies.iter().try_for_each(|reply| expect_no_secret(t, reply))
            }),
    ]
}

/// Checks that no reply contains half of the token.
fn expect_no_secret(t: &CaseContext, reply: &Reply) -> CaseResult {
    let frames = reply.frames.concat();
    let target = t.environment.target.borrow();
    let token = target.token.reveal().as_bytes();
    let mut parts = token.windows(token.len() / 2);
    let shows_token = parts.any(|part| frames.windows(part.len()).any(|shown| shown == part));
    t.check(!shows_token, format!("{} to {} has the token, or half of it, in it", reply.code, reply.op))
}
