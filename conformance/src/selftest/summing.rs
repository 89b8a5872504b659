//! Makes findings of what was seen.

use super::{
    Chosen, Seen,
    bench::{Came, Tried},
    classes::{Class, Row, cites},
    equivalents,
    findings::{CaseFound, CellFound, FaultFound, Findings, HarnessFound, RequirementFound, SoundFound, milliseconds},
    headline::Headline,
    stand::{Stand, Variant},
    tables::Tables,
    witnesses::Entry,
};
use crate::{
    engine::{
        case::{Case, Level},
        verdict::Verdict,
    },
    spec::traceability,
};
use std::{collections::BTreeMap, time::Duration};

pub(super) fn sum_up(
    chosen: &Chosen,
    every: &[&Case],
    tables: &Tables,
    seen: &Seen,
    harness: Vec<HarnessFound>,
) -> Findings {
    let sound: Vec<SoundFound> = seen.sound.iter().map(|(stand, tried)| sound(stand, tried, every)).collect();
    let faults: Vec<FaultFound> = seen.rows.iter().map(|row| fault(row, every)).collect();
    let cases: Vec<CaseFound> = every.iter().map(|case| found(case, seen, tables)).collect();
    let requirements = requirements(every, &seen.rows);
    let (repeated, flips) = flips(seen);
    let mut stale = tables.witnesses.strays(every);
    stale.extend(tables.witnesses.stale(&seen.rows, every));
    for (name, _) in equivalents::all() {
        if seen.rows.iter().any(|row| row.fault.name == *name && row.class == Class::Killed) {
            stale.push(format!("{name} is killed, and said to be equivalent"));
        }
    }
    let headline = Headline {
        requirements: requirements.iter().filter(|one| is_must(one)).count(),
        tested: requirements.iter().filter(|one| is_must(one) && one.cases > 0).count(),
        waived: requirements.iter().filter(|one| is_must(one) && one.waived).count(),
        proven: requirements.iter().filter(|one| is_must(one) && one.killed > 0).count(),
        cases: cases.len(),
        witnessed: cases.iter().filter(|case| !case.kills.is_empty()).count(),
        explained: every.iter().filter(|case| is_explained(tables, case) && !kills(&cases, case)).count(),
        faults: faults.len(),
        killed: count(&seen.rows, Class::Killed),
        equivalent: count(&seen.rows, Class::Equivalent),
        sound: sound.len(),
        false_failures: sound.iter().map(|sound| sound.failures.len()).sum(),
        repeated,
        flips: flips.len(),
        harness_mutants: harness.len(),
        harness_mutants_killed: harness.iter().filter(|mutant| mutant.killed).count(),
    };
    Findings {
        whole: chosen.whole,
        full: chosen.full,
        drops: if chosen.whole { headline.drops_from(&tables.headline) } else { Vec::new() },
        gains: if chosen.whole { headline.gains_over(&tables.headline) } else { Vec::new() },
        committed: tables.headline.clone(),
        headline,
        stale,
        errors: seen.errors.clone(),
        faults,
        sound,
        cases,
        requirements,
        flips,
        harness,
        ..Findings::new(chosen.seed, Duration::ZERO)
    }
}

fn is_must(requirement: &RequirementFound) -> bool {
    requirement.level == Level::Must.to_string()
}

fn is_explained(tables: &Tables, case: &Case) -> bool {
    matches!(tables.witnesses.entry(&case.id), Some(Entry::Nothing(_)))
}

fn kills(cases: &[CaseFound], case: &Case) -> bool {
    cases.iter().any(|found| found.id == case.id && !found.kills.is_empty())
}

fn count(rows: &[Row], class: Class) -> usize {
    rows.iter().filter(|row| row.class == class).count()
}

