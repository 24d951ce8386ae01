// SPDX-License-Identifier: GPL-2.0

//! Flows: what to do with the packets of one 5-tuple, in both directions.
//!
//! A flow translates one end: the source of the packets that go the way of the first, and so the
//! destination of those that come back; or the other way round. Where both ends of a packet are
//! translated (a hairpin, or dnat and snat at once) two flows follow each other.

use super::binding::{Held, Kept};
use super::hash::{Entry, Link};
use super::routes::RouteId;
use super::wheel::{Timed, Timer};
use super::{Family, Owner};
use crate::nat::offload::Choice;
use crate::nat::policy::SetMark;
use crate::nat::rewrite::Half;
use crate::nat::time::{Deadline, Instant};
use crate::nat::tuple::{Endpoint, Tuple, Zone};
use crate::sys::rcu::{self, Head};
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicU8, Ordering};
use kernel::bindings::callback_head;
use kernel::sync::Arc;

/// Which way a packet goes.
#[repr(u8)]
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) enum Direction {
    /// The way of the first packet.
    Orig = 0,
    /// Back.
    Reply = 1,
}

/// What is known of the source of the packets whose destination a flow translates.
#[repr(u8)]
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) enum Source {
    /// Source policies are asked.
    Open = 0,
    /// No policy wants it translated.
    Closed = 1,
    /// A flow that translates it was made ahead, before routing (a hairpin).
    Ahead = 2,
}

/// Whose packets a flow has.
#[derive(Copy, Clone, Eq, PartialEq)]
enum Kind {
    /// Those of the host itself.
    Local,
    /// Those of others, and what their policy says about the fast path.
    Forwarded(Choice),
}

/// By which interface the packets of a direction leave, by its number in the namespace.
#[repr(transparent)]
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) struct Uplink(u32);

impl Uplink {
    /// By any.
    pub(crate) const ANY: Self = Self(0);
    /// By none that is known: the address that they were masqueraded with has gone.
    pub(crate) const LOST: Self = Self(u32::MAX);

    /// By the interface with this number.
    pub(crate) const fn of(ifindex: u32) -> Self {
        Self(ifindex)
    }

    /// The number of the interface, if there is one.
    pub(crate) const fn ifindex(self) -> u32 {
        self.0
    }
}

/// One direction of a flow, as the table holds it: all that a packet needs, in a cache line.
#[repr(C, align(64))]
pub(crate) struct FlowEntry<A: Family> {
    link: Link<FlowEntry<A>>,
    key: Tuple<A>,
    to: Tuple<A>,
    route: AtomicU64,
    seen: AtomicU32,
    uplink: AtomicU32,
    node: i16,
    traits: Traits,
    passed: AtomicU8,
    fix: A::Fix,
}

/// What an entry is, in one byte: the direction, the end that is translated, whose packets they are, and
/// whether they get a mark.
#[derive(Copy, Clone)]
struct Traits(u8);

impl Traits {
    const REPLY: u8 = 1;
    const DST: u8 = 2;
    const LOCAL: u8 = 4;
    const OFFLOAD: u32 = 3;
    const MARKED: u8 = 32;

    fn new(direction: Direction, half: Half, kind: Kind, marked: bool) -> Self {
        let reply = if direction == Direction::Reply {
            Self::REPLY
        } else {
            0
        };
        let dst = if half == Half::Dst { Self::DST } else { 0 };
        let kind = match kind {
            Kind::Local => Self::LOCAL,
            Kind::Forwarded(choice) => (choice as u8) << Self::OFFLOAD,
        };
        let marked = if marked && half == Half::Src {
            Self::MARKED
        } else {
            0
        };
        Self(reply | dst | kind | marked)
    }

    #[inline]
    fn direction(self) -> Direction {
        match self.0 & Self::REPLY {
            0 => Direction::Orig,
            _ => Direction::Reply,
        }
    }

    #[inline]
    fn half(self) -> Half {
        match self.0 & Self::DST {
            0 => Half::Src,
            _ => Half::Dst,
        }
    }

    #[inline]
    fn is_local(self) -> bool {
        self.0 & Self::LOCAL != 0
    }

