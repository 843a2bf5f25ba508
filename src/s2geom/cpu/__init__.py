# SPDX-License-Identifier: MIT
"""What the Arm architecture allows on a CPU.

`cpu` has `Cpu`: what it can do, what it allows and the shapes to choose from. `rules`
has the rules that `Cpu.check` applies. `sizes` has the constants of the architecture:
widths, T0SZ, start levels. `id_registers` has the four ID_AA64MMFR registers as
declared fields, and reads a CPU from them.

New here: a rule of the architecture, an architectural constant, an ID register field.
"""
