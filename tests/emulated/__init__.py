# SPDX-License-Identifier: MIT
"""Emulated Arm CPUs as test oracles: one interface over Unicorn and QEMU.

Nothing here imports s2geom but the tests and `library`, which makes one more CPU of it:
so one can be held against the other.
"""
