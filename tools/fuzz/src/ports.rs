// SPDX-License-Identifier: GPL-2.0

//! Outside ports are given once, to whom they may be given, as long as there are any.

use fastnat_nat::nat::ports::{PortRange, class, home, pick};
use fastnat_nat::nat::tuple::{ICMP, TCP, UDP};

use crate::input::Input;

/// Which of the 65536 ports are taken.
pub struct Ports(pub Vec<u64>);

impl Ports {
    /// All of them, or none.
    pub fn all(taken: bool) -> Self {
        Self(vec![if taken { u64::MAX } else { 0 }; 1024])
    }

    /// Takes a port, or gives it back.
    pub fn set(&mut self, port: u16, taken: bool) {
        let bit = 1 << (port % 64);
        let word = &mut self.0[usize::from(port / 64)];
        *word = if taken { *word | bit } else { *word & !bit };
    }

    /// Is a port taken?
    pub fn taken(&self, port: u16) -> bool {
        (self.0[usize::from(port / 64)] >> (port % 64)) & 1 == 1
    }

    /// What the picker says.
    pub fn pick(
        &self,
        range: PortRange,
        nodes: usize,
        node: Option<usize>,
        start: u16,
    ) -> Option<u16> {
        pick(|i| self.0[i], range, nodes, node, start)
    }
}

/// Claims and frees, on one address with a pool and so many nodes. What is free at first is little,
/// so that it runs out.
pub(crate) fn run(data: &[u8]) {
    let mut input = Input(data);
    let nodes = usize::from(input.u8() % 5) + 1;
    let (a, b) = (input.u16(), input.u16());
    let pool = PortRange::new(a.min(b), a.max(b)).unwrap();
    let mut ports = Ports::all(true);
    let mut ever_free = Vec::new();
    for _ in 0..input.u8() % 16 {
        let (first, count) = (input.u16(), input.u8() % 32);
        for port in first..=first.saturating_add(count.into()) {
            ports.set(port, false);
            ever_free.push(port);
        }
    }
    let free = |ports: &Ports| ports.0.iter().map(|word| word.count_zeros()).sum::<u32>();
    let at_first = free(&ports);
    let mut held = Vec::new();
    while !input.is_empty() {
        let what = input.u8();
        if what & 1 == 1 && !held.is_empty() {
            let port = held.swap_remove(usize::from(input.u8()) % held.len());
            assert!(ports.taken(port));
            ports.set(port, false);
            continue;
        }
        let proto = [TCP, UDP, ICMP][usize::from(what >> 1) % 3];
        let node = (what & 8 != 0).then(|| usize::from(what >> 4) % (nodes + 1));
        let Some(range) = class(proto, input.u16()).intersect(&pool) else {
            continue;
        };
        match ports.pick(range, nodes, node, input.u16()) {
            Some(port) => {
                assert!(!ports.taken(port), "{port} twice");
                assert!(range.contains(port), "{port} is out of {range:?}");
                assert!(node.is_none_or(|node| home(port, nodes) == node), "{port}");
                ports.set(port, true);
                held.push(port);
            }
            None => {
                let mine = |port| node.is_none_or(|node| home(port, nodes) == node);
                let may = |port: &u16| range.contains(*port) && mine(*port);
                assert!(
                    ever_free
                        .iter()
                        .filter(|port| may(port))
                        .all(|port| ports.taken(*port))
                );
            }
        }
    }
    assert_eq!(free(&ports) as usize + held.len(), at_first as usize);
}
