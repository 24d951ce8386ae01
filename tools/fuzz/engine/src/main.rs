// SPDX-License-Identifier: GPL-2.0

//! A fuzzer that is led by coverage: inputs that reach what none before reached are kept, and
//! altered further. The compiler counts for each edge of the program how often it is passed
//! (`-Cpasses=sancov-module`, see `run`); that and nothing else is what libFuzzer would use, which
//! is C++ that the sysroot has no compiler for.
//!
//!     fastnat-fuzz-engine TARGET SECONDS CORPUS [SEEDS]   looks for inputs, keeps them in CORPUS
//!     fastnat-fuzz-engine TARGET minimise CORPUS SMALL    copies the few that cover all to SMALL

mod coverage;
mod mutate;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, panic, process};

use coverage::Coverage;
use fastnat_fuzz::Target;
use mutate::Random;

/// The longest input.
const LONGEST: usize = 512;

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (name, what, corpus, other) = match words[..] {
        [name, what, corpus] => (name, what, corpus, None),
        [name, what, corpus, other] => (name, what, corpus, Some(other)),
        _ => return Err("usage: TARGET SECONDS|minimise CORPUS [FOLDER]".into()),
    };
    let target = fastnat_fuzz::target(name).ok_or("there is no such target")?;
    let corpus = Path::new(corpus);
    fs::create_dir_all(corpus)?;
    let mut fuzzer = Fuzzer::new(target, corpus.join("../crashes").join(name));
    match (what, other) {
        ("minimise", Some(small)) => fuzzer.minimise(corpus, Path::new(small)),
        (seconds, seeds) => {
            let begun = Instant::now();
            for folder in [Some(corpus), seeds.map(Path::new)].into_iter().flatten() {
                for (_, bytes) in read(folder)? {
                    fuzzer.try_out(bytes);
                }
            }
            fuzzer.search(name, corpus, begun, Duration::from_secs(seconds.parse()?))
        }
    }
}

struct Fuzzer {
    target: Target,
    coverage: Coverage,
    /// Inputs of which each reached something new.
    kept: Vec<Vec<u8>>,
    runs: u64,
    crashes: PathBuf,
}

impl Fuzzer {
    fn new(target: Target, crashes: PathBuf) -> Self {
        Self {
            target,
            coverage: Coverage::new(),
            kept: Vec::new(),
            runs: 0,
            crashes,
        }
    }

    /// Runs the target; what it reached that was not reached before.
    fn reach(&mut self, bytes: &[u8]) -> usize {
        self.runs += 1;
        self.coverage.reset();
        if panic::catch_unwind(|| (self.target)(bytes)).is_err() {
            self.report(bytes);
        }
        self.coverage.collect()
    }

    /// Keeps the input if it reaches something new.
    fn try_out(&mut self, bytes: Vec<u8>) -> bool {
        let is_new = self.reach(&bytes) > 0;
        if is_new {
            self.kept.push(bytes);
        }
        is_new
    }

    fn report(&self, bytes: &[u8]) -> ! {
        let path = self.crashes.with_extension(hash(bytes));
        let stored = fs::create_dir_all(self.crashes.parent().unwrap_or(&self.crashes))
            .and_then(|()| fs::write(&path, bytes));
        println!(
            "FOUND after {} runs: {} {stored:?}\n{bytes:02x?}",
            self.runs,
            path.display()
        );
        process::exit(1)
    }

    fn search(
        &mut self,
        name: &str,
        corpus: &Path,
        begun: Instant,
        limit: Duration,
    ) -> Result<(), Error> {
        let mut random =
            Random::new(u64::from(process::id()) << 32 | u64::from(begun.elapsed().subsec_nanos()));
        let mut told = Instant::now();
        if self.kept.is_empty() {
            self.kept.push(Vec::new());
        }
        while begun.elapsed() < limit {
            for _ in 0..1000 {
                let bytes = mutate::child(&mut random, &self.kept, LONGEST);
                if self.try_out(bytes.clone()) {
                    fs::write(corpus.join(hash(&bytes)), &bytes)?;
                }
            }
            if told.elapsed() >= Duration::from_secs(10) {
                told = Instant::now();
                self.tell(name, begun);
            }
        }
        self.tell(name, begun);
        Ok(())
    }

    fn tell(&self, name: &str, begun: Instant) {
        println!(
            "{name}: {} s, {} runs, {} of {} edges, {} inputs",
            begun.elapsed().as_secs(),
            self.runs,
            self.coverage.edges(),
            self.coverage.len(),
            self.kept.len()
        );
    }

    /// The shortest first: what then reaches nothing new is left out.
    fn minimise(&mut self, corpus: &Path, small: &Path) -> Result<(), Error> {
        let mut all = read(corpus)?;
        all.sort_by_key(|(name, bytes)| (bytes.len(), name.clone()));
        fs::create_dir_all(small)?;
        for (_, bytes) in all {
            let before = self.coverage.edges();
            self.reach(&bytes);
            if self.coverage.edges() > before {
                fs::write(small.join(hash(&bytes)), &bytes)?;
            }
        }
        Ok(())
    }
}

fn read(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        all.push((name, fs::read(entry.path())?));
    }
    all.sort();
    Ok(all)
}

/// A name for an input (FNV-1a).
fn hash(bytes: &[u8]) -> String {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, step))
}
