# SPDX-License-Identifier: MIT
"""Bytes of stage-2 tables as they are made, and how many there are.

`builder` has `TableBuilder`. `cover` decides which pages, blocks and contiguous groups
map a range, as the runs of `leaves`; `leaf_words` makes descriptors of them, `tree`
writes them into tables, and `word_runs` stores long runs of equal or counting
descriptors. `footprint` counts tables and bytes before any table exists.

New here: a change that a builder makes to tables, a figure about their size.
"""
