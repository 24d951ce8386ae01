// SPDX-License-Identifier: GPL-2.0

//! What the command line accepts, and the requests it makes.

use clap::{CommandFactory, Parser};
use fastnat::cli::{Cli, Noun, binding, config, flow, policy, pool, stats};
use fastnat_netlink::Proto;
use fastnat_netlink::generated::{
    Allocation, Balance, Binding, Expiry, Filtering, Group, Mapping, OffloadChoice, Policy,
    PolicyAction, Pool, Range, Target, Tuple,
};

fn noun(line: &str) -> Noun {
    Cli::try_parse_from(line.split_whitespace())
        .unwrap_or_else(|error| panic!("{error}"))
        .noun
}

/// The message of wrong usage; its exit status is 2.
fn refused(line: &str) -> String {
    let error = Cli::try_parse_from(line.split_whitespace()).expect_err(line);
    assert_eq!(error.exit_code(), 2, "{line}");
    error.to_string()
}

fn added_policy(line: &str) -> Policy {
    match noun(line) {
        Noun::Policy(policy::Policy::Add(action)) => action.attributes(),
        other => panic!("{other:?}"),
    }
}

fn added_pool(line: &str) -> Pool {
    match noun(line) {
        Noun::Pool(pool::Pool::Add(add)) => add.attributes(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn snat_with_every_match() {
    let policy = added_policy(
        "fastnat policy add snat --pool web --src 10.0.0.0/8 --dst 192.0.2.1 --proto tcp \
         --sport 1024-65535 --dport 443 --in lan0 --out eth0 --mark 0x10/0xff --priority 5 --id 9",
    );
    let expected = Policy {
        id: Some(9),
        priority: Some(5),
        action: Some(PolicyAction::Snat),
        proto: Some(Proto::TCP),
        src_addr: Some([10, 0, 0, 0].into()),
        src_prefix: Some(8),
        dst_addr: Some([192, 0, 2, 1].into()),
        dst_prefix: Some(32),
        src_port_min: Some(1024),
        src_port_max: Some(65535),
        dst_port_min: Some(443),
        in_iface: Some("lan0".into()),
        out_iface: Some("eth0".into()),
        mark: Some(0x10),
        mark_mask: Some(0xff),
        pool: Some("web".into()),
        ..Policy::default()
    };
    assert_eq!(policy, expected);
}

#[test]
fn older_flows_are_ended_on_demand() {
    assert!(
        added_policy("fastnat policy add no-snat --dst 10.8.0.0/16 --flush-matching")
            .flush_matching
    );
    assert!(!added_policy("fastnat policy add masquerade --out eth0").flush_matching);
    match noun("fastnat policy load --flush-matching -") {
        Noun::Policy(policy::Policy::Load { flush_matching, .. }) => assert!(flush_matching),
        other => panic!("{other:?}"),
    }
}

#[test]
fn none_stands_alone() {
    let read = |line: &str| Cli::read(line.split(' ').map(Into::into));
    for line in [
        "fastnat config set --offload-exempt-dev none lan0",
        "fastnat config set --offload-exempt-dev lan0 --offload-exempt-dev none",
        "fastnat config set --early-dev lan0 none",
        "fastnat config set --early-dev none none",
    ] {
        let error = read(line).expect_err(line);
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("none stands alone"), "{error}");
    }
    assert!(read("fastnat config set --early-dev none --offload-exempt-dev lan0").is_ok());
}

#[test]
fn groups_of_interfaces() {
    let policy = |options| added_policy(&format!("fastnat policy add masquerade {options}"));
    let named = policy("--in-group default --out-group 0x20");
    assert_eq!((named.in_group, named.out_group), (Some(0), Some(32)));
    assert_eq!((named.in_iface, named.out_iface), (None, None));
    let mixed = policy("--in-group 7 --out ppp*");
    assert_eq!(
        (mixed.in_group, mixed.out_iface.as_deref()),
        (Some(7), Some("ppp*"))
    );
    for bad in [
        "--in lan0 --in-group 1",
        "--out wan0 --out-group 1",
        "--in-group",
        "--in-group -1",
        "--in-group 4294967296",
    ] {
        refused(&format!("fastnat policy add masquerade {bad}"));
    }
    let said = refused("fastnat policy add masquerade --out-group uplinkz");
    assert!(
        said.contains("`uplinkz` is neither a number nor in"),
        "{said}"
    );
}

#[test]
fn what_is_not_given_is_not_sent() {
    let masquerade = added_policy("fastnat policy add masquerade");
    assert_eq!(masquerade, action(PolicyAction::Masquerade));
    assert_eq!(
        added_policy("fastnat policy add no-snat"),
        action(PolicyAction::NoSnat)
    );
    assert_eq!(
        added_policy("fastnat policy add no-dnat"),
        action(PolicyAction::NoDnat)
    );
    assert_eq!(added_pool("fastnat pool add p").name.as_deref(), Some("p"));
}

fn action(action: PolicyAction) -> Policy {
    Policy {
        action: Some(action),
        ..Policy::default()
    }
}

#[test]
fn dnat_targets() {
    let target = |to: &str| {
        let policy = added_policy(&format!("fastnat policy add dnat --to {to}"));
        (
            policy.to_addr.map(|addr| addr.to_string()),
            policy.to_port_min,
            policy.to_port_max,
        )
    };
    let addr = || Some("10.0.0.80".to_string());
    assert_eq!(target("10.0.0.80"), (addr(), None, None));
    assert_eq!(target("10.0.0.80:8080"), (addr(), Some(8080), None));
    assert_eq!(
        target("10.0.0.80:9000-9099"),
        (addr(), Some(9000), Some(9099))
    );
}

#[test]
fn dnat_to_several_targets() {
    let target = |last: u8, port_min, port_max, weight| Target {
        addr: Some([10, 0, 0, last].into()),
        port_min,
        port_max,
        weight,
    };
    let three = added_policy(
        "fastnat policy add dnat --to 10.0.0.80:8080@3 --to 10.0.0.81 \
         --to 10.0.0.82:9000-9099@65535",
    );
    let expected = Policy {
        target: Some(vec![
            target(80, Some(8080), None, Some(3)),
            target(81, None, None, None),
            target(82, Some(9000), Some(9099), Some(65535)),
        ]),
        ..action(PolicyAction::Dnat)
    };
    assert_eq!(three, expected);
    // What is said of one alone is not dropped either.
    let one = added_policy("fastnat policy add dnat --to 10.0.0.80@3");
    assert_eq!(one.target, Some(vec![target(80, None, None, Some(3))]));
    let one = added_policy("fastnat policy add dnat --to 10.0.0.80 --balance random");
    assert_eq!(one.target, Some(vec![target(80, None, None, None)]));
    assert_eq!((one.to_addr, one.balance), (None, Some(Balance::Random)));
}

#[test]
fn redirects() {
    let line = "fastnat policy add redirect --in lan0 --proto tcp --dport 80 --to-port 3128";
    let expected = Policy {
        in_iface: Some("lan0".into()),
        proto: Some(Proto::TCP),
        dst_port_min: Some(80),
        to_port_min: Some(3128),
        ..action(PolicyAction::Redirect)
    };
    assert_eq!(added_policy(line), expected);
    let kept = added_policy("fastnat policy add redirect");
    assert_eq!(kept, action(PolicyAction::Redirect));
}

#[test]
fn networks_map_to_networks() {
    let snat = added_policy("fastnat policy add snat --to 192.0.2.0/24 --src 10.0.0.0/24");
    let expected = Policy {
        src_addr: Some([10, 0, 0, 0].into()),
        src_prefix: Some(24),
        to_addr: Some([192, 0, 2, 0].into()),
        to_prefix: Some(24),
        ..action(PolicyAction::Snat)
    };
    assert_eq!(snat, expected);
    let dnat = added_policy("fastnat policy add dnat --to 10.0.0.0/24:81");
    let expected = Policy {
        to_addr: Some([10, 0, 0, 0].into()),
        to_prefix: Some(24),
        to_port_min: Some(81),
        ..action(PolicyAction::Dnat)
    };
    assert_eq!(dnat, expected);
    // The kernel refuses both beside each other.
    let mixed = added_policy("fastnat policy add dnat --to 10.0.0.1 --to 10.0.1.0/24");
    assert_eq!(mixed.to_prefix, Some(24));
    assert_eq!(mixed.target.map(|targets| targets.len()), Some(2));
}

#[test]
fn pools() {
    let pool = added_pool(
        "fastnat pool add big --range 203.0.113.7 --range 203.0.113.16/28 \
         --range 198.51.100.1-198.51.100.9 --ports 1024-2047 --allocation preserve --parity",
    );
    let range = |min: [u8; 4], max: Option<[u8; 4]>| Range {
        addr_min: Some(min.into()),
        addr_max: max.map(Into::into),
    };
    let expected = Pool {
        name: Some("big".into()),
        range: vec![
            range([203, 0, 113, 7], None),
            range([203, 0, 113, 16], Some([203, 0, 113, 31])),
            range([198, 51, 100, 1], Some([198, 51, 100, 9])),
        ],
        port_min: Some(1024),
        port_max: Some(2047),
        allocation: Some(Allocation::Preserve),
        parity: true,
        ..Pool::default()
    };
    assert_eq!(pool, expected);
}

#[test]
fn flows() {
    let line = "fastnat flow get --proto icmp --src 10.0.0.2:77 --dst 198.51.100.9";
    let Noun::Flow(flow::Flow::Get(get)) = noun(line) else {
        panic!("{line}")
    };
    let tuple = Tuple {
        src_addr: Some([10, 0, 0, 2].into()),
        src_port: Some(77),
        dst_addr: Some([198, 51, 100, 9].into()),
        dst_port: Some(0),
    };
    assert_eq!(get.attributes().orig, Some(tuple));
    let Noun::Flow(flow::Flow::Flush(filter)) = noun("fastnat flow flush --policy 3") else {
        panic!("flush");
    };
    assert_eq!(
        (filter.attributes().policy, filter.attributes().proto),
        (Some(3), None)
    );
}

#[test]
fn leases_and_timeouts() {
    let lease = added_policy(
        "fastnat policy add masquerade --expiry absolute --timeout-tcp 1d --timeout-udp 90 \
         --timeout-icmp 1m --tcp-fin",
    );
    let expected = Policy {
        expiry: Some(Expiry::Absolute),
        timeout_tcp: Some(86400),
        timeout_udp: Some(90),
        timeout_icmp: Some(60),
        tcp_fin: true,
        ..action(PolicyAction::Masquerade)
    };
    assert_eq!(lease, expected);
    let dnat = added_policy("fastnat policy add dnat --to 10.0.0.80 --tcp-fin");
    assert!(dnat.tcp_fin);
}

#[test]
fn policies_may_be_offloaded_otherwise_than_the_settings_say() {
    let offload = |line: &str| {
        let policy = added_policy(&format!("fastnat policy add {line}"));
        (policy.offload, policy.offload_after)
    };
    let masquerade = "masquerade --offload on --offload-after 9";
    assert_eq!(offload(masquerade), (Some(OffloadChoice::On), Some(9)));
    let dnat = "dnat --to 10.0.0.80 --offload off";
    assert_eq!(offload(dnat), (Some(OffloadChoice::Off), None));
    let snat = "snat --pool p --offload inherit --offload-after 0";
    assert_eq!(offload(snat), (Some(OffloadChoice::Inherit), Some(0)));
}

#[test]
fn source_policies_may_filter() {
    let filtering = |line: &str| added_policy(&format!("fastnat policy add {line}")).filtering;
    let snat = filtering("snat --pool p --filtering address-dependent");
    assert_eq!(snat, Some(Filtering::AddressDependent));
    let masquerade = filtering("masquerade --filtering address-and-port-dependent");
    assert_eq!(masquerade, Some(Filtering::AddressAndPortDependent));
    assert_eq!(filtering("masquerade"), None);
}

#[test]
fn source_policies_may_map_for_each_destination() {
    let mapping = |line: &str| added_policy(&format!("fastnat policy add {line}")).mapping;
    let snat = mapping("snat --pool p --mapping address-and-port-dependent");
    assert_eq!(snat, Some(Mapping::AddressAndPortDependent));
    assert_eq!(mapping("masquerade"), None);
}

#[test]
fn source_policies_may_limit_each_host() {
    let limited = added_policy(
        "fastnat policy add masquerade --subscriber-bindings 2000 --subscriber-flows 8000 \
         --subscriber-rate 50",
    );
    let expected = Policy {
        subscriber_bindings: Some(2000),
        subscriber_flows: Some(8000),
        subscriber_rate: Some(50),
        ..action(PolicyAction::Masquerade)
    };
    assert_eq!(limited, expected);
}

fn binding(line: &str) -> Binding {
    match noun(&format!("fastnat binding {line}")) {
        Noun::Binding(binding::Binding::Add(add)) => add.attributes(),
        Noun::Binding(binding::Binding::Del(del)) => del.attributes(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn bindings() {
    let outside = Binding {
        proto: Some(Proto::TCP),
        outside_addr: Some([203, 0, 113, 7].into()),
        outside_port: Some(2222),
        ..Binding::default()
    };
    let added = Binding {
        policy: Some(1),
        inside_addr: Some([10, 0, 0, 2].into()),
        inside_port: Some(22),
        lifetime: Some(7200),
        ..outside.clone()
    };
    let line = "--policy 1 --proto tcp --inside 10.0.0.2:22 --lifetime 2h --outside 203.0.113.7";
    assert_eq!(binding(&format!("add {line}:2222")), added);
    assert_eq!(binding(&format!("add {line}")).outside_port, None);
    let zero = binding(&format!("add {line}:0"));
    assert_eq!(zero.outside_port, Some(0), "for the kernel to refuse");
    assert_eq!(
        binding("del --proto tcp --outside 203.0.113.7:2222"),
        outside
    );
}

fn settings(line: &str) -> String {
    let attributes = match noun(&format!("fastnat config {line}")) {
        Noun::Config(config::Config::Set(set)) => serde_json::to_string(&set.attributes()),
        Noun::Config(config::Config::Size(size)) => serde_json::to_string(&size.attributes()),
        other => panic!("{other:?}"),
    };
    attributes.expect("plain values")
}

#[test]
fn devices_are_a_list() {
    for (option, key) in [
        ("--offload-exempt-dev", "offload-exempt-devices"),
        ("--early-dev", "early-devices"),
    ] {
        let devices = |line: &str| settings(&format!("set {option} {line}"));
        let list = |names: &str| format!(r#"{{"{key}":{{"name":[{names}]}}}}"#);
        let two = list(r#""wg0","lan7""#);
        assert_eq!(devices(&format!("wg0 {option} lan7")), two);
        assert_eq!(devices("wg0 lan7"), two);
        assert_eq!(devices("none"), list(""));
    }
    assert_eq!(
        settings("set --early-dev a --offload-exempt-dev b c"),
        r#"{"offload-exempt-devices":{"name":["b","c"]},"early-devices":{"name":["a"]}}"#
    );
}

#[test]
fn settings_and_sizes() {
    assert_eq!(
        settings("set --timeout-udp 2m --conntrack tracked"),
        r#"{"timeout-udp":120,"conntrack":"tracked"}"#
    );
    assert_eq!(
        settings(
            "set --max-flows 4M --max-bindings 64k --buckets auto --timeout-tcp-transitory 60 \
             --numa local --events flow"
        ),
        r#"{"max-flows":4194304,"max-bindings":65536,"buckets":0,"timeout-tcp-transitory":60,"#
            .to_string()
            + r#""numa":"local","events":"flow"}"#
    );
    assert_eq!(
        settings("set --icmp-refused off --hold-syn 0"),
        r#"{"icmp-refused":"off","hold-syn":0}"#
    );
    assert_eq!(settings("size"), "{}");
    assert_eq!(
        settings("set --offload on --offload-after 255 --offload-exempt-mark 0x10/0xff"),
        r#"{"offload":"on","offload-after":255,"offload-exempt-mark":16,"#.to_string()
            + r#""offload-exempt-mask":255}"#
    );
    let mark = |mark: &str| settings(&format!("set --offload-exempt-mark {mark}"));
    assert_eq!(
        mark("7"),
        r#"{"offload-exempt-mark":7,"offload-exempt-mask":4294967295}"#
    );
    assert_eq!(
        mark("none"),
        r#"{"offload-exempt-mark":0,"offload-exempt-mask":0}"#
    );
    assert_eq!(
        settings("size --flows 4M --bindings 1M --buckets 2k"),
        r#"{"max-flows":4194304,"max-bindings":1048576,"buckets":2048}"#
    );
}

#[test]
fn stats_are_counters_unless_asked_for_tables() {
    let verb = |line: &str| match noun(line) {
        Noun::Stats(stats) => (stats.context(), stats.verb),
        other => panic!("{other:?}"),
    };
    assert!(matches!(verb("fastnat stats --all"), ("stats", None)));
    assert!(matches!(
        verb("fastnat stats --json table"),
        ("stats table", Some(stats::Verb::Table))
    ));
}

#[test]
fn events_to_listen_to() {
    let groups = |line: &str| match noun(&format!("fastnat monitor {line}")) {
        Noun::Monitor(monitor) => monitor.groups(),
        other => panic!("{other:?}"),
    };
    assert_eq!(groups(""), [Group::Limit, Group::Binding, Group::Block]);
    assert_eq!(groups("--blocks"), [Group::Block]);
    assert_eq!(groups("--count 3 --timeout 5m"), groups(""));
    assert_eq!(groups("--flows"), [Group::Flow]);
    assert_eq!(groups("--flows --limits"), [Group::Limit, Group::Flow]);
}

#[test]
fn global_options_stand_anywhere() {
    let cli = Cli::try_parse_from("fastnat flow list --json -n gw".split(' ')).unwrap();
    assert!(cli.global.json);
    assert_eq!(cli.global.netns.as_deref(), Some("gw"));
    assert_eq!(cli.noun.context(), "flow list");
}

#[test]
fn mistakes_are_explained() {
    let cases = [
        (
            "policy add masquerade --src 10.0.0.1/8",
            "the prefix is 10.0.0.0/8",
        ),
        (
            "policy add masquerade --src 10.0.0.0/33",
            "not a prefix length",
        ),
        ("policy add masquerade --src fd00::1", "only IPv4"),
        (
            "policy add masquerade --sport 20-10",
            "ends before it begins",
        ),
        ("policy add masquerade --sport 70000", "not a port"),
        (
            "policy add masquerade --proto sctpx",
            "tcp, udp, icmp or a number",
        ),
        ("policy add masquerade --mark 0x100/0xff", "never match"),
        (
            "policy add masquerade --out an-interface-too-long",
            "1 to 15 characters",
        ),
        ("policy add masquerade --id 0", "0 is not in 1.."),
        ("policy add snat", "--pool <NAME>"),
        (
            "policy add dnat --dport 80",
            "--to <ADDR[/LEN][:PORT[-PORT]][@WEIGHT]>",
        ),
        ("policy add dnat --to 10.0.0.1:0", "port 0"),
        ("policy add redirect --to-port 0", "port 0"),
        ("policy add redirect --to 10.0.0.1", "--to"),
        (
            "policy add dnat --to 10.0.0.1@0",
            "not a weight, 1 to 65535",
        ),
        ("policy add dnat --to 10.0.0.1:80@65536", "not a weight"),
        (
            "policy add dnat --to 10.0.0.1 --to 10.0.0.2 --balance fair",
            "use one of: source-hash, random",
        ),
        ("policy del", "<ID>"),
        (
            "pool add p --range 1.1.1.9-1.1.1.1",
            "ends before it begins",
        ),
        ("pool add p --ports 0-10", "port 0"),
        ("config set", "config set"),
        (
            "config set --conntrack off",
            "use one of: untracked, tracked",
        ),
        ("config set --max-flows 4X", "64k or 4M"),
        ("config set --max-flows 4G", "more than"),
        ("config set --numa near", "use one of: home, local"),
        ("policy add masquerade --timeout-tcp soon", "30s, 5m, 2h"),
        ("policy add no-snat --tcp-fin", "--tcp-fin"),
        ("policy add no-dnat --offload off", "--offload"),
        (
            "policy add masquerade --offload maybe",
            "use one of: inherit, off, on",
        ),
        ("policy add masquerade --offload-after 256", "0..=255"),
        ("config set --offload inherit", "use one of: off, on"),
        ("config set --offload-after 0", "1..=255"),
        ("config set --offload-exempt-mark 0x100/0xff", "never match"),
        ("config set --offload-exempt-mark all", "32 bit number"),
        (
            "config set --offload-exempt-dev an-interface-too-long",
            "1 to 15 characters",
        ),
        (
            "config set --early-dev lan0 an-interface-too-long",
            "1 to 15 characters",
        ),
        (
            "binding del --proto tcp --outside 203.0.113.7",
            "the port is missing",
        ),
        ("binding add --policy 1", "--inside <ADDR:PORT>"),
        ("monitor --count 0", "0 is not in 1.."),
        ("frobnicate", "unrecognized subcommand"),
    ];
    for (line, expected) in cases {
        let message = refused(&format!("fastnat {line}"));
        assert!(message.contains(expected), "{line}: {message}");
    }
}

/// The page has every command and every option.
#[test]
fn the_reference_is_complete() {
    let page = include_str!("../../../Documentation/reference/cli.md");
    fn visit(command: &clap::Command, page: &str) {
        if !command.is_subcommand_required_set() {
            let path = command.get_bin_name().unwrap();
            assert!(page.contains(&format!("`{path}")), "cli.md lacks {path}");
        }
        for option in command.get_arguments().filter_map(|arg| arg.get_long()) {
            assert!(
                page.contains(&format!("--{option}")),
                "cli.md lacks --{option}"
            );
        }
        command
            .get_subcommands()
            .for_each(|command| visit(command, page));
    }
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    visit(&root, page);
}
