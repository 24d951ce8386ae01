// SPDX-License-Identifier: GPL-2.0

//! The wheel in one thread: everything is seen when its time has come, and nothing too often.

use super::sleeper::{not_after, Sleeper, GRAIN, TURN};
use crate::model::{random, rcu, time, World};
use crate::nat::time::{Deadline, Ticks};
use crate::table::wheel::Wheel;

/// Objects looked at in one go.
const BATCH: usize = 16;

struct Model<'a> {
    wheel: &'a Wheel<Sleeper>,
    all: &'a [Sleeper],
    /// When an object waits, since when.
    waits: Vec<Option<u32>>,
}

impl<'a> Model<'a> {
    fn new(wheel: &'a Wheel<Sleeper>, all: &'a [Sleeper]) -> Self {
        let waits = vec![None; all.len()];
        Self { wheel, all, waits }
    }

    fn arm(&mut self, index: usize) {
        let object = &self.all[index];
        self.wheel.arm(object, object.deadline());
        self.waits[index] = Some(time::now().0);
    }

    fn hasten(&mut self, index: usize, to: Deadline) {
        let object = &self.all[index];
        self.wheel.hasten(object, object.bring_forward(to));
        self.waits[index] = Some(time::now().0);
    }

    /// Runs the wheel until it has nothing left to do. Each object that waits is looked at once,
    /// or twice where it was put off to a slot that is just coming.
    fn run(&mut self) {
        let (wheel, waits) = (self.wheel, &mut self.waits);
        let mut looks = 0;
        let waiting = waits.iter().flatten().count();
        let most = (2 * waiting + 1024) / BATCH + 2;
        let done = (0..most).any(|_| {
            rcu::read(|rcu| {
                wheel.run(BATCH, rcu, |object: &Sleeper| {
                    looks += 1;
                    match object.deadline().has_passed(time::now()) {
                        true => {
                            assert!(wheel.retire(object));
                            assert!(!wheel.retire(object));
                            assert!(waits[object.index].take().is_some(), "seen twice");
                        }
                        false => wheel.arm(object, object.deadline()),
                    }
                })
            })
        });
        assert!(done, "{waiting} objects wait, looked {looks} times, no end");
        self.check();
    }

    /// Nothing waits whose time came before the grain of now.
    fn check(&self) {
        let now = time::grain().begin(time::now());
        for (object, since) in self.all.iter().zip(&self.waits) {
            let Some(since) = since else { continue };
            let next = time::grain().begin(crate::nat::time::Instant(*since)).0;
            let late =
                not_after(object.deadline().0, now) && not_after(next.wrapping_add(GRAIN), now);
            assert!(
                !late,
                "{:?} is still not seen at {now:?}",
                object.deadline()
            );
        }
    }

    fn waiting(&self) -> usize {
        self.waits.iter().flatten().count()
    }
}

fn within(ticks: u32) -> Deadline {
    time::now().plus(Ticks(random::below(u64::from(ticks)) as u32))
}

/// Lets the time go by in steps that `step` gives, while objects come and are hastened.
fn live_through(begin: u32, time_to_live: u32, steps: usize, step: impl Fn() -> u32) {
    let _world = World::begin(begin);
    let wheel = Wheel::new(0).expect("memory");
    let all: Vec<_> = (0..400)
        .map(|index| Sleeper::new(index, within(time_to_live)))
        .collect();
    let mut model = Model::new(&wheel, &all);
    for round in 0..steps {
        if let Some(late) = (round % 2 == 0)
            .then_some(round / 2)
            .filter(|late| *late < 400)
        {
            all[late].bring_forward(within(time_to_live));
            model.arm(late);
        }
        let some = random::below(400) as usize;
        if model.waits[some].is_some() && random::below(4) == 0 {
            model.hasten(some, within(2 * TURN));
        }
        time::pass(step());
        model.run();
    }
    for _ in 0..time_to_live / GRAIN + 1024 {
        time::pass(GRAIN);
        model.run();
    }
    assert_eq!(model.waiting(), 0);
}

/// The keeper comes once a grain, as it should, while the clock wraps.
#[test]
fn all_are_seen_in_time() {
    live_through(u32::MAX - TURN, 3 * TURN, 3000, || GRAIN);
}

/// The keeper comes a little late each time, so that it has to catch up now and then.
#[test]
fn all_are_seen_by_a_late_keeper() {
    live_through(u32::MAX - TURN, 3 * TURN, 3000, || GRAIN + 3);
    live_through(0, 3 * TURN, 1500, || GRAIN + random::below(1000) as u32);
}

/// Now and then the clock jumps: the machine stood still.
#[test]
fn all_are_seen_after_the_clock_jumped() {
    live_through(
        u32::MAX - 20 * TURN,
        6 * TURN,
        1500,
        || match random::below(20) {
            0 => random::below(u64::from(4 * TURN)) as u32,
            1 => TURN - GRAIN + random::below(3 * u64::from(GRAIN)) as u32,
            _ => random::below(300) as u32,
        },
    );
}

/// After the keeper has slept, however long, what is made then is seen in time.
#[test]
fn a_long_sleep_does_no_harm() {
    let lengths = [
        GRAIN,
        10 * GRAIN,
        TURN - GRAIN,
        TURN,
        TURN + GRAIN,
        10 * TURN,
    ];
    let longer = [
        1 << 30,
        (1 << 31) - 1,
        1 << 31,
        (1 << 31) + 5 * TURN,
        u32::MAX - 10 * TURN,
    ];
    for sleep in lengths.into_iter().chain(longer) {
        let _world = World::begin(1000);
        let wheel = Wheel::new(0).expect("memory");
        time::pass(sleep);
        let at = |ticks| time::now().plus(Ticks(ticks));
        let deadlines = [at(30 * 250), at(600 * 250), at(7440 * 250), at(1)];
        let all: Vec<_> = deadlines
            .into_iter()
            .enumerate()
            .map(|(index, deadline)| Sleeper::new(index, deadline))
            .collect();
        let mut model = Model::new(&wheel, &all);
        (0..all.len()).for_each(|index| model.arm(index));
        for _ in 0..8000 {
            model.run();
            time::pass(GRAIN);
        }
        assert_eq!(model.waiting(), 0, "after a sleep of {sleep} ticks");
    }
}
