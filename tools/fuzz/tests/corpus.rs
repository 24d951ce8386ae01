// SPDX-License-Identifier: GPL-2.0

//! Every stored input through its target, and some that are made here.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use fastnat_fuzz::TARGETS;

#[test]
fn what_is_stored() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let mut count = 0;
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            target(&fs::read(path).unwrap());
            count += 1;
        }
        assert!(count >= 5, "{name} has {count} inputs");
    }
}

/// Prefixes and single changes of what is stored, so that each check is made both ways.
#[test]
fn what_is_near() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        for entry in fs::read_dir(folder).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            for at in 0..bytes.len() {
                target(&bytes[..at]);
                let mut other = bytes.clone();
                other[at] ^= 1 << (at % 8);
                target(&other);
            }
        }
    }
}
