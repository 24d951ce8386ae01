// SPDX-License-Identifier: GPL-2.0

//! KUnit suites, in kernels that have it built in: the tables on the kernel's own locks, RCU,
//! memory and clock. What threads do to each other is tested in userspace (`tools/table`).
//!
//! A failed assertion ends the thread where it stands, so none is made on the RCU read side.

use super::hash::{Cursor, Entry, Link, Progress, Table};
use super::ports::{Claim, PortMap, PortMaps, Rival, Wish};
use super::wheel::{Timed, Timer, Wheel};
use crate::nat::addr::{Be16, Be32, Prefix, V4};
use crate::nat::iface::{Interface, Interfaces};
use crate::nat::policy::{Action, Match, Policy};
use crate::nat::ports::{Parity, PortRange};
use crate::nat::reserved::{self, Reserved, Taken};
use crate::nat::time::{Deadline, Ticks};
use crate::nat::tuple::{BindKey, Side, TCP, UDP};
use crate::sys::{rcu, time};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::time::delay::fsleep;
use kernel::time::Delta;

/// An entry that counts how often a walk has come by.
struct Item {
    link: Link<Item>,
    key: BindKey<V4>,
    visits: AtomicU32,
}

// SAFETY: Always the same fields; `key` is never written.
unsafe impl Entry for Item {
    type Key = BindKey<V4>;

    fn link(&self) -> &Link<Self> {
        &self.link
    }

    fn key(&self) -> &BindKey<V4> {
        &self.key
    }
}

fn key(number: u32) -> BindKey<V4> {
    BindKey {
        addr: V4(Be32::from_host(number)),
        port: Be16::from_host(1),
        proto: UDP,
        side: Side::Inside,
    }
}

/// A table and all that is in it; dropped in this order.
struct Filled {
    table: Table<Item>,
    items: KVec<KBox<Item>>,
}

impl Filled {
    fn new(buckets: usize, items: u32) -> Result<Self> {
        let mut filled = Self {
            table: Table::new(buckets, 0)?,
            items: KVec::new(),
        };
        for number in 0..items {
            let item = Item {
                link: Link::new(),
                key: key(number),
                visits: AtomicU32::new(0),
            };
            filled
                .items
                .push(KBox::new(item, GFP_KERNEL)?, GFP_KERNEL)?;
        }
        for item in &filled.items {
            rcu::read(|rcu| {
                let locked = filled.table.lock(&item.key, rcu);
                // SAFETY: The bucket is locked; the item lives as long as the table.
                unsafe { locked.bucket.link(item) };
            });
        }
        Ok(filled)
    }

    fn unlink(&self, item: &Item) {
        rcu::read(|rcu| {
            let locked = self.table.lock(&item.key, rcu);
            // SAFETY: The bucket is locked, and is that of the key.
            unsafe { locked.bucket.unlink(item) };
        });
    }

    fn has(&self, item: &Item) -> bool {
        let found = |found: &Item| core::ptr::eq(found, item);
        rcu::read(|rcu| self.table.find(&item.key, rcu, found).is_some())
    }

    fn has_all(&self) -> bool {
        self.items.iter().all(|item| self.has(item))
    }

    /// How many entries the chains are long, together; `None` if one is too long to tell.
    fn chained(&self) -> Option<u32> {
        let shape = self.table.shape();
        let sum = |(len, count): (u32, &u32)| len.wrapping_mul(*count);
        (shape.longest < 8).then(|| (0..).zip(&shape.chains).map(sum).sum())
    }

    /// Moves all entries to so many buckets, one bucket at a time, and calls `between`; says
    /// whether that was always content.
    fn resize(&self, buckets: usize, mut between: impl FnMut() -> bool) -> Result<bool> {
        self.table.want(self.table.prepare(buckets)?);
        let mut content = between();
        while self.table.resize(1) == Progress::Moving {
            content &= between();
        }
        Ok(content && between() && !self.table.is_unsettled() && self.table.len() == buckets)
    }

