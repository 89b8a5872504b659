//! What is kept beside the suite: the table of witnesses and the figures.

use super::{classes::Row, findings::Findings, headline::Headline, witnesses::Witnesses};
use crate::{
    engine::case::Case,
    exit::{Exit, Failure},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const WITNESSES: &str = "witnesses.txt";
const HEADLINE: &str = "headline.json";

/// The tables as they are committed.
pub(super) struct Tables {
    pub(super) witnesses: Witnesses,
    pub(super) headline: Headline,
    /// Where they were read, unless they are those that the suite was built with.
    directory: Option<PathBuf>,
}

impl Tables {
    /// Reads them in a directory, or takes those that the suite was built with.
    pub(super) fn read(directory: Option<&Path>) -> Result<Self, Failure> {
        let text = |name: &str, built_in: &str| match directory {
            None => Ok(built_in.to_owned()),
            Some(directory) => fs::read_to_string(directory.join(name))
                .map_err(|error| Failure::usage(format!("--tables {}: {name}: {error}", directory.display()))),
        };
        let wrong = |name: &'static str| move |error| Failure::new(Exit::OwnFault, format!("{name}: {error}"));
        Ok(Self {
            witnesses: Witnesses::parse(&text(WITNESSES, include_str!("../../witnesses.txt"))?)
                .map_err(wrong(WITNESSES))?,
            headline: Headline::parse(&text(HEADLINE, include_str!("../../headline.json"))?)
                .map_err(wrong(HEADLINE))?,
            directory: directory.map(Path::to_owned),
        })
    }

    /// Writes down what was found. The figures are written after a run of everything alone.
    pub(super) fn write(
        &self,
        findings: &Findings,
        rows: &[Row],
        cases: &[&Case],
        everything: bool,
    ) -> Result<(), Failure> {
        let directory =
            self.directory.as_deref().ok_or_else(|| Failure::usage("--write: say by --tables where the tables are"))?;
        let written = |name: &str, text: String| {
            fs::write(directory.join(name), text)
                .map_err(|error| Failure::new(Exit::OwnFault, format!("{name} could not be written: {error}")))
        };
        written(WITNESSES, self.witnesses.renewed(rows, cases, everything).render(cases))?;
        if findings.whole { written(HEADLINE, findings.headline.render()) } else { Ok(()) }
    }
}
