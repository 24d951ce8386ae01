// SPDX-License-Identifier: GPL-2.0

//! Small cases, in all orders with a few interruptions.

use crate::model::schedule::{explore, Scenario};
use crate::model::{random, rcu, World};
use crate::table::hash::{Cursor, Entry, Progress, Table};
use crate::table::pair::{self, Number, Side};
use crate::table::single;
use std::sync::Arc;

/// A table of so many buckets with these objects.
fn table(buckets: usize, numbers: &[u64], seed: u64) -> Arc<Table<Side>> {
    random::seed(seed);
    let table = Arc::new(Table::new(buckets, 0).expect("memory"));
    numbers
        .iter()
        .for_each(|number| pair::insert(&table, *number));
    table
}

/// Prepared outside of the scenario, moved inside.
fn move_to(table: &Arc<Table<Side>>, buckets: usize) -> Box<dyn FnOnce() + Send> {
    table.want(table.prepare(buckets).expect("memory"));
    let table = table.clone();
    Box::new(move || while table.resize(1) == Progress::Moving {})
}

fn empty(table: &Table<Side>, numbers: &[u64]) {
    numbers
        .iter()
        .for_each(|number| pair::remove(table, *number));
    rcu::barrier();
}

/// Who looks up what is there finds it, wherever it is being moved.
#[test]
fn find_while_entries_move() {
    let _world = World::begin(0);
    for (from, to) in [(1, 2), (2, 1), (2, 2)] {
        let runs = explore(2, 4000, || {
            let table = table(from, &[1, 2], 7);
            let find = |number| -> Box<dyn FnOnce() + Send> {
                let table = table.clone();
                Box::new(move || assert!(pair::has_key(&table, number), "missed {number}"))
            };
            Scenario {
                threads: vec![find(1), move_to(&table, to), find(pair::second(2))],
                finally: Box::new(move || empty(&table, &[1, 2])),
            }
        });
        println!("{from} to {to} buckets: {runs} orders");
    }
}

/// Writers find the bucket that counts, and take the locks in the right order.
#[test]
fn insert_and_remove_while_entries_move() {
    let _world = World::begin(0);
    for (seed, from, to) in [(1, 1, 2), (2, 2, 1), (3, 2, 2), (4, 2, 2)] {
        let runs = explore(2, 1500, || {
            let table = table(from, &[1, 2], seed);
            let (insert, remove) = (table.clone(), table.clone());
            Scenario {
                threads: vec![
                    Box::new(move || pair::insert(&insert, 3)),
                    move_to(&table, to),
                    Box::new(move || pair::remove(&remove, 1)),
                ],
                finally: Box::new(move || empty(&table, &[2, 3])),
            }
        });
        println!("{from} to {to} buckets: {runs} orders");
    }
}

/// A walk sees all that stays.
#[test]
fn walk_while_entries_move() {
    let _world = World::begin(0);
    for (from, to) in [(1, 2), (2, 1), (2, 2)] {
        let runs = explore(2, 4000, || {
            let table = table(from, &[0, 1, 2], 5);
            let walked = table.clone();
            let walk = move || {
                let mut cursor = Cursor::default();
                let mut seen = [false; 3];
                let mut visit = |entry: &Side| {
                    if let Some(seen) = seen.get_mut(entry.key().0 as usize) {
                        *seen = true;
                    }
                };
                while rcu::read(|rcu| walked.step(&mut cursor, rcu, &mut visit)) {}
                assert_eq!(seen, [true; 3], "a walk missed one");
            };
            Scenario {
                threads: vec![Box::new(walk), move_to(&table, to)],
                finally: Box::new(move || empty(&table, &[0, 1, 2])),
            }
        });
        println!("{from} to {to} buckets: {runs} orders");
    }
}

/// With one lock as with two: inserted and removed in the bucket that counts.
#[test]
fn one_lock_while_entries_move() {
    let _world = World::begin(0);
    for (seed, from, to) in [(1, 1, 2), (2, 2, 1), (3, 2, 2)] {
        let runs = explore(2, 4000, || {
            random::seed(seed);
            let table = Arc::new(Table::new(from, 0).expect("memory"));
            single::insert(&table, Number(1));
            table.want(table.prepare(to).expect("memory"));
            let [insert, mover, remove] = [(); 3].map(|()| table.clone());
            Scenario {
                threads: vec![
                    Box::new(move || single::insert(&insert, Number(2))),
                    Box::new(move || while mover.resize(1) == Progress::Moving {}),
                    Box::new(move || assert!(single::remove(&remove, Number(1)))),
                ],
                finally: Box::new(move || {
                    assert!(!single::has(&table, Number(1)));
                    assert!(single::remove(&table, Number(2)));
                    rcu::barrier();
                }),
            }
        });
        println!("{from} to {to} buckets: {runs} orders");
    }
}