    /// Takes a few steps of a walk, from its begin again if it is at its end.
    fn walk(&self, cursor: &mut Cursor, steps: usize) -> bool {
        let visit = |item: &Item| {
            item.visits.fetch_add(1, Ordering::Relaxed);
        };
        (0..steps).all(|_| rcu::read(|rcu| self.table.step(cursor, rcu, visit)))
    }
}

/// What waits in a wheel, and counts how often it was looked at.
struct Sleeper {
    timer: Timer<Sleeper>,
    looks: AtomicU32,
    again: AtomicBool,
}

// SAFETY: Always the same field; nothing is freed before the wheel is.
unsafe impl Timed for Sleeper {
    fn timer(&self) -> &Timer<Self> {
        &self.timer
    }
}

impl Sleeper {
    fn new() -> Self {
        Self {
            timer: Timer::new(),
            looks: AtomicU32::new(0),
            again: AtomicBool::new(false),
        }
    }

    fn looks(&self) -> u32 {
        self.looks.load(Ordering::Relaxed)
    }
}

/// A deadline that is so many seconds away.
fn within(secs: u32) -> Deadline {
    time::now().plus(time::seconds(secs))
}

/// Runs the wheel for so many grains; what is due is armed again if it wants.
fn run(wheel: &Wheel<Sleeper>, grains: u32) {
    let end = time::now().plus(Ticks(grains.wrapping_mul(time::grain().ticks())));
    while !end.has_passed(time::now()) {
        fsleep(Delta::from_millis(50));
        rcu::read(|rcu| {
            wheel.run(16, rcu, |sleeper| {
                sleeper.looks.fetch_add(1, Ordering::Relaxed);
                if sleeper.again.load(Ordering::Relaxed) {
                    wheel.arm(sleeper, within(3600));
                }
            })
        });
    }
}

/// Any port out of a few.
fn wish<'a>(ports: PortRange, reserved: &'a Reserved<'a, V4>) -> Wish<'a, V4> {
    Wish {
        proto: TCP,
        range: ports,
        parity: Parity::Any,
        nodes: 1,
        node: None,
        reserved,
    }
}

/// Ports that a policy leads elsewhere.
fn taken(dport: PortRange) -> Option<Taken<V4>> {
    let mut all = None;
    let matches = Match {
        src: Prefix::default(),
        dst: Prefix::default(),
        proto: TCP,
        sport: PortRange::ALL,
        dport,
        in_iface: Interfaces::ANY,
        out_iface: Interfaces::ANY,
        mark: 0,
        mark_mask: 0,
    };
    let policy = Policy {
        id: 1,
        priority: 1,
        action: Action::Dnat,
        matches,
    };
    let one = |taken| {
        all = Some(taken);
        Ok::<_, ()>(())
    };
    reserved::taken_by(&policy, &[], one).ok().and(all)
}

/// Calls `f` with the ports of an address, on the RCU read side.
fn with_ports<R>(f: impl FnOnce(&PortMap<V4>) -> R) -> Result<R> {
    let maps = PortMaps::<V4>::new(0, Arc::new(AtomicU32::new(0), GFP_KERNEL)?)?;
    let result = rcu::read(|rcu| maps.of(V4(Be32::from_host(1)), rcu).map(f));
    result.ok_or(ENOMEM)
}

#[kunit_tests(fastnat_table)]
mod table {
    use super::*;

    #[test]
    fn an_entry_is_found_until_it_is_removed() -> Result {
        let filled = Filled::new(16, 32)?;
        assert!(filled.has_all());
        assert_eq!(filled.chained(), Some(32));
        for item in &filled.items {
            filled.unlink(item);
            assert!(!filled.has(item));
        }
        assert_eq!(filled.chained(), Some(0));
        Ok(())
    }

    #[test]
    fn entries_are_found_while_the_table_grows_and_shrinks() -> Result {
        let filled = Filled::new(4, 64)?;
        for buckets in [64, 1024, 1024, 8, 1, 256] {
            assert!(filled.resize(buckets, || filled.has_all())?);
        }
        assert_eq!(filled.table.arrays(), 7);
        assert_eq!(filled.chained(), Some(64));
        Ok(())
    }

