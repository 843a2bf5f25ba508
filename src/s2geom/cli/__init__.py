# SPDX-License-Identifier: MIT
"""The `s2geom` command: arguments in, a report out.

`main` has the commands and runs one. `options` has every option once, and `report`
writes an answer as text, JSON or CSV. The commands: `kernel` (show, split, macros,
config, fit), `cpu` (choices, compare), `decode` (register words), `tables` (build,
walk, dump, footprint). `which_kernel` says which kernel is asked, and `memory_map`
reads the regions of a map.

New here: a command, an option, a format of input or output.
"""