/// What a server without a fault showed.
fn sound(stand: &Stand, tried: &Tried, every: &[&Case]) -> SoundFound {
    let oddity = match stand.variant {
        Variant::Odd(name) => remofile_zoo::oddities().find(|oddity| oddity.name == name),
        _ => None,
    };
    let mut found = SoundFound {
        name: stand.to_string(),
        story: oddity.map_or("Serves as its options say.", |oddity| oddity.story).to_owned(),
        passed: 0,
        not_applicable: 0,
        took_ms: 0,
        failures: Vec::new(),
    };
    let ran = match tried {
        Tried::Ran(ran) => ran,
        Tried::Unserved(why) | Tried::Broken(why) => {
            found.failures.push(why.clone());
            return found;
        }
        Tried::Interrupted => return found,
    };
    let came = |verdict| ran.cases.values().filter(|came| came.verdict == verdict).count();
    found.passed = came(Verdict::Pass) + came(Verdict::Info);
    found.not_applicable = came(Verdict::NotApplicable);
    found.took_ms = milliseconds(ran.took);
    let despite = oddity.map_or(&[][..], |oddity| oddity.despite);
    let is_due = |id: &str| {
        let case = every.iter().find(|case| case.id == id);
        case.is_some_and(|case| case.checks.iter().any(|check| despite.contains(check)))
    };
    let wrong = ran.cases.iter().filter(|(id, came)| match came.verdict {
        Verdict::Pass | Verdict::Info | Verdict::NotApplicable => false,
        Verdict::Warn => !is_due(id),
        _ => true,
    });
    found.failures.extend(wrong.map(|(id, came)| format!("{id}: {}: {}", came.verdict, came.reason)));
    found.failures.extend(ran.leftovers.iter().map(|left| format!("left behind: {left}")));
    if oddity.is_some() && !ran.reached {
        found.failures.push("what is odd about it was never reached".into());
    }
    found
}

fn fault(row: &Row, every: &[&Case]) -> FaultFound {
    let cited = |id: &str| every.iter().any(|case| case.id == id && cites(case, row.fault));
    let passed = |came: &Came| came.verdict == Verdict::Pass;
    let others = row.cells.iter().filter(|(_, cell)| !passed(&cell.came));
    FaultFound {
        name: row.fault.name.to_owned(),
        requirements: row.fault.requirements.iter().map(|id| (*id).to_owned()).collect(),
        story: row.fault.story.to_owned(),
        class: row.class.to_string(),
        why: row.why.clone(),
        reached: row.reached,
        cells: others
            .map(|(id, cell)| CellFound {
                case: id.clone(),
                verdict: cell.came.verdict.to_string(),
                variant: cell.variant.to_string(),
                kills: cell.kills(),
                cites: cited(id),
                reason: cell.came.reason.clone(),
            })
            .collect(),
        passed: row.cells.iter().filter(|(_, cell)| passed(&cell.came)).map(|(id, _)| id.clone()).collect(),
    }
}

fn found(case: &Case, seen: &Seen, tables: &Tables) -> CaseFound {
    let killed = seen.rows.iter().filter(|row| row.killers().any(|id| id == case.id));
    CaseFound {
        id: case.id.clone(),
        requirements: case.checks.iter().map(|id| (*id).to_owned()).collect(),
        kills: killed.map(|row| row.fault.name.to_owned()).collect(),
        table: tables.witnesses.entry(&case.id).map(ToString::to_string),
    }
}

fn requirements(every: &[&Case], rows: &[Row]) -> Vec<RequirementFound> {
    let mut faults: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        for id in row.fault.requirements {
            faults.entry(id).or_default().push(row);
        }
    }
    traceability::rows(every)
        .iter()
        .map(|row| {
            let broken_by = faults.get(row.requirement.id).map(Vec::as_slice).unwrap_or_default();
            RequirementFound {
                id: row.requirement.id.to_owned(),
                level: row.requirement.level.to_string(),
                cases: row.cases.len(),
                waived: row.waiver.is_some(),
                faults: broken_by.iter().map(|row| row.fault.name.to_owned()).collect(),
                killed: broken_by.iter().filter(|row| row.class == Class::Killed).count(),
            }
        })
        .collect()
}

/// How many decisions were made twice, and those that came out otherwise.
fn flips(seen: &Seen) -> (usize, Vec<String>) {
    let mut flips = Vec::new();
    let mut repeated = seen.repeated.len();
    for (name, again) in &seen.repeated {
        let before = seen.rows.iter().find(|row| row.fault.name == *name).map(|row| row.class);
        // A fault that was killed at a variant alone is not tried there again.
        flips.extend(
            before
                .filter(|before| before != again && is_plain(seen, name))
                .map(|before| format!("{name}: {before}, and {again} with another seed")),
        );
    }
    let plain = seen.sound.iter().find(|(stand, _)| *stand == Stand::default());
    if let (Some((_, Tried::Ran(first))), Some(Tried::Ran(again))) = (plain, &seen.again) {
        for (id, came) in &first.cases {
            let Some(other) = again.cases.get(id) else { continue };
            repeated += 1;
            if came.verdict != other.verdict {
                flips.push(format!("{id}: {}, and {} with another seed", came.verdict, other.verdict));
            }
        }
    }
    (repeated, flips)
}

fn is_plain(seen: &Seen, fault: &str) -> bool {
    let row = seen.rows.iter().find(|row| row.fault.name == fault);
    row.is_none_or(|row| {
        row.class != Class::Killed || row.cells.values().any(|cell| cell.kills() && cell.variant == Variant::Plain)
    })
}
