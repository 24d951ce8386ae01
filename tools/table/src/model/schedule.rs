// SPDX-License-Identifier: GPL-2.0

//! Who runs when. In a stress threads run as they like, and stumble now and then. Explored, one
//! runs at a time, and all the orders are tried in which at most so many of them are interrupted.
//!
//! Threads can be interrupted at [`point`]s: whenever the tables take or release a lock, begin to
//! read, hash or look at a key, or follow a link. So it is not every load and store, and the orders
//! of weak memory are not tried.

use super::random;
use std::cell::RefCell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// One of this many points is where a thread of a stress gives way.
const STUMBLE: u64 = 64;
/// One of this many is where a random order does not go on with the same thread.
const RARELY: u64 = 24;

thread_local! {
    static BATON: RefCell<Option<(Arc<Baton>, usize)>> = const { RefCell::new(None) };
}

/// Another thread may run here.
pub(crate) fn point() {
    match BATON.with_borrow(Clone::clone) {
        Some((baton, me)) => baton.pass(me, State::Ready),
        None if random::below(STUMBLE) == 0 => std::thread::yield_now(),
        None => (),
    }
}

/// This thread cannot go on before another has [`release`]d something.
pub(crate) fn wait() {
    match BATON.with_borrow(Clone::clone) {
        Some((baton, me)) => baton.pass(me, State::Waiting),
        None => std::thread::yield_now(),
    }
}

/// Those who wait may look again.
pub(crate) fn release() {
    if let Some((baton, _)) = BATON.with_borrow(Clone::clone) {
        baton.run().wake();
    }
}

#[derive(Copy, Clone, Eq, PartialEq)]
enum State {
    Ready,
    Waiting,
    Done,
}

/// What the threads of one scenario hand on.
struct Baton {
    run: Mutex<Run>,
    passed: Condvar,
}

struct Run {
    turn: usize,
    threads: Vec<State>,
    /// Interruptions that are left.
    budget: usize,
    script: Script,
    /// What was chosen, out of how many, at each step.
    choices: Vec<(usize, usize)>,
}

/// How to choose.
enum Script {
    /// So, and where that ends the first: the thread goes on that runs.
    Given(Vec<usize>),
    /// By chance, with a seed; the first mostly.
    Random(u64),
}

impl Script {
    fn choose(&mut self, step: usize, of: usize) -> usize {
        match self {
            Self::Given(choices) => choices.get(step).copied().unwrap_or(0),
            Self::Random(state) => {
                let (seed, number) = random::mix(*state);
                *state = seed;
                match number % RARELY {
                    0 => (number / RARELY) as usize % of,
                    _ => 0,
                }
            }
        }
    }
}

impl Run {
    fn wake(&mut self) {
        for state in &mut self.threads {
            if *state == State::Waiting {
                *state = State::Ready;
            }
        }
    }

    /// Says who goes on; `None` if nobody can.
    fn choose(&mut self, me: usize, state: State) -> Option<usize> {
        self.threads[me] = state;
        let mut options: Vec<usize> = (0..self.threads.len())
            .filter(|one| *one != me && self.threads[*one] == State::Ready)
            .collect();
        if state == State::Ready {
            options.truncate(if self.budget == 0 { 0 } else { options.len() });
            options.insert(0, me);
        }
        let choice = match options.len() {
            0 | 1 => 0,
            of => {
                let step = self.choices.len();
                let choice = self.script.choose(step, of);
                self.choices.push((choice, of));
                choice
            }
        };
        let next = *options.get(choice)?;
        if state == State::Ready && next != me {
            self.budget -= 1;
        }
        Some(next)
    }
}

impl Baton {
    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self, me: usize, state: State) {
        let mut run = self.run();
        match run.choose(me, state) {
            Some(next) => run.turn = next,
            None if state == State::Done => {
                // Those who wait find out by themselves that it is in vain.
                run.wake();
                let left = run.threads.iter().position(|one| *one != State::Done);
                run.turn = left.unwrap_or(me);
            }
            None => {
                run.threads[me] = State::Ready;
                drop(run);
                panic!("deadlock");
            }
        }
        self.passed.notify_all();
        if state != State::Done {
            drop(self.await_turn(me, run));
        }
    }

    fn await_turn<'a>(&'a self, me: usize, run: MutexGuard<'a, Run>) -> MutexGuard<'a, Run> {
        self.passed
            .wait_while(run, |run| run.turn != me)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Threads that have a state in common, and what is to be true when all are done.
pub(crate) struct Scenario {
    pub(crate) threads: Vec<Box<dyn FnOnce() + Send>>,
    pub(crate) finally: Box<dyn FnOnce()>,
}

/// Runs the scenario, made anew each time, in every order with up to `interruptions`, but not more
/// than `most` times; if that is not enough, as often again in random orders. Returns how often.
/// With FASTNAT_ORDERS=all `most` does not count.
pub(crate) fn explore(interruptions: usize, most: usize, scenario: impl Fn() -> Scenario) -> usize {
    let all = std::env::var("FASTNAT_ORDERS").is_ok_and(|value| value == "all");
    let most = if all { usize::MAX } else { most };
    let mut script = Vec::new();
    for count in 1..=most {
        let choices = run_once(interruptions, Script::Given(script), scenario());
        let Some(last) = choices.iter().rposition(|(choice, of)| choice + 1 < *of) else {
            return count;
        };
        script = choices[..=last].iter().map(|(choice, _)| *choice).collect();
        script[last] += 1;
    }
    for seed in 0..most as u64 {
        run_once(interruptions, Script::Random(seed << 32), scenario());
    }
    most.saturating_mul(2)
}

fn run_once(budget: usize, script: Script, scenario: Scenario) -> Vec<(usize, usize)> {
    let baton = Arc::new(Baton {
        run: Mutex::new(Run {
            turn: 0,
            threads: vec![State::Ready; scenario.threads.len()],
            budget,
            script,
            choices: Vec::new(),
        }),
        passed: Condvar::new(),
    });
    let begin = |(me, body): (usize, Box<dyn FnOnce() + Send>)| {
        let baton = baton.clone();
        std::thread::spawn(move || {
            random::seed(me as u64);
            drop(baton.await_turn(me, baton.run()));
            BATON.set(Some((baton.clone(), me)));
            let result = catch_unwind(AssertUnwindSafe(body));
            BATON.set(None);
            baton.pass(me, State::Done);
            result
        })
    };
    let threads: Vec<_> = scenario
        .threads
        .into_iter()
        .enumerate()
        .map(begin)
        .collect();
    let results: Vec<_> = threads
        .into_iter()
        .map(|one| one.join().expect("caught"))
        .collect();
    let choices = std::mem::take(&mut baton.run().choices);
    if let Some(failure) = results.into_iter().find_map(Result::err) {
        eprintln!("in the order {choices:?}");
        std::panic::resume_unwind(failure);
    }
    (scenario.finally)();
    choices
}
