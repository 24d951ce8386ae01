// SPDX-License-Identifier: GPL-2.0

//! The early lookup: while a packet waits for its turn, behind others of the same poll of the
//! device, what its flow needs is fetched into the caches. Nothing comes of it but speed.

use crate::nat::plain::Plain;
use crate::state::Net;
use crate::sys::ingress::Early;
use crate::sys::rcu::Rcu;
use crate::sys::skb::Skb;

impl Early for Net {
    #[inline]
    fn early(&self, skb: &Skb, rcu: Rcu<'_>) {
        if let Some(plain) = Plain::parse(skb.linear()) {
            self.expect(&plain.tuple(), rcu);
        }
    }
}
