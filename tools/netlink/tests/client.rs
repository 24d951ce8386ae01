// SPDX-License-Identifier: GPL-2.0

//! The client against a kernel of cardboard, which answers from a script.

mod cardboard;

use cardboard::{
    Answer, CAPPED, Cardboard, MULTI, NLMSG_DONE, attribute, done, error, family, message, number,
    reply,
};
use fastnat_netlink::generated::{Command, Config, Policy, Pool, Range};
use fastnat_netlink::{Client, Error, Refusal};

const DUMP_INTR: u16 = 0x10;
const ACK_TLVS: u16 = 0x200;

const MSG: u16 = 1;
const OFFS: u16 = 2;
const MISS_TYPE: u16 = 5;
const MISS_NEST: u16 = 6;

fn client(answers: Vec<Answer>) -> Client<Cardboard> {
    let answers = std::iter::once(family(&[])).chain(answers).collect();
    Client::over(Cardboard {
        answers,
        ..Cardboard::default()
    })
    .expect("the family was answered")
}

fn refusal<R: std::fmt::Debug>(result: Result<R, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn policy(id: u32) -> Policy {
    Policy {
        id: Some(id),
        ..Policy::default()
    }
}

#[test]
fn a_request_returns_its_reply() {
    let mut client = client(vec![Box::new(|request| {
        vec![reply(request, 0, &policy(3)), error(request, 0, 0, &[])]
    })]);
    let added: Option<Policy> = client
        .request(Command::PolicyAdd, &Policy::default())
        .unwrap();
    assert_eq!(added, Some(policy(3)));
}

#[test]
fn an_unknown_family_means_that_the_module_is_not_loaded() {
    let enoent: Answer = Box::new(|request| vec![error(request, 2, 0, &[])]);
    let transport = Cardboard {
        answers: [enoent].into(),
        ..Cardboard::default()
    };
    assert!(matches!(Client::over(transport), Err(Error::NotLoaded)));
}

#[test]
fn a_refusal_names_the_attribute_at_its_offset() {
    for capped in [0, CAPPED] {
        let mut client = client(vec![Box::new(move |request| {
            let tlvs = [attribute(MSG, b"no such pool\0"), number(OFFS, 28)].concat();
            vec![error(request, 22, ACK_TLVS | capped, &tlvs)]
        })]);
        let request = Policy {
            pool: Some("web".into()),
            ..policy(1)
        };
        let refused = refusal(client.request::<Policy>(Command::PolicyAdd, &request));
        let expected = Refusal {
            errno: 22,
            message: Some("no such pool".into()),
            attribute: Some("pool".into()),
            missing: false,
            index: Some(1),
        };
        assert_eq!(refused, expected);
    }
}

/// A pool whose second range begins 20 + 8 + 20 bytes after the request does.
fn two_ranges() -> Pool {
    let range = Range {
        addr_min: Some([1, 1, 1, 9].into()),
        addr_max: Some([1, 1, 1, 1].into()),
    };
    Pool {
        name: Some("web".into()),
        range: vec![range.clone(), range],
        ..Pool::default()
    }
}

fn refuse_pool(tlvs: Vec<u8>) -> Refusal {
    let mut client = client(vec![Box::new(move |request| {
        vec![error(request, 22, ACK_TLVS | CAPPED, &tlvs)]
    })]);
    refusal(client.request::<Pool>(Command::PoolAdd, &two_ranges()))
}

#[test]
fn offsets_lead_into_nests() {
    let name = |offset| refuse_pool(number(OFFS, offset)).attribute;
    assert_eq!(name(20).as_deref(), Some("name"));
    assert_eq!(name(48).as_deref(), Some("range"));
    assert_eq!(name(52).as_deref(), Some("range.addr-min"));
    assert_eq!(name(60).as_deref(), Some("range.addr-max"));
    assert_eq!(name(4000), None);
    let index = |offset| refuse_pool(number(OFFS, offset)).index;
    assert_eq!([20, 28, 48, 60].map(index), [0, 1, 2, 2].map(Some));
    assert_eq!(index(4000), None);
}

#[test]
fn a_missing_attribute_is_named_in_its_nest() {
    let outside = refuse_pool(number(MISS_TYPE, 3));
    assert_eq!(
        (outside.attribute.as_deref(), outside.missing),
        (Some("port-min"), true)
    );
    let inside = refuse_pool([number(MISS_TYPE, 1), number(MISS_NEST, 48)].concat());
    assert_eq!(
        (inside.attribute.as_deref(), inside.missing),
        (Some("range.addr-min"), true)
    );
}

#[test]
fn a_remark_on_success_is_kept() {
    let mut client = client(vec![Box::new(|request| {
        vec![error(
            request,
            0,
            ACK_TLVS | CAPPED,
            &attribute(MSG, b"rounded up\0"),
        )]
    })]);
    client
        .request::<Config>(Command::ConfigSet, &Config::default())
        .unwrap();
    assert_eq!(client.take_warnings(), ["rounded up"]);
    assert!(client.take_warnings().is_empty());
}

#[test]
fn a_list_spans_datagrams_and_ignores_strangers() {
    let mut client = client(vec![Box::new(|request| {
        let mut stranger = reply(request, MULTI, &policy(99));
        stranger[8] ^= 0x40;
        let first = [stranger, reply(request, MULTI, &policy(1))].concat();
        vec![first, reply(request, MULTI, &policy(2)), done(request, 0)]
    })]);
    let policies: Vec<Policy> = client.dump(Command::PolicyGet).unwrap();
    assert_eq!(policies, [policy(1), policy(2)]);
}

#[test]
fn an_interrupted_list_is_read_again() {
    let mut client = client(vec![
        Box::new(|request| vec![reply(request, MULTI, &policy(1)), done(request, DUMP_INTR)]),
        Box::new(|request| vec![reply(request, MULTI, &policy(2)), done(request, 0)]),
    ]);
    let policies: Vec<Policy> = client.dump(Command::PolicyGet).unwrap();
    assert_eq!(policies, [policy(2)]);
}

#[test]
fn a_list_that_never_holds_still_is_reported() {
    let interrupted = || -> Answer { Box::new(|request| vec![done(request, DUMP_INTR)]) };
    let mut client = client((0..5).map(|_| interrupted()).collect());
    assert!(matches!(
        client.dump::<Policy>(Command::PolicyGet),
        Err(Error::Interrupted)
    ));
}

#[test]
fn a_list_may_be_refused_at_its_end() {
    let mut client = client(vec![Box::new(|request| {
        let payload = [&(-12i32).to_ne_bytes()[..], &attribute(MSG, b"no memory\0")].concat();
        vec![message(request, NLMSG_DONE, MULTI | ACK_TLVS, &payload)]
    })]);
    let refused = refusal(client.dump::<Policy>(Command::PolicyGet));
    assert_eq!(
        (refused.errno, refused.message.as_deref()),
        (12, Some("no memory"))
    );
}
