// SPDX-License-Identifier: GPL-2.0

//! What a person reads.

use fastnat::failure::Failure;
use fastnat::output::Text;
use fastnat::show;
use fastnat::warning::Warnings;
use fastnat_netlink::generated::{
    Allocation, Balance, Binding, Config, ConntrackMode, Devices, EventLevel, Expiry, Filtering,
    Flow, Mapping, Node, NumaMode, OffloadChoice, OffloadMode, Policy, PolicyAction, Pool, Range,
    Stats, Target, Tuple, Warning,
};
use fastnat_netlink::{Error, Proto, Refusal};

fn text(result: &impl Text) -> String {
    let mut out = Vec::new();
    result.text(&mut out).expect("memory");
    String::from_utf8(out).expect("text")
}

fn tuple(src: [u8; 4], src_port: u16, dst: [u8; 4], dst_port: u16) -> Tuple {
    Tuple {
        src_addr: Some(src.into()),
        src_port: Some(src_port),
        dst_addr: Some(dst.into()),
        dst_port: Some(dst_port),
    }
}

const SERVER: [u8; 4] = [198, 51, 100, 9];

fn flow(proto: Proto, port: u16, server_port: u16) -> Flow {
    Flow {
        proto: Some(proto),
        orig: Some(tuple([10, 0, 0, 2], port, SERVER, server_port)),
        translated: Some(tuple([203, 0, 113, 7], 52011, SERVER, server_port)),
        policy: Some(1),
        expires: Some(7431),
        node: Some(0),
        ..Flow::default()
    }
}

#[test]
fn a_flow_is_a_line() {
    assert_eq!(
        text(&show::Flow(flow(Proto::TCP, 41234, 443))),
        "tcp 10.0.0.2:41234 -> 198.51.100.9:443  as 203.0.113.7:52011 -> 198.51.100.9:443  \
         policy 1  expires 7431s\n"
    );
}

#[test]
fn flows_are_aligned_and_have_their_node_when_there_are_several() {
    let other = Flow {
        node: Some(1),
        ..flow(Proto::ICMP, 7, 0)
    };
    assert_eq!(
        text(&show::Flows(vec![flow(Proto::TCP, 41234, 443), other])),
        "tcp 10.0.0.2:41234 -> 198.51.100.9:443  as 203.0.113.7:52011 -> 198.51.100.9:443  \
         policy 1  expires 7431s  node 0\n\
         icmp 10.0.0.2:7 -> 198.51.100.9         as 203.0.113.7:52011 -> 198.51.100.9      \
         policy 1  expires 7431s  node 1\n"
    );
    assert_eq!(text(&show::Flows(Vec::new())), "");
}

#[test]
fn an_offloaded_flow_says_which_way() {
    let flow = |offloaded_orig, offloaded_reply| Flow {
        offloaded_orig,
        offloaded_reply,
        ..flow(Proto::TCP, 41234, 443)
    };
    let ways = [(false, false), (true, false), (false, true), (true, true)];
    let flows = ways.map(|(orig, reply)| flow(orig, reply)).to_vec();
    let listed = text(&show::Flows(flows));
    let ends: Vec<_> = listed
        .lines()
        .map(|line| line.split("7431s").last())
        .collect();
    let expected = [
        "",
        "  offloaded orig",
        "  offloaded reply",
        "  offloaded both",
    ];
    assert_eq!(ends, expected.map(Some));
    let json = serde_json::to_value(show::Flow(flow(true, false))).unwrap();
    assert_eq!(json["offloaded-orig"], true);
    assert!(json.get("offloaded-reply").is_none());
}

#[test]
fn policies_read_like_the_command_line() {
    let snat = Policy {
        id: Some(1),
        priority: Some(1000),
        action: Some(PolicyAction::Snat),
        src_addr: Some([10, 0, 0, 0].into()),
        src_prefix: Some(8),
        in_group: Some(0),
        out_iface: Some("eth*".into()),
        pool: Some("web".into()),
        flows: Some(3),
        hits: Some(14),
        ..Policy::default()
    };
    let dnat = Policy {
        id: Some(12),
        priority: Some(1000),
        action: Some(PolicyAction::Dnat),
        proto: Some(Proto::TCP),
        dst_port_min: Some(80),
        dst_port_max: Some(89),
        to_addr: Some([10, 0, 0, 80].into()),
        to_port_min: Some(8080),
        mark: Some(1),
        flows: Some(0),
        hits: Some(0),
        ..Policy::default()
    };
    assert_eq!(
        text(&show::Policies(vec![snat, dnat])),
        "ID  PRIORITY  ACTION  MATCH                                     TO              FLOWS  HITS\n \
         1      1000  snat    src 10.0.0.0/8 in-group default out eth*  pool web            3    14\n\
         12      1000  dnat    proto tcp dport 80-89 mark 0x1            10.0.0.80:8080      0     0\n"
    );
    let added = Policy {
        id: Some(3),
        ..Policy::default()
    };
    assert_eq!(
        serde_json::to_string(&show::Added(added.clone())).unwrap(),
        r#"{"id":3}"#
    );
    assert_eq!(text(&show::Added(added)), "policy 3\n");
}

