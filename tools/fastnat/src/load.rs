// SPDX-License-Identifier: GPL-2.0

//! `fastnat policy load`: many policies, from a file, in few requests.

use std::fs;
use std::io::{self, Read};

use clap::{CommandFactory, FromArgMatches, Parser};
use fastnat_netlink::generated::{Command, Policies, Policy};
use fastnat_netlink::{Attributes, Client, Error};

use crate::cli::policy::Action;
use crate::failure::Failure;
use crate::show::Loaded;
use crate::warning::Warnings;

/// The most policies of a request, and bytes of them: what the kernel takes, and what fits into the
/// buffer of a socket.
const MOST: usize = 2048;
const BYTES: usize = 128 * 1024;

/// A line, as the arguments of `policy add`.
#[derive(Parser)]
#[command(name = "policy add", no_binary_name = true)]
#[command(disable_help_flag = true, disable_help_subcommand = true)]
struct Arguments {
    /// The policy.
    #[command(subcommand)]
    action: Action,
}

/// A policy, and the number of its line.
struct Line {
    number: usize,
    policy: Policy,
}

/// Adds the policies that the lines of `file` say; what came of it.
pub fn run(
    client: &mut Client,
    file: &str,
    flush_matching: bool,
    warnings: &mut Warnings,
) -> Result<Loaded, Failure> {
    let lines = parse(file, &read(file)?)?;
    let (mut rest, mut all) = (&lines[..], Loaded::default());
    let sum = |a: Option<u32>, b: Option<u32>| match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    };
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(fitting(rest));
        let added = all.id.len();
        let reply = send(client, batch, flush_matching).map_err(|error| Failure::Partly {
            place: format!("{file}:{}", blamed(batch, &error)),
            added,
            error,
        })?;
        // The acknowledgement has the first of them.
        client.take_warnings();
        warnings.add_all(
            reply.warning.as_deref().unwrap_or_default(),
            |index| match batch.get(index) {
                Some(line) => format!("{file}:{}: ", line.number),
                None => format!("{file}: "),
            },
        );
        all.id.extend(reply.id);
        all.older_flows = sum(all.older_flows, reply.older_flows);
        all.flushed_flows = sum(all.flushed_flows, reply.flushed_flows);
        rest = later;
    }
    Ok(all)
}

fn read(file: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match file {
        "-" => io::stdin().read_to_string(&mut text).map(|_| text),
        _ => fs::read_to_string(file),
    };
    read.map_err(|error| Failure::Input(file.into(), error))
}

/// All lines, before anything is sent. What follows a word that begins with `#` is a comment.
fn parse(file: &str, text: &str) -> Result<Vec<Line>, Failure> {
    let mut command = Arguments::command();
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let words = line.split_whitespace();
        let words: Vec<_> = words.take_while(|word| !word.starts_with('#')).collect();
        if words.is_empty() {
            continue;
        }
        let arguments = command
            .try_get_matches_from_mut(words)
            .and_then(|mut matches| Arguments::from_arg_matches_mut(&mut matches))
            .map_err(|error| Failure::Line(format!("{file}:{number}"), first_line(&error)))?;
        let policy = arguments.action.attributes();
        if policy.flush_matching {
            let whole = "--flush-matching is for the file as a whole".into();
            return Err(Failure::Line(format!("{file}:{number}"), whole));
        }
        lines.push(Line { number, policy });
    }
    Ok(lines)
}

/// What clap says, without how to get help.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.is_empty());
    let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
    words.join(" ").trim_start_matches("error: ").into()
}

/// How many of the lines fit into a request; one always does.
fn fitting(lines: &[Line]) -> usize {
    let mut bytes = Vec::new();
    let fits = |line: &&Line| {
        let all = Policies {
            policy: vec![line.policy.clone()],
            ..Policies::default()
        };
        all.emit(&mut bytes);
        bytes.len() <= BYTES
    };
    lines.iter().take(MOST).take_while(fits).count().max(1)
}

fn send(client: &mut Client, lines: &[Line], flush_matching: bool) -> Result<Policies, Error> {
    let request = Policies {
        policy: lines.iter().map(|line| line.policy.clone()).collect(),
        flush_matching,
        ..Policies::default()
    };
    let reply: Option<Policies> = client.request(Command::PoliciesAdd, &request)?;
    reply.ok_or_else(|| Error::Malformed("no reply".into()))
}

/// The number of the line that was refused; of all of them if it is not known which.
fn blamed(lines: &[Line], error: &Error) -> String {
    let index = match error {
        Error::Refused(refusal) => refusal.index,
        _ => None,
    };
    match (index.and_then(|index| lines.get(index)), lines) {
        (Some(line), _) | (None, [line]) => line.number.to_string(),
        (None, [first, .., last]) => format!("{}-{}", first.number, last.number),
        (None, []) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Result<Vec<usize>, String> {
        parse("file", text)
            .map(|lines| lines.iter().map(|line| line.number).collect())
            .map_err(|failure| failure.describe("policy load"))
    }

    #[test]
    fn comments_and_empty_lines_are_passed() {
        let text = "# all\n\nmasquerade --out eth0\n   \n\tno-snat --dst 10.0.0.0/8 # not these\n";
        assert_eq!(lines(text), Ok(vec![3, 5]));
        assert_eq!(lines(""), Ok(vec![]));
    }

    #[test]
    fn a_bad_line_is_named() {
        let said = |text| lines(text).expect_err("a bad line");
        assert_eq!(
            said("masquerade\nmasquerade --src 10.0.0.0/33\n"),
            "policy load file:2: invalid value '10.0.0.0/33' for '--src <PREFIX>': \
             `33` is not a prefix length, 0 to 32"
        );
        assert!(said("snat --src 10.0.0.1").contains("file:1: the following required"));
        assert!(said("\nsideways").contains("file:2: unrecognized subcommand 'sideways'"));
        assert!(said("masquerade --help").contains("file:1: unexpected argument '--help'"));
        assert!(said("masquerade\nmasquerade masquerade").contains("file:2: "));
        assert!(said("masquerade --flush-matching").contains("file:1: --flush-matching is for"));
    }

    #[test]
    fn nothing_is_left_over_from_the_line_before() {
        let parsed = parse(
            "-",
            "masquerade --tcp-fin --id 4 --src 10.0.0.1\nmasquerade\n",
        );
        let policies: Vec<_> = parsed
            .expect("good lines")
            .into_iter()
            .map(|line| line.policy)
            .collect();
        assert_eq!(policies[0].id, Some(4));
        assert!(policies[0].tcp_fin);
        assert_eq!((policies[1].id, policies[1].src_addr), (None, None));
        assert!(!policies[1].tcp_fin);
    }

    #[test]
    fn a_request_is_bounded() {
        let text = "snat --pool a-pool --src 10.0.0.1 --out eth0 --dst 192.0.2.1\n".repeat(5000);
        let lines = parse("-", &text).expect("good lines");
        let count = fitting(&lines);
        assert!((1000..=MOST).contains(&count), "{count}");
        assert_eq!(fitting(&lines[..5]), 5);
    }
}
