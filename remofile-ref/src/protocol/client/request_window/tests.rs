//! One fact a test: what is sent when.
#![allow(clippy::unwrap_used)]

use super::*;
use remofile_proto::{Answer, Detail, Refusal, RemotePath, encode_reply};

const WINDOW: u64 = 4;

struct WindowFixture {
    stream: RequestWindow<&'static str>,
    now: Duration,
}

impl WindowFixture {
    fn new() -> Self {
        let now = Duration::from_secs(100);
        Self { stream: RequestWindow::new(now, SessionId::new([1; 16]), WINDOW, RetryPolicy::default()), now }
    }

    /// With this many requests that change something, sent.
    fn flowing(count: u64) -> Self {
        let mut bench = Self::new();
        for seq in 1..=count {
            assert_eq!(bench.stream.submit(&touch(), "payload"), Ok(seq));
        }
        assert_eq!(bench.send(), (1..=count).collect::<Vec<u64>>());
        bench
    }

    fn submit(&mut self, operation: &Operation) -> u64 {
        self.stream.submit(operation, "").unwrap()
    }

    /// Sends what there is to send, and gives the numbers.
    fn send(&mut self) -> Vec<u64> {
        let mut seqs = Vec::new();
        while let Some(outgoing) = self.stream.next_to_send() {
            seqs.push(outgoing.seq);
            self.stream.sent(self.now);
        }
        seqs
    }

    fn reply(&mut self, seq: u64, result: Result<Answer, Refusal>) -> WindowEvent<&'static str> {
        self.reply_to(1, seq, result)
    }

    fn reply_to(&mut self, session: u8, seq: u64, result: Result<Answer, Refusal>) -> WindowEvent<&'static str> {
        let frames = [encode_reply(SessionId::new([session; 16]), seq, &result)];
        self.stream.on_reply(self.now, &Reply::decode(&frames).unwrap())
    }

    fn ok(&mut self, seq: u64) -> WindowEvent<&'static str> {
        self.reply(seq, Ok(Answer::Empty))
    }

    fn gap(&mut self, seq: u64, next: u64) -> WindowEvent<&'static str> {
        self.reply(seq, Err(Refusal { detail: Detail::Next(next), ..Refusal::new(Code::Seq) }))
    }

    fn pending(&mut self, seq: u64) -> WindowEvent<&'static str> {
        self.reply(seq, Err(Refusal::new(Code::Pending)))
    }

    /// Lets the next deadline come.
    fn wait(&mut self) -> WindowEvent<&'static str> {
        self.now = self.stream.next_deadline().unwrap();
        self.stream.on_timer(self.now)
    }
}

fn touch() -> Operation {
    Operation::Touch { path: RemotePath::root(), mtime_ns: 0 }
}

fn read() -> Operation {
    Operation::Read { path: RemotePath::root(), off: 0, len: 1, etag: None }
}

fn answered(seq: u64) -> WindowEvent<&'static str> {
    WindowEvent::Answered { seq, payload: "payload" }
}

#[test]
fn nothing_is_taken_above_base_and_window() {
    let mut bench = WindowFixture::flowing(WINDOW);
    assert_eq!(bench.stream.submit(&touch(), "kept"), Err("kept"));
}

#[test]
fn window_counts_from_the_lowest_unanswered_and_not_messages_in_flight() {
    let mut bench = WindowFixture::flowing(WINDOW);
    assert_eq!([2, 3, 4].map(|seq| bench.ok(seq)), [2, 3, 4].map(answered));
    assert!(!bench.stream.can_submit());
    let _ = bench.ok(1);
    assert!(bench.stream.can_submit());
}

#[test]
fn answer_gives_the_payload_back() {
    assert_eq!(WindowFixture::flowing(1).ok(1), answered(1));
}

#[test]
fn second_reply_to_a_number_is_ignored() {
    let mut bench = WindowFixture::flowing(2);
    let _ = bench.ok(1);
    assert_eq!(bench.ok(1), WindowEvent::Ignored);
}

#[test]
fn reply_to_a_number_that_was_not_sent_is_ignored() {
    let mut bench = WindowFixture::flowing(1);
    bench.submit(&touch());
    assert_eq!([bench.ok(2), bench.ok(9)], [WindowEvent::Ignored, WindowEvent::Ignored]);
}

#[test]
fn reply_of_another_session_is_ignored() {
    assert_eq!(WindowFixture::flowing(1).reply_to(2, 1, Ok(Answer::Empty)), WindowEvent::Ignored);
}

#[test]
fn after_a_gap_nothing_is_sent_until_the_last_message_is_answered() {
    let mut bench = WindowFixture::flowing(3);
    let _ = bench.ok(1);
    assert_eq!(bench.gap(2, 2), WindowEvent::Repairing);
    bench.submit(&touch());
    assert!(bench.send().is_empty());
    let _ = bench.gap(3, 2);
    assert_eq!(bench.send(), [2, 3, 4]);
}

