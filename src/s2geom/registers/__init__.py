# SPDX-License-Identifier: MIT
"""Words that program stage 2, or report a fault, in a CPU or an SMMU.

`vtcr` and `vttbr` have the two registers of a CPU, `ste` the stream table entry of an
SMMU, with its fields in `ste_fields` and what an SMMU refuses in `ste_rules`.
`shape_fields` has the fields that VTCR_EL2 and an STE share, and `root` where a
root may be and how BADDR holds it. `esr` reads the syndrome of a guest's fault, by the
codes of `fault_status`. `nested_dump` reads what KVM writes about its nested tables.

New here: a bit of VTCR_EL2 or VTTBR_EL2, an SMMU rule, a syndrome register.
"""
