# SPDX-License-Identifier: MIT
"""What the Arm architecture allows on a CPU.

`cpu` has `Cpu`, the rules that its `check` applies, and the shapes it can choose from.
`sizes` has the constants of the architecture: widths, T0SZ, start levels.
`id_registers` has the four ID_AA64MMFR registers as declared fields.

New here: a rule of the architecture, an architectural constant, an ID register field.
"""
