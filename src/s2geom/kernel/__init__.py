# SPDX-License-Identifier: MIT
"""What Linux KVM chooses or refuses, and since which commit.

`scheme` has the five eras, `changes` the commits that brought and ended each limit, and
`limits` every limit as a row. `choose` answers `stage2`, `check` and `Host` from them.
`fake` is the design before v4.7, `macros` the kernel's own names for the numbers, and
`leaf` the size of a stage-2 leaf under a huge page.

New here: a KVM limit, a kernel release, a macro of the kernel.
"""
