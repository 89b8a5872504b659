//! Frames before the delimiter, as proxies and REQ sockets add them.

use crate::{
    cases::support::messages::expect_no_reply,
    engine::case::{Case, must},
    wire::{
        code::{NO_SESSION, OK},
        connection::SocketKind,
        request::{ping, put, read, stat},
        zmq_proxy::ZmqProxy,
    },
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = prefixes();
    cases.extend(sockets());
    cases
}

fn prefixes() -> Vec<Case> {
    vec![
        must("a-routing-frame-comes-back", &["ENV-2", "ENV-3"])
            .without_directory()
            .sends("`stat` and `ping` with one frame in front of the delimiter")
            .passes("OK, with the same frame before it.")
            .run(|t| {
                t.control(stat("/"))?;
                t.set_route(&[b"\x00one hop"]);
                t.expect_ok(stat("/"))?;
                t.expect_ok(ping())?;
                t.set_route(&[]);
                t.expect_ok(stat("/")).map(drop)
            }),
        must("routing-frames-come-back-in-their-order", &["ENV-2", "ENV-3"])
            .without_directory()
            .sends("`stat` with five frames in front of the delimiter, two of them equal")
            .passes("OK, with the same frames in the same order before it.")
            .run(|t| {
                t.control(stat("/"))?;
                t.set_route(&[b"z", b"\x00\x80\x00\x00\x29", b"z", b"a", &[0xff; 255]]);
                t.expect_ok(stat("/"))?;
                t.set_route(&[]);
                t.expect_ok(stat("/")).map(drop)
            }),
        must("twenty-routing-frames-come-back", &["ENV-2"])
            .without_directory()
            .sends("`stat` with twenty frames in front of the delimiter")
            .passes("OK, with the same frames before it.")
            .run(|t| {
                let names: Vec<[u8; 2]> = (0..20).map(|hop| [b'h', hop]).collect();
                let route: Vec<&[u8]> = names.iter().map(<[u8; 2]>::as_slice).collect();
                t.control(stat("/"))?;
                t.set_route(&route);
                t.expect_ok(stat("/"))?;
                t.set_route(&[]);
                t.expect_ok(stat("/")).map(drop)
            }),
        must("a-routing-frame-may-look-like-a-header", &["ENV-3", "ENV-2"])
            .without_directory()
            .sends("`stat` with the header of a `ping` in front of the delimiter")
            .passes("Only the answer to the `stat`, with that frame before it.")
            .run(|t| {
                let decoy = ping().frames(t.session, 0).remove(0);
                t.set_route(&[&decoy]);
                t.expect_ok(stat("/"))?;
                let more = t.barrier()?;
                t.equal("the number of further replies", more, 0)?;
                t.set_route(&[]);
                t.expect_ok(stat("/")).map(drop)
            }),
        must("a-payload-follows-a-routed-header", &["ENV-2", "ENV-4", "ENV-6"])
            .sends("`put`, and `read` of the same, with two frames in front of the delimiter")
            .passes("The content, in the second frame after the delimiter.")
            .run(|t| {
                let (path, content) = (t.path("routed"), t.bytes(1, 300));
                t.set_route(&[b"first", b"second"]);
                t.expect_ok(put(&path, content.as_slice()))?;
                let reply = t.expect_ok(read(&path, 0, 1_000))?;
                t.set_route(&[]);
                t.equal_bytes("the payload", reply.payload.as_deref().unwrap_or_default(), &content)
            }),
        must("each-reply-has-the-routing-frames-of-its-request", &["ENV-2"])
            .without_directory()
            .sends("The same `stat` under the same number by two ways, and another by a third")
            .passes("Each answer has the routing frames of the message that it answers.")
            .run(|t| {
                t.set_route(&[b"way one"]);
                let seq = t.send(&stat("/"))?;
                t.expect_reply(seq, OK)?;
                t.set_route(&[b"way", b"two"]);
                t.resend(seq)?;
                t.expect_reply(seq, OK)?;
                t.set_route(&[]);
                t.expect_ok(stat("/")).map(drop)
            }),
        must("an-empty-frame-after-the-delimiter-is-not-a-routing-frame", &["ENV-3", "ENV-14"])
            .without_directory()
            .sends("A message of two empty frames and a `stat`")
            .passes("No answer: the first empty frame ends the routing, and the second one is not a header.")
            .run(|t| {
                t.control(stat("/"))?;
                let header = stat("/").frames(t.session, t.next).remove(0);
                t.send_whole(&[vec![], vec![], header])?;
                expect_no_reply(t)
            }),
    ]
}

fn sockets() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("a-req-socket-is-served", SocketKind::Req, "REQ"),
        ("a-req-socket-that-correlates-is-served", SocketKind::ReqCorrelate, "REQ with ZMQ_REQ_CORRELATE"),
    ]
    .into_iter()
    .map(|(id, pattern, name)| {
        must(id, &["ENV-2", "ENV-7"])
            .sends(format!("`put`, `read`, `stat` and `ping` of the session over a {name} socket"))
            .passes("OK to each, and the content.")
            .run(move |t| {
                let (path, content) = (t.path("by-req"), t.bytes(1, 500));
                t.control(stat("/"))?;
                let connection = t.environment.connection(pattern)?;
                t.replace_connection(connection);
                t.expect_ok(put(&path, content.as_slice()))?;
                let reply = t.expect_ok(read(&path, 0, 1_000))?;
                t.expect_ok(stat(&path))?;
                t.expect_ok(ping())?;
                let connection = t.environment.connection(SocketKind::Dealer)?;
                t.replace_connection(connection);
                t.equal_bytes("the payload", reply.payload.as_deref().unwrap_or_default(), &content)
            })
    })
    .collect();
    cases.push(
        must("a-session-works-through-a-proxy", &["ENV-2"])
            .sends("`put`, `read` and several requests at once through a ROUTER–DEALER proxy")
            .passes("OK to each, as without the proxy.")
            .run(|t| {
                let (path, content) = (t.path("by-proxy"), t.bytes(1, 2_000));
                t.control(stat("/"))?;
                let proxy = ZmqProxy::before_server(&t.environment)?;
                t.replace_connection(proxy.connection(SocketKind::Dealer)?);
                t.expect_ok(put(&path, content.as_slice()))?;
                let some = t.server()?.window.min(8);
                let sent: Vec<u64> = (0..some).map(|_| t.send(&stat(&path))).collect::<Result<_, _>>()?;
                t.expect_replies(&sent, OK)?;
                let reply = t.expect_ok(read(&path, 0, 4_000))?;
                t.reconnect()?;
                t.equal_bytes("the payload", reply.payload.as_deref().unwrap_or_default(), &content)
            }),
    );
    cases.push(
        must("two-clients-on-two-proxies-get-their-own-replies", &["ENV-2", "SES-19"])
            .without_directory()
            .sends(
                "Through two ROUTER–DEALER proxies in a row: `stat` of the session, and `ping` of a client without one",
            )
            .passes("OK to one client and NO_SESSION to the other, each over its own proxy.")
            .run(|t| {
                t.control(stat("/"))?;
                let near = ZmqProxy::before_server(&t.environment)?;
                let far = near.before_this()?;
                t.replace_connection(far.connection(SocketKind::Dealer)?);
                let mut other = t.another_client()?;
                other.replace_connection(far.connection(SocketKind::Req)?);
                let seq = t.send(&stat("/"))?;
                other.expect(ping(), NO_SESSION)?;
                t.expect_reply(seq, OK)?;
                let more = t.barrier()?;
                t.reconnect()?;
                t.equal("the number of further replies", more, 0)
            }),
    );
    cases
}
