//! Summarizes the results of a self-test.

use super::{
    Observations, Selection,
    committed::CommittedFiles,
    equivalents,
    executor::{ReportedCase, RunOutcome},
    findings::{
        CaseFinding, CellFinding, HarnessFinding, MutationFinding, RequirementFinding, SelfTestReport,
        SoundServerFinding, milliseconds,
    },
    kill_status::{KillStatus, MutationResult, cites},
    kill_table::TableEntry,
    score::Score,
    server_config::{ServerConfig, Variant},
};
use crate::{
    engine::{
        case::{Case, Level},
        verdict::Verdict,
    },
    spec::traceability,
};
use std::{collections::BTreeMap, time::Duration};

pub(super) fn summarize(
    selection: &Selection,
    every: &[&Case],
    committed: &CommittedFiles,
    observed: &Observations,
    harness: Vec<HarnessFinding>,
) -> SelfTestReport {
    let sound: Vec<SoundServerFinding> =
        observed.sound.iter().map(|(server, outcome)| sound(server, outcome, every)).collect();
    let mutations: Vec<MutationFinding> = observed.rows.iter().map(|row| mutation(row, every)).collect();
    let cases: Vec<CaseFinding> = every.iter().map(|case| found(case, observed, committed)).collect();
    let requirements = requirements(every, &observed.rows);
    let (repeated, flips) = flips(observed);
    let mut stale = committed.kill_table.unknown_names(every);
    stale.extend(committed.kill_table.stale(&observed.rows, every));
    for (name, _) in equivalents::all() {
        if observed.rows.iter().any(|row| row.mutation.name == *name && row.class == KillStatus::Killed) {
            stale.push(format!("{name} is killed, but listed as equivalent"));
        }
    }
    let score = Score {
        requirements: requirements.iter().filter(|one| is_must(one)).count(),
        tested: requirements.iter().filter(|one| is_must(one) && one.cases > 0).count(),
        waived: requirements.iter().filter(|one| is_must(one) && one.waived).count(),
        proven: requirements.iter().filter(|one| is_must(one) && one.killed > 0).count(),
        cases: cases.len(),
        killing: cases.iter().filter(|case| !case.kills.is_empty()).count(),
        explained: every.iter().filter(|case| is_explained(committed, case) && !kills(&cases, case)).count(),
        mutations: mutations.len(),
        killed: count(&observed.rows, KillStatus::Killed),
        equivalent: count(&observed.rows, KillStatus::Equivalent),
        sound: sound.len(),
        false_failures: sound.iter().map(|sound| sound.failures.len()).sum(),
        repeated,
        flips: flips.len(),
        harness_mutations: harness.len(),
        harness_mutations_killed: harness.iter().filter(|mutant| mutant.killed).count(),
    };
    SelfTestReport {
        whole: selection.whole,
        full: selection.full,
        drops: if selection.whole { score.drops_from(&committed.score) } else { Vec::new() },
        gains: if selection.whole { score.gains_over(&committed.score) } else { Vec::new() },
        committed: committed.score.clone(),
        score,
        stale,
        errors: observed.errors.clone(),
        mutations,
        sound,
        cases,
        requirements,
        flips,
        harness,
        ..SelfTestReport::new(selection.seed, Duration::ZERO)
    }
}

fn is_must(requirement: &RequirementFinding) -> bool {
    requirement.level == Level::Must.to_string()
}

fn is_explained(committed: &CommittedFiles, case: &Case) -> bool {
    matches!(committed.kill_table.entry(&case.id), Some(TableEntry::Nothing(_)))
}

fn kills(cases: &[CaseFinding], case: &Case) -> bool {
    cases.iter().any(|found| found.id == case.id && !found.kills.is_empty())
}

fn count(rows: &[MutationResult], class: KillStatus) -> usize {
    rows.iter().filter(|row| row.class == class).count()
}

/// The results at a server without a mutation.
fn sound(server: &ServerConfig, outcome: &RunOutcome, every: &[&Case]) -> SoundServerFinding {
    let legal = match server.variant {
        Variant::Legal(name) => remofile_mutants::legal_variants().find(|legal| legal.name == name),
        _ => None,
    };
    let mut found = SoundServerFinding {
        name: server.to_string(),
        description: legal.map_or("Serves as its options say.", |legal| legal.description).to_owned(),
        passed: 0,
        not_applicable: 0,
        took_ms: 0,
        failures: Vec::new(),
    };
    let ran = match outcome {
        RunOutcome::Reported(ran) => ran,
        RunOutcome::Unreachable(why) | RunOutcome::Failed(why) => {
            found.failures.push(why.clone());
            return found;
        }
        RunOutcome::Interrupted => return found,
    };
    let result = |verdict| ran.cases.values().filter(|result| result.verdict == verdict).count();
    found.passed = result(Verdict::Pass) + result(Verdict::Info);
    found.not_applicable = result(Verdict::NotApplicable);
    found.took_ms = milliseconds(ran.took);
    let despite = legal.map_or(&[][..], |legal| legal.despite);
    let is_due = |id: &str| {
        let case = every.iter().find(|case| case.id == id);
        case.is_some_and(|case| case.checks.iter().any(|check| despite.contains(check)))
    };
    let wrong = ran.cases.iter().filter(|(id, result)| match result.verdict {
        Verdict::Pass | Verdict::Info | Verdict::NotApplicable => false,
        Verdict::Warn => !is_due(id),
        _ => true,
    });
    found.failures.extend(wrong.map(|(id, result)| format!("{id}: {}: {}", result.verdict, result.reason)));
    found.failures.extend(ran.leftovers.iter().map(|left| format!("left over: {left}")));
    if legal.is_some() && !ran.reached {
        found.failures.push("the variant was never reached".into());
    }
    found
}

