//! Several runs at once, as most of their time is spent waiting.

use super::bench::{Attempt, Bench, Tried};
use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread,
};

/// Makes all attempts, `workers` at a time, begun in the order of the places that `order` names; gives what became of
/// each, as `attempts` stand. `tell` hears of each when it is through.
pub(super) fn attempt_all(
    bench: &Bench<'_>,
    attempts: &[Attempt],
    order: &[usize],
    workers: usize,
    tell: &mut dyn FnMut(&Attempt, &Tried),
) -> Vec<Tried> {
    let tried = each(order, workers, |at| bench.attempt(&attempts[*at]), &mut |at, tried| tell(&attempts[*at], tried));
    let mut placed: Vec<(usize, Tried)> = order.iter().copied().zip(tried).collect();
    placed.sort_by_key(|(at, _)| *at);
    placed.into_iter().map(|(_, tried)| tried).collect()
}

/// Applies `work` to all items, `workers` at a time; gives the results in the order of the items.
pub(super) fn each<T: Sync, R: Send>(
    items: &[T],
    workers: usize,
    work: impl Fn(&T) -> R + Sync,
    tell: &mut dyn FnMut(&T, &R),
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
            tell(&items[at], &result);
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
