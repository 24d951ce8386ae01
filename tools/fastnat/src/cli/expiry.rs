// SPDX-License-Identifier: GPL-2.0

//! When what lives by a policy expires.

use clap::Args;
use fastnat_netlink::generated::{Expiry as Mode, Policy as Attributes};

use crate::units::seconds;

/// When the flows and bindings of a policy expire; what is not given is as in the settings.
#[derive(Args, Debug)]
#[command(next_help_heading = "Expiry")]
pub struct Expiry {
    /// relative: after a timeout of silence; absolute: after a timeout since the binding was made,
    /// whatever the traffic [default: relative]
    #[arg(long, value_name = "MODE")]
    pub expiry: Option<Mode>,
    /// Timeout of TCP flows, such as 30, 30s, 5m, 2h or 1d
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub timeout_tcp: Option<u32>,
    /// Timeout of UDP flows
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub timeout_udp: Option<u32>,
    /// Timeout of ICMP query flows
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub timeout_icmp: Option<u32>,
    /// After a FIN or RST a TCP flow expires after timeout-tcp-transitory of the settings
    #[arg(long)]
    pub tcp_fin: bool,
}

impl Expiry {
    /// The attributes of the request, with those for the expiry.
    pub fn attributes(self, attributes: Attributes) -> Attributes {
        Attributes {
            expiry: self.expiry,
            timeout_tcp: self.timeout_tcp,
            timeout_udp: self.timeout_udp,
            timeout_icmp: self.timeout_icmp,
            tcp_fin: self.tcp_fin,
            ..attributes
        }
    }
}