fn mutation(row: &MutationResult, every: &[&Case]) -> MutationFinding {
    let cited = |id: &str| every.iter().any(|case| case.id == id && cites(case, row.mutation));
    let passed = |result: &ReportedCase| result.verdict == Verdict::Pass;
    let others = row.cells.iter().filter(|(_, cell)| !passed(&cell.result));
    MutationFinding {
        name: row.mutation.name.to_owned(),
        requirements: row.mutation.requirements.iter().map(|id| (*id).to_owned()).collect(),
        description: row.mutation.description.to_owned(),
        class: row.class.to_string(),
        why: row.why.clone(),
        reached: row.reached,
        cells: others
            .map(|(id, cell)| CellFinding {
                case: id.clone(),
                verdict: cell.result.verdict.to_string(),
                variant: cell.variant.to_string(),
                kills: cell.kills(),
                cites: cited(id),
                reason: cell.result.reason.clone(),
            })
            .collect(),
        passed: row.cells.iter().filter(|(_, cell)| passed(&cell.result)).map(|(id, _)| id.clone()).collect(),
    }
}

fn found(case: &Case, observed: &Observations, committed: &CommittedFiles) -> CaseFinding {
    let killed = observed.rows.iter().filter(|row| row.killers().any(|id| id == case.id));
    CaseFinding {
        id: case.id.clone(),
        requirements: case.checks.iter().map(|id| (*id).to_owned()).collect(),
        kills: killed.map(|row| row.mutation.name.to_owned()).collect(),
        table: committed.kill_table.entry(&case.id).map(ToString::to_string),
    }
}

fn requirements(every: &[&Case], rows: &[MutationResult]) -> Vec<RequirementFinding> {
    let mut mutations: BTreeMap<&str, Vec<&MutationResult>> = BTreeMap::new();
    for row in rows {
        for id in row.mutation.requirements {
            mutations.entry(id).or_default().push(row);
        }
    }
    traceability::rows(every)
        .iter()
        .map(|row| {
            let broken_by = mutations.get(row.requirement.id).map(Vec::as_slice).unwrap_or_default();
            RequirementFinding {
                id: row.requirement.id.to_owned(),
                level: row.requirement.level.to_string(),
                cases: row.cases.len(),
                waived: row.waiver.is_some(),
                mutations: broken_by.iter().map(|row| row.mutation.name.to_owned()).collect(),
                killed: broken_by.iter().filter(|row| row.class == KillStatus::Killed).count(),
            }
        })
        .collect()
}

/// The number of repeated decisions, and those that differed.
fn flips(observed: &Observations) -> (usize, Vec<String>) {
    let mut flips = Vec::new();
    let mut repeated = observed.repeated.len();
    for (name, again) in &observed.repeated {
        let before = observed.rows.iter().find(|row| row.mutation.name == *name).map(|row| row.class);
        // A mutation that was killed at a variant alone does not run there again.
        flips.extend(
            before
                .filter(|before| before != again && is_plain(observed, name))
                .map(|before| format!("{name}: {before}, and {again} with another seed")),
        );
    }
    let plain = observed.sound.iter().find(|(server, _)| *server == ServerConfig::default());
    if let (Some((_, RunOutcome::Reported(first))), Some(RunOutcome::Reported(again))) = (plain, &observed.again) {
        for (id, result) in &first.cases {
            let Some(other) = again.cases.get(id) else { continue };
            repeated += 1;
            if result.verdict != other.verdict {
                flips.push(format!("{id}: {}, and {} with another seed", result.verdict, other.verdict));
            }
        }
    }
    (repeated, flips)
}

fn is_plain(observed: &Observations, mutation: &str) -> bool {
    let row = observed.rows.iter().find(|row| row.mutation.name == mutation);
    row.is_none_or(|row| {
        row.class != KillStatus::Killed || row.cells.values().any(|cell| cell.kills() && cell.variant == Variant::Plain)
    })
}
