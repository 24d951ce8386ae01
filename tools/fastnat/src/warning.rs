// SPDX-License-Identifier: GPL-2.0

//! What will surprise about a request that was done: on the standard error, a line each.

use fastnat_netlink::generated::Warning;

/// The most lines of one command.
const MOST: usize = 16;

/// What there is to say when a command is done.
#[derive(Debug, Default)]
pub struct Warnings {
    lines: Vec<String>,
    more: usize,
}

impl Warnings {
    /// Adds a line. What is beyond the most is only counted.
    pub fn add(&mut self, line: String) {
        match self.lines.len() < MOST {
            true => self.lines.push(line),
            false => self.more += 1,
        }
    }

    /// Adds what an answer says, with the place of what it is about in front.
    pub fn add_all(&mut self, warnings: &[Warning], place: impl Fn(usize) -> String) {
        for warning in warnings {
            let place = place(warning.index.unwrap_or_default() as usize);
            self.add(place + warning.text.as_deref().unwrap_or_default());
        }
    }

    /// Adds how many flows go on as before that new policies may concern.
    pub fn add_older(&mut self, flows: u32) {
        let (flows, go) = match flows {
            0 => return,
            1 => ("1 older flow".into(), "goes on"),
            many => (format!("{many} older flows"), "go on"),
        };
        self.add(format!(
            "{flows} of other policies {go} as before; to end such flows, add policies with \
             --flush-matching, or end all: fastnat flow flush"
        ));
    }

    /// The lines.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.lines.clone();
        if self.more > 0 {
            lines.push(format!("{} more", self.more));
        }
        lines
    }

    /// Prints them.
    pub fn print(&self) {
        for line in self.lines() {
            eprintln!("fastnat: warning: {line}");
        }
    }
}