    #[test]
    fn entries_are_removed_while_the_table_grows() -> Result {
        let filled = Filled::new(32, 32)?;
        let mut left = filled.items.iter();
        let remove = || {
            left.next().is_none_or(|item| {
                filled.unlink(item);
                !filled.has(item)
            })
        };
        assert!(filled.resize(128, remove)?);
        assert_eq!(left.len(), 0);
        assert_eq!(filled.chained(), Some(0));
        Ok(())
    }

    #[test]
    fn an_array_that_is_wanted_takes_the_place_of_another() -> Result {
        let filled = Filled::new(4, 16)?;
        filled.table.want(filled.table.prepare(8)?);
        assert!(filled.table.is_unsettled());
        assert!(filled.resize(64, || filled.has_all())?);
        assert_eq!(filled.table.resize(1), Progress::Idle);
        // One that nobody gets to use is freed with the table.
        filled.table.want(filled.table.prepare(8)?);
        Ok(())
    }

    #[test]
    fn a_walk_sees_every_entry_while_the_table_is_resized() -> Result {
        for (from, to) in [(64, 8), (8, 64), (32, 32)] {
            let filled = Filled::new(from, 64)?;
            let mut cursor = Cursor::default();
            let mut step = || filled.walk(&mut cursor, 2);
            let between = || {
                step();
                true
            };
            assert!(filled.resize(to, between)?);
            while step() {}
            let visited = |item: &KBox<Item>| item.visits.load(Ordering::Relaxed) > 0;
            assert!(filled.items.iter().all(visited));
        }
        Ok(())
    }
}

#[kunit_tests(fastnat_wheel)]
mod wheel {
    use super::*;

    #[test]
    fn what_is_due_is_seen_once() -> Result {
        let (wheel, late, soon) = (Wheel::new(0)?, Sleeper::new(), Sleeper::new());
        wheel.arm(&late, time::now().plus(Ticks(0)));
        wheel.arm(&soon, within(1));
        assert_eq!((late.looks(), soon.looks()), (0, 0));
        run(&wheel, 4);
        assert_eq!((late.looks(), soon.looks()), (1, 1));
        assert!(wheel.retire(&late) && wheel.retire(&soon));
        Ok(())
    }

    // When it comes, and once more if where it was put is among what is late.
    #[test]
    fn what_is_put_off_is_not_seen_again_and_again() -> Result {
        let (wheel, sleeper) = (Wheel::new(0)?, Sleeper::new());
        sleeper.again.store(true, Ordering::Relaxed);
        wheel.arm(&sleeper, within(0));
        fsleep(Delta::from_secs(4));
        run(&wheel, 2);
        assert!((1..=2).contains(&sleeper.looks()));
        assert!(wheel.retire(&sleeper));
        Ok(())
    }

    #[test]
    fn what_is_hastened_is_seen_soon() -> Result {
        let (wheel, hastened, other) = (Wheel::new(0)?, Sleeper::new(), Sleeper::new());
        wheel.arm(&hastened, within(3600));
        wheel.arm(&other, within(300));
        wheel.hasten(&hastened, within(1));
        wheel.hasten(&other, within(3600));
        run(&wheel, 4);
        assert_eq!((hastened.looks(), other.looks()), (1, 0));
        assert!(wheel.retire(&hastened) && wheel.retire(&other));
        Ok(())
    }

    #[test]
    fn what_is_retired_is_not_seen() -> Result {
        let (wheel, armed, idle) = (Wheel::new(0)?, Sleeper::new(), Sleeper::new());
        wheel.arm(&armed, within(1));
        assert!(wheel.retire(&armed) && wheel.retire(&idle));
        assert!(!wheel.retire(&armed));
        wheel.arm(&armed, within(0));
        wheel.hasten(&armed, within(0));
        run(&wheel, 3);
        assert_eq!((armed.looks(), idle.looks()), (0, 0));
        Ok(())
    }
}

#[kunit_tests(fastnat_ports)]
mod ports {
    use super::*;

