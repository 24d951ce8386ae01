// SPDX-License-Identifier: GPL-2.0

//! What a person and a program read of events.

use std::time::{Duration, SystemTime};

use fastnat::output::Text;
use fastnat::show::{Line, Mark, What};
use fastnat_netlink::generated::{Binding, Event, Flow, Group, Limit, Tuple};
use fastnat_netlink::{Proto, Reason};

const TIME: &str = "2024-05-06T07:08:09.012Z  ";

fn line(what: What) -> Line {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_714_979_289_012);
    Line { time, what }
}

/// The line without its time.
fn text(what: What) -> String {
    let mut out = Vec::new();
    line(what).text(&mut out).expect("memory");
    let text = String::from_utf8(out).expect("text");
    let text = text.strip_prefix(TIME).expect("the time comes first");
    text.strip_suffix('\n').expect("a whole line").into()
}

fn json(what: What) -> String {
    let json = serde_json::to_string(&line(what)).expect("plain values");
    let rest = json.strip_prefix(r#"{"time":"2024-05-06T07:08:09.012Z","#);
    rest.expect("the time comes first").into()
}

fn binding() -> Binding {
    Binding {
        proto: Some(Proto::UDP),
        inside_addr: Some([10, 0, 0, 2].into()),
        inside_port: Some(5000),
        outside_addr: Some([203, 0, 113, 7].into()),
        outside_port: Some(6000),
        policy: Some(1),
        node: Some(1),
        r#static: true,
        expires: Some(60),
        seq: Some(9),
        ..Binding::default()
    }
}

#[test]
fn bindings() {
    let event = || What::Event(Event::BindingCreated(binding()));
    assert_eq!(
        text(event()),
        "binding created  udp 10.0.0.2:5000 as 203.0.113.7:6000 policy 1 static expires 60s node 1"
    );
    assert_eq!(
        json(event()),
        concat!(
            r#""event":"binding-created","proto":"udp","inside-addr":"10.0.0.2","#,
            r#""inside-port":5000,"outside-addr":"203.0.113.7","outside-port":6000,"#,
            r#""policy":1,"node":1,"static":true,"expires":60,"seq":9}"#
        )
    );
}

#[test]
fn flows() {
    let tuple = |src: [u8; 4]| Tuple {
        src_addr: Some(src.into()),
        src_port: Some(7),
        dst_addr: Some([198, 51, 100, 9].into()),
        dst_port: Some(0),
    };
    let flow = Flow {
        proto: Some(Proto::ICMP),
        orig: Some(tuple([10, 0, 0, 2])),
        translated: Some(tuple([203, 0, 113, 7])),
        policy: Some(1),
        node: Some(0),
        ..Flow::default()
    };
    assert_eq!(
        text(What::Event(Event::FlowEnded(flow))),
        "flow ended       icmp 10.0.0.2:7 -> 198.51.100.9 as 203.0.113.7:7 -> 198.51.100.9 policy 1"
    );
}

#[test]
fn limits_name_the_counter() {
    let known = fastnat_netlink::Attributes::numbers(&fastnat_netlink::generated::Stats {
        drop_ports: Some(1),
        ..Default::default()
    });
    let reason = Reason(known[0].0.kind.into());
    let of = |reason, inside_addr| {
        What::Event(Event::Limit(Limit {
            seq: Some(1),
            reason: Some(reason),
            count: Some(12),
            inside_addr,
        }))
    };
    let event = |reason| of(reason, None);
    assert_eq!(
        text(event(reason)),
        "limit            drop-ports 12  Dropped, no outside port was free in the pool."
    );
    assert_eq!(
        json(event(reason)),
        r#""event":"limit","seq":1,"reason":"drop-ports","count":12}"#
    );
    assert_eq!(text(event(Reason(999))), "limit            999 12");
    let host = Some([10, 0, 0, 2].into());
    assert_eq!(
        text(of(reason, host)),
        "limit            drop-ports 12 for 10.0.0.2  Dropped, no outside port was free in the pool."
    );
    let json = json(of(reason, host));
    assert!(json.ends_with(r#""count":12,"inside-addr":"10.0.0.2"}"#));
}

#[test]
fn what_is_lost_is_said() {
    let lost = || {
        What::Mark(Mark::Lost {
            group: Group::Binding,
            count: 3,
        })
    };
    assert_eq!(text(lost()), "lost             events of binding: 3");
    assert_eq!(
        json(lost()),
        r#""event":"lost","group":"binding","count":3}"#
    );
    let overrun = text(What::Mark(Mark::Overrun));
    assert!(
        overrun.starts_with("lost             they came faster"),
        "{overrun}"
    );
    assert_eq!(json(What::Mark(Mark::Overrun)), r#""event":"overrun"}"#);
}

#[test]
fn what_lives_is_marked() {
    assert_eq!(text(What::Mark(Mark::ResyncBegin)), "resync begins");
    let listed = Binding {
        r#static: false,
        ..binding()
    };
    assert!(text(What::Mark(Mark::BindingListed(listed.clone()))).starts_with("binding listed   "));
    let json = json(What::Mark(Mark::BindingListed(listed)));
    assert!(
        json.starts_with(r#""event":"binding-listed","proto":"udp""#),
        "{json}"
    );
    let groups = vec![Group::Limit, Group::Flow];
    assert_eq!(
        text(What::Mark(Mark::Listening { groups })),
        "listening        limit flow"
    );
}
