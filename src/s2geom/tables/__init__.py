# SPDX-License-Identifier: MIT
"""Bytes of stage-2 tables as they are read.

`layout` says which bits of a descriptor hold the address, `attributes` what the other
bits mean, and `descriptor` has both as one value. `memory` is bytes at physical
addresses. `regime` is what a walk knows before it has an address; `walk` translates one
IPA, `trace` tells every lookup of it, and `faults` has the ways in which it fails.
`scan` lists all mappings, with its loops in `scan_engine`, and `columns` lists them as
arrays.
`kernel_dump` is KVM's own text about tables, read and written.

New here: a descriptor attribute, a kind of fault, another way to read tables.
"""
