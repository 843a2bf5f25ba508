# SPDX-License-Identifier: MIT
"""Words that program stage 2, or tell of a fault, in a CPU or an SMMU.

`vtcr` and `vttbr` have the two registers of a CPU, `ste` the stream table entry of an
SMMU. `shape_fields` has the fields that VTCR_EL2 and an STE share, and `root` where a
root may be and how BADDR holds it. `nested_dump` reads the names of KVM's nested dumps.

New here: a bit of VTCR_EL2 or VTTBR_EL2, an SMMU rule, a syndrome register.
"""
