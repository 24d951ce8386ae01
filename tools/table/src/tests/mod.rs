// SPDX-License-Identifier: GPL-2.0

mod explore;
mod flood;
mod grain;
mod sleeper;

mod stress;
mod wheel;
mod wheel_stress;

use std::time::{Duration, Instant};

/// How long a stress lasts: FASTNAT_STRESS seconds, or a few.
fn stress_time() -> Duration {
    let seconds = std::env::var("FASTNAT_STRESS").ok();
    Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or(3))
}

/// Is there time left?
fn clock() -> impl Fn() -> bool + Copy + Send + Sync {
    let end = Instant::now() + stress_time();
    move || Instant::now() < end
}
