// SPDX-License-Identifier: GPL-2.0

//! Generic netlink messages.

use std::convert::Infallible;

use netlink_packet_core::{
    DecodeError, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable,
};

const NETLINK_HEADER_LEN: usize = 16;
const GENERIC_HEADER_LEN: usize = 4;

/// Bytes of a generic netlink message before its first attribute.
pub(crate) const HEADERS_LEN: usize = NETLINK_HEADER_LEN + GENERIC_HEADER_LEN;

/// A generic netlink message without its netlink header.
#[derive(Debug)]
pub(crate) struct Generic {
    /// Number of the family.
    pub family: u16,
    /// Command of the family.
    pub command: u8,
    /// Version of the family.
    pub version: u8,
    /// The attributes as they are on the wire.
    pub attributes: Vec<u8>,
}

impl NetlinkSerializable for Generic {
    fn message_type(&self) -> u16 {
        self.family
    }

    fn buffer_len(&self) -> usize {
        GENERIC_HEADER_LEN + self.attributes.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer[..GENERIC_HEADER_LEN].copy_from_slice(&[self.command, self.version, 0, 0]);
        buffer[GENERIC_HEADER_LEN..].copy_from_slice(&self.attributes);
    }
}

impl NetlinkDeserializable for Generic {
    type Error = Infallible;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, Infallible> {
        Ok(Self {
            family: header.message_type,
            command: payload.first().copied().unwrap_or_default(),
            version: payload.get(1).copied().unwrap_or_default(),
            attributes: payload
                .get(GENERIC_HEADER_LEN..)
                .unwrap_or_default()
                .to_vec(),
        })
    }
}

/// The messages of a datagram, up to the first that makes no sense.
pub(crate) fn decode(
    mut datagram: &[u8],
) -> impl Iterator<Item = Result<NetlinkMessage<Generic>, DecodeError>> {
    std::iter::from_fn(move || {
        if datagram.is_empty() {
            return None;
        }
        let message = NetlinkMessage::deserialize(datagram);
        let next = message.as_ref().ok().and_then(|message| {
            datagram.get((message.header.length as usize).next_multiple_of(4)..)
        });
        datagram = next.unwrap_or_default();
        Some(message)
    })
}

/// The bytes of a request.
pub(crate) fn encode(message: Generic, flags: u16, sequence: u32) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}