#[test]
fn everything_unanswered_is_resent_once_however_many_gaps_are_reported() {
    let mut bench = WindowFixture::flowing(4);
    for seq in [2, 3, 4] {
        let _ = bench.gap(seq, 1);
    }
    assert_eq!(bench.send(), [1, 2, 3, 4]);
    assert!(bench.send().is_empty());
}

#[test]
fn resend_leaves_out_what_was_answered() {
    let mut bench = WindowFixture::flowing(4);
    let _ = (bench.ok(2), bench.gap(3, 3), bench.gap(4, 3));
    assert_eq!(bench.send(), [1, 3, 4]);
}

#[test]
fn resent_bytes_are_the_same() {
    let mut bench = WindowFixture::flowing(1);
    let bytes = encode_request(SessionId::new([1; 16]), 1, &touch());
    bench.stream.on_reconnected(bench.now);
    assert_eq!(bench.stream.next_to_send().unwrap().header, bytes);
}

#[test]
fn gap_below_base_is_ignored() {
    let mut bench = WindowFixture::flowing(3);
    let _ = bench.ok(1);
    assert_eq!(bench.gap(3, 1), WindowEvent::Ignored);
}

#[test]
fn gap_of_what_this_pass_has_not_sent_yet_is_ignored() {
    let mut bench = WindowFixture::flowing(4);
    bench.stream.on_reconnected(bench.now);
    bench.stream.sent(bench.now);
    assert_eq!(bench.gap(4, 2), WindowEvent::Ignored);
    assert_eq!(bench.send(), [2, 3, 4]);
}

#[test]
fn second_gap_without_an_answer_waits_for_silence() {
    let mut bench = WindowFixture::flowing(2);
    let _ = bench.gap(2, 1);
    assert_eq!(bench.send(), [1, 2]);
    let _ = bench.gap(2, 1);
    assert!(bench.send().is_empty());
    assert_eq!(bench.wait(), WindowEvent::Repairing);
    assert_eq!(bench.send(), [1]);
}

#[test]
fn missing_reply_is_noticed_when_the_last_message_is_answered() {
    let mut bench = WindowFixture::flowing(3);
    let _ = (bench.ok(2), bench.ok(3));
    assert_eq!(bench.send(), [1]);
}

#[test]
fn silence_resends_the_lowest_alone_and_its_answer_everything_else() {
    let mut bench = WindowFixture::flowing(3);
    assert_eq!(bench.wait(), WindowEvent::Repairing);
    assert_eq!(bench.send(), [1]);
    let _ = bench.ok(1);
    assert_eq!(bench.send(), [2, 3]);
}

#[test]
fn silence_is_not_waited_for_where_nothing_is_awaited() {
    let mut bench = WindowFixture::flowing(1);
    let _ = bench.ok(1);
    assert_eq!(bench.stream.next_deadline(), None);
}

#[test]
fn rounds_without_an_answer_and_without_patience_left_lose_the_session() {
    let mut bench = WindowFixture::flowing(1);
    let mut rounds = 0;
    let loss = loop {
        match bench.wait() {
            WindowEvent::Repairing => rounds += 1,
            WindowEvent::Lost(loss) => break loss,
            other => panic!("{other:?}"),
        }
        assert_eq!(bench.send(), [1]);
    };
    assert_eq!((loss, rounds), (SessionLoss::Silence { rounds: 3 }, 3));
    assert!(bench.now >= Duration::from_secs(130), "{:?}", bench.now);
}

#[test]
fn time_without_requests_does_not_wear_patience_out() {
    let mut bench = WindowFixture::flowing(1);
    let _ = bench.ok(1);
    bench.now += Duration::from_secs(1_000);
    let (asked, seq) = (bench.now, bench.submit(&touch()));
    while bench.send() == [seq] {
        let _ = bench.wait();
    }
    assert!(bench.now - asked >= RetryPolicy::default().total);
}

#[test]
fn new_connection_gets_a_round_of_its_own() {
    let mut bench = WindowFixture::flowing(1);
    for _ in 0..3 {
        assert_eq!(bench.wait(), WindowEvent::Repairing);
        bench.send();
    }
    bench.now += Duration::from_secs(1_000);
    bench.stream.on_reconnected(bench.now);
    assert_eq!(bench.send(), [1]);
    assert_eq!(bench.wait(), WindowEvent::Repairing);
}

#[test]
fn a_reply_restarts_the_rounds() {
    let mut bench = WindowFixture::flowing(2);
    for _ in 0..3 {
        assert_eq!(bench.wait(), WindowEvent::Repairing);
        bench.send();
    }
    let _ = bench.ok(1);
    bench.send();
    assert_eq!(bench.wait(), WindowEvent::Repairing);
}

#[test]
fn reconnect_resends_everything_unanswered_at_once() {
    let mut bench = WindowFixture::flowing(3);
    let _ = bench.ok(1);
    bench.stream.on_reconnected(bench.now);
    assert_eq!(bench.send(), [2, 3]);
}

