/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor in twenty instructions: it loads the registers of stage 2 and of EL2's
 * own stage 1 from a block of words, turns EL2's MMU on, says so in memory, and stays where it is.
 *
 * The words are VTCR_EL2, VTTBR_EL2, HCR_EL2, MAIR_EL2, TCR_EL2 and TTBR0_EL2.
 */
	.section .text.start, "ax"
	.global _start, stopped
_start:
	ldr	x0, =0x48000000
	ldp	x1, x2, [x0]
	msr	vtcr_el2, x1
	msr	vttbr_el2, x2
	ldp	x1, x2, [x0, #16]
	msr	hcr_el2, x1
	msr	mair_el2, x2
	ldp	x1, x2, [x0, #32]
	msr	tcr_el2, x1
	msr	ttbr0_el2, x2
	isb
	tlbi	alle2
	dsb	sy
	isb
	mrs	x1, sctlr_el2
	orr	x1, x1, #1
	msr	sctlr_el2, x1
	isb
	str	x1, [x0, #256]	/* no longer 0: all is set */
	dsb	sy
stopped:
	b	stopped
