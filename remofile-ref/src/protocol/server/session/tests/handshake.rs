//! hello, ping, bye, lease and takeover.

use super::*;

#[test]
fn first_hello_opens() {
    assert_eq!(SessionFixture::new().hello(1, None).code, Code::Ok);
}

#[test]
fn hello_without_the_right_auth_is_refused() {
    let wrong = Operation::Hello(Hello { auth: [8; 32], client: String::new(), take: None, lease_ms: None });
    let mut fixture = SessionFixture::open();
    assert_eq!(fixture.say(2, 0, &wrong).code, Code::Auth);
}

#[test]
fn hello_of_the_owner_gets_the_same_welcome_and_keeps_the_numbering() {
    let mut fixture = SessionFixture::new();
    let first = fixture.say(1, 0, &hello(None, Some(5_000)));
    fixture.say(1, 1, &mkdir("/a"));
    let again = fixture.say(1, 0, &hello(None, Some(9_000)));
    assert_eq!(first.header, again.header);
    assert!(fixture.say(1, 2, &mkdir("/b")).executed);
}

#[test]
fn hello_of_another_client_is_busy_and_names_the_owner() {
    let mut fixture = SessionFixture::open();
    fixture.pass(2_000);
    let owner = busy(fixture.hello(2, None).detail);
    let expected = Busy { idle_ms: 2_000, lease_ms: 30_000, client: "bench".into(), session: session(1) };
    assert_eq!(owner, expected);
}

#[test]
fn take_of_the_owner_opens() {
    let mut fixture = SessionFixture::open();
    assert_eq!(fixture.hello(2, Some(1)).code, Code::Ok);
    assert_eq!(fixture.session.owner(), Some(session(2)));
}

#[test]
fn take_of_anybody_else_is_busy() {
    assert_eq!(SessionFixture::open().hello(2, Some(3)).code, Code::Busy);
}

#[test]
fn replaced_id_has_ended() {
    let mut fixture = SessionFixture::open();
    fixture.hello(2, Some(1));
    let codes = [fixture.hello(1, Some(2)), fixture.say(1, 0, &Operation::Ping), fixture.say(1, 0, &Operation::Bye)];
    assert_eq!(codes.map(|came| came.code), [Code::NoSession; 3]);
    assert_eq!(fixture.say(1, 1, &mkdir("/a")).code, Code::NoSession);
}

#[test]
fn takeover_starts_the_numbering_again() {
    let mut fixture = SessionFixture::open();
    fixture.say(1, 1, &mkdir("/a"));
    fixture.hello(2, Some(1));
    assert!(fixture.say(2, 1, &mkdir("/a")).executed);
}

#[test]
fn takeover_abandons_what_runs() {
    let mut fixture = SessionFixture::open();
    let pending = fixture.start(1, 1, &mkdir("/a"));
    assert!(fixture.hello(2, Some(1)).abandons);
    assert_eq!(fixture.end(pending, &mkdir("/a")).code, Code::NoSession);
    assert!(fixture.say(2, 1, &mkdir("/b")).executed);
}

#[test]
fn ended_ids_are_remembered_to_the_thousand_and_twenty_fourth() {
    let mut fixture = SessionFixture::new();
    let id = |n: u32| SessionId::new([n.to_le_bytes(); 4].concat().try_into().unwrap());
    let mut open = |n: u32, take: Option<u32>| {
        let hello = Hello { auth: [7; 32], client: String::new(), take: take.map(id), lease_ms: None };
        fixture.say_frame(&encode_request(id(n), 0, &Operation::Hello(hello)), &[]).code
    };
    open(0, None);
    for n in 1..=1_025 {
        assert_eq!(open(n, Some(n - 1)), Code::Ok);
    }
    assert_eq!(open(1, None), Code::NoSession);
    assert_eq!(open(0, None), Code::Busy);
}

#[test]
fn lapsed_lease_lets_another_id_in() {
    let mut fixture = SessionFixture::open();
    fixture.pass(30_000);
    assert_eq!(fixture.hello(2, None).code, Code::Ok);
}

#[test]
fn lapsed_lease_ends_nothing_by_itself() {
    let mut fixture = SessionFixture::open();
    fixture.say(1, 1, &mkdir("/a"));
    fixture.pass(1_000_000);
    assert!(fixture.say(1, 2, &mkdir("/b")).executed);
}

#[test]
fn any_request_of_the_owner_renews_the_lease() {
    let mut fixture = SessionFixture::open();
    fixture.pass(29_999);
    // Not even a number in its turn.
    assert_eq!(fixture.say(1, 9, &mkdir("/a")).code, Code::Seq);
    fixture.pass(29_999);
    assert_eq!(busy(fixture.hello(2, None).detail).idle_ms, 29_999);
}

