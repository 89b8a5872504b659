//! Requirements that cannot be observed from outside a server: why, and which test checks them instead.
//!
//! An entry goes when a case comes: a requirement with both fails a test.

/// Why a requirement has no case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiver {
    pub(crate) requirement: &'static str,
    /// Why it cannot be observed.
    pub(crate) why: &'static str,
    /// The test of the reference that checks it: file and function.
    pub(crate) instead: &'static str,
}

/// All of them, in the order of the specification.
#[cfg(test)]
pub(crate) fn all() -> &'static [Waiver] {
    WAIVERS
}

/// The waiver of a requirement.
pub(crate) fn waiver(id: &str) -> Option<&'static Waiver> {
    WAIVERS.iter().find(|waiver| waiver.requirement == id)
}

const fn waived(requirement: &'static str, why: &'static str, instead: &'static str) -> Waiver {
    Waiver { requirement, why, instead }
}

/// A server cannot break what only a client does.
const CLIENT: &str = "a client's duty, which no server can break";
/// No message shows it.
const POWER: &str = "only a power cut shows what is on stable storage";

const WAIVERS: &[Waiver] = &[
    waived("ENV-1", CLIENT, "remofile-ref/tests/transport/talk.rs::dealer_and_rep_talk"),
    waived(
        "ENV-9",
        CLIENT,
        "remofile-ref/src/protocol/client/request_window/tests.rs::reply_of_another_session_is_ignored",
    ),
    waived(
        "ENV-21",
        CLIENT,
        "remofile-ref/src/protocol/client/request_window/tests.rs::session_codes_lose_the_session",
    ),
    waived(
        "ENV-22",
        CLIENT,
        "remofile-proto/tests/main/replies.rs::a_reply_with_fields_of_another_operation_is_malformed",
    ),
    waived(
        "CBOR-11",
        CLIENT,
        "remofile-proto/tests/main/vectors.rs::replies_are_decoded_and_refused_as_the_vectors_say",
    ),
    waived("CBOR-14", CLIENT, "remofile-proto/tests/main/replies.rs::unknown_fields_are_ignored"),
    waived(
        "CBOR-15",
        "whether a key applies is known to the sender alone; where it is known to the suite, the schemas of replies check it",
        "remofile-proto/tests/main/snapshots.rs::requests_with_required_arguments_alone",
    ),
    waived(
        "KEY-1",
        "a rule for tokens, and the suite is given one",
        "remofile-proto/tests/main/vectors.rs::tokens_are_checked_as_the_vectors_say",
    ),
    waived(
        "KEY-2",
        "how a token was made does not show in it",
        "remofile-proto/tests/main/tokens.rs::random_bits_can_be_read_back_from_their_token",
    ),
    waived(
        "KEY-4",
        "it happens before a socket is open",
        "remofile-ref/cli/tests/commands.rs::a_token_that_is_none_is_not_repeated",
    ),
    waived(
        "KEY-8",
        "nanoseconds drown in the network; the reference compares by crate subtle, and this test that it compares at all",
        "remofile-proto/tests/main/tokens.rs::auth_of_another_session_is_refused",
    ),
    waived(
        "CURVE-3",
        "what happens before a socket is bound, or when a thread of the server ends, has no message",
        "remofile-ref/src/transport/server.rs::the_end_of_the_zap_handler_ends_the_wait_for_messages",
    ),
    waived(
        "CURVE-4",
        CLIENT,
        "remofile-ref/tests/transport/refused.rs::a_server_without_curve_is_refused_by_a_client_with_it",
    ),
    waived(
        "CURVE-6",
        "it is about a ZeroMQ library that the server was not built with",
        "remofile-ref/src/transport/mod.rs::a_libzmq_without_curve_is_refused",
    ),
    waived(
        "CURVE-7",
        CLIENT,
        "remofile-ref/tests/transport/refused.rs::a_wrong_client_key_is_refused_by_authentication",
    ),
    waived("SES-1", CLIENT, "remofile-ref/tests/model/mutants.rs::hello_sent_again_with_the_same_id_executes_twice"),
    waived("SES-11", CLIENT, "remofile-ref/tests/client/session.rs::nothing_follows_a_hello_that_is_unanswered"),
    waived("SES-20", CLIENT, "remofile-ref/tests/client/session.rs::a_bye_that_is_answered_no_session_has_succeeded"),
    waived(
        "SES-2",
        CLIENT,
        "remofile-ref/src/protocol/client/handshake/tests.rs::hello_after_silence_takes_the_id_before",
    ),
    waived(
        "SES-22",
        CLIENT,
        "remofile-ref/src/protocol/client/handshake/tests.rs::busy_with_an_earlier_hello_of_its_own_is_taken_over",
    ),
    waived(
        "SES-23",
        CLIENT,
        "remofile-ref/src/protocol/client/handshake/tests.rs::reply_to_an_earlier_hello_is_ignored",
    ),
    waived(
        "SEQ-16",
        CLIENT,
        "remofile-ref/src/protocol/client/request_window/tests.rs::nothing_is_taken_above_base_and_window",
    ),
    waived("SEQ-17", CLIENT, "remofile-ref/src/protocol/client/request_window/tests.rs::resent_bytes_are_the_same"),
    waived(
        "SEQ-18",
        CLIENT,
        "remofile-ref/src/protocol/client/request_window/tests.rs::after_a_gap_nothing_is_sent_until_the_last_message_is_answered",
    ),
    waived(
        "SEQ-29",
        CLIENT,
        "remofile-ref/src/protocol/client/request_window/tests.rs::everything_unanswered_is_resent_once_however_many_gaps_are_reported",
    ),
    waived(
        "SEQ-19",
        CLIENT,
        "remofile-ref/src/protocol/client/request_window/tests.rs::gap_is_ignored_while_a_pending_is_open",
    ),
    waived(
        "SEQ-20",
        CLIENT,
        "remofile-ref/src/protocol/client/request_window/tests.rs::silence_resends_the_lowest_alone_and_its_answer_everything_else",
    ),
    waived(
        "SEQ-22",
        CLIENT,
        "remofile-ref/src/protocol/client/request_window/tests.rs::pending_is_polled_alone_and_not_before_a_hundred_milliseconds",
    ),
    waived(
        "SEQ-24",
        CLIENT,
        "remofile-ref/src/protocol/client/request_window/tests.rs::change_waits_for_the_reads_before_it",
    ),
    waived("SEQ-25", CLIENT, "remofile-ref/cli/tests/trees.rs::a_file_that_fails_is_named_and_stops_no_other"),
    waived("ENTRY-7", CLIENT, "remofile-ref/cli/tests/downloads.rs::a_part_of_a_file_that_changed_is_not_continued"),
    waived("ENTRY-8", CLIENT, "remofile-proto/tests/main/replies.rs::an_unknown_kind_is_other"),
    waived("HELLO-7", CLIENT, "remofile-proto/tests/main/replies.rs::every_answer_round_trips"),
    waived(
        "OP-6",
        "the maximum is the operator's, and a server does not announce it",
        "remofile-ref/tests/storage/file.rs::no_file_grows_beyond_the_limit",
    ),
    waived(
        "MOVE-4",
        "it takes another file system mounted below the served directory, and so rights that a user of the suite may lack",
        "remofile-ref/tests/storage/jail.rs::another_file_system_below_the_root_is_denied",
    ),
    waived(
        "APPEND-3",
        "the suite does not fill the disk of a server",
        "remofile-ref/tests/storage/faults.rs::an_append_that_found_no_space_goes_on_at_its_offset",
    ),
    waived("UP-5", CLIENT, "remofile-ref/cli/tests/commands.rs::a_killed_upload_is_resumed_by_the_same_command"),
    waived(
        "UP-6",
        CLIENT,
        "remofile-ref/tests/client/resume.rs::a_source_that_changes_during_the_attempt_is_not_committed",
    ),
    waived("UP-8", CLIENT, "remofile-ref/tests/client/recovery.rs::a_commit_that_was_executed_is_not_sent_again"),
    waived("DUR-1", POWER, "remofile-ref/tests/storage/faults.rs::what_was_not_synced_replaces_nothing"),
    waived("DUR-2", POWER, "remofile-ref/tests/storage/faults.rs::what_flush_acknowledged_survives_a_power_cut"),
    waived("DUR-3", POWER, "remofile-ref/tests/storage/faults.rs::what_flush_acknowledged_survives_a_power_cut"),
    waived(
        "DUR-4",
        "the suite cannot make a disk fail",
        "remofile-ref/tests/storage/faults.rs::after_a_failed_flush_no_flush_succeeds",
    ),
    waived(
        "DUR-6",
        CLIENT,
        "remofile-ref/tests/client/recovery.rs::a_flush_does_not_answer_for_what_an_earlier_server_acknowledged",
    ),
    waived("CODE-4", CLIENT, "remofile-proto/tests/main/replies.rs::an_unknown_code_is_acted_on_by_its_range"),
    waived("LOST-1", CLIENT, "remofile-ref/tests/model/faults.rs::nothing_is_lost_or_done_twice_under_faults"),
    waived("LOST-2", CLIENT, "remofile-ref/tests/model/faults.rs::nothing_is_lost_or_done_twice_under_faults"),
    waived("EXT-1", CLIENT, "remofile-proto/tests/main/snapshots.rs::requests_with_every_argument"),
    waived(
        "EXT-2",
        "a rule for those who write extensions, and version 1 has none",
        "remofile-proto/tests/main/cddl.rs::every_request_that_the_codec_writes_fits_the_schema",
    ),
    waived(
        "EXT-3",
        "a rule for those who write the next version",
        "remofile-proto/tests/main/cddl.rs::every_request_that_the_codec_writes_fits_the_schema",
    ),
    waived("SEC-1", CLIENT, "remofile-proto/tests/main/replies.rs::a_name_that_leads_elsewhere_is_malformed"),
    waived(
        "SEC-2",
        "the suite does not see what a server logs",
        "remofile-proto/tests/main/tokens.rs::debug_output_has_no_secret",
    ),
    waived(
        "SEC-4",
        "the suite does not see what a program shows",
        "remofile-ref/cli/tests/commands.rs::names_cannot_move_the_cursor_of_a_terminal",
    ),
];
