// SPDX-License-Identifier: GPL-2.0

//! RCU by epochs: each thread shows in which one its outermost read section began.

use super::{might_sleep, random, schedule};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{fence, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

static EPOCH: AtomicU64 = AtomicU64::new(1);
static READERS: Mutex<Vec<Arc<Reader>>> = Mutex::new(Vec::new());
static LATER: Mutex<Vec<Callback>> = Mutex::new(Vec::new());

type Callback = Box<dyn FnOnce() + Send>;

/// The epoch in which a thread's read section began; 0 if it is in none.
type Reader = AtomicU64;

/// A thread, as long as it lives.
struct Here {
    reader: Arc<Reader>,
    depth: Cell<u32>,
}

thread_local! {
    static HERE: Here = {
        let reader = Arc::new(Reader::new(0));
        let mut all = READERS.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| Arc::strong_count(one) > 1);
        all.push(reader.clone());
        Here { reader, depth: Cell::new(0) }
    };
}

/// Evidence that the read side is held.
#[derive(Copy, Clone)]
pub(crate) struct Rcu<'a>(PhantomData<&'a ()>, PhantomData<*mut ()>);

/// Is this thread on the read side?
pub(crate) fn is_held() -> bool {
    HERE.with(|here| here.depth.get() != 0)
}

/// Leaves the read section even by a panic, or the other threads would wait for ever.
struct Section;

impl Section {
    fn enter() -> Self {
        HERE.with(|here| {
            if here.depth.get() == 0 {
                let epoch = EPOCH.load(Ordering::SeqCst);
                here.reader.store(epoch, Ordering::SeqCst);
                // Either `synchronize` sees the store or this thread sees what came before it.
                fence(Ordering::SeqCst);
            }
            here.depth.set(here.depth.get() + 1);
        });
        Self
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        HERE.with(|here| {
            here.depth.set(here.depth.get() - 1);
            if here.depth.get() == 0 {
                here.reader.store(0, Ordering::Release);
                schedule::release();
            }
        });
    }
}

/// Runs `f` on the read side.
pub(crate) fn read<R>(f: impl FnOnce(Rcu<'_>) -> R) -> R {
    schedule::point();
    let _section = Section::enter();
    f(Rcu(PhantomData, PhantomData))
}

/// Waits until all readers that run now are done.
pub(crate) fn synchronize() {
    might_sleep();
    schedule::point();
    fence(Ordering::SeqCst);
    let epoch = EPOCH.fetch_add(1, Ordering::SeqCst) + 1;
    let readers = READERS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    for reader in readers {
        while (1..epoch).contains(&reader.load(Ordering::SeqCst)) {
            schedule::wait();
        }
    }
    fence(Ordering::SeqCst);
}

/// Runs `free` after a grace period: when somebody calls [`reclaim`].
pub(crate) fn free_later(free: impl FnOnce() + Send + 'static) {
    let mut later = LATER.lock().unwrap_or_else(PoisonError::into_inner);
    later.push(Box::new(free));
}

/// Frees what is due to be freed, as soon as that may be.
pub(crate) fn reclaim() {
    let due = std::mem::take(&mut *LATER.lock().unwrap_or_else(PoisonError::into_inner));
    if !due.is_empty() {
        synchronize();
    }
    for free in due {
        free();
    }
}

/// Nothing is left to be freed. The caller sees to it that nobody else is in [`reclaim`].
pub(crate) fn barrier() {
    reclaim();
}

/// A random 64-bit number.
pub(crate) fn random64() -> u64 {
    random::next()
}
