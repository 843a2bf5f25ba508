# SPDX-License-Identifier: MIT
"""What Linux KVM chooses or refuses, and since which commit.

`limits` has every limit as a row, with the commits of `changes` that brought and ended
it. `scheme` has the five eras, and `releases` what a release number says of the code.
`question` asks the rows and `ways` finds what leads out of a refusal. `choose` is their
public face, `stage2` and `check`, and `host` asks them for one kernel. `fake` is the
design before v4.7, `macros` the kernel's own names for the numbers, and `leaf` the size
of a stage-2 leaf under a huge page.

New here: a KVM limit, a kernel release, a vendor's release, a macro of the kernel.
"""