    #[test]
    fn a_port_has_one_claim_at_a_time() -> Result {
        let claims = with_ports(|map| {
            let first = map.claim_one(TCP, 80);
            // Twice: a claim that fails must not free what it did not get.
            let again = (0..2).any(|_| map.claim_one(TCP, 80).is_some());
            let other = map.claim_one(UDP, 80).is_some();
            let was = first.is_some();
            drop(first);
            (was, again, other, map.claim_one(TCP, 80).is_some())
        })?;
        assert_eq!(claims, (true, false, true, true));
        Ok(())
    }

    #[test]
    fn a_range_is_claimed_to_the_last_port() -> Result {
        let range = PortRange::new(2000, 2063).ok_or(EINVAL)?;
        let mut seen = [false; 64];
        let (others, freed) = with_ports(|map| {
            let mut claims: [Option<Claim<'_, V4>>; 64] = [const { None }; 64];
            for claim in &mut claims {
                *claim = map.claim(&wish(range, &Reserved::none()), |_| Rival::Nobody);
                let port = claim.as_ref().map_or(0, Claim::port);
                if let Some(seen) = seen.get_mut(usize::from(port).wrapping_sub(2000)) {
                    *seen = true;
                }
            }
            let others = map
                .claim(&wish(range, &Reserved::none()), |_| Rival::Nobody)
                .is_some();
            drop(claims);
            (
                others,
                map.claim(&wish(range, &Reserved::none()), |_| Rival::Nobody)
                    .is_some(),
            )
        })?;
        assert!(seen.iter().all(|seen| *seen));
        assert!(!others && freed);
        Ok(())
    }

    #[test]
    fn reserved_ports_come_last() -> Result {
        let range = PortRange::new(2000, 2063).ok_or(EINVAL)?;
        let all = [taken(PortRange::new(2010, 2057).ok_or(EINVAL)?).ok_or(EINVAL)?];
        let scopes = [all[0].scope()];
        let addr = V4(Be32::from_host(1));
        let reserved = Reserved::new((&all, &scopes), addr, &Interface::default(), TCP);
        let good = with_ports(|map| {
            let mut claims: [Option<Claim<'_, V4>>; 64] = [const { None }; 64];
            for (number, claim) in claims.iter_mut().enumerate() {
                *claim = map.claim(&wish(range, &reserved), |_| Rival::Nobody);
                let port = claim.as_ref().map(Claim::port);
                let good = |port| reserved.contains(port) == (number >= 16);
                if !port.is_some_and(good) {
                    return false;
                }
            }
            map.claim(&wish(range, &reserved), |_| Rival::Nobody)
                .is_none()
        })?;
        assert!(good);
        Ok(())
    }

    // The last port is found among sockets, by one search, and they are not asked about again.
    #[test]
    fn sockets_are_passed_over() -> Result {
        let range = PortRange::new(2000, 4999).ok_or(EINVAL)?;
        let asked = AtomicU32::new(0);
        let rival = |port| {
            asked.fetch_add(1, Ordering::Relaxed);
            match port {
                2345 => Rival::Nobody,
                _ => Rival::Socket,
            }
        };
        let none = Reserved::none();
        let (first, then, asked_then, exact) = with_ports(|map| {
            let first = map.claim(&wish(range, &none), rival);
            let port = first.as_ref().map(Claim::port);
            let before = asked.load(Ordering::Relaxed);
            let then = map.claim(&wish(range, &none), rival).is_some();
            let more = asked.load(Ordering::Relaxed).wrapping_sub(before);
            // Who wants a certain port looks for himself.
            (
                port,
                then,
                (before, more),
                map.claim_one(TCP, 2346).is_some(),
            )
        })?;
        assert_eq!((first, then, exact), (Some(2345), false, true));
        assert!(asked_then.0 <= 3000);
        // Unless some of them were forgotten meanwhile.
        assert!(asked_then.0.wrapping_add(asked_then.1) <= 6000);
        Ok(())
    }

    #[test]
    fn a_search_ends() -> Result {
        let asked = AtomicU32::new(0);
        let rival = |_| {
            asked.fetch_add(1, Ordering::Relaxed);
            Rival::Socket
        };
        let none = Reserved::none();
        let found = with_ports(|map| map.claim(&wish(PortRange::ALL, &none), rival).is_some())?;
        assert!(!found && asked.load(Ordering::Relaxed) <= 4096);
        Ok(())
    }
}
