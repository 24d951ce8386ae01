// SPDX-License-Identifier: GPL-2.0

//! A wheel that runs while others arm, hasten and retire.

use super::clock;
use super::sleeper::{Sleeper, GRAIN, TURN};
use crate::model::alloc::{KBox, GFP_KERNEL};
use crate::model::schedule::{explore, Scenario};
use crate::model::{random, rcu, time, World};
use crate::nat::time::{Deadline, Ticks};
use crate::table::wheel::Wheel;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::Arc;

/// Objects at any time.
const MOST: usize = 300;

struct Shared {
    wheel: Wheel<Sleeper>,
    /// Null, or an object that is there until somebody retires it.
    objects: Vec<AtomicPtr<Sleeper>>,
    made: AtomicU64,
    seen: AtomicU64,
}

fn soon(ticks: u32) -> Deadline {
    time::now().plus(Ticks(random::below(u64::from(ticks)) as u32))
}

impl Shared {
    fn new() -> Self {
        let nothing = || AtomicPtr::new(ptr::null_mut());
        Self {
            wheel: Wheel::new(0).expect("memory"),
            objects: (0..MOST).map(|_| nothing()).collect(),
            made: AtomicU64::new(0),
            seen: AtomicU64::new(0),
        }
    }

    /// Makes an object, if there is none in this place, and lets it wait.
    fn make(&self, index: usize) {
        let deadline = soon(2 * TURN);
        let raw = KBox::into_raw(KBox::new(Sleeper::new(index, deadline), GFP_KERNEL).expect(""));
        rcu::read(|_rcu| {
            let (done, not) = (Ordering::AcqRel, Ordering::Relaxed);
            let place = &self.objects[index];
            if place
                .compare_exchange(ptr::null_mut(), raw, done, not)
                .is_err()
            {
                // SAFETY: From a box just now, and nobody has seen it.
                return drop(unsafe { KBox::from_raw(raw) });
            }
            self.made.fetch_add(1, Ordering::Relaxed);
            // SAFETY: Freed a grace period after somebody retires it.
            self.wheel.arm(unsafe { &*raw }, deadline);
        });
    }

    fn with(&self, index: usize, act: impl FnOnce(&Sleeper)) {
        rcu::read(|_rcu| {
            let raw = self.objects[index].load(Ordering::Acquire);
            // SAFETY: Null, or an object that is freed a grace period after it left its place.
            if let Some(object) = unsafe { raw.as_ref() } {
                act(object);
            }
        });
    }

    fn retire(&self, object: &Sleeper) -> bool {
        if !self.wheel.retire(object) {
            return false;
        }
        let raw = ptr::from_ref(object).cast_mut();
        let place = &self.objects[object.index];
        assert_eq!(place.swap(ptr::null_mut(), Ordering::AcqRel), raw);
        let raw = raw as usize;
        // SAFETY: From a box in `make`; retired just now, which one caller does.
        rcu::free_later(move || drop(unsafe { KBox::from_raw(raw as *mut Sleeper) }));
        true
    }

    /// What the keeper does; false if there is more.
    fn run(&self) -> bool {
        rcu::read(|rcu| {
            self.wheel.run(64, rcu, |object| {
                let deadline = object.deadline();
                if deadline.has_passed(time::now()) {
                    if self.retire(object) {
                        self.seen.fetch_add(1, Ordering::Relaxed);
                    }
                    return;
                }
                self.wheel.arm(object, deadline);
                // It may have been hastened in between, when it was not in the wheel.
                let sooner = object.deadline();
                if sooner != deadline {
                    self.wheel.hasten(object, sooner);
                }
            })
        })
    }

    fn left(&self) -> usize {
        let there = |place: &&AtomicPtr<Sleeper>| !place.load(Ordering::Acquire).is_null();
        self.objects.iter().filter(there).count()
    }