    #[inline]
    fn offload(self) -> Choice {
        match (self.0 >> Self::OFFLOAD) & 3 {
            _ if self.is_local() => Choice::Off,
            0 => Choice::Inherit,
            1 => Choice::Off,
            _ => Choice::On,
        }
    }
}

// SAFETY: Both always return the same fields; `key` is never written.
unsafe impl<A: Family> Entry for FlowEntry<A> {
    type Key = Tuple<A>;

    #[inline]
    fn link(&self) -> &Link<Self> {
        &self.link
    }

    #[inline]
    fn key(&self) -> &Tuple<A> {
        &self.key
    }
}

/// A flow.
///
/// # Invariants
///
/// Both entries are linked in the same table until the timer is retired, which happens once, under
/// the locks of both buckets; so does arming it first.
#[repr(C)]
pub(crate) struct Flow<A: Family> {
    // Lines 1 and 2.
    entries: [FlowEntry<A>; 2],
    // Line 3: not read by packets that are only translated.
    owner: Arc<Owner>,
    binding: Kept<A>,
    timer: Timer<Flow<A>>,
    until: Deadline,
    leased: bool,
    ending: AtomicBool,
    source_closed: AtomicBool,
    source_ahead: bool,
    rcu: Head,
}

// SAFETY: Always the same field; `Shard` retires a flow before it leaves the memory to RCU.
unsafe impl<A: Family> Timed for Flow<A> {
    fn timer(&self) -> &Timer<Self> {
        &self.timer
    }
}

// SAFETY: What changes is atomic or guarded by the locks of the table.
unsafe impl<A: Family> Send for Flow<A> {}
// SAFETY: As above.
unsafe impl<A: Family> Sync for Flow<A> {}

/// What a new flow is made of.
pub(crate) struct NewFlow<'a, A: Family> {
    /// The first packet, as it came.
    pub(crate) orig: Tuple<A>,
    /// Which end of it is translated.
    pub(crate) half: Half,
    /// To what.
    pub(crate) to: Endpoint<A>,
    /// The routing domain that the answers come from.
    pub(crate) back: Zone,
    /// The policy it lives by.
    pub(crate) owner: &'a Arc<Owner>,
    /// The binding it lives by.
    pub(crate) binding: Option<Held<A>>,
    /// What is known of the source of the same packets.
    pub(crate) source: Source,
    /// Does connection tracking see its packets, whatever the mode? See [`FlowEntry::is_local`].
    pub(crate) local: bool,
    /// By which interface its packets have to leave, that way, to keep their translation.
    pub(crate) uplink: Uplink,
    /// Now.
    pub(crate) now: Instant,
    /// When it ends, whatever the traffic; if there is none, its idle time decides.
    pub(crate) until: Option<Deadline>,
}

impl<A: Family> NewFlow<'_, A> {
    /// The flow, for the tables of a node; it gets the binding.
    #[inline]
    pub(super) fn build(&mut self, node: i32) -> Flow<A> {
        let (to, back) = match self.half {
            Half::Src => (self.orig.with_src(self.to), Half::Dst),
            Half::Dst => (self.orig.with_dst(self.to), Half::Src),
        };
        let to = to.in_zone(self.back);
        let kind = match self.local {
            true => Kind::Local,
            false => Kind::Forwarded(self.owner.offload.choice),
        };
        let entry = |key: Tuple<A>, to: Tuple<A>, direction, half| FlowEntry {
            link: Link::new(),
            key,
            to,
            route: AtomicU64::new(0),
            seen: AtomicU32::new(self.now.0),
            uplink: AtomicU32::new(match direction {
                Direction::Orig => self.uplink.0,
                Direction::Reply => Uplink::ANY.0,
            }),
            traits: Traits::new(direction, half, kind, self.owner.set_mark.is_some()),
            passed: AtomicU8::new(0),
            fix: match half {
                Half::Src => A::fix(key.src(), to.src()),
                Half::Dst => A::fix(key.dst(), to.dst()),
            },
            node: node as i16,
        };
        Flow {
            entries: [
                entry(self.orig, to, Direction::Orig, self.half),
                entry(to.reverse(), self.orig.reverse(), Direction::Reply, back),
            ],
            owner: self.owner.clone(),
            binding: ManuallyDrop::new(self.binding.take()),
            timer: Timer::new(),
            until: self.until.unwrap_or(Deadline(0)),
            leased: self.until.is_some(),
            ending: AtomicBool::new(false),
            source_closed: AtomicBool::new(self.source == Source::Closed),
            source_ahead: self.source == Source::Ahead,
            rcu: Head::uninit(),
        }
    }
}

