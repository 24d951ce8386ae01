// SPDX-License-Identifier: GPL-2.0

//! See the library of the same name.

use std::process::ExitCode;

use clap::Parser;
use fastnat::cli::Cli;
use fastnat::{failure::Failure, run};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let context = cli.noun.context();
    match run::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => report(&context, &failure),
    }
}

fn report(context: &str, failure: &Failure) -> ExitCode {
    eprintln!("fastnat: {}", failure.describe(context));
    ExitCode::from(failure.exit_code())
}
