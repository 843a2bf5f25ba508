/* SPDX-License-Identifier: MIT */
/*
 * First instructions of the probe program: a stack, a vector table, main().
 *
 * The machine starts it at EL2 with both MMUs off. The ELF loader has already cleared
 * .bss, so there is nothing to do about that.
 */

	.section .text.start, "ax"
	.global _start
_start:
	adrp	x0, vectors
	add	x0, x0, :lo12:vectors
	msr	vbar_el2, x0
	adrp	x0, stack_top
	add	x0, x0, :lo12:stack_top
	mov	sp, x0
	isb
	bl	main
	b	.

	/* A semihosting call: number in w0, argument block in x1, result in x0. */
	.global semihost
semihost:
	hlt	#0xf000
	ret

	/*
	 * Translate the address in x0. PAR_EL1 comes back in x0, and in x1 ESR_EL2 where
	 * the CPU took an exception instead, or 0. It does that when it cannot read a
	 * descriptor: an external abort on a walk is not reported through PAR_EL1.
	 */
	.global at_read, at_write
at_read:
	mov	x1, #0
at_read_instruction:
	at	s12e1r, x0
	b	1f
at_write:
	mov	x1, #0
at_write_instruction:
	at	s12e1w, x0
1:	isb
	mrs	x0, par_el1
	ret

	.balign	2048
vectors:
	.rept	4
	.balign	128
	b	unexpected
	.endr
	.balign	128
	b	synchronous	/* from this exception level, on this stack */
	.rept	11
	.balign	128
	b	unexpected
	.endr

	/* The callers of at_read and at_write expect x2 and x3 to be lost. */
synchronous:
	mrs	x2, elr_el2
	adr	x3, at_read_instruction
	cmp	x2, x3
	b.eq	1f
	adr	x3, at_write_instruction
	cmp	x2, x3
	b.ne	unexpected
1:	add	x2, x2, #4
	msr	elr_el2, x2
	mrs	x1, esr_el2
	eret

	/* Any other exception is reported and ends the program. */
unexpected:
	mrs	x0, esr_el2
	mrs	x1, elr_el2
	mrs	x2, far_el2
	bl	exception
	b	.
