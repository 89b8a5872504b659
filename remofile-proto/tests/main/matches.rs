//! No `match` on operations in the codec and the reference implementation ends in a wildcard, so that a new operation does
//! not compile until each of them covers it.

use std::{
    fs,
    path::{Path, PathBuf},
};
use syn::visit::{self, Visit};
use syn::{Arm, ExprMatch, Ident, ItemImpl, Pat, Type};

#[derive(Default)]
struct Matches {
    /// Whether `Self` is an operation here.
    is_self: bool,
    on_operations: usize,
    /// The lines of those that end in a wildcard.
    wildcards: Vec<usize>,
}

impl Matches {
    /// Whether a pattern is `Operation::…` or `OperationKind::…`.
    fn is_operation(&self, pat: &Pat) -> bool {
        let path = match pat {
            Pat::Struct(pat) => &pat.path,
            Pat::TupleStruct(pat) => &pat.path,
            Pat::Path(pat) => &pat.path,
            _ => return false,
        };
        let of = path.segments.iter().rev().nth(1);
        of.is_some_and(|of| is_name(&of.ident) || (of.ident == "Self" && self.is_self))
    }
}

impl<'ast> Visit<'ast> for Matches {
    fn visit_item_impl(&mut self, found: &'ast ItemImpl) {
        let is_self = matches!(&*found.self_ty, Type::Path(of) if of.path.get_ident().is_some_and(is_name));
        let outer = std::mem::replace(&mut self.is_self, is_self);
        visit::visit_item_impl(self, found);
        self.is_self = outer;
    }

    fn visit_expr_match(&mut self, found: &'ast ExprMatch) {
        visit::visit_expr_match(self, found);
        let patterns: Vec<&Pat> = found.arms.iter().flat_map(|arm| alternatives(&arm.pat)).collect();
        let place = patterns.iter().find_map(|pat| match pat {
            Pat::Tuple(tuple) => {
                tuple.elems.iter().position(|pat| alternatives(pat).into_iter().any(|pat| self.is_operation(pat)))
            }
            _ => None,
        });
        if place.is_none() && !patterns.into_iter().any(|pat| self.is_operation(pat)) {
            return;
        }
        self.on_operations += 1;
        let is_open =
            |arm: &Arm| arm.guard.is_none() && alternatives(&arm.pat).iter().any(|pat| is_wildcard(pat, place));
        if found.arms.last().is_some_and(is_open) {
            self.wildcards.push(found.match_token.span.start().line);
        }
    }
}

fn is_name(ident: &Ident) -> bool {
    ident == "Operation" || ident == "OperationKind"
}

/// The patterns between the bars of one arm.
fn alternatives(pat: &Pat) -> Vec<&Pat> {
    match pat {
        Pat::Or(or) => or.cases.iter().flat_map(alternatives).collect(),
        Pat::Paren(paren) => alternatives(&paren.pat),
        Pat::Reference(reference) => alternatives(&reference.pat),
        pat => vec![pat],
    }
}

/// Whether a pattern fits every operation; `place` is where a tuple has the operation.
fn is_wildcard(pat: &Pat, place: Option<usize>) -> bool {
    match (pat, place) {
        (Pat::Wild(_), _) => true,
        (Pat::Ident(binding), _) => binding.subpat.is_none(),
        (Pat::Tuple(tuple), Some(place)) => {
            tuple.elems.get(place).is_some_and(|pat| alternatives(pat).iter().any(|pat| is_wildcard(pat, None)))
        }
        _ => false,
    }
}

fn look_into(code: &str) -> Matches {
    let mut matches = Matches::default();
    matches.visit_file(&syn::parse_file(code).unwrap());
    matches
}

/// The sources in a directory and below it, without tests.
fn sources(directory: PathBuf) -> Vec<PathBuf> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { sources(path) } else { vec![path] })
        .filter(|path| !path.ends_with("tests.rs") && !path.parent().is_some_and(|parent| parent.ends_with("tests")))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[test]
fn no_match_on_operations_ends_in_a_wildcard() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut on_operations = 0;
    for path in ["remofile-proto/src", "remofile-ref/src"].into_iter().flat_map(|path| sources(repository.join(path))) {
        let matches = look_into(&fs::read_to_string(&path).unwrap());
        assert!(matches.wildcards.is_empty(), "{}: lines {:?}", path.display(), matches.wildcards);
        on_operations += matches.on_operations;
    }
    assert!(on_operations >= 8, "only {on_operations} were found");
}

#[test]
fn a_wildcard_is_found_in_every_form() {
    for arms in [
        "Operation::Ping => 1, _ => 2",
        "Operation::Ping | Operation::Bye => 1, operation => 2",
        "OperationKind::Ping => 1, OperationKind::Bye | _ => 2",
        "(Answer::Empty, Operation::Ping) => 1, (Answer::Empty, _) => 2",
        "(Operation::Ping, Answer::Empty) => 1, _ => 2",
    ] {
        let matches = look_into(&format!("fn f() {{ match x {{ {arms} }} }}"));
        assert_eq!((matches.on_operations, matches.wildcards.len()), (1, 1), "{arms}");
    }
}

#[test]
fn a_match_without_a_wildcard_is_none() {
    for (arms, on_operations) in [
        ("Operation::Ping => 1, Operation::Bye => 2", 1),
        ("(Operation::Ping, Answer::Empty) => 1, (Operation::Ping | Operation::Bye, _) => 2", 1),
        ("Answer::Empty => 1, _ => 2", 0),
    ] {
        let matches = look_into(&format!("fn f() {{ match x {{ {arms} }} }}"));
        assert_eq!((matches.on_operations, matches.wildcards.len()), (on_operations, 0), "{arms}");
    }
}

#[test]
fn self_is_an_operation_in_its_own_methods_alone() {
    let found =
        |of: &str| look_into(&format!("impl {of} {{ fn f(&self) {{ match self {{ Self::Ping => 1, _ => 2 }} }} }}"));
    for (of, expected) in [("Operation", 1), ("OperationKind", 1), ("Answer", 0)] {
        assert_eq!(found(of).wildcards.len(), expected, "{of}");
    }
}