#[test]
fn targets_read_like_the_command_line() {
    let target = |last: u8, weight| Target {
        addr: Some([10, 0, 0, last].into()),
        port_min: Some(80),
        port_max: Some(80),
        weight: Some(weight),
    };
    let policy = |target, balance| Policy {
        action: Some(PolicyAction::Dnat),
        target: Some(target),
        balance: Some(balance),
        ..Policy::default()
    };
    let shown = |policy: Policy| text(&show::Policies(vec![policy]));
    let two = policy(vec![target(1, 1), target(2, 5)], Balance::SourceHash);
    assert!(shown(two).ends_with("  10.0.0.1:80 10.0.0.2:80@5\n"));
    let many = policy(
        (1..=9).map(|last| target(last, 1)).collect(),
        Balance::Random,
    );
    assert!(shown(many).contains("10.0.0.3:80 10.0.0.4:80 and 5 more random"));
}

#[test]
fn a_policy_says_what_expires_otherwise_than_the_settings_say() {
    let lease = Policy {
        id: Some(1),
        expiry: Some(Expiry::Absolute),
        timeout_tcp: Some(86400),
        tcp_fin: true,
        ..Policy::default()
    };
    let usual = Policy {
        id: Some(2),
        expiry: Some(Expiry::Relative),
        ..Policy::default()
    };
    let listed = text(&show::Policies(vec![lease, usual.clone()]));
    let ends: Vec<_> = listed.lines().map(|line| &line[line.len() - 8..]).collect();
    assert_eq!(ends, ["  EXPIRY", " tcp-fin", "     any"]);
    assert!(
        listed.contains("  absolute tcp 86400s tcp-fin\n"),
        "{listed}"
    );
    assert!(
        text(&show::Policies(vec![usual]))
            .starts_with("ID  PRIORITY  ACTION  MATCH  TO  FLOWS  HITS\n")
    );
}

#[test]
fn a_policy_says_what_is_offloaded_otherwise_than_the_settings_say() {
    let policy = |offload, offload_after| Policy {
        id: Some(1),
        offload,
        offload_after,
        ..Policy::default()
    };
    let listed = text(&show::Policies(vec![
        policy(Some(OffloadChoice::Inherit), Some(0)),
        policy(Some(OffloadChoice::Off), None),
        policy(Some(OffloadChoice::On), Some(9)),
        policy(None, Some(5)),
    ]));
    let ends: Vec<_> = listed
        .lines()
        .map(|line| line.split_once("any").map_or("", |(_, end)| end.trim()))
        .collect();
    assert_eq!(ends, ["", "", "off", "on after 9", "after 5"]);
    assert!(listed.lines().next().unwrap().ends_with("OFFLOAD"));
    assert!(!listed.contains("EXPIRY"), "{listed}");
    let usual = text(&show::Policies(vec![policy(None, None)]));
    assert!(!usual.contains("OFFLOAD"), "{usual}");
}

#[test]
fn a_policy_says_who_may_send_unless_everybody_may() {
    let policy = |filtering| Policy {
        id: Some(1),
        filtering,
        ..Policy::default()
    };
    let open = policy(Some(Filtering::EndpointIndependent));
    let usual = text(&show::Policies(vec![open.clone()]));
    assert!(!usual.contains("FILTERING"), "{usual}");
    let closed = policy(Some(Filtering::AddressDependent));
    let listed = text(&show::Policies(vec![open, closed]));
    let ends: Vec<_> = listed
        .lines()
        .map(|line| line.split(' ').next_back())
        .collect();
    assert_eq!(ends[0], Some("FILTERING"));
    assert_eq!(ends[2], Some("address-dependent"));
}

#[test]
fn a_policy_says_what_shares_a_binding_unless_all_does() {
    let listed = |mapping| {
        text(&show::Policies(vec![Policy {
            mapping: Some(mapping),
            ..Policy::default()
        }]))
    };
    assert!(!listed(Mapping::EndpointIndependent).contains("MAPPING"));
    let several = listed(Mapping::AddressAndPortDependent);
    assert!(several.contains("address-and-port-dependent"), "{several}");
}

#[test]
fn a_policy_says_what_each_host_may_have() {
    let policy = Policy {
        id: Some(1),
        subscriber_bindings: Some(20),
        subscriber_rate: Some(5),
        subscriber_flows: Some(0),
        ..Policy::default()
    };
    let listed = text(&show::Policies(vec![policy]));
    assert!(listed.ends_with("  bindings 20 rate 5\n"), "{listed}");
    assert!(listed.contains("EACH HOST"), "{listed}");
}

