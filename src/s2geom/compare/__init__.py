# SPDX-License-Identifier: MIT
"""Many answers beside each other.

`policies` has what each hypervisor and driver chooses from the same inputs, a row for
each rule of theirs. `survey` has answers over many inputs as flat rows, and what
differs between two kernels.

New here: the policy of another hypervisor, a column of a survey.
"""