    /// Whatever is left is seen within a turn of its deadline.
    fn come_to_the_end(&self, last: u32) {
        rcu::barrier();
        for _ in 0..last / GRAIN + 512 + 2 {
            time::pass(GRAIN);
            while !self.run() {}
        }
        assert_eq!(self.left(), 0, "objects that the wheel has lost");
        rcu::barrier();
    }
}

/// Nothing gets lost, and nothing is freed while it waits.
#[test]
fn a_wheel_under_stress() {
    let _world = World::begin(u32::MAX - 100 * TURN);
    let shared = Shared::new();
    let shared_ = &shared;
    let many = |count: &AtomicU64| count.load(Ordering::Relaxed) >= 1000;
    let go_on = clock(move || many(&shared_.made) && many(&shared_.seen));
    let some = || random::below(MOST as u64) as usize;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while go_on() {
                (0..100).for_each(|_| shared_.make(some()));
                rcu::reclaim();
            }
        });
        scope.spawn(move || {
            while go_on() {
                shared_.with(some(), |object| {
                    let sooner = object.bring_forward(soon(TURN));
                    shared_.wheel.hasten(object, sooner);
                });
            }
        });
        scope.spawn(move || {
            while go_on() {
                shared_.with(some(), |object| {
                    shared_.retire(object);
                });
                std::thread::yield_now();
            }
        });
        scope.spawn(move || {
            while go_on() {
                while !shared_.run() && go_on() {}
                time::pass(match random::below(500) {
                    0 => random::below(u64::from(3 * TURN)) as u32,
                    _ => random::below(2 * u64::from(GRAIN)) as u32,
                });
            }
        });
    });
    shared.come_to_the_end(2 * TURN);
    let (made, seen) = (shared.made.into_inner(), shared.seen.into_inner());
    println!("{made} made, {seen} seen by the wheel");
    assert!(
        made >= 1000 && seen >= 1000 && seen < made,
        "not much of a stress"
    );
}

/// Two objects in one slot, whose time has come; then `others` happen while the wheel runs.
fn around_a_run(name: &str, others: [fn(&Shared); 2]) {
    let _world = World::begin(0);
    let runs = explore(3, 1000, || {
        time::set(GRAIN - 100);
        let shared = Arc::new(Shared::new());
        random::seed(3);
        let deadlines = [50, 60].map(|ticks| time::now().plus(Ticks(ticks)));
        for (index, deadline) in deadlines.into_iter().enumerate() {
            shared.make(index);
            shared.with(index, |object| {
                let sooner = object.bring_forward(deadline);
                shared.wheel.hasten(object, sooner);
            });
        }
        time::pass(GRAIN);
        let runner = shared.clone();
        let mut threads: Vec<Box<dyn FnOnce() + Send>> = vec![Box::new(move || {
            runner.run();
        })];
        for other in others {
            let shared = shared.clone();
            threads.push(Box::new(move || other(&shared)));
        }
        Scenario {
            threads,
            finally: Box::new(move || shared.come_to_the_end(2 * TURN)),
        }
    });
    println!("{name}: {runs} orders");
}

fn retire_first(shared: &Shared) {
    shared.with(0, |object| {
        shared.retire(object);
    });
}

/// Taken by the wheel, retired by two others, and a third object comes.
#[test]
fn retire_while_the_wheel_runs() {
    around_a_run(
        "retire",
        [retire_first, |shared| {
            retire_first(shared);
            shared.make(2);
        }],
    );
}

/// Hastened while the wheel takes it or another retires it.
#[test]
fn hasten_while_the_wheel_runs() {
    let hasten: fn(&Shared) = |shared| {
        shared.make(2);
        shared.with(2, |object| {
            let sooner = object.bring_forward(time::now().plus(Ticks(1)));
            shared.wheel.hasten(object, sooner);
        });
    };
    around_a_run(
        "hasten",
        [hasten, |shared| {
            for index in [2, 1] {
                shared.with(index, |object| {
                    shared.retire(object);
                });
            }
        }],
    );
}
