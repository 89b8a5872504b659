//! Section 14: codes, and which one wins. A table of operations and defects; every pair of defects is tried.

mod arguments;
mod defects;
mod operations;

use crate::{
    engine::{
        case::{Case, must},
        context::CaseContext,
        error::{CaseError, CaseResult, failed},
    },
    wire::{
        cbor::Value,
        code::{BAD_ARGS, BAD_MESSAGE, BAD_NAME, Code, EXISTS, NO_SESSION, NOT_FILE, NOT_FOUND, OK, SEQ},
        request::{abort, begin, bye, flush, mkdir, ping, read, remove, stat},
    },
};
use defects::{Defect, FaultyRequest};
use operations::Operation;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for operation in operations::all() {
        for defect in defects::of(&operation) {
            cases.push(precedence(operation.clone(), defect));
        }
    }
    cases.extend(arguments::cases());
    cases.push(operations_without_result());
    cases.push(messages_of_refusals());
    cases.push(arguments_of_ping());
    cases
}

fn operations_without_result() -> Case {
    must("operations-without-result-keys-answer-an-empty-map", &["OP-3"])
        .sends("`ping`, `remove`, `flush`, and `abort` of an upload")
        .passes("OK with an empty map.")
        .run(|t| {
            let (file, up, target) = (t.file("file", b"content")?, t.id(), t.path("target"));
            t.setup(begin(up, &target))?;
            for request in [ping(), remove(&file), flush(), abort(up)] {
                let reply = t.expect_ok(request)?;
                t.check(reply.result == Value::Map(Vec::new()), format!("the result is {}", reply.result))?;
            }
            Ok(())
        })
}

fn arguments_of_ping() -> Case {
    must("the-arguments-of-a-ping-are-checked-before-its-session", &["CODE-5", "CBOR-13"])
        .sends("of a client that said no `hello` `ping` and `bye`, each with an argument and without")
        .passes("BAD_ARGS to those with an argument, NO_SESSION to those without.")
        .run(|t| {
            let mut other = t.another_client()?;
            for request in [ping(), bye()] {
                other.expect(request.clone().arg("zz", true), BAD_ARGS)?;
                other.expect(request, NO_SESSION)?;
            }
            t.expect_ok(ping()).map(drop)
        })
}

fn messages_of_refusals() -> Case {
    must("the-message-of-a-refusal-is-a-text", &["CODE-2", "CODE-3"])
        .sends("requests that are refused for a missing path, a wrong kind, a bad name, and bad arguments")
        .passes("Refusals in which `msg` is a text without the path of the served directory, or is left out.")
        .run(|t| {
            let (file, nothing, name) = (t.file("file", b"content")?, t.path("nothing"), t.path(".."));
            let refused = [
                (stat(&nothing), NOT_FOUND),
                (read(t.directory(), 0, 1), NOT_FILE),
                (stat(&name), BAD_NAME),
                (mkdir(&file), EXISTS),
                (stat("/").arg("zz", true), BAD_ARGS),
            ];
            for (request, code) in refused {
                let reply = t.expect(request, code)?;
                let msg = reply.result.member("msg");
                t.check(msg.is_none_or(|msg| msg.text().is_some()), format!("msg is {}", reply.result))?;
            }
            Ok(())
        })
}

/// The case of one operation and one defect: alone, and together with each that comes later in the order.
fn precedence(operation: Operation, defect: Defect) -> Case {
    let id = format!("{}-with-{}-is-{}", operation.name, defect.name, words(defect.code));
    let sends =
        format!("`{}` with {} alone, and with each defect that comes later", operation.name, spaced(defect.name));
    let passes = format!("{} to every one, the step of the order that comes first; nothing changes.", defect.code);
    must(&id, defect.requirements()).sends(sends).passes(passes).run(move |t| {
        operations::set_up_fixture(t)?;
        let before = t.snapshot()?;
        let outcome = tries(t, &operation, &defect)?;
        // The positive control differs only in the defect; if that is refused too, the refusals say nothing.
        let unchanged = if outcome.is_ok() { t.expect_unchanged(&before) } else { Ok(()) };
        let control = operation.base(t)?;
        t.control(control)?;
        outcome.and(unchanged)
    })
}

/// Sends the operation with the defect, alone and combined, until a wrong reply.
fn tries(t: &mut CaseContext, operation: &Operation, defect: &Defect) -> CaseResult<CaseResult> {
    let mut outcome = attempt(t, operation, &[defect])?;
    for later in defects::of(operation) {
        if outcome.is_ok() && later.step > defect.step && later.slot != defect.slot {
            outcome = attempt(t, operation, &[defect, &later])?;
        }
    }
    Ok(outcome)
}

/// Sends the operation with these defects, of which the first decides. An outer error ends the case.
fn attempt(t: &mut CaseContext, operation: &Operation, wrong: &[&Defect]) -> CaseResult<CaseResult> {
    let mut attempt = FaultyRequest::new(t, operation.base(t)?);
    let mut ordered = wrong.to_vec();
    // A target that depends on the source is made after it.
    ordered.sort_by_key(|defect| defect.slot);
    for defect in &ordered {
        (defect.apply)(&mut attempt, t)?;
    }
    let names: Vec<_> = wrong.iter().map(|defect| spaced(defect.name)).collect();
    let wanted = wrong[0].code;
    let (session, seq) = (attempt.session, attempt.seq);
    t.send_raw(&attempt.frames(), Some((session, seq)))?;
    let reply = if session == t.session { t.final_reply(seq)? } else { t.reply_of(session, seq)? };
    if !matches!(reply.code, BAD_MESSAGE | SEQ | NO_SESSION) {
        t.next += 1;
    }
    if reply.code == wanted {
        return Ok(Ok(()));
    }
    let what = format!("{} with {} was answered {}, not {wanted}", operation.name, names.join(" and "), reply.code);
    match reply.code {
        // A wrongly executed request has consumed the fixture: later ones cannot be judged.
        OK => Err(CaseError::Failed(format!("{what}: it was executed"))),
        _ => Ok(failed(what)),
    }
}

fn words(code: Code) -> String {
    code.to_string().to_lowercase().replace('_', "-")
}

fn spaced(name: &str) -> String {
    name.replace('-', " ")
}
