# SPDX-License-Identifier: MIT
"""What a notebook draws: HTML tables and SVG pictures.

`notebook` says which value is shown how. A room each: `ruler` (the bits of an IPA),
`tree` (a shape's tables), `register` (a word's fields), `chart` (what is supported),
`hosts` (a host or a configuration), `choices` (what a policy chooses), `footprint` (the
memory of tables). `svg` draws shapes and colours, and `html` writes tables.

New here: a picture, or another value that shows itself.
"""
