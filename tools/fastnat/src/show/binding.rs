// SPDX-License-Identifier: GPL-2.0

//! Bindings.

use std::io::{self, Write};

use fastnat_netlink::generated::Binding;
use serde::Serialize;

use super::{endpoint, or_empty, titles};
use crate::output::{Align, Text, table};

/// The reply to `binding add`.
#[derive(Serialize)]
#[serde(transparent)]
pub struct BindingAdded(pub Binding);

/// The bindings.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Bindings(pub Vec<Binding>);

impl Text for BindingAdded {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "outside {}", outside(&self.0))
    }
}

const ALIGN: [Align; 8] = [
    Align::Left,
    Align::Left,
    Align::Left,
    Align::Right,
    Align::Right,
    Align::Right,
    Align::Left,
    Align::Right,
];

impl Text for Bindings {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = titles(&[
            "PROTO", "INSIDE", "OUTSIDE", "POLICY", "FLOWS", "NODE", "STATIC", "EXPIRES",
        ]);
        rows.extend(self.0.iter().map(|binding| {
            vec![
                or_empty(binding.proto),
                inside(binding),
                outside(binding),
                or_empty(binding.policy),
                or_empty(binding.flows),
                or_empty(binding.node),
                or_empty(binding.r#static.then_some("static")),
                or_empty(binding.expires.map(|seconds| format!("{seconds}s"))),
            ]
        }));
        table(out, &ALIGN, &rows)
    }
}

/// The inside endpoint.
pub(super) fn inside(binding: &Binding) -> String {
    endpoint(None, binding.inside_addr, binding.inside_port)
}

/// The outside endpoint.
pub(super) fn outside(binding: &Binding) -> String {
    endpoint(None, binding.outside_addr, binding.outside_port)
}
