# SPDX-License-Identifier: MIT
"""Values and rules that know no CPU, no kernel and no bytes of tables.

`granule` and `geometry` are the arithmetic of a shape, and `address_form` says where
physical addresses have 52 bits. `rules` turns rows of limits into violations, and
`errors` has the violations and the exceptions. `fields` declares
a register as named bits. `numbers` reads what a caller passes, `units` reads and writes
sizes, `wording` writes the words of messages. `public` marks public names and loads
them, and `display` is how values reach a notebook.

New here: a property of a shape, a way to read an argument, a word of all messages.
"""
