//! The model finds what is broken: each of these machines is wrong in one way that once seemed right.

#[allow(unreachable_pub, reason = "a module shared by test programs")]
use super::peer::Fault;
use super::world::{Mutant, World};

/// What random runs find wrong.
fn problems(mutant: Mutant) -> Vec<String> {
    let problems: Vec<String> = (0..4_000).filter_map(|seed| World::from_seed(seed, mutant).run(120).err()).collect();
    println!("{mutant:?}: {} of 4000 runs, first {:?}", problems.len(), problems.first());
    problems
}

fn some_say(problems: &[String], what: &str) -> bool {
    problems.iter().any(|problem| problem.contains(what))
}

#[test]
fn nothing_is_found_in_machines_that_are_right() {
    assert_eq!(problems(Mutant::None), [""; 0]);
}

#[test]
fn hello_sent_again_with_the_same_id_executes_twice() {
    assert!(some_say(&problems(Mutant::Client(Fault::SameHello)), "twice"));
}

#[test]
fn server_that_executes_what_it_remembers_executes_twice() {
    assert!(some_say(&problems(Mutant::ExecutesAgain), "twice"));
}

#[test]
fn window_of_messages_in_flight_gets_stuck() {
    assert!(some_say(&problems(Mutant::Client(Fault::WindowOfFlights)), "no progress"));
}
