// SPDX-License-Identifier: GPL-2.0

//! See the library of the same name.

use std::env;
use std::process::ExitCode;

use fastnat::cli::Cli;
use fastnat::{failure::Failure, run};

fn main() -> ExitCode {
    let cli = Cli::read(env::args_os()).unwrap_or_else(|error| error.exit());
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
