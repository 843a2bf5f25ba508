# SPDX-License-Identifier: MIT
"""The `s2geom` command: arguments in, a report out.

`main` runs one command. `commands` has the tables of commands and of their options, and
the parser; `options` says how the text of one is read. `report` is an answer as text,
JSON or CSV, and `channels` is what goes in and out: standard output, files. The
commands themselves: `shape_commands` (show, split, macros, choices, compare),
`config_command`, `decode_command` (registers' words), `map_commands` (fit, build,
footprint) and `image_commands` (walk, dump). `kernel_question` says which kernel is
asked, and `memory_map` reads regions.

New here: a command, an option, a format of input or output.
"""
