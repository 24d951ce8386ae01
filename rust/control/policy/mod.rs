// SPDX-License-Identifier: GPL-2.0

//! policy-add, policies-add, policy-del, policy-get.

mod read;
mod target;
mod write;

use super::{once, once_in};
use crate::state::batch::Batch;
use crate::sys::genl::{doit, dumpit, Answer, Dump, Refusal, Request};
use crate::sys::msg::{Attr, Attrs};
use crate::sys::uapi::*;
use kernel::prelude::*;

doit!(fastnat_nl_policy_add_doit, add);
doit!(fastnat_nl_policies_add_doit, add_many);
doit!(fastnat_nl_policy_del_doit, del);
dumpit!(fastnat_nl_policy_get_dumpit, list);

/// The most policies of one request: their ids have to fit into one reply.
const MOST: usize = 2048;

/// A policy that is asked for, and the nest that it stands in, if it does in one.
#[derive(Copy, Clone)]
struct Asked<'a> {
    attrs: Attrs<'a>,
    nest: Option<Attr<'a>>,
}

fn add(request: &Request<'_>) -> Answer {
    let one = Asked {
        attrs: request.attrs,
        nest: None,
    };
    add_all(request, core::iter::once(one), FASTNAT_A_POLICY_ID)
}

fn add_many(request: &Request<'_>) -> Answer {
    let kind = FASTNAT_A_POLICIES_POLICY;
    once(request, Some(kind))?;
    if request.attrs.get(kind).is_none() {
        return Err(Refusal::missing(kind));
    }
    if let Some(nest) = request.attrs.all(kind).nth(MOST) {
        let refusal = Refusal::new(E2BIG, c"a request adds at most 2048 policies");
        return Err(refusal.at(Some(nest)));
    }
    let all = request.attrs.all(kind).map(|nest| Asked {
        attrs: nest.nested(),
        nest: Some(nest),
    });
    add_all(request, all, FASTNAT_A_POLICIES_ID)
}

/// Adds policies, all or none, and answers their ids.
fn add_all<'a>(
    request: &Request<'_>,
    asked: impl Iterator<Item = Asked<'a>> + Clone,
    kind: u32,
) -> Answer {
    for one in asked.clone() {
        once_in(&one.attrs, Some(FASTNAT_A_POLICY_TARGET))
            .map_err(|refusal| refusal.within(one.nest))?;
    }
    let net = request.net.state_or_new()?;
    let mut control = net.control.lock();
    let mut batch = Batch::new(&control);
    for one in asked.clone() {
        if let Some(id) = one.attrs.get(FASTNAT_A_POLICY_ID) {
            batch
                .claim(&control, id.u32())
                .map_err(|refused| Refusal::from(refused).at(Some(id)).within(one.nest))?;
        }
    }
    let node = net.nodes.ids().first().copied().unwrap_or(0);
    let mut ids = KVVec::new();
    for one in asked {
        let id = match one.attrs.get(FASTNAT_A_POLICY_ID) {
            Some(id) => id.u32(),
            None => batch.claim_free(&control)?,
        };
        let entry = read::entry(&one.attrs, &control, id, node);
        batch.push(entry.map_err(|refusal| refusal.within(one.nest))?)?;
        ids.push(id, GFP_KERNEL)?;
    }
    let reply = request.prepare_for(ids.len())?;
    control.add_policies(&net, batch)?;
    drop(control);
    reply.confirm(|message| ids.iter().try_for_each(|id| message.u32(kind, *id)))
}

fn del(request: &Request<'_>) -> Answer {
    once(request, None)?;
    let missing = Refusal::missing(FASTNAT_A_POLICY_ID);
    let id = request.attrs.get(FASTNAT_A_POLICY_ID).ok_or(missing)?;
    let none = || Refusal::new(ENOENT, c"there is no such policy").at(Some(id));
    let net = request.net.state().ok_or_else(none)?;
    let mut control = net.control.lock();
    let done = control.del_policy(&net, id.u32());
    done.map_err(|refused| Refusal::from(refused).at(Some(id)))
}

fn list(dump: &mut Dump) -> Answer {
    let Some(net) = dump.net.state() else {
        return Ok(());
    };
    let control = net.control.lock();
    dump.generation(control.generation());
    dump.list(control.policies().iter(), |message, entry| {
        write::put(message, entry)
    });
    Ok(())
}
