//! `conformance replay`, and the files that it reads.

use super::{Colours, run};
use crate::{
    cases::replay_operations,
    command::args::{Access, Choice, Judging, Replay, Run},
    engine::verdict::Report,
    exit::{Exit, Failure},
};
use serde::{Deserialize, Serialize};
use std::{env, fmt::Display, fs, path::Path};

/// A failure that can be repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Recording {
    /// A case, with the seed of its run.
    Case {
        schema: u32,
        case: String,
        /// For a check of every reply: the case in which it failed first, which must run too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<String>,
        seed: u64,
        server: String,
        timeout_s: u64,
        insecure: bool,
        /// Why it failed, for readers of the file.
        reason: String,
    },
}

/// The version of the format, raised by incompatible changes.
const SCHEMA: u32 = 1;

/// Repeats a recording.
pub(super) fn replay(arguments: &Replay, colours: Colours) -> Result<Exit, Failure> {
    let named = arguments.server.clone().or_else(|| env::var("REMOFILE_SERVER").ok().filter(|name| !name.is_empty()));
    let text = read(&arguments.file)?;
    if is_operations(&text) {
        let case = replay_operations(&text).map_err(|error| wrong(&arguments.file, error))?;
        let again = Run {
            access: arguments.access.clone(),
            hooks: arguments.hooks.clone(),
            choice: Choice { repeat: 1, ..Choice::default() },
            outputs: arguments.outputs.clone(),
            ..Run::default()
        };
        return run::run_cases(&again, named.as_deref(), &[&case], colours);
    }
    let Recording::Case { case, with, seed, server, timeout_s, insecure, .. } = parse(&arguments.file, &text)?;
    let server = named.or_else(|| (arguments.hooks.spawn.is_none() && !server.is_empty()).then_some(server));
    let mut words: Vec<String> = server.filter(|_| arguments.hooks.spawn.is_none()).into_iter().collect();
    words.push(case);
    words.extend(with);
    let access = Access {
        timeout: arguments.access.timeout.max(timeout_s),
        insecure: arguments.access.insecure || insecure,
        ..arguments.access.clone()
    };
    let again = Run {
        words,
        access,
        hooks: arguments.hooks.clone(),
        choice: Choice { seed: Some(seed), repeat: 1, ..Choice::default() },
        judging: Judging::default(),
        outputs: arguments.outputs.clone(),
    };
    run::run(&again, colours)
}

/// Writes a recording for each failure.
pub(super) fn save(report: &Report, access: &Access, directory: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::usage(format!("--save-failures {}: {error}", directory.display()));
    fs::create_dir_all(directory).map_err(failed)?;
    for outcome in report.outcomes.iter().filter(|outcome| outcome.gates(report.strict)) {
        let recording = Recording::Case {
            schema: SCHEMA,
            case: outcome.id.clone(),
            with: outcome.seen_in.clone(),
            seed: report.seed,
            server: report.server.clone(),
            timeout_s: access.timeout,
            insecure: access.insecure,
            reason: outcome.reason.clone(),
        };
        // All fields are texts, numbers and booleans.
        let text = serde_json::to_string_pretty(&recording).expect("a recording is plain data");
        fs::write(directory.join(format!("{}.replay.json", outcome.id)), text + "\n").map_err(failed)?;
    }
    Ok(())
}

fn wrong(path: &Path, error: impl Display) -> Failure {
    Failure::usage(format!("{}: {error}", path.display()))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| wrong(path, error))
}

/// Whether it is a sequence of operations that a failed property case printed.
fn is_operations(text: &str) -> bool {
    let json: Option<serde_json::Value> = serde_json::from_str(text).ok();
    json.as_ref().and_then(|json| json.get("kind")?.as_str()) == Some("operations")
}

fn parse(path: &Path, text: &str) -> Result<Recording, Failure> {
    let recording: Recording = serde_json::from_str(text).map_err(|error| {
        wrong(path, format!("neither a file of --save-failures nor a sequence of operations: {error}"))
    })?;
    let Recording::Case { schema, .. } = &recording;
    if *schema == SCHEMA {
        Ok(recording)
    } else {
        Err(wrong(path, format!("written by another version of the suite: schema {schema}, not {SCHEMA}")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        engine::verdict::{
            Verdict,
            samples::{outcome, report_of},
        },
        report::redact::{
            Redactor,
            tests::{leaky, secrets, target},
        },
    };
    use std::path::PathBuf;

    fn saved(report: &Report) -> (tempfile::TempDir, Vec<PathBuf>) {
        let directory = tempfile::tempdir().unwrap();
        let access = Access { timeout: 7, ..Access::default() };
        save(report, &access, &directory.path().join("failures")).unwrap();
        let files = fs::read_dir(directory.path().join("failures")).unwrap();
        let files = files.map(|file| file.unwrap().path()).collect();
        (directory, files)
    }

    #[test]
    fn a_failure_is_written_and_read_back() {
        let report = report_of(vec![outcome("x", Verdict::Pass, ""), outcome("y", Verdict::Fail, "bad")]);
        let (_directory, files) = saved(&report);
        assert_eq!(files.len(), 1);
        assert!(files[0].ends_with("y.replay.json"), "{files:?}");
        let Recording::Case { case, seed, server, timeout_s, .. } =
            parse(&files[0], &read(&files[0]).unwrap()).unwrap();
        assert_eq!((case.as_str(), seed, server.as_str(), timeout_s), ("y", 42, "localhost:6768", 7));
    }

    #[test]
    fn a_recording_holds_no_secret() {
        let (_directory, files) = saved(&report_of(vec![Redactor::new(&target()).outcome(leaky())]));
        let text = fs::read_to_string(&files[0]).unwrap();
        assert!(secrets().iter().all(|secret| !text.contains(secret)), "{text}");
    }

    #[test]
    fn what_is_no_recording_is_a_usage_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.json");
        for text in ["{}", "[]", "", r#"{"kind": "unheard-of"}"#] {
            fs::write(&path, text).unwrap();
            assert_eq!(parse(&path, &read(&path).unwrap()).unwrap_err().exit, Exit::Usage, "{text}");
        }
    }
}
