//! `conformance selftest`

use super::{Colours, print, run::interruption};
use crate::{
    command::args::SelfTest,
    exit::{Exit, Failure},
    selftest::{self, SelfTestReport},
};
use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::Path,
};

/// Writes findings in one form.
type Render = fn(&SelfTestReport) -> String;

/// Finds out how good the suite is, and reports.
pub(super) fn selftest(arguments: &SelfTest, colours: Colours) -> Result<Exit, Failure> {
    let outputs = arguments.output.iter().map(|path| Ok((path, form(path)?)));
    let outputs: Vec<(_, Render)> = outputs.collect::<Result<_, Failure>>()?;
    let interrupted = interruption()?;
    let stderr = io::stderr();
    let live = stderr.is_terminal();
    let mut show = |through: usize, all: usize, name: &str| {
        if live {
            // Progress is lost when standard error is closed.
            let _ = write!(io::stderr(), "\r\u{1b}[K{through} of {all}: {name}");
        }
    };
    let findings = selftest::perform(arguments, &interrupted, &mut show)?;
    if live {
        let _ = write!(io::stderr(), "\r\u{1b}[K");
    }
    print(&selftest::terminal(&findings, colours.on(&io::stdout())))?;
    for (path, render) in outputs {
        fs::write(path, render(&findings))
            .map_err(|error| Failure::new(Exit::OwnFault, format!("--output {}: {error}", path.display())))?;
    }
    Ok(findings.exit())
}

fn form(path: &Path) -> Result<Render, Failure> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => Ok(SelfTestReport::json),
        Some("html" | "htm") => Ok(selftest::page),
        _ => Err(Failure::usage(format!("--output {}: its name ends neither in .json nor in .html", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_tells_no_form_is_refused() {
        assert!(form(Path::new("table.json")).is_ok() && form(Path::new("table.html")).is_ok());
        assert!(form(Path::new("table.txt")).is_err_and(|failure| failure.exit == Exit::Usage));
    }
}
