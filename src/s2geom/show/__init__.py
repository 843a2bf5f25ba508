# SPDX-License-Identifier: MIT
"""What a notebook draws: HTML tables and SVG pictures.

`notebook` says which value shows what. The pictures, one room each: `ruler` (the bits
of an IPA), `tree` (the tables), `register` (a word's fields), `chart` (what is
supported). `svg` draws shapes and colours, `html` writes tables, and `facts` has what
is said of a shape under which label.

New here: a picture, or another value that shows itself.
"""
