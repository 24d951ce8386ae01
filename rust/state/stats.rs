// SPDX-License-Identifier: GPL-2.0

//! The counters of a namespace: what became of packets, and events.

use crate::sys::counters::Counters;
use crate::sys::uapi;
use kernel::prelude::*;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $attr:ident,)*) => {
        /// What is counted. The number of a counter is that of its netlink attribute.
        #[derive(Copy, Clone, Eq, PartialEq)]
        #[repr(u32)]
        pub(crate) enum Counter {
            $($(#[$doc])* $name = uapi::$attr as u32,)*
        }

        /// All of them.
        pub(crate) const ALL: &[Counter] = &[$(Counter::$name,)*];
    };
}

counters! {
    /// An end of the packet was translated.
    Translated = FASTNAT_A_STATS_TRANSLATED,
    /// The packet was translated and forwarded past the stack; `Translated` does not count it.
    Offloaded = FASTNAT_A_STATS_OFFLOADED,
    /// An ICMP error was translated.
    IcmpErrors = FASTNAT_A_STATS_ICMP_ERRORS,
    /// A flow was made.
    FlowsCreated = FASTNAT_A_STATS_FLOWS_CREATED,
    /// A flow was idle for too long.
    FlowsExpired = FASTNAT_A_STATS_FLOWS_EXPIRED,
    /// A flow was removed on request.
    FlowsFlushed = FASTNAT_A_STATS_FLOWS_FLUSHED,
    /// A binding was made.
    BindingsCreated = FASTNAT_A_STATS_BINDINGS_CREATED,
    /// A binding has gone.
    BindingsEnded = FASTNAT_A_STATS_BINDINGS_ENDED,
    /// A table was given other buckets.
    Resizes = FASTNAT_A_STATS_RESIZES,
    /// An event could not be sent.
    EventsLost = FASTNAT_A_STATS_EVENTS_LOST,
    /// A flow was found in the table of another node.
    RemoteHits = FASTNAT_A_STATS_REMOTE_HITS,
    /// A flow between two inside hosts was made.
    Hairpins = FASTNAT_A_STATS_HAIRPINS,
    /// Not offloaded: the cached route is unknown or no longer valid, or nobody is known to be there.
    SlowRoute = FASTNAT_A_STATS_SLOW_ROUTE,
    /// Not offloaded: input interface, mark or TOS are not those learned.
    SlowKey = FASTNAT_A_STATS_SLOW_KEY,
    /// Not offloaded: TTL, TCP SYN, FIN or RST.
    SlowHeader = FASTNAT_A_STATS_SLOW_HEADER,
    /// Not offloaded: longer than the MTU, or reassembled.
    SlowSize = FASTNAT_A_STATS_SLOW_SIZE,
    /// Not offloaded: the packet has a socket, a route or an extension, or is not for this host alone.
    SlowPacket = FASTNAT_A_STATS_SLOW_PACKET,
    /// Nothing concerned the packet.
    PassUntouched = FASTNAT_A_STATS_PASS_UNTOUCHED,
    /// A policy exempted the packet.
    PassExempt = FASTNAT_A_STATS_PASS_EXEMPT,
    /// A packet from or to the host, let through as it was.
    PassLocal = FASTNAT_A_STATS_PASS_LOCAL,
    /// The protocol cannot be translated.
    DropProtocol = FASTNAT_A_STATS_DROP_PROTOCOL,
    /// The headers are wrong or cut short.
    DropMalformed = FASTNAT_A_STATS_DROP_MALFORMED,
    /// A fragment that was not reassembled.
    DropFragment = FASTNAT_A_STATS_DROP_FRAGMENT,
    /// No outside port is free.
    DropPorts = FASTNAT_A_STATS_DROP_PORTS,
    /// There is no address for it: of the output interface, of the input interface, of the pool.
    DropAddress = FASTNAT_A_STATS_DROP_ADDRESS,
    /// The limit of flows is reached.
    DropMaxFlows = FASTNAT_A_STATS_DROP_MAX_FLOWS,
    /// The limit of bindings is reached.
    DropMaxBindings = FASTNAT_A_STATS_DROP_MAX_BINDINGS,
    /// No memory, or too many outside addresses.
    DropMemory = FASTNAT_A_STATS_DROP_MEMORY,
    /// Another flow uses the tuple, or the flow for the source has gone.
    DropConflict = FASTNAT_A_STATS_DROP_CONFLICT,
    /// An ICMP error or reply from inside about no flow.
    DropIcmpNoFlow = FASTNAT_A_STATS_DROP_ICMP_NO_FLOW,
    /// An ICMP error with a wrong checksum.
    DropIcmpChecksum = FASTNAT_A_STATS_DROP_ICMP_CHECKSUM,
    /// A bucket of the table has as many entries as it may have.
    DropChain = FASTNAT_A_STATS_DROP_CHAIN,
    /// The policy of the binding does not let the sender in.
    DropFiltered = FASTNAT_A_STATS_DROP_FILTERED,
    /// The inside host has as many bindings of the policy as it may have.
    DropSubscriberBindings = FASTNAT_A_STATS_DROP_SUBSCRIBER_BINDINGS,
    /// The inside host has as many flows of the policy as it may have.
    DropSubscriberFlows = FASTNAT_A_STATS_DROP_SUBSCRIBER_FLOWS,
    /// The inside host has as many blocks of ports as it may have, and they are full.
    DropBlocks = FASTNAT_A_STATS_DROP_BLOCKS,
    /// The inside host makes new bindings faster than it may.
    DropSubscriberRate = FASTNAT_A_STATS_DROP_SUBSCRIBER_RATE,
    /// An ICMP error was asked for, for an inside host that was refused.
    IcmpRefused = FASTNAT_A_STATS_ICMP_REFUSED,
    /// A TCP SYN to an outside address that nothing there expects.
    DropUnsolicited = FASTNAT_A_STATS_DROP_UNSOLICITED,
    /// Such a SYN is held.
    SynHeld = FASTNAT_A_STATS_SYN_HELD,
    /// Such a SYN is not held, since too many are.
    SynExcess = FASTNAT_A_STATS_SYN_EXCESS,
    /// A held SYN was answered.
    SynAnswered = FASTNAT_A_STATS_SYN_ANSWERED,
    /// A TCP segment of a flow whose masquerade has lost its interface or its address.
    DropRerouted = FASTNAT_A_STATS_DROP_REROUTED,
    /// Connection tracking or IPVS translates the connection.
    PassOtherNat = FASTNAT_A_STATS_PASS_OTHER_NAT,
    /// The packet is bridged, not routed.
    PassBridged = FASTNAT_A_STATS_PASS_BRIDGED,
    /// A redirect of the host about a packet that is translated.
    DropRedirect = FASTNAT_A_STATS_DROP_REDIRECT,
}

/// The counters of a namespace.
pub(crate) struct Stats(Counters);

impl Stats {
    /// All zero. Sleeps.
    pub(crate) fn new() -> Result<Self> {
        let highest = ALL.iter().map(|counter| *counter as u32).max().unwrap_or(0);
        Ok(Self(Counters::new(highest.wrapping_add(1))?))
    }

    /// Counts one.
    #[inline]
    pub(crate) fn inc(&self, counter: Counter) {
        self.0.inc(counter as u32);
    }

    /// The sum over all CPUs.
    pub(crate) fn sum(&self, counter: Counter) -> u64 {
        self.sum_where(counter, |_| true)
    }

    /// The sum over the CPUs of the nodes that `wanted` accepts.
    pub(crate) fn sum_where(&self, counter: Counter, wanted: impl Fn(i32) -> bool) -> u64 {
        self.0.sum(counter as u32, wanted)
    }
}
