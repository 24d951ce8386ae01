// SPDX-License-Identifier: GPL-2.0

//! Work that comes back by itself.

use super::ffi;
use kernel::bindings;
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::types::Opaque;

/// What is done again and again, in process context.
pub(crate) trait Task: Send + Sync {
    /// Does a bounded slice of the work; returns the ticks until the next, or nothing to wait for
    /// [`Periodic::wake`].
    fn run(&self) -> Option<u32>;
}

#[repr(C)]
struct Job<T> {
    work: Opaque<bindings::delayed_work>,
    task: Arc<T>,
}

/// A task that runs until this is dropped.
///
/// # Invariants
///
/// The work of the job is initialised, and the job stays where it is.
pub(crate) struct Periodic<T: Task>(KBox<Job<T>>);

// SAFETY: The work is only touched through the kernel's own locking; the task is Send and Sync.
unsafe impl<T: Task> Send for Periodic<T> {}
// SAFETY: As above.
unsafe impl<T: Task> Sync for Periodic<T> {}

impl<T: Task> Periodic<T> {
    /// The task, not running until it is woken.
    pub(crate) fn new(task: Arc<T>) -> Result<Self> {
        let work = Opaque::uninit();
        let job = KBox::new(Job { work, task }, GFP_KERNEL)?;
        let work = job.work.get();
        // SAFETY: The box does not move; `run::<T>` fits its layout.
        unsafe {
            ffi::fastnat_shim_work_init(work, Some(run::<T>));
        }
        // INVARIANT: Initialised just now.
        Ok(Self(job))
    }

    /// Lets the task run as soon as possible. Any context.
    pub(crate) fn wake(&self) {
        // SAFETY: By the invariant.
        unsafe { ffi::fastnat_shim_work_wake(self.0.work.get()) };
    }
}

impl<T: Task> Drop for Periodic<T> {
    fn drop(&mut self) {
        // SAFETY: By the invariant. Also keeps the work from queueing itself again.
        unsafe { bindings::cancel_delayed_work_sync(self.0.work.get()) };
    }
}

/// # Safety
///
/// `work` is the first field of the `work` of a live `Job<T>`.
unsafe extern "C" fn run<T: Task>(work: *mut bindings::work_struct) {
    let job = work.cast::<Job<T>>();
    // SAFETY: `work_struct` is the first field of `delayed_work`, which is that of the job, and
    // `Periodic` waits for us before it frees the job.
    let job = unsafe { &*job };
    if let Some(ticks) = job.task.run() {
        // SAFETY: Initialised by `Periodic::new`.
        unsafe { ffi::fastnat_shim_work_queue(job.work.get(), ticks as usize) };
    }
}
