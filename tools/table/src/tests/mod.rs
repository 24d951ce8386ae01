// SPDX-License-Identifier: GPL-2.0

mod explore;
mod flood;
mod grain;
mod sleeper;

mod stress;
mod wheel;
mod wheel_stress;

use std::time::{Duration, Instant};

/// Whether a stress is to go on: for FASTNAT_STRESS seconds, or two, and until there has been
/// enough of it, unless that takes for ever.
fn clock<'a>(
    enough: impl Fn() -> bool + Copy + Send + Sync + 'a,
) -> impl Fn() -> bool + Copy + Send + Sync + 'a {
    let seconds = std::env::var("FASTNAT_STRESS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(2);
    let begin = Instant::now();
    let (end, latest) = (
        begin + Duration::from_secs(seconds),
        begin + Duration::from_secs(seconds + 60),
    );
    move || {
        let now = Instant::now();
        now < end || (now < latest && !enough())
    }
}
