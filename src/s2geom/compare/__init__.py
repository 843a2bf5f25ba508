# SPDX-License-Identifier: MIT
"""Many answers beside each other.

`shape_facts` has what is compared of a shape: each fact with its name, its label and
how it is written. `policies` has what each hypervisor and driver chooses from the same
inputs. `survey` has answers over many inputs as flat rows, and what differs between two
kernels.

New here: a fact of a shape, the policy of another hypervisor, a column of a survey.
"""