#[test]
fn pools_and_bindings() {
    let range = Range {
        addr_min: Some([1, 1, 1, 1].into()),
        addr_max: Some([1, 1, 1, 9].into()),
    };
    let pool = Pool {
        name: Some("web".into()),
        range: vec![range],
        port_min: Some(1),
        port_max: Some(65535),
        allocation: Some(Allocation::Random),
        policies: Some(1),
        bindings: Some(20),
        ..Pool::default()
    };
    assert_eq!(
        text(&show::Pools(vec![pool])),
        "NAME  ADDRESSES        PORTS    ALLOCATION  POLICIES  BINDINGS\n\
         web   1.1.1.1-1.1.1.9  1-65535  random             1        20\n"
    );
    let binding = Binding {
        proto: Some(Proto::UDP),
        inside_addr: Some([10, 0, 0, 2].into()),
        inside_port: Some(5000),
        outside_addr: Some([203, 0, 113, 7].into()),
        outside_port: Some(6000),
        policy: Some(1),
        flows: Some(2),
        node: Some(0),
        ..Binding::default()
    };
    let added = Binding {
        flows: Some(0),
        r#static: true,
        expires: Some(3599),
        ..binding.clone()
    };
    assert_eq!(
        text(&show::Bindings(vec![binding, added.clone()])),
        "PROTO  INSIDE         OUTSIDE           POLICY  FLOWS  NODE  STATIC  EXPIRES\n\
         udp    10.0.0.2:5000  203.0.113.7:6000       1      2     0\n\
         udp    10.0.0.2:5000  203.0.113.7:6000       1      0     0  static    3599s\n"
    );
    assert_eq!(
        text(&show::BindingAdded(added)),
        "outside 203.0.113.7:6000\n"
    );
}

#[test]
fn counters_of_zero_are_left_out_unless_asked_for() {
    let node = Node {
        id: Some(0),
        buckets: Some(8),
        flows: Some(2),
        bindings: Some(1),
        translated: Some(1200),
        flows_created: Some(7),
        remote_hits: Some(0),
    };
    let stats = Stats {
        translated: Some(1234),
        drop_ports: Some(0),
        flows: Some(0),
        node: vec![node],
        ..Stats::default()
    };
    let brief = text(&show::Stats {
        stats: stats.clone(),
        all: false,
    });
    assert!(
        brief.starts_with("translated  1234  Ends of packets translated"),
        "{brief}"
    );
    assert!(
        brief.contains("\nflows          0  Flows alive.\n"),
        "{brief}"
    );
    assert!(
        brief.ends_with(
            "\n\nNODE  BUCKETS  FLOWS  BINDINGS  TRANSLATED  FLOWS-CREATED  REMOTE-HITS\n   \
             0        8      2         1        1200              7            0\n"
        ),
        "{brief}"
    );
    assert!(!brief.contains("drop-ports"));
    assert!(
        text(&show::Stats {
            stats: stats.clone(),
            all: true
        })
        .contains("drop-ports")
    );
    let json = serde_json::to_value(show::Stats { stats, all: false }).unwrap();
    assert_eq!(json["drop-ports"], 0);
    assert!(json.get("all").is_none());
}

#[test]
fn settings_have_their_units() {
    let config = Config {
        max_flows: Some(65536),
        timeout_udp: Some(300),
        conntrack: Some(ConntrackMode::Untracked),
        buckets: Some(0),
        events: Some(EventLevel::Flow),
        ..Config::default()
    };
    assert_eq!(
        text(&show::Config(config)),
        "max-flows    65536\ntimeout-udp  300 s\nconntrack    untracked\n\
         buckets      auto\nevents       flow\n"
    );
    let fixed = Config {
        buckets: Some(4096),
        timeout_tcp_transitory: Some(240),
        numa: Some(NumaMode::Home),
        ..Config::default()
    };
    assert_eq!(
        text(&show::Config(fixed)),
        "timeout-tcp-transitory  240 s\nbuckets                 4096 per table\n\
         numa                    home\n"
    );
}

#[test]
fn settings_of_offload() {
    let none = Config {
        offload: Some(OffloadMode::Off),
        offload_after: Some(1),
        offload_exempt_mark: Some(0),
        offload_exempt_mask: Some(0),
        offload_exempt_devices: Some(Devices::default()),
        ..Config::default()
    };
    assert_eq!(
        text(&show::Config(none)),
        "offload              off\noffload-after        1 packet\n\
         offload-exempt-mark  none\noffload-exempt-dev   none\n"
    );
    let some = Config {
        offload: Some(OffloadMode::On),
        offload_after: Some(3),
        offload_exempt_mark: Some(16),
        offload_exempt_mask: Some(0xff),
        offload_exempt_devices: Some(Devices {
            name: vec!["wg0".into(), "lan7".into()],
        }),
        ..Config::default()
    };
    assert_eq!(
        text(&show::Config(some)),
        "offload              on\noffload-after        3 packets\n\
         offload-exempt-mark  0x10/0xff\noffload-exempt-dev   wg0 lan7\n"
    );
}

