# SPDX-License-Identifier: MIT
"""Values and rules that know no CPU, no kernel and no bytes of tables.

`granule`, `geometry` and `levels` are the arithmetic of a shape. `rules` turns rows of
limits into violations, and `errors` has the violations and the exceptions. `fields`
declares a register as named bits. `numbers` reads what a caller passes, `units` reads
and writes sizes, `wording` writes the words of messages. `public`, `door` and `display`
are how the package shows itself: to users, to importers and to notebooks.

New here: a property of a shape, a way to read an argument, a word of all messages.
"""
