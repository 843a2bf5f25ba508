# SPDX-License-Identifier: MIT
"""Bytes of stage-2 tables as they are read.

`layout` says which bits of a descriptor hold the address, `attributes` what the others
say, and `descriptor` has both as one value. `memory` is bytes at physical addresses.
`regime` is what a walk knows before it has an address; `walk` follows one IPA, `faults`
is how that ends badly, and `scan` lists all mappings, with its loops in `scan_engine`.
`kernel_dump` is KVM's own text about tables, read and written.

New here: a descriptor attribute, a kind of fault, another way to read tables.
"""
