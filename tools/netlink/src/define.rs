// SPDX-License-Identifier: GPL-2.0

//! The three forms in which `generated.rs` states the specification.

/// An attribute set: a struct, its table for names, and its coding.
macro_rules! attribute_set {
    (
        $(#[doc = $set_doc:literal])*
        $name:ident = $set:literal {
            $($(#[doc = $doc:literal])* $kind:literal $field:ident: $type:ty = $attr:literal,)*
        }
    ) => {
        $(#[doc = $set_doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct $name {
            $(
                $(#[doc = $doc])*
                #[serde(skip_serializing_if = "crate::Field::omitted")]
                pub $field: $type,
            )*
        }

        impl crate::Attributes for $name {
            const SET: &'static crate::Set = &crate::Set {
                name: $set,
                attrs: &[$(crate::Attr {
                    kind: $kind,
                    name: $attr,
                    doc: concat!($($doc,)*).trim_ascii(),
                    nested: <$type as crate::Field>::NESTED,
                },)*],
            };

            fn emit(&self, out: &mut Vec<u8>) {
                $(crate::Field::emit(&self.$field, $kind, out);)*
            }

            fn absorb(&mut self, kind: u16, payload: &[u8]) -> Result<(), crate::DecodeError> {
                match kind {
                    $($kind => {
                        let read = crate::Field::absorb(&mut self.$field, payload);
                        netlink_packet_core::ErrorContext::context(read, concat!($set, " ", $attr))
                    })*
                    _ => Ok(()),
                }
            }

            fn numbers(&self) -> Vec<(&'static crate::Attr, u64)> {
                let values = [$(crate::Field::number(&self.$field),)*];
                let attrs = <Self as crate::Attributes>::SET.attrs;
                attrs.iter().zip(values).filter_map(|(attr, value)| Some((attr, value?))).collect()
            }
        }
    };
}

/// An enum of the specification, a u32 on the wire and a name everywhere else.
macro_rules! wire_enum {
    (
        $(#[doc = $enum_doc:literal])*
        $name:ident = $spec:literal {
            $($(#[doc = $doc:literal])* $entry:ident = $value:literal $text:literal,)*
        }
    ) => {
        $(#[doc = $enum_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[doc = $doc])* $entry = $value,)*
        }

        impl $name {
            /// All entries, in the order of the specification.
            pub const ALL: &'static [Self] = &[$(Self::$entry,)*];

            /// Its name in the specification.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$entry => $text,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let found = Self::ALL.iter().find(|entry| entry.name() == text);
                found.copied().ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|entry| entry.name()).collect();
                    format!("use one of: {}", names.join(", "))
                })
            }
        }

        impl crate::Value for $name {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend((*self as u32).to_ne_bytes());
            }

            fn read(payload: &[u8]) -> Result<Self, crate::DecodeError> {
                match u32::read(payload)? {
                    $($value => Ok(Self::$entry),)*
                    other => Err(format!("unknown {} {other}", $spec).into()),
                }
            }
        }
    };
}

/// The groups of events, and the events, each of which has an attribute set that holds a `seq`.
macro_rules! events {
    (
        groups {
            $($group:ident = $group_name:literal,)*
        }
        $($(#[doc = $doc:literal])* $value:literal $event:ident($set:ident) = $name:literal in $in:ident,)*
    ) => {
        /// The groups to which events are sent.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Group {
            $(#[doc = concat!("The group `", $group_name, "`.")] $group,)*
        }

        impl Group {
            /// Its name in the specification.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$group => $group_name,)*
                }
            }
        }

        /// What has happened.
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
        #[serde(tag = "event", rename_all = "kebab-case")]
        pub enum Event {
            $($(#[doc = $doc])* $event($set),)*
        }

        impl Event {
            /// Reads the attributes of `command`, if that is an event.
            pub(crate) fn parse(
                command: u8,
                attributes: &[u8],
            ) -> Result<Option<Self>, crate::DecodeError> {
                match command {
                    $($value => crate::Attributes::parse(attributes).map(Self::$event).map(Some),)*
                    _ => Ok(None),
                }
            }

            /// Its name in the specification, without the ending `-ntf`.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$event(_) => $name,)*
                }
            }

            /// The group that it was sent to.
            pub const fn group(&self) -> Group {
                match self {
                    $(Self::$event(_) => Group::$in,)*
                }
            }

            /// Its number in the group.
            pub const fn seq(&self) -> Option<u32> {
                match self {
                    $(Self::$event(set) => set.seq,)*
                }
            }
        }
    };
}
