// SPDX-License-Identifier: GPL-2.0

//! From arguments to requests and from replies to output.

use std::io;

use clap::CommandFactory;
use fastnat_netlink::generated::{self, Command};
use fastnat_netlink::{Attributes, Client, Error};

use crate::cli::{self, Cli, Noun, binding, config, flow, policy, pool, stats};
use crate::failure::Failure;
use crate::load;
use crate::lro;
use crate::map::Sharing;
use crate::monitor;
use crate::netns;
use crate::output::{Nothing, Output, Text};
use crate::parse::{Host, Iface};
use crate::show;
use crate::warning::Warnings;

/// A client and where its replies go.
struct Session {
    client: Client,
    output: Output,
}

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<(), Failure> {
    if let Noun::Completions { shell } = cli.noun {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "fastnat", &mut script);
        return Ok(io::Write::write_all(&mut io::stdout(), &script)?);
    }
    if let Noun::Pool(pool::Pool::Map(map)) = &cli.noun {
        if let Some(given) = map.given() {
            return Output::new(cli.global.json).print(&shares(&given, map.what)?);
        }
    }
    if let Some(name) = &cli.global.netns {
        netns::enter(name)?;
    }
    let session = Session {
        client: Client::open()?,
        output: Output::new(cli.global.json),
    };
    session.noun(cli.noun)
}

/// Who has which ports.
fn shares(pool: &generated::Pool, what: Option<Host>) -> Result<show::Shares, Failure> {
    let sharing = Sharing::of(pool).map_err(Failure::Answer)?;
    Ok(match what {
        Some(what) => show::Shares::One(sharing.answer(what).map_err(Failure::Answer)?),
        None => show::Shares::All(sharing),
    })
}

impl Session {
    fn noun(self, noun: Noun) -> Result<(), Failure> {
        match noun {
            Noun::Policy(verb) => self.policy(verb),
            Noun::Pool(verb) => self.pool(verb),
            Noun::Flow(verb) => self.flow(verb),
            Noun::Binding(verb) => self.binding(verb),
            Noun::Stats(stats) => self.stats(stats),
            Noun::Config(verb) => self.config(verb),
            Noun::Lro(verb) => self.lro(verb),
            Noun::Monitor(arguments) => monitor::run(self.client, self.output, arguments),
            Noun::Completions { .. } => Ok(()),
        }
    }

    fn policy(mut self, verb: policy::Policy) -> Result<(), Failure> {
        match verb {
            policy::Policy::Add(action) => {
                let request = action.attributes();
                let reply: Option<generated::Policy> =
                    self.client.request(Command::PolicyAdd, &request)?;
                let mut reply = reply.ok_or_else(|| Error::Malformed("no reply".into()))?;
                // The acknowledgement has the first of them.
                self.client.take_warnings();
                let mut warnings = Warnings::default();
                let listed = reply.warning.take().unwrap_or_default();
                warnings.add_all(&listed, |_| String::new());
                warnings.add_older(reply.older_flows.unwrap_or_default());
                warnings.print();
                self.output.print(&show::Added(reply))
            }
            policy::Policy::Load {
                file,
                flush_matching,
            } => {
                let mut warnings = Warnings::default();
                let loaded = load::run(&mut self.client, &file, flush_matching, &mut warnings);
                if let Ok(loaded) = &loaded {
                    warnings.add_older(loaded.older_flows.unwrap_or_default());
                }
                warnings.print();
                self.output.print(&loaded?)
            }
            policy::Policy::Del { ids } => {
                for id in ids {
                    let request = generated::Policy {
                        id: Some(id),
                        ..Default::default()
                    };
                    self.tell(Command::PolicyDel, &request)
                        .map_err(|error| Failure::About(id.to_string(), error))?;
                }
                self.output.print(&Nothing {})
            }
            policy::Policy::List => self.list(Command::PolicyGet, show::Policies),
        }
    }

    fn pool(mut self, verb: pool::Pool) -> Result<(), Failure> {
        match verb {
            pool::Pool::Add(add) => self.change(Command::PoolAdd, &add.attributes()),
            pool::Pool::Del { name } => {
                let request = generated::Pool {
                    name: Some(name.0),
                    ..Default::default()
                };
                self.change(Command::PoolDel, &request)
            }
            pool::Pool::List => self.list(Command::PoolGet, show::Pools),
            pool::Pool::Blocks => self.list(Command::BlockGet, show::Blocks),
            pool::Pool::Map(map) => {
                let name = map.name.map(|name| name.0);
                let pools: Vec<generated::Pool> = self.client.dump(Command::PoolGet)?;
                let pool = pools.into_iter().find(|pool| pool.name == name);
                let none = || Failure::Answer("there is no such pool".into());
                self.output
                    .print(&shares(&pool.ok_or_else(none)?, map.what)?)
            }
        }
    }

