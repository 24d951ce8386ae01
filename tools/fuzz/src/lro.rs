// SPDX-License-Identifier: GPL-2.0

//! Segments, whatever their bytes: what is written into an aggregate lies in the TCP header, and can
//! be taken back.

use fastnat_nat::nat::lro::{Fit, Held, Segment, difference, fit};

use crate::input::Input;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input(data);
    let (how, more, mss) = (input.u8(), input.u8(), input.u16());
    let (payload, first) = (input.u16(), usize::from(input.u8()));
    let rest = input.rest();
    let (held_headers, bytes) = rest.split_at(first.min(rest.len()));
    let (mut held_headers, mut bytes) = (held_headers.to_vec(), bytes.to_vec());
    let len = bytes.len() + usize::from(more);
    if how & 1 == 1 {
        tell_length(&mut bytes, len);
    }
    if how & 2 == 2 {
        held_headers = before(&bytes, payload);
    }
    let (bytes, held_headers) = (&bytes[..], &held_headers[..]);
    let Ok(segment) = Segment::read(bytes, len) else {
        return;
    };
    assert!(segment.payload <= len);
    let held = Held {
        headers: held_headers,
        payload: payload.into(),
        mss: mss.into(),
        segments: 1 + usize::from(more & 7),
    };
    let _ = (
        segment.refusal(),
        segment.ending(),
        difference(&segment, bytes, &held),
    );
    let mut headers = held_headers.to_vec();
    let written = segment.changing().put(&segment, &mut headers).is_some();
    if !written {
        assert_eq!(headers, held_headers);
    }
    if segment.refusal().is_some() {
        return;
    }
    match fit(&segment, &held) {
        Ok(Fit::Newer(old)) => {
            assert!(written && segment.payload <= held.mss);
            assert!(old.put(&segment, &mut headers).is_some());
            assert_eq!(headers, held_headers);
        }
        Ok(Fit::Same) => {
            assert!(written && segment.payload <= held.mss);
            assert_eq!(headers, held_headers);
        }
        Err(_) => (),
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// The right length into the IP header: what has a wrong one is not looked at any further.
fn tell_length(bytes: &mut [u8], len: usize) {
    match bytes.first().map(|byte| byte >> 4) {
        Some(6) => put(bytes, 4, &(len.saturating_sub(40) as u16).to_be_bytes()),
        _ => put(bytes, 2, &(len as u16).to_be_bytes()),
    }
}

/// The headers of the segment before, with so many bytes of payload.
fn before(bytes: &[u8], payload: u16) -> Vec<u8> {
    let mut headers = bytes.to_vec();
    let at = if bytes.first().is_some_and(|byte| byte >> 4 == 6) {
        44
    } else {
        24
    };
    if let Some(seq) = bytes.get(at..at + 4).and_then(|seq| seq.first_chunk()) {
        let seq = u32::from_be_bytes(*seq).wrapping_sub(payload.into());
        put(&mut headers, at, &seq.to_be_bytes());
    }
    headers
}