#[test]
fn hello_of_the_owner_renews_the_lease_only_with_the_right_auth() {
    let wrong = Operation::Hello(Hello { auth: [8; 32], client: String::new(), take: None, lease_ms: None });
    for (again, still_held) in [(hello(None, None), true), (wrong, false)] {
        let mut fixture = SessionFixture::open();
        fixture.pass(20_000);
        let _ = fixture.say(1, 0, &again);
        fixture.pass(20_000);
        assert_eq!(fixture.hello(2, None).code == Code::Busy, still_held, "{again:?}");
    }
}

#[test]
fn messages_of_others_do_not_renew_the_lease() {
    let mut fixture = SessionFixture::open();
    fixture.pass(29_999);
    assert_eq!(fixture.say(2, 0, &Operation::Ping).code, Code::NoSession);
    fixture.pass(1);
    assert_eq!(fixture.hello(3, None).code, Code::Ok);
}

#[test]
fn lease_is_granted_between_a_second_and_the_servers_own() {
    for (asked, granted) in [(0, 1_000), (5_000, 5_000), (90_000, 30_000)] {
        let mut fixture = SessionFixture::new();
        fixture.say(1, 0, &hello(None, Some(asked)));
        assert_eq!(busy(fixture.hello(2, None).detail).lease_ms, granted);
    }
}

#[test]
fn session_does_not_lapse_while_its_operation_runs() {
    let mut fixture = SessionFixture::open();
    let _pending = fixture.start(1, 1, &mkdir("/a"));
    fixture.pass(100_000);
    assert_eq!(busy(fixture.hello(2, None).detail).idle_ms, 0);
}

#[test]
fn idle_time_counts_from_the_end_of_the_servers_work() {
    let mut fixture = SessionFixture::open();
    let pending = fixture.start(1, 1, &mkdir("/a"));
    fixture.pass(100_000);
    fixture.end(pending, &mkdir("/a"));
    fixture.pass(29_999);
    assert_eq!(busy(fixture.hello(2, None).detail).idle_ms, 29_999);
}

#[test]
fn bye_releases_the_session() {
    let mut fixture = SessionFixture::open();
    assert_eq!(fixture.say(1, 0, &Operation::Bye).code, Code::Ok);
    assert_eq!(fixture.session.owner(), None);
    assert_eq!(fixture.hello(2, None).code, Code::Ok);
}

#[test]
fn bye_again_is_ok_until_another_id_opens() {
    let mut fixture = SessionFixture::open();
    fixture.say(1, 0, &Operation::Bye);
    assert_eq!(fixture.say(1, 0, &Operation::Bye).code, Code::Ok);
    fixture.hello(2, None);
    assert_eq!(fixture.say(1, 0, &Operation::Bye).code, Code::NoSession);
}

#[test]
fn bye_cancels_what_runs() {
    let mut fixture = SessionFixture::open();
    let pending = fixture.start(1, 1, &mkdir("/a"));
    assert!(fixture.say(1, 0, &Operation::Bye).abandons);
    assert_eq!(fixture.end(pending, &mkdir("/a")).code, Code::NoSession);
}

#[test]
fn released_id_says_neither_hello_nor_ping() {
    let mut fixture = SessionFixture::open();
    fixture.say(1, 0, &Operation::Bye);
    assert_eq!(
        [fixture.hello(1, None), fixture.say(1, 0, &Operation::Ping)].map(|came| came.code),
        [Code::NoSession; 2]
    );
}

#[test]
fn released_id_gets_remembered_replies_and_nothing_new() {
    let mut fixture = SessionFixture::open();
    let first = fixture.say(1, 1, &mkdir("/a"));
    fixture.say(1, 0, &Operation::Bye);
    assert_eq!(fixture.say(1, 1, &mkdir("/a")).header, first.header);
    assert_eq!(fixture.say(1, 1, &mkdir("/b")).code, Code::NoSession);
    assert_eq!(fixture.say(1, 2, &mkdir("/b")).code, Code::NoSession);
    assert_eq!(fixture.say(1, 9, &mkdir("/b")).code, Code::NoSession);
}

#[test]
fn ping_and_bye_of_another_client_are_no_session() {
    let mut fixture = SessionFixture::open();
    let codes = [Operation::Ping, Operation::Bye].map(|operation| fixture.say(2, 0, &operation).code);
    assert_eq!(codes, [Code::NoSession; 2]);
    assert_eq!(fixture.session.owner(), Some(session(1)));
}

#[test]
fn other_operations_without_a_number_are_bad_op_for_every_client() {
    let mut fixture = SessionFixture::open();
    assert_eq!([1, 2].map(|id| fixture.say(id, 0, &mkdir("/a")).code), [Code::BadOp; 2]);
}
