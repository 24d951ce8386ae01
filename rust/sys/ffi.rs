// SPDX-License-Identifier: GPL-2.0

//! What bindgen made of `include/fastnat/shim.h`. Types of the kernel without members are not C to
//! rustc, hence `improper_ctypes`.

#![allow(
    clippy::all,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    improper_ctypes,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

include!(env!("FASTNAT_BINDINGS"));
