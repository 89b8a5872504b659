//! Writes reports to standard output and files.

use super::{Colours, print};
use crate::{
    command::args::{Format, Outputs},
    engine::verdict::Report,
    exit::{Exit, Failure},
    report::{self, redact::Redactor},
};
use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The output files, opened before the run so that errors show early.
pub(super) struct Destinations {
    files: Vec<(Format, PathBuf, File)>,
    /// The format for standard output.
    stdout: Option<Format>,
}

impl Destinations {
    pub(super) fn open(outputs: &Outputs) -> Result<Self, Failure> {
        let mut formats = outputs.format.iter().copied();
        let mut files = Vec::new();
        for path in &outputs.output {
            let format = match formats.next() {
                Some(format) => format,
                None => by_ending(path)?,
            };
            let file =
                File::create(path).map_err(|error| Failure::usage(format!("--output {}: {error}", path.display())))?;
            files.push((format, path.clone(), file));
        }
        let rest: Vec<Format> = formats.collect();
        if rest.len() > 1 {
            return Err(Failure::usage(
                "several --format without an --output: only one report fits on standard output",
            ));
        }
        // If all formats go to files, standard output gets the text report.
        Ok(Self { files, stdout: Some(rest.first().copied().unwrap_or(Format::Terminal)) })
    }

    /// Writes the report to all destinations, also after an error.
    pub(super) fn write(self, report: &Report, redactor: &Redactor, colours: Colours) -> Result<(), Failure> {
        let mut result = Ok(());
        for (format, path, mut file) in self.files {
            let text = redactor.text(&report::render(report, format, false));
            let written = file.write_all(text.as_bytes()).and_then(|()| file.flush());
            if let Err(error) = written {
                result = Err(Failure::new(Exit::OwnFault, format!("--output {}: {error}", path.display())));
            }
        }
        if let Some(format) = self.stdout {
            let text = report::render(report, format, colours.on(&io::stdout()));
            print(&redactor.text(&text))?;
        }
        result
    }
}

fn by_ending(path: &Path) -> Result<Format, Failure> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => Ok(Format::Json),
        Some("xml") => Ok(Format::Junit),
        Some("tap") => Ok(Format::Tap),
        Some("html" | "htm") => Ok(Format::Html),
        Some("txt" | "log") => Ok(Format::Terminal),
        _ => Err(Failure::usage(format!("--output {}: its extension names no format", path.display()))
            .hint("give --format, or a name that ends in .json, .xml, .tap, .html or .txt")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_a_name_decides_the_form() {
        let forms = ["a.json", "a.xml", "a.tap", "a.html", "a.txt"].map(|name| by_ending(Path::new(name)));
        let wanted = [Format::Json, Format::Junit, Format::Tap, Format::Html, Format::Terminal];
        assert_eq!(forms, wanted.map(Ok));
        assert!(by_ending(Path::new("report")).is_err());
    }

    #[test]
    fn two_forms_do_not_fit_on_standard_output() {
        let outputs = Outputs { format: vec![Format::Json, Format::Tap], ..Outputs::default() };
        assert!(Destinations::open(&outputs).is_err_and(|failure| failure.exit == Exit::Usage));
    }
}
