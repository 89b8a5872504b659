//! Every exit code, every kind of failure and every hint has a test, and the table of them is true.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The tests of each exit code, by its name in the source.
const EXIT_CODES: &[(&str, &str)] = &[
    ("OTHER", "output_that_cannot_be_written_is_an_error"),
    ("USAGE", "what_is_no_endpoint_is_reported_with_what_to_write"),
    ("NOT_FOUND", "what_is_not_there_is_not_found"),
    ("EXISTS", "what_is_there_already_stays_unless_asked"),
    ("NETWORK", "a_closed_port_is_unreachable"),
    ("REFUSED", "a_wrong_token_is_refused_in_time"),
    ("BUSY", "a_wait_that_is_over_says_who_is_there"),
    ("PROTOCOL", "a_server_that_breaks_the_protocol_is_reported"),
    ("NOT_VERIFIED", "content_that_arrives_otherwise_is_not_kept"),
    ("LIMIT", "a_full_local_disk_is_a_limit"),
    ("BAD_NAME", "an_invalid_path_is_shown_harmlessly_and_with_what_is_valid"),
    ("SOME_FAILED", "several_items_that_fail_are_each_named_and_summed_up"),
    ("SOURCE_CHANGED", "a_source_that_changes_is_distinguished_from_other_failures"),
    ("SAFETY_CHECK", "more_than_half_and_more_than_ten_deletions_stop_the_run"),
    ("CONFLICTS", "a_conflict_is_left_until_it_is_settled_and_nothing_is_done_meanwhile"),
    ("INTERRUPTED", "an_interrupt_ends_a_command_at_once"),
    ("TERMINATED", "a_termination_ends_a_command_at_once"),
];

/// The tests of each way in which a command fails.
const FAILURES: &[(&str, &str)] = &[
    ("Usage", "a_token_that_cannot_be_had_is_reported_by_its_source"),
    ("BadPath", "an_invalid_path_is_shown_harmlessly_and_with_what_is_valid"),
    ("NoMatch", "no_match_has_its_own_message"),
    ("Missing", "a_file_that_is_missing_is_made_only_where_it_is_asked_for"),
    ("Mismatch", "hashes_are_those_of_b3sum_and_either_checks_the_other"),
    ("Stopped", "a_transfer_that_is_stopped_says_how_to_continue"),
    ("Client", "every_refusal_has_its_exit_code_its_words_and_its_hint"),
    ("Local", "a_secret_goes_into_a_file_of_its_owner_and_never_over_one"),
    ("Reported", "a_server_that_does_not_start_says_why_and_leaves_nothing"),
    ("Caused", "a_demo_that_has_no_place_says_so"),
    ("Some", "several_items_that_fail_are_each_named_and_summed_up"),
    ("Other", "a_side_that_is_gone_stops_the_run"),
    ("Output", "output_that_cannot_be_written_is_an_error"),
];

/// The tests of each error of the library, as the command shows it.
const CLIENT_ERRORS: &[(&str, &str)] = &[
    // The command parses these itself, before it calls the library.
    ("BadEndpoint", "what_is_no_endpoint_is_reported_with_what_to_write"),
    ("BadToken", "a_token_that_is_none_is_not_repeated"),
    ("BadPath", "an_invalid_path_is_shown_harmlessly_and_with_what_is_valid"),
    ("Unreachable", "a_closed_port_is_unreachable"),
    ("TokenRefused", "a_wrong_token_is_refused_in_time"),
    ("NotRemofile", "a_web_server_is_distinguished_from_a_remofile_server"),
    ("Busy", "a_wait_that_is_over_says_who_is_there"),
    ("TimedOut", "a_server_that_falls_silent_is_a_time_out"),
    ("InDoubt", "a_change_whose_answer_was_lost_is_in_doubt"),
    ("NotFlushed", "a_change_that_no_flush_can_answer_for_is_reported"),
    ("SessionLost", "a_session_that_was_taken_over_is_lost"),
    ("Refused", "every_refusal_has_its_exit_code_its_words_and_its_hint"),
    ("Protocol", "a_server_that_breaks_the_protocol_is_reported"),
    ("SourceChanged", "a_source_that_changes_is_distinguished_from_other_failures"),
    ("NotVerified", "content_that_arrives_otherwise_is_not_kept"),
    ("Local", "what_is_not_there_is_not_found"),
    ("Cancelled", "an_interrupt_ends_a_command_at_once"),
    ("Incomplete", "an_item_of_a_directory_that_fails_is_named_and_the_others_arrive"),
    ("Transport", "a_machine_without_descriptors_is_reported"),
];

fn here(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The part of a source from one text up to another.
fn part<'a>(source: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = source.split_once(from).unwrap_or_else(|| panic!("'{from}' is not there"));
    rest.split_once(to).unwrap_or_else(|| panic!("'{to}' is not there")).0
}

/// The variants of an enum: the lines with four blanks before a capital letter.
fn variants(source: &str, name: &str) -> BTreeSet<String> {
    let body = part(source, &format!("enum {name} {{\n"), "\n}\n");
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let variants = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    variants.map(|line| line.split(|next: char| !next.is_alphanumeric()).next().unwrap().to_owned()).collect()
}

/// All sources of the tests that start the command.
fn tests() -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut sources = String::new();
    let mut open = vec![directory];
    while let Some(directory) = open.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().unwrap() != "table.rs" {
                sources += &fs::read_to_string(path).unwrap();
            }
        }
    }
    sources
}

#[test]
fn the_table_names_every_failure_and_tests_that_exist() {
    let (failure, tests) = (here("src/failure.rs"), tests());
    let codes = here("src/exit_code.rs");
    let codes: BTreeSet<String> = codes
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix("pub(crate) const ")?.split_once(": u8").map(|(name, _)| name.to_owned())
        })
        .collect();
    for (wanted, table) in [
        (codes, EXIT_CODES),
        (variants(&failure, "Failure"), FAILURES),
        (variants(&here("../src/client/error.rs"), "ClientError"), CLIENT_ERRORS),
    ] {
        assert!(wanted.len() > 5, "{wanted:?}");
        let named: BTreeSet<String> = table.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(wanted, named, "a kind of failure without a test, or a row without a kind");
        for (name, test) in table {
            assert!(tests.contains(&format!("#[test]\nfn {test}(")), "{name}: there is no test {test}");
        }
    }
}

#[test]
fn every_hint_is_in_a_test() {
    let (failure, tests) = (here("src/failure.rs"), tests());
    let general = part(&failure, "fn hint(&self)", "\n    }\n}\n");
    let code = general.to_owned() + part(&failure, "\npub(crate) fn client_hint(", "\n}\n");
    let texts: Vec<_> = code.split('"').skip(1).step_by(2).filter(|text| text.len() > 20).collect();
    assert!(texts.len() > 20, "{texts:?}");
    for text in texts {
        let begin: String = text.chars().take(20).collect();
        assert!(tests.contains(begin.trim_end()), "no test names the hint '{text}'");
    }
}

#[test]
fn the_readme_names_every_exit_code() {
    let readme = here("../../README.md");
    let codes = part(&readme, "Exit codes: ", "\n");
    let source = here("src/exit_code.rs");
    let numbers = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub(crate) const ")?.split_once(": u8 = ")?.1.strip_suffix(';'));
    for number in numbers {
        let mut named = codes.split([',', '/', ' ', '.']);
        assert!(named.any(|word| word == number), "exit code {number} is not in the README");
    }
}