    fn flow(mut self, verb: flow::Flow) -> Result<(), Failure> {
        match verb {
            flow::Flow::List(filter) => self.list(Command::FlowGet, |mut flows| {
                flows.retain(|flow| filter.wants(flow));
                show::Flows(flows)
            }),
            flow::Flow::Get(get) => {
                let reply = self.ask(Command::FlowGet, &get.attributes())?;
                self.output.print(&show::Flow(reply))
            }
            flow::Flow::Flush(filter) => {
                let reply = self.ask(Command::FlowFlush, &filter.attributes())?;
                self.output.print(&show::Flushed(reply))
            }
        }
    }

    fn binding(mut self, verb: binding::Binding) -> Result<(), Failure> {
        match verb {
            binding::Binding::Add(add) => {
                let reply = self.ask(Command::BindingAdd, &add.attributes())?;
                self.output.print(&show::BindingAdded(reply))
            }
            binding::Binding::Del(del) => self.change(Command::BindingDel, &del.attributes()),
            binding::Binding::List => self.list(Command::BindingGet, show::Bindings),
        }
    }

    fn stats(self, stats::Stats { all, verb }: stats::Stats) -> Result<(), Failure> {
        match verb {
            None => self.get(Command::StatsGet, |stats| show::Stats { stats, all }),
            Some(stats::Verb::Table) => self.list(Command::TableGet, show::Tables),
        }
    }

    fn config(mut self, verb: config::Config) -> Result<(), Failure> {
        match verb {
            config::Config::Show => self.get(Command::ConfigGet, show::Config),
            config::Config::Size(size) => {
                let reply = self.ask(Command::SizeGet, &size.attributes())?;
                self.output.print(&show::Size(reply))
            }
            config::Config::Set(set) => self.change(Command::ConfigSet, &set.attributes()),
        }
    }

    fn lro(mut self, verb: cli::lro::Lro) -> Result<(), Failure> {
        match verb {
            cli::lro::Lro::Set(set) => {
                if let (Some(Iface(device)), Some(on)) = (&set.dev, set.change.udp) {
                    lro::switch_udp(device, on)?;
                }
                if let Some(request) = set.attributes() {
                    self.tell(Command::LroSet, &request)?;
                }
                self.output.print(&Nothing {})
            }
            cli::lro::Lro::Del(del) => self.change(Command::LroDel, &del.attributes()),
            cli::lro::Lro::Show(show) => {
                let entries = self.client.dump(Command::LroGet)?;
                self.output.print(&lro::describe(entries, show.dev)?)
            }
        }
    }

    /// Prints the list that `command` gives.
    fn list<A: Attributes, T: Text>(
        mut self,
        command: Command,
        show: impl FnOnce(Vec<A>) -> T,
    ) -> Result<(), Failure> {
        let items = self.client.dump(command)?;
        self.output.print(&show(items))
    }

    /// Prints the one thing that `command` gives.
    fn get<A: Attributes, T: Text>(
        mut self,
        command: Command,
        show: impl FnOnce(A) -> T,
    ) -> Result<(), Failure> {
        let reply = self.ask(command, &A::default())?;
        self.output.print(&show(reply))
    }

    /// Changes something and prints nothing.
    fn change(mut self, command: Command, request: &impl Attributes) -> Result<(), Failure> {
        self.tell(command, request)?;
        self.output.print(&Nothing {})
    }

    /// Asks for a reply of the same attribute set.
    fn ask<A: Attributes>(&mut self, command: Command, request: &A) -> Result<A, Error> {
        let reply = self.client.request(command, request)?;
        self.warn();
        reply.ok_or_else(|| Error::Malformed("no reply".into()))
    }

    fn tell<A: Attributes>(&mut self, command: Command, request: &A) -> Result<(), Error> {
        self.client.request::<A>(command, request)?;
        self.warn();
        Ok(())
    }

    fn warn(&mut self) {
        let mut warnings = Warnings::default();
        for warning in self.client.take_warnings() {
            warnings.add(warning);
        }
        warnings.print();
    }
}