#[test]
fn without_a_connection_nothing_is_sent_and_silence_means_nothing() {
    let mut bench = WindowFixture::flowing(1);
    bench.submit(&touch());
    bench.stream.on_disconnected();
    assert_eq!((bench.send(), bench.stream.next_deadline()), (vec![], None));
}

#[test]
fn pending_is_polled_alone_and_not_before_a_hundred_milliseconds() {
    let mut bench = WindowFixture::flowing(3);
    assert_eq!(bench.pending(1), WindowEvent::Pending { seq: 1 });
    assert_eq!(bench.stream.next_deadline(), Some(bench.now + Duration::from_millis(100)));
    assert!(bench.send().is_empty());
    let _ = bench.wait();
    assert_eq!(bench.send(), [1]);
}

#[test]
fn one_poll_is_outstanding() {
    let mut bench = WindowFixture::flowing(1);
    let _ = (bench.pending(1), bench.wait());
    assert_eq!(bench.send(), [1]);
    assert!(bench.stream.next_deadline().unwrap() >= bench.now + Duration::from_secs(1));
    assert!(bench.send().is_empty());
}

#[test]
fn gap_is_ignored_while_a_pending_is_open() {
    let mut bench = WindowFixture::flowing(3);
    let _ = bench.pending(1);
    assert_eq!([bench.gap(2, 1), bench.gap(3, 1)], [WindowEvent::Ignored, WindowEvent::Ignored]);
    assert!(bench.send().is_empty());
}

#[test]
fn final_reply_of_a_polled_request_sends_the_rest() {
    let mut bench = WindowFixture::flowing(3);
    let _ = (bench.pending(1), bench.gap(2, 1), bench.gap(3, 1), bench.wait());
    assert_eq!(bench.send(), [1]);
    assert_eq!(bench.ok(1), answered(1));
    assert_eq!(bench.send(), [2, 3]);
}

#[test]
fn poll_that_gets_no_answer_is_sent_again_after_silence() {
    let mut bench = WindowFixture::flowing(2);
    let _ = (bench.pending(1), bench.wait());
    bench.send();
    assert_eq!(bench.wait(), WindowEvent::Repairing);
    assert_eq!(bench.send(), [1]);
}

#[test]
fn change_waits_for_the_reads_before_it() {
    let mut bench = WindowFixture::new();
    for operation in [read(), read(), touch(), read()] {
        bench.submit(&operation);
    }
    assert_eq!(bench.send(), [1, 2]);
    let _ = bench.ok(1);
    assert!(bench.send().is_empty());
    let _ = bench.ok(2);
    assert_eq!(bench.send(), [3, 4]);
}

#[test]
fn read_does_not_wait_for_changes() {
    let mut bench = WindowFixture::new();
    for operation in [touch(), read(), Operation::Flush] {
        bench.submit(&operation);
    }
    assert_eq!(bench.send(), [1, 2, 3]);
}

#[test]
fn session_codes_lose_the_session() {
    for code in [Code::NoSession, Code::SeqReused, Code::Auth, Code::BadMessage] {
        let event = WindowFixture::flowing(1).reply(1, Err(Refusal::new(code)));
        assert_eq!(event, WindowEvent::Lost(SessionLoss::Code(code.number().into())));
    }
}

#[test]
fn refusal_is_an_answer() {
    assert_eq!(WindowFixture::flowing(1).reply(1, Err(Refusal::new(Code::NotFound))), answered(1));
}

#[test]
fn lost_session_sends_and_takes_nothing() {
    let mut bench = WindowFixture::flowing(2);
    let _ = bench.reply(1, Err(Refusal::new(Code::NoSession)));
    bench.stream.on_reconnected(bench.now);
    assert!(bench.send().is_empty());
    assert!(!bench.stream.can_submit());
    assert_eq!(bench.ok(1), WindowEvent::Ignored);
}

#[test]
fn leftovers_say_what_was_sent_and_how_to_settle_it() {
    let mut bench = WindowFixture::flowing(2);
    bench.submit(&Operation::Remove { path: RemotePath::root(), etag: None });
    let _ = bench.ok(1);
    let leftovers = bench.stream.into_unacked();
    let seen: Vec<_> = leftovers.iter().map(|left| (left.seq, left.sent, left.recovery)).collect();
    assert_eq!(seen, [(2, true, Recovery::Repeat), (3, false, Recovery::RepeatUnlessNotFound)]);
}

#[test]
fn round_trip_is_not_measured_on_what_was_sent_twice() {
    let mut bench = WindowFixture::flowing(1);
    bench.stream.on_reconnected(bench.now);
    bench.send();
    let _ = bench.ok(1);
    assert_eq!(bench.stream.round_trip(), None);
}

#[test]
fn round_trip_is_measured_on_what_was_sent_once() {
    let mut bench = WindowFixture::flowing(1);
    bench.now += Duration::from_millis(20);
    let _ = bench.ok(1);
    assert_eq!(bench.stream.round_trip(), Some(Duration::from_millis(20)));
}