#[test]
fn devices_with_early_lookup_are_shown_when_there_are_some() {
    let config = |names: &[&str]| {
        show::Config(Config {
            timeout_udp: Some(300),
            early_devices: Some(Devices {
                name: names.iter().map(ToString::to_string).collect(),
            }),
            ..Config::default()
        })
    };
    assert_eq!(text(&config(&[])), "timeout-udp  300 s\n");
    assert_eq!(
        text(&config(&["lan0", "wan0"])),
        "timeout-udp  300 s\nearly-dev    lan0 wan0\n"
    );
    let json = serde_json::to_value(config(&[])).unwrap();
    assert_eq!(json["early-devices"]["name"], serde_json::json!([]));
}

fn refused(errno: i32, message: Option<&str>, attribute: Option<&str>, missing: bool) -> Failure {
    Failure::Netlink(Error::Refused(Refusal {
        errno,
        message: message.map(Into::into),
        attribute: attribute.map(Into::into),
        missing,
        ..Refusal::default()
    }))
}

#[test]
fn a_refused_line_is_named_with_what_was_done_before() {
    let say = |added| {
        let error = Error::Refused(Refusal {
            errno: 2,
            message: Some("there is no such pool".into()),
            attribute: Some("policy.pool".into()),
            ..Refusal::default()
        });
        let place = "some:7".into();
        let failure = Failure::Partly {
            place,
            added,
            error,
        };
        assert_eq!(failure.exit_code(), 1);
        failure.describe("policy load")
    };
    assert_eq!(
        say(0),
        "policy load some:7: there is no such pool (attribute policy.pool): \
         No such file or directory; nothing was added"
    );
    assert!(say(2048).ends_with("; 2048 policies were added before"));
}

#[test]
fn warnings_are_lines_and_not_too_many() {
    let about = |index: u32| Warning {
        index: Some(index),
        text: Some(format!("policy {index}: is hidden")),
    };
    let mut warnings = Warnings::default();
    assert!(warnings.lines().is_empty());
    warnings.add_all(&[about(7)], |index| format!("file:{index}: "));
    assert_eq!(warnings.lines(), ["file:7: policy 7: is hidden"]);
    warnings.add_older(0);
    assert_eq!(warnings.lines().len(), 1);
    warnings.add_older(1);
    assert!(warnings.lines()[1].starts_with("1 older flow of other policies goes on as before; "));
    let many: Vec<_> = (0..20).map(about).collect();
    warnings.add_all(&many, |_| String::new());
    assert_eq!(warnings.lines().len(), 17);
    assert_eq!(warnings.lines()[16], "6 more");
}

#[test]
fn what_was_flushed_is_said() {
    let added = Policy {
        id: Some(3),
        flushed_flows: Some(1),
        ..Policy::default()
    };
    assert_eq!(text(&show::Added(added)), "policy 3\n1 flow removed\n");
    let loaded = show::Loaded {
        id: vec![3, 4],
        older_flows: Some(5),
        flushed_flows: None,
    };
    assert_eq!(text(&loaded), "2 policies added\n");
    assert_eq!(
        serde_json::to_string(&loaded).unwrap(),
        r#"{"id":[3,4],"older-flows":5}"#
    );
}

#[test]
fn refusals_say_why_and_where() {
    let say = |failure: Failure| (failure.exit_code(), failure.describe("policy add"));
    assert_eq!(
        say(refused(22, Some("no such host"), Some("to-addr"), false)),
        (
            1,
            "policy add: no such host (attribute to-addr): Invalid argument".into()
        )
    );
    assert_eq!(
        say(refused(22, None, Some("action"), true)),
        (
            1,
            "policy add: missing attribute action: Invalid argument".into()
        )
    );
    assert_eq!(
        say(refused(17, None, None, false)),
        (1, "policy add: File exists".into())
    );
}

#[test]
fn frequent_failures_have_their_own_status() {
    let not_loaded = Failure::Netlink(Error::NotLoaded);
    assert_eq!(not_loaded.exit_code(), 3);
    assert!(not_loaded.describe("stats").contains("modprobe fastnat"));
    let forbidden = refused(1, None, None, false);
    assert_eq!(forbidden.exit_code(), 4);
    assert!(forbidden.describe("stats").contains("CAP_NET_ADMIN"));
    let about = Failure::About("7".into(), Error::Interrupted);
    assert!(
        about
            .describe("policy del")
            .starts_with("policy del 7: the list changed")
    );
}
