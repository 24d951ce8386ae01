// SPDX-License-Identifier: GPL-2.0

//! On which devices TCP segments are aggregated, and what became of them.

use super::Net;
use crate::nat::iface::IfName;
use crate::nat::lro::{Mode, Reason, Setting};
use crate::nat::offload::Devices;
use crate::sys::counters::Counters;
use crate::sys::dev;
use crate::sys::gro::{Attached, Symbol, Unattached};
use crate::sys::rcu::{Published, Rcu};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU8, Ordering};
use kernel::prelude::*;
use kernel::sync::{new_mutex, Arc, Mutex};

/// Counters behind those of the reasons.
const AGGREGATES: u32 = Reason::ALL.len() as u32;
const SEGMENTS: u32 = AGGREGATES + 1;
const BYTES: u32 = AGGREGATES + 2;

/// A device, or all that have no entry of their own.
pub(crate) struct Entry {
    name: Option<IfName>,
    /// 0: there is no such device now.
    ifindex: AtomicU32,
    mode: AtomicU8,
    limit: AtomicU8,
    counters: Counters,
}

impl Entry {
    fn new(name: Option<IfName>, setting: Setting) -> Result<Arc<Self>> {
        let entry = Self {
            name,
            ifindex: AtomicU32::new(0),
            mode: AtomicU8::new(setting.mode as u8),
            limit: AtomicU8::new(setting.limit),
            counters: Counters::new(BYTES + 1)?,
        };
        Ok(Arc::new(entry, GFP_KERNEL)?)
    }

    /// The name of the device; `None` is for those without an entry.
    pub(crate) fn name(&self) -> Option<IfName> {
        self.name
    }

    /// The number of the device, if there is one of the name.
    pub(crate) fn ifindex(&self) -> Option<u32> {
        let ifindex = self.ifindex.load(Ordering::Relaxed);
        (ifindex != 0).then_some(ifindex)
    }

    /// How its packets are aggregated.
    #[inline]
    pub(crate) fn setting(&self) -> Setting {
        let mode = self.mode.load(Ordering::Relaxed);
        Setting {
            mode: match mode {
                mode if mode == Mode::Strict as u8 => Mode::Strict,
                mode if mode == Mode::Lro as u8 => Mode::Lro,
                _ => Mode::Off,
            },
            limit: self.limit.load(Ordering::Relaxed),
        }
    }

    fn set(&self, setting: Setting) {
        self.mode.store(setting.mode as u8, Ordering::Relaxed);
        self.limit.store(setting.limit, Ordering::Relaxed);
    }

    /// Counts what was left alone, or came to an end, for this reason.
    #[inline]
    pub(crate) fn count(&self, reason: Reason) {
        self.counters.inc(u32::from(reason as u8));
    }

    /// Counts a packet that joined what is held. `before` is what that was.
    #[inline]
    pub(crate) fn count_merged(&self, segments: usize, payload: usize, before: (usize, usize)) {
        let (mut new, mut bytes) = (segments.wrapping_sub(before.0), payload);
        if before.0 == 1 {
            self.counters.inc(AGGREGATES);
            (new, bytes) = (segments, payload.wrapping_add(before.1));
        }
        // The bytes come next.
        self.counters.add_two(SEGMENTS, [new as u32, bytes as u32]);
    }

    fn sum(&self, counter: u32) -> u64 {
        self.counters.sum(counter, |_| true)
    }

    /// Segments that are in aggregates.
    pub(crate) fn segments(&self) -> u64 {
        self.sum(SEGMENTS)
    }

    /// Aggregates of two segments or more.
    pub(crate) fn aggregates(&self) -> u64 {
        self.sum(AGGREGATES)
    }

    /// Bytes of TCP payload in aggregates.
    pub(crate) fn bytes(&self) -> u64 {
        self.sum(BYTES)
    }

    /// How often something was left alone, or came to an end, for this reason.
    pub(crate) fn reason(&self, reason: Reason) -> u64 {
        self.sum(u32::from(reason as u8))
    }
}

/// Who is found for a packet: the first is for devices without an entry of their own.
type Entries = KVec<Arc<Entry>>;

/// How a namespace aggregates. The mutex is its own, since calls for devices hold the RTNL: who
/// has it does not wait for others that may want that.
#[pin_data]
pub(crate) struct Lro {
    /// Does any device have a mode?
    is_on: AtomicBool,
    entries: Published<Entries>,
    #[pin]
    control: Mutex<Control>,
}

struct Control {
    entries: Entries,
    attached: Option<Attached>,
    shut: bool,
}

/// Why a request is refused.
pub(crate) enum LroRefused {
    /// Another module has interposed in GRO. The name of its callback ends with a zero.
    Taken(Symbol),
    /// There are as many devices as there may be.
    Full,
    /// There is no entry of that name.
    Missing,
    /// Something else.
    Error(Error),
}

impl<T: Into<Error>> From<T> for LroRefused {
    fn from(error: T) -> Self {
        Self::Error(error.into())
    }
}

impl Lro {
    pub(super) fn new() -> Result<impl PinInit<Self>> {
        let mut entries = KVec::new();
        entries.push(Entry::new(None, Setting::default())?, GFP_KERNEL)?;
        let shown = Published::empty();
        shown.replace(Some(published(&entries)?));
        let control = Control {
            entries,
            attached: None,
            shut: false,
        };
        Ok(pin_init!(Self {
            is_on: AtomicBool::new(false),
            entries: shown,
            control <- new_mutex!(control, "fastnat_lro"),
        }))
    }

