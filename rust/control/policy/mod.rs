// SPDX-License-Identifier: GPL-2.0

//! policy-add, policies-add, policy-del, policy-get.

mod hidden;
mod read;
mod surprise;
mod target;
mod write;

use super::{once, once_in};
use crate::state::batch::Batch;
use crate::state::older::Newcomers;
use crate::state::policy::List;
use crate::sys::genl::{doit, dumpit, Answer, Dump, Refusal, Request};
use crate::sys::msg::{Attr, Attrs};
use crate::sys::uapi::*;
use crate::sys::warning::Warnings;
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
    add_all(request, core::iter::once(one), &ONE)
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
    add_all(request, all, &MANY)
}

/// The attributes that are of another set for one policy than for many.
struct Kinds {
    id: u32,
    flush: u32,
    older: u32,
    flushed: u32,
    warning: u32,
}

const ONE: Kinds = Kinds {
    id: FASTNAT_A_POLICY_ID,
    flush: FASTNAT_A_POLICY_FLUSH_MATCHING,
    older: FASTNAT_A_POLICY_OLDER_FLOWS,
    flushed: FASTNAT_A_POLICY_FLUSHED_FLOWS,
    warning: FASTNAT_A_POLICY_WARNING,
};

const MANY: Kinds = Kinds {
    id: FASTNAT_A_POLICIES_ID,
    flush: FASTNAT_A_POLICIES_FLUSH_MATCHING,
    older: FASTNAT_A_POLICIES_OLDER_FLOWS,
    flushed: FASTNAT_A_POLICIES_FLUSHED_FLOWS,
    warning: FASTNAT_A_POLICIES_WARNING,
};

/// Adds policies, all or none, and answers their ids, what became of older flows, and what will
/// surprise.
fn add_all<'a>(
    request: &Request<'_>,
    asked: impl Iterator<Item = Asked<'a>> + Clone,
    kinds: &Kinds,
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
    let (mut added, mut warnings) = (List::new(), Warnings::new());
    for (index, one) in asked.enumerate() {
        let id = match one.attrs.get(FASTNAT_A_POLICY_ID) {
            Some(id) => id.u32(),
            None => batch.claim_free(&control)?,
        };
        let entry = read::entry(&one.attrs, &control, id, node);
        let entry = batch.push(entry.map_err(|refusal| refusal.within(one.nest))?)?;
        surprise::warn(&mut warnings, index, &one.attrs, &entry, &net);
        added.push(entry, GFP_KERNEL)?;
    }
    let newcomers = Newcomers::of(&batch, &net)?;
    let room = added.len().saturating_add(Warnings::ROOM);
    let reply = request.prepare_for(room)?;
    hidden::warn_of_older(&mut warnings, control.policies(), &added);
    control.add_policies(&net, batch)?;
    // What follows may take a while, and changes nothing that the mutex guards.
    drop(control);
    hidden::warn_of_new(&mut warnings, &net, &added);
    let flushes = request.attrs.get(kinds.flush).is_some();
    let (older, flushed) = match newcomers {
        None => (0, 0),
        Some(new) if flushes => (0, net.flush_older(&new)),
        Some(new) => (net.count_older(&new), 0),
    };
    let done = reply.confirm(|message| {
        let mut ids = added.iter().map(|entry| entry.policy.id);
        ids.try_for_each(|id| message.u32(kinds.id, id))?;
        match flushes {
            true => message.u32(kinds.flushed, flushed)?,
            false => message.u32(kinds.older, older)?,
        }
        let inside = [FASTNAT_A_WARNING_INDEX, FASTNAT_A_WARNING_TEXT];
        warnings.put(message, kinds.warning, inside)
    });
    // The answer has it as a number.
    surprise::warn_of_flows(&mut warnings, &added, older);
    warnings.tell(request);
    done
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