impl<A: Family> FlowEntry<A> {
    /// The end that packets of this tuple get anew.
    #[inline]
    pub(crate) fn half(&self) -> Half {
        self.traits.half()
    }

    /// The packet after translation.
    #[inline]
    pub(crate) fn to(&self) -> &Tuple<A> {
        &self.to
    }

    /// What that end becomes.
    #[inline]
    pub(crate) fn new_end(&self) -> Endpoint<A> {
        match self.half() {
            Half::Src => self.to.src(),
            Half::Dst => self.to.dst(),
        }
    }

    /// What that does to their checksums.
    #[inline]
    pub(crate) fn fix(&self) -> A::Fix {
        self.fix
    }

    /// Which way packets of this tuple go.
    #[inline]
    pub(crate) fn direction(&self) -> Direction {
        self.traits.direction()
    }

    /// Does connection tracking see its packets in any case? It does if the flow belongs to the host
    /// itself, whose firewall may want that, or if it translates the other end.
    #[inline]
    pub(crate) fn is_local(&self) -> bool {
        self.traits.is_local()
    }

    /// A packet was translated now: the flow's idle time begins anew. One store a tick at most.
    #[inline]
    pub(crate) fn touch(&self, now: Instant) {
        if self.seen.load(Ordering::Relaxed) != now.0 {
            self.seen.store(now.0, Ordering::Relaxed);
        }
    }

    /// What the policy says about the fast path, in this line of the cache.
    #[inline]
    pub(crate) fn offload(&self) -> Choice {
        self.traits.offload()
    }

    /// The mark that packets of this direction get before they are routed: those from inside, if the
    /// policy says so.
    #[inline]
    pub(crate) fn set_mark(&self) -> Option<SetMark> {
        match self.traits.0 & Traits::MARKED {
            0 => None,
            _ => self.flow().owner.set_mark,
        }
    }

    /// By which interface packets of this direction leave.
    #[inline]
    pub(crate) fn uplink(&self) -> Uplink {
        Uplink(self.uplink.load(Ordering::Relaxed))
    }

    /// Packets of this direction leave by another interface from now on.
    pub(crate) fn set_uplink(&self, uplink: Uplink) {
        self.uplink.store(uplink.0, Ordering::Relaxed);
    }

    /// The route that packets of this direction go by, past the stack.
    #[inline]
    pub(crate) fn route(&self) -> Option<RouteId> {
        match self.route.load(Ordering::Relaxed) {
            0 => None,
            id => Some(RouteId(id)),
        }
    }

    /// From now on packets of this direction may go by this route.
    pub(crate) fn set_route(&self, id: RouteId) {
        self.route.store(id.0, Ordering::Relaxed);
    }

    /// Until it learns another one, packets of this direction take the whole stack.
    #[cold]
    pub(crate) fn forget_route(&self) {
        self.route.store(0, Ordering::Relaxed);
    }

    /// A packet of this direction has passed the whole stack; have as many as `enough`?
    pub(crate) fn has_passed(&self, enough: u8) -> bool {
        let passed = self.passed.load(Ordering::Relaxed);
        if passed >= enough {
            return true;
        }
        let passed = passed.wrapping_add(1);
        self.passed.store(passed, Ordering::Relaxed);
        passed >= enough
    }

    /// The flow that this is a direction of.
    #[inline]
    pub(crate) fn flow(&self) -> &Flow<A> {
        let first = match self.direction() {
            Direction::Orig => ptr::from_ref(self),
            Direction::Reply => ptr::from_ref(self).wrapping_sub(1),
        };
        // SAFETY: Entries exist only in the `entries` of a flow, in the order of `Direction`, and
        // `entries` is its first field.
        unsafe { &*first.cast() }
    }
}