    /// The entry for the packets of a device, if its mode is not off.
    #[inline]
    pub(crate) fn of<'a>(&'a self, ifindex: u32, rcu: Rcu<'a>) -> Option<(&'a Entry, Setting)> {
        if !self.is_on.load(Ordering::Relaxed) {
            return None;
        }
        let entries = self.entries.get(rcu)?;
        let own = |entry: &&Arc<Entry>| entry.ifindex.load(Ordering::Relaxed) == ifindex;
        let entry = entries.iter().find(own).or_else(|| entries.first())?;
        let setting = entry.setting();
        (setting.mode != Mode::Off).then_some((entry, setting))
    }
}

impl Control {
    fn find(&self, device: Option<IfName>) -> Option<&Arc<Entry>> {
        self.entries.iter().find(|entry| entry.name == device)
    }

    /// Would any device have a mode, if that of `changed` were `mode`?
    fn is_on(&self, changed: &Entry, mode: Mode) -> bool {
        let mode = |entry: &Arc<Entry>| match core::ptr::eq(&**entry, changed) {
            true => mode,
            false => entry.setting().mode,
        };
        self.entries.iter().any(|entry| mode(entry) != Mode::Off)
    }
}

/// A list of these entries.
fn list<'a>(entries: impl Iterator<Item = &'a Arc<Entry>>) -> Result<Entries> {
    let mut list = KVec::new();
    for entry in entries {
        list.push(entry.clone(), GFP_KERNEL)?;
    }
    Ok(list)
}

/// What the packet path sees of a list.
fn published(entries: &Entries) -> Result<KBox<Entries>> {
    Ok(KBox::new(list(entries.iter())?, GFP_KERNEL)?)
}

impl Net {
    /// Changes how the packets of a device are aggregated, or, with `None`, those of devices that
    /// have no entry of their own. A device that has none yet gets one. All or nothing. Sleeps.
    pub(crate) fn set_lro(
        &self,
        device: Option<IfName>,
        change: impl Fn(&mut Setting),
    ) -> Result<(), LroRefused> {
        let mut control = self.lro.control.lock();
        let found = control.find(device).or(control.entries.first()).cloned();
        let found = found.ok_or(LroRefused::Missing)?;
        let mut setting = found.setting();
        change(&mut setting);
        if found.name == device {
            let on = control.is_on(&found, setting.mode);
            self.attach(&mut control, on, None)?;
            found.set(setting);
            self.leave(&mut control);
            return Ok(());
        }
        if control.entries.len() > Devices::MOST {
            return Err(LroRefused::Full);
        }
        let entry = Entry::new(device, setting)?;
        let name = device.unwrap_or_default();
        let ifindex = dev::index_of(&self.net, &name).unwrap_or(0);
        entry.ifindex.store(ifindex, Ordering::Relaxed);
        let on = control.is_on(&entry, setting.mode) || setting.mode != Mode::Off;
        let entries = list(Iterator::chain(control.entries.iter(), [&entry]))?;
        self.attach(&mut control, on, Some(entries))?;
        self.leave(&mut control);
        Ok(())
    }

    /// Forgets the entry of a device: it is like those without one. Sleeps.
    pub(crate) fn delete_lro(&self, device: IfName) -> Result<(), LroRefused> {
        let mut control = self.lro.control.lock();
        control.find(Some(device)).ok_or(LroRefused::Missing)?;
        let others = |entry: &&Arc<Entry>| entry.name != Some(device);
        let entries = list(control.entries.iter().filter(others))?;
        let on = self.lro.is_on.load(Ordering::Relaxed);
        self.attach(&mut control, on, Some(entries))?;
        self.leave(&mut control);
        Ok(())
    }

    /// Shows an entry; the first is for devices without one. `None` if there are not so many.
    pub(crate) fn lro_entry<R>(&self, index: usize, f: impl FnOnce(&Entry) -> R) -> Option<R> {
        let entry = self.lro.control.lock().entries.get(index).cloned();
        entry.map(|entry| f(&entry))
    }

    /// Puts a list into force, and has GRO call if `on`. All or nothing.
    fn attach(
        &self,
        control: &mut Control,
        on: bool,
        entries: Option<Entries>,
    ) -> Result<(), LroRefused> {
        let shown = entries.as_ref().map(published).transpose()?;
        if on && control.attached.is_none() && !control.shut {
            control.attached = Some(Attached::new().map_err(|why| match why {
                Unattached::Taken(symbol) => LroRefused::Taken(symbol),
                Unattached::Error(error) => LroRefused::Error(error),
            })?);
        }
        if let (Some(entries), Some(shown)) = (entries, shown) {
            control.entries = entries;
            self.lro.entries.replace(Some(shown));
        }
        self.lro.is_on.store(on, Ordering::Relaxed);
        Ok(())
    }

    /// Has GRO call no longer, if no device has a mode.
    fn leave(&self, control: &mut Control) {
        let mut modes = control.entries.iter().map(|entry| entry.setting().mode);
        if modes.all(|mode| mode == Mode::Off) || control.shut {
            self.lro.is_on.store(false, Ordering::Relaxed);
            control.attached = None;
        }
    }

    /// A device has come, or has another name, or goes. Under the RTNL.
    pub(crate) fn lro_device(&self, name: &IfName, ifindex: u32, gone: bool) {
        for entry in &self.lro.control.lock().entries {
            if !gone && entry.name.as_ref() == Some(name) {
                entry.ifindex.store(ifindex, Ordering::Relaxed);
            } else if entry.ifindex() == Some(ifindex) {
                entry.ifindex.store(0, Ordering::Relaxed);
            }
        }
    }

    /// The namespace goes: GRO does not call for it any more.
    pub(super) fn end_lro(&self) {
        let mut control = self.lro.control.lock();
        control.shut = true;
        self.leave(&mut control);
    }
}
