# SPDX-License-Identifier: MIT
"""Commands for gdb, connected to a QEMU that emulates EL2.

`script` is the file that a user gives to gdb's ``source``; it makes `commands` known to
gdb: ``s2 regs``, ``s2 walk`` and ``s2 dump``. gdb's own Python runs them, which is
another one than the user's, so they need no more than the package and attrs.

New here: another command for gdb.
"""
