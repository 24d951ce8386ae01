// SPDX-License-Identifier: GPL-2.0

//! A listener, and a kernel of cardboard that loses events.

mod cardboard;

use std::io;
use std::rc::Rc;
use std::time::Duration;

use cardboard::{Cardboard, FAMILY, SECRET, attribute, family, message};
use fastnat_netlink::generated::{Binding, Event, Group, Limit};
use fastnat_netlink::{Attributes, Error, Monitor, Notice, Reason};

const LIMIT: u8 = 17;
const BINDING_CREATED: u8 = 18;
const BINDING_ENDED: u8 = 19;
const ENOBUFS: i32 = 105;

/// An event, which answers no request.
fn event(command: u8, attributes: &impl Attributes) -> Vec<u8> {
    let mut payload = vec![command, 1, 0, 0];
    attributes.emit(&mut payload);
    message(&[0; 16], FAMILY, 0, &payload)
}

fn binding(seq: u32) -> Binding {
    Binding {
        seq: Some(seq),
        ..Binding::default()
    }
}

fn created(seq: u32) -> io::Result<Vec<u8>> {
    Ok(event(BINDING_CREATED, &binding(seq)))
}

fn limit(seq: u32) -> Limit {
    Limit {
        seq: Some(seq),
        reason: Some(Reason(15)),
        count: Some(7),
        ..Limit::default()
    }
}

fn listen(groups: &[Group], events: Vec<io::Result<Vec<u8>>>) -> Result<Monitor<Cardboard>, Error> {
    let transport = Cardboard {
        answers: [family(&[("limit", 30), ("binding", 31), ("flow", SECRET)])].into(),
        events: events.into(),
        ..Cardboard::default()
    };
    let joined = Rc::clone(&transport.joined);
    let monitor = Monitor::over(transport, groups)?;
    assert_eq!(joined.borrow().last(), Some(&0x10), "the end of families");
    Ok(monitor)
}

/// All notices up to the first wait in vain, after which what is missing is given up.
fn notices(events: Vec<io::Result<Vec<u8>>>) -> Vec<Notice> {
    let mut monitor = listen(&[Group::Binding, Group::Limit], events).expect("groups");
    std::iter::from_fn(|| monitor.next(None).expect("a notice")).collect()
}

/// What is lost before which event.
fn losses(events: Vec<io::Result<Vec<u8>>>) -> Vec<(Group, u32)> {
    let notices = notices(events).into_iter();
    let lost = notices.filter_map(|notice| match notice {
        Notice::Lost(group, count) => Some((group, count)),
        _ => None,
    });
    lost.collect()
}

#[test]
fn events_are_typed() {
    let datagram = [
        event(BINDING_ENDED, &binding(4)),
        event(LIMIT, &limit(1)),
        event(200, &limit(2)),
    ];
    let expected = [Event::BindingEnded(binding(4)), Event::Limit(limit(1))];
    assert_eq!(
        notices(vec![Ok(datagram.concat())]),
        expected.map(Notice::Event)
    );
}

#[test]
fn groups_are_joined_by_their_numbers() {
    let transport = Cardboard {
        answers: [family(&[("limit", 30), ("binding", 31)])].into(),
        ..Cardboard::default()
    };
    let joined = Rc::clone(&transport.joined);
    Monitor::over(transport, &[Group::Binding, Group::Limit]).expect("groups");
    assert_eq!(*joined.borrow(), [31, 30, 0x10]);
}

#[test]
fn a_group_may_be_refused_or_unknown() {
    match listen(&[Group::Flow], Vec::new()).err() {
        Some(Error::Refused(refusal)) => assert_eq!((refusal.errno, refusal.message), (1, None)),
        other => panic!("{other:?}"),
    }
    let old = Cardboard {
        answers: [family(&[])].into(),
        ..Cardboard::default()
    };
    let error = Monitor::over(old, &[Group::Limit]).err();
    assert!(matches!(error, Some(Error::NoGroup("limit"))), "{error:?}");
}

#[test]
fn numbers_that_are_missing_are_counted() {
    assert_eq!(losses(vec![created(5), created(6), created(7)]), []);
    assert_eq!(
        losses(vec![created(5), created(9), created(10), created(12)]),
        [(Group::Binding, 4)]
    );
    assert_eq!(
        losses(vec![created(u32::MAX), created(0), created(2)]),
        [(Group::Binding, 1)]
    );
}

#[test]
fn a_small_loss_is_told_after_a_silence_and_a_large_one_at_once() {
    let event = |seq| Notice::Event(Event::BindingCreated(binding(seq)));
    let lost = |count| Notice::Lost(Group::Binding, count);
    let small = notices(vec![created(5), created(7)]);
    assert_eq!(small, [event(5), event(7), lost(1)]);
    let large = notices(vec![created(5), created(1006), created(1007)]);
    assert_eq!(large, [event(5), lost(1000), event(1006), event(1007)]);
}

#[test]
fn a_short_wait_does_not_give_up() {
    let events = vec![created(5), created(7)];
    let mut monitor = listen(&[Group::Binding], events).expect("groups");
    let mut next = |timeout| monitor.next(timeout).expect("no error");
    let short = Some(Duration::from_millis(1));
    assert!(next(short).is_some() && next(short).is_some());
    assert_eq!(next(short), None);
    assert_eq!(next(None), Some(Notice::Lost(Group::Binding, 1)));
}

#[test]
fn groups_have_numbers_of_their_own() {
    let other = || Ok(event(LIMIT, &limit(70)));
    assert_eq!(losses(vec![created(5), other(), created(6)]), []);
}

#[test]
fn what_was_overtaken_is_not_lost() {
    let late = vec![created(5), created(7), created(6), created(8)];
    assert_eq!(losses(late), []);
}

#[test]
fn an_overrun_is_told_and_then_counted() {
    let overrun = Err(io::Error::from_raw_os_error(ENOBUFS));
    let told = notices(vec![created(5), overrun, created(6), created(50)]);
    assert_eq!(told[1], Notice::Overrun);
    assert_eq!(told.last(), Some(&Notice::Lost(Group::Binding, 43)));
}

#[test]
fn a_wait_may_be_cut_short() {
    let interrupted = Err(io::ErrorKind::Interrupted.into());
    let mut monitor = listen(&[Group::Binding], vec![interrupted, created(1)]).expect("groups");
    assert_eq!(monitor.next(None).expect("no error"), None);
    assert!(monitor.next(None).expect("an event").is_some());
}

#[test]
fn the_end_of_the_module_is_noticed() {
    let gone = |family: u16| {
        let id = attribute(1, &family.to_ne_bytes());
        Ok(message(
            &[0; 16],
            0x10,
            0,
            &[&[2, 2, 0, 0], &id[..]].concat(),
        ))
    };
    let events = vec![gone(FAMILY + 1), gone(FAMILY)];
    let mut monitor = listen(&[Group::Binding], events).expect("groups");
    assert_eq!(monitor.next(None).expect("another family"), None);
    assert!(matches!(monitor.next(None), Err(Error::NotLoaded)));
}
