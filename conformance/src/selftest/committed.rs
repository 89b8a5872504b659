//! The files next to the suite: kill table and score.

use super::{findings::SelfTestReport, kill_status::MutationResult, kill_table::KillTable, score::Score};
use crate::{
    engine::case::Case,
    exit::{Exit, Failure},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const KILL_TABLE: &str = "kill-table.txt";
const SCORE: &str = "score.json";

/// The files next to the suite: kill table and score.
pub(super) struct CommittedFiles {
    pub(super) kill_table: KillTable,
    pub(super) score: Score,
    /// Where they were read, unless they are those that the suite was built with.
    directory: Option<PathBuf>,
}

impl CommittedFiles {
    /// Reads them in a directory, or takes those that the suite was built with.
    pub(super) fn read(directory: Option<&Path>) -> Result<Self, Failure> {
        let text = |name: &str, built_in: &str| match directory {
            None => Ok(built_in.to_owned()),
            Some(directory) => fs::read_to_string(directory.join(name))
                .map_err(|error| Failure::usage(format!("--committed {}: {name}: {error}", directory.display()))),
        };
        let wrong = |name: &'static str| move |error| Failure::new(Exit::OwnFault, format!("{name}: {error}"));
        Ok(Self {
            kill_table: KillTable::parse(&text(KILL_TABLE, include_str!("../../kill-table.txt"))?)
                .map_err(wrong(KILL_TABLE))?,
            score: Score::parse(&text(SCORE, include_str!("../../score.json"))?).map_err(wrong(SCORE))?,
            directory: directory.map(Path::to_owned),
        })
    }

    /// Writes down what was found. The figures are written after a run of everything alone.
    pub(super) fn write(
        &self,
        findings: &SelfTestReport,
        rows: &[MutationResult],
        cases: &[&Case],
        everything: bool,
    ) -> Result<(), Failure> {
        let directory = self
            .directory
            .as_deref()
            .ok_or_else(|| Failure::usage("--write: say by --committed where the committed are"))?;
        let written = |name: &str, text: String| {
            fs::write(directory.join(name), text)
                .map_err(|error| Failure::new(Exit::OwnFault, format!("{name} could not be written: {error}")))
        };
        written(KILL_TABLE, self.kill_table.updated(rows, cases, everything).render(cases))?;
        if findings.whole { written(SCORE, findings.score.render()) } else { Ok(()) }
    }
}
