// SPDX-License-Identifier: GPL-2.0

//! lro-set, lro-del, lro-get.

use super::{if_name, once};
use crate::nat::iface::IfName;
use crate::nat::lro::{Mode, Reason, Setting};
use crate::state::lro::{Entry, LroRefused};
use crate::state::Net;
use crate::sys::genl::{doit, dumpit, Answer, Dump, Refusal, Request};
use crate::sys::msg::Message;
use crate::sys::uapi::*;
use kernel::prelude::*;

doit!(fastnat_nl_lro_set_doit, set);
doit!(fastnat_nl_lro_del_doit, del);
dumpit!(fastnat_nl_lro_get_dumpit, list);

/// The modes and their numbers.
const MODES: [(u32, Mode); 3] = [
    (FASTNAT_LRO_MODE_OFF, Mode::Off),
    (FASTNAT_LRO_MODE_STRICT, Mode::Strict),
    (FASTNAT_LRO_MODE_LRO, Mode::Lro),
];

/// The attribute of a reason. They stand in the same order.
const fn attribute(reason: Reason) -> u32 {
    FASTNAT_A_LRO_REASONS_PADDING.wrapping_add(reason as u32)
}

const _: () = {
    assert!(attribute(Reason::TcpOptions) == FASTNAT_A_LRO_REASONS_TCP_OPTIONS);
    assert!(attribute(Reason::Short) == FASTNAT_A_LRO_REASONS_SHORT);
    assert!(attribute(Reason::Other) == FASTNAT_A_LRO_REASONS_OTHER);
};

fn set(request: &Request<'_>) -> Answer {
    once(request, None)?;
    let attrs = &request.attrs;
    let device = device(request)?;
    let mode = attrs.get(FASTNAT_A_LRO_MODE).map(|attr| attr.u32());
    let mode = MODES.iter().find(|(number, _)| Some(*number) == mode);
    let limit = attrs.get(FASTNAT_A_LRO_LIMIT).map(|attr| attr.u8());
    let change = |setting: &mut Setting| {
        setting.mode = mode.map_or(setting.mode, |(_, mode)| *mode);
        setting.limit = limit.unwrap_or(setting.limit);
    };
    let net = request.net.state_or_new()?;
    let done = net.set_lro(device, change);
    done.map_err(|refused| refusal(request, refused))
}

fn del(request: &Request<'_>) -> Answer {
    once(request, None)?;
    let device = device(request)?.ok_or_else(|| Refusal::missing(FASTNAT_A_LRO_DEVICE))?;
    let missing = || refusal(request, LroRefused::Missing);
    let net = request.net.state().ok_or_else(missing)?;
    let done = net.delete_lro(device);
    done.map_err(|refused| refusal(request, refused))
}

/// The device that a request is about, if it is about one.
fn device(request: &Request<'_>) -> Result<Option<IfName>, Refusal> {
    let device = request.attrs.get(FASTNAT_A_LRO_DEVICE);
    device.map(if_name).transpose()
}

fn refusal(request: &Request<'_>, refused: LroRefused) -> Refusal {
    let (kind, refusal) = match refused {
        LroRefused::Missing => (
            FASTNAT_A_LRO_DEVICE,
            Refusal::new(ENOENT, c"the device has no entry"),
        ),
        LroRefused::Full => (
            FASTNAT_A_LRO_DEVICE,
            Refusal::new(E2BIG, c"at most 16 devices can have an entry"),
        ),
        LroRefused::Taken(by) => {
            let by = CStr::from_bytes_until_nul(&by).unwrap_or_default();
            let by = by.to_str().unwrap_or_default();
            let refusal = request.refuse(EBUSY, format_args!("the place in GRO is taken by {by}"));
            (FASTNAT_A_LRO_MODE, refusal)
        }
        LroRefused::Error(errno) => return errno.into(),
    };
    refusal.at(request.attrs.get(kind))
}

/// What holds without an entry comes first, also in a namespace that was never configured.
fn list(dump: &mut Dump) -> Answer {
    let Some(net) = dump.net.state() else {
        let fresh = core::iter::once(Setting::default());
        dump.list(fresh, |message, setting| put(message, setting, None));
        return Ok(());
    };
    dump.generation(generation(&net));
    loop {
        let index = dump.cursor(0);
        let sent = net.lro_entry(index, |entry| {
            dump.entry(|message| put(message, entry.setting(), Some(entry)))
        });
        if sent != Some(true) {
            return Ok(());
        }
        dump.set_cursor(0, index.wrapping_add(1));
    }
}

/// Another number for other entries, or the same in another order.
fn generation(net: &Net) -> u32 {
    let names = (1..).map_while(|index| net.lro_entry(index, Entry::name));
    names.flatten().flatten().fold(0, |sum: u32, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    })
}

/// Reads a counter.
type Sum = fn(&Entry) -> u64;

fn put(message: &mut Message<'_>, setting: Setting, entry: Option<&Entry>) -> Result {
    if let Some(name) = entry.and_then(Entry::name) {
        message.name(FASTNAT_A_LRO_DEVICE, &name)?;
    }
    if let Some(ifindex) = entry.and_then(Entry::ifindex) {
        message.u32(FASTNAT_A_LRO_IFINDEX, ifindex)?;
    }
    for (number, mode) in MODES {
        if mode == setting.mode {
            message.u32(FASTNAT_A_LRO_MODE, number)?;
        }
    }
    message.u8(FASTNAT_A_LRO_LIMIT, setting.limit)?;
    let sums: [(u32, Sum); 3] = [
        (FASTNAT_A_LRO_SEGMENTS, Entry::segments),
        (FASTNAT_A_LRO_AGGREGATES, Entry::aggregates),
        (FASTNAT_A_LRO_BYTES, Entry::bytes),
    ];
    for (kind, sum) in sums {
        message.u64(kind, entry.map_or(0, sum))?;
    }
    message.nest(FASTNAT_A_LRO_REASONS, |message| {
        Reason::ALL.iter().try_for_each(|reason| {
            let count = entry.map_or(0, |entry| entry.reason(*reason));
            message.u64(attribute(*reason), count)
        })
    })
}