impl<A: Family> Flow<A> {
    /// The entry of the way of the first packet.
    pub(crate) fn orig(&self) -> &FlowEntry<A> {
        let [orig, _] = &self.entries;
        orig
    }

    /// The entry of the way back.
    pub(crate) fn reply(&self) -> &FlowEntry<A> {
        let [_, reply] = &self.entries;
        reply
    }

    /// The tuple of the first packet, as it came.
    pub(crate) fn tuple(&self) -> &Tuple<A> {
        &self.orig().key
    }

    /// The kernel's number of the node whose tables it is in.
    pub(crate) fn node(&self) -> i32 {
        self.orig().node.into()
    }

    /// The policy it lives by.
    pub(crate) fn owner(&self) -> &Arc<Owner> {
        &self.owner
    }

    /// The binding it lives by.
    pub(crate) fn binding(&self) -> Option<&Held<A>> {
        self.binding.as_ref()
    }

    /// When the last packet has passed, in either direction.
    pub(crate) fn last_seen(&self, now: Instant) -> Instant {
        let [orig, reply] = &self.entries;
        let seen = |entry: &FlowEntry<A>| Instant(entry.seen.load(Ordering::Relaxed));
        let (there, back) = (seen(orig), seen(reply));
        match now.since(there) < now.since(back) {
            true => there,
            false => back,
        }
    }

    /// When it ends, whatever the traffic.
    pub(crate) fn until(&self) -> Option<Deadline> {
        self.leased.then_some(self.until)
    }

    /// Has a FIN or RST passed, and no SYN since?
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }

    /// A packet says that the connection ends, or begins; says whether that is news.
    pub(crate) fn set_ending(&self, ending: bool) -> bool {
        self.is_ending() != ending && self.ending.swap(ending, Ordering::SeqCst) != ending
    }

    /// What is known of the source of the packets whose destination this flow translates.
    pub(crate) fn source(&self) -> Source {
        match self.source_closed.load(Ordering::Relaxed) {
            true => Source::Closed,
            false if self.source_ahead => Source::Ahead,
            false => Source::Open,
        }
    }

    /// No source policy wants it.
    pub(crate) fn close_source(&self) {
        self.source_closed.store(true, Ordering::Relaxed);
    }
}

/// Lets go of the binding of an unlinked flow, and leaves its memory to RCU.
///
/// # Safety
///
/// The flow was just retired and unlinked by this caller, and came from the slab cache.
pub(super) unsafe fn free_later<A: Family>(flow: &Flow<A>) {
    if let Some(held) = flow.binding.as_ref() {
        // SAFETY: Only the one who retires a flow gets here, and the `ManuallyDrop` is never
        // dropped elsewhere: this is the flow's own holder, let go once. Readers that still see
        // the flow may read the binding, which RCU keeps for them too.
        drop(unsafe { ptr::read(held) });
    }
    // SAFETY: The caller's promise.
    unsafe { rcu::free_later(&flow.rcu, free::<A>) };
}

/// # Safety
///
/// `head` is the `rcu` of a flow that nobody can reach any more.
unsafe extern "C" fn free<A: Family>(head: *mut callback_head) {
    let offset = core::mem::offset_of!(Flow<A>, rcu);
    let flow = head.cast::<u8>().wrapping_sub(offset).cast::<Flow<A>>();
    // SAFETY: The caller's promise, and `free_later`'s.
    unsafe { A::flows().free(NonNull::new_unchecked(flow)) };
}

/// A flow that was never linked.
///
/// # Safety
///
/// It came from the slab cache, and nobody else has seen it.
pub(super) unsafe fn discard<A: Family>(mut flow: NonNull<Flow<A>>) {
    // SAFETY: The caller's promise.
    unsafe {
        drop(flow.as_mut().binding.take());
        A::flows().free(flow);
    }
}

const _: () = {
    use crate::nat::addr::V4;
    assert!(core::mem::size_of::<FlowEntry<V4>>() == 64);
    assert!(core::mem::size_of::<Flow<V4>>() == 192);
};
