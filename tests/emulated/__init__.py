# SPDX-License-Identifier: MIT
"""Emulated Arm CPUs as test oracles: one interface over Unicorn and QEMU.

Nothing here imports s2geom, so that a test may hold one against the other.
"""
