// SPDX-License-Identifier: GPL-2.0

//! Extended acknowledgements: why the kernel refused, and about which attribute.

use netlink_packet_core::{NLM_F_ACK_TLVS, NLM_F_CAPPED};

use crate::schema::{Set, index_at};
use crate::wire::Attributes;

attribute_set! {
    /// `NLMSGERR_ATTR_*` of `linux/netlink.h`.
    Ack = "ack" {
        1 message: Option<String> = "msg",
        2 offset: Option<u32> = "offs",
        5 missing_kind: Option<u32> = "miss-type",
        6 missing_nest: Option<u32> = "miss-nest",
    }
}

/// Why the kernel did not do what it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The error number, positive.
    pub errno: i32,
    /// The kernel's own words, if it had any.
    pub message: Option<String>,
    /// Name of the attribute at fault; nests are joined by dots.
    pub attribute: Option<String>,
    /// Whether that attribute is at fault for being absent.
    pub missing: bool,
    /// How many attributes of the request stand before the one that it is, or that holds it.
    pub index: Option<usize>,
}

impl Refusal {
    /// Reads the acknowledgement `ack` of `request`, whose attributes are of `set`.
    pub(crate) fn new(errno: i32, ack: &Ack, set: &'static Set, request: &[u8]) -> Self {
        let missing = ack.missing_kind.and_then(|kind| {
            let nest = ack.missing_nest.map(|offset| offset as usize);
            set.missing_name(request, nest, u16::try_from(kind).ok()?)
        });
        let wrong = || {
            ack.offset
                .and_then(|offset| set.name_at(request, offset as usize))
        };
        let place = ack.missing_nest.or(ack.offset);
        Self {
            errno,
            message: ack.message.clone(),
            index: place.and_then(|offset| index_at(request, offset as usize)),
            missing: missing.is_some(),
            attribute: missing.or_else(wrong),
        }
    }
}

/// Reads the attributes of an `NLMSG_ERROR`; `payload` is what follows the error number: the header
/// of the request, its attributes too unless capped, and then those of the acknowledgement.
pub(crate) fn of_error(flags: u16, payload: &[u8]) -> Ack {
    if flags & NLM_F_ACK_TLVS == 0 {
        return Ack::default();
    }
    let request_len = match payload.first_chunk() {
        Some(len) if flags & NLM_F_CAPPED == 0 => u32::from_ne_bytes(*len) as usize,
        _ => 16,
    };
    Ack::parse(
        payload
            .get(request_len.next_multiple_of(4)..)
            .unwrap_or_default(),
    )
    .unwrap_or_default()
}

/// Reads the attributes of an `NLMSG_DONE`; `payload` is what follows the error number.
pub(crate) fn of_done(flags: u16, payload: &[u8]) -> Ack {
    if flags & NLM_F_ACK_TLVS == 0 {
        return Ack::default();
    }
    Ack::parse(payload).unwrap_or_default()
}
