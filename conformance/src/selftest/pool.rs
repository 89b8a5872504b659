//! Runs at the same time.

use super::executor::{Executor, RunOutcome, RunSpec};
use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread,
};

/// Executes all runs, `workers` at a time, started in the order of the indices in `order`; returns their outcomes in the
/// order of `specs`. `on_progress` gets each outcome as it arrives.
pub(super) fn execute_all(
    executor: &Executor<'_>,
    specs: &[RunSpec],
    order: &[usize],
    workers: usize,
    on_progress: &mut dyn FnMut(&RunSpec, &RunOutcome),
) -> Vec<RunOutcome> {
    let outcome =
        each(order, workers, |at| executor.execute(&specs[*at]), &mut |at, outcome| on_progress(&specs[*at], outcome));
    let mut placed: Vec<(usize, RunOutcome)> = order.iter().copied().zip(outcome).collect();
    placed.sort_by_key(|(at, _)| *at);
    placed.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Applies `work` to all items, `workers` at a time; returns the results in the order of the items.
pub(super) fn each<T: Sync, R: Send>(
    items: &[T],
    workers: usize,
    work: impl Fn(&T) -> R + Sync,
    on_progress: &mut dyn FnMut(&T, &R),
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    thread::scope(|scope| {
        let (done, through) = channel();
        for _ in 0..workers.clamp(1, items.len().max(1)) {
            let (done, next, work) = (done.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { return };
                    if done.send((at, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        for (at, result) in through {
            on_progress(&items[at], &result);
            results[at] = Some(result);
        }
    });
    results.into_iter().map(|result| result.expect("a scope ends when each item was worked at")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        let items: Vec<u64> = (0..100).collect();
        let mut told = 0;
        let results = each(&items, 7, |item| item * 2, &mut |_, _| told += 1);
        assert_eq!(results, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(told, 100);
    }

    #[test]
    fn nothing_to_do_is_done() {
        assert!(each(&[] as &[u8], 4, |item| *item, &mut |_, _| ()).is_empty());
    }
}
