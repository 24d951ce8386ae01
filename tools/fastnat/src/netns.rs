// SPDX-License-Identifier: GPL-2.0

//! Named network namespaces.

use std::fs::File;
use std::path::Path;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};

use crate::failure::Failure;

const FOLDER: &str = "/run/netns";

/// Moves the calling thread into the namespace that `ip netns` knows by this name.
pub fn enter(name: &str) -> Result<(), Failure> {
    let fail = |errno| Failure::Netns(name.into(), errno);
    if name.is_empty() || name.contains('/') || name == "." || name == ".." {
        return Err(fail(Errno::ENOENT));
    }
    let file = File::open(Path::new(FOLDER).join(name))
        .map_err(|error| fail(Errno::from_raw(error.raw_os_error().unwrap_or_default())))?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(fail)
}
