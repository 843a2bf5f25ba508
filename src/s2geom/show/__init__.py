# SPDX-License-Identifier: MIT
"""What a notebook draws: HTML tables and SVG pictures.

`notebook` says which value is shown how. A module each: `ruler` (the bits of an IPA),
`tree` (a shape's tables), `register` (a word's fields), `chart` (what a host supports),
`refusal` (a limit that is broken), `choices` (shapes beside each other), `lookups` (an
address on its way), `space` (what of an IPA space is mapped), `footprint` (the memory
of tables). `svg` draws shapes, rows of bits and colours, and `html` writes tables.

New here: a picture, or another value that shows itself.
"""
