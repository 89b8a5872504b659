//! `conformance doctor`

use super::{Colours, print, setup};
use crate::{
    command::args::{Doctor, Hooks},
    doctor::{Diagnosis, diagnose},
    exit::{Exit, Failure},
    report::{redact::Redactor, visible},
};
use std::{fmt::Write as _, io};

/// Shows each step to a server.
pub(super) fn doctor(arguments: &Doctor, colours: Colours) -> Result<Exit, Failure> {
    let established = setup::establish(&arguments.access, &Hooks::default(), Some(&arguments.server))?;
    let environment = setup::environment(established, setup::random_seed(), &arguments.access);
    let redactor = Redactor::new(&environment.target.borrow());
    let diagnosis = diagnose(&environment);
    print(&redactor.text(&shown(&diagnosis, colours.on(&io::stdout()))))?;
    Ok(diagnosis.failure().map_or(Exit::Conformant, |failure| failure.exit))
}

fn shown(diagnosis: &Diagnosis, colour: bool) -> String {
    let paint =
        |style: &str, word: &str| if colour { format!("\u{1b}[{style}m{word}\u{1b}[0m") } else { word.to_owned() };
    let mut text = String::new();
    for step in &diagnosis.steps {
        let _ = match &step.found {
            Ok(found) => writeln!(text, "{}  {:10} {}", paint("1;32", "ok    "), step.name, visible(found)),
            Err(failure) => {
                let failed = writeln!(text, "{}  {:10} {}", paint("1;31", "failed"), step.name, visible(&failure.what));
                failed.and_then(|()| writeln!(text, "        hint: {}", visible(&failure.hint)))
            }
        };
    }
    text += if diagnosis.failure().is_none() { "the server speaks Remofile and opens sessions\n" } else { "" };
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::DoctorStep;

    #[test]
    fn each_step_is_a_line_and_a_failure_has_an_advice() {
        let failure = Failure::new(Exit::Refused, "the token\u{1b} was refused").hint("check it");
        let steps = vec![
            DoctorStep { name: "TCP", found: Ok("connected".into()) },
            DoctorStep { name: "hello", found: Err(failure) },
        ];
        let text = shown(&Diagnosis { steps, ..Diagnosis::default() }, false);
        assert_eq!(
            text,
            "ok      TCP        connected\nfailed  hello      the token\\u{1b} was refused\n        hint: check it\n"
        );
    }
}
