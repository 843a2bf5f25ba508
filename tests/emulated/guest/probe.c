/* SPDX-License-Identifier: MIT */
/*
 * Answers stage-2 translation probes on a bare machine, at EL2.
 *
 * Standard input is a stream of 64-bit little-endian words, and so is standard output;
 * both are the emulator's own, reached by semihosting. After a greeting, which tells
 * what CPU this is, the program takes requests until its input ends:
 *
 *   LOAD  address size, then size bytes     writes them to memory, answers 0
 *   CLEAR address size                      zeroes memory, answers 0
 *   PROBE count words, then the probes      answers PAR_EL1 and ESR_EL2 for each
 *
 * A probe is VTCR_EL2, VTTBR_EL2, the IPA, 1 for a write or 0 for a read, the number of
 * descriptors, and for each of those its address and its value. What a descriptor
 * overwrote is put back after the probe. ESR_EL2 is 0 unless the CPU took an exception
 * instead of filling PAR_EL1.
 *
 * The end of input ends the program, so it cannot outlive whoever asks.
 */

typedef unsigned long u64;

enum { LOAD = 1, CLEAR = 2, PROBE = 3 };

enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT = 0x18 };
enum { MODE_RB = 1, MODE_WB = 5 };
enum { EXIT_EXCEPTION = 70, EXIT_PROTOCOL = 71 };

/* ADP_Stopped_ApplicationExit: the one reason of SYS_EXIT that carries a status. */
#define APPLICATION_EXIT 0x20026UL

#define GREETING 0x6d6f65672d733273UL
#define HCR_RW_VM (1UL << 31 | 1UL << 0)

/* The largest request and answer that the other side may send or expect. */
#define MAX_WORDS (1UL << 20)
#define MAX_DESCRIPTORS 64

static u64 input, output;
static u64 request[MAX_WORDS];
static u64 answer[MAX_WORDS];

struct result {
	u64 par, esr;
};

struct result at_read(u64 ipa);
struct result at_write(u64 ipa);
u64 semihost(unsigned int call, volatile u64 *block);
int main(void);
_Noreturn void exception(u64 esr, u64 elr, u64 far);

static _Noreturn void quit(u64 status)
{
	volatile u64 block[2] = { APPLICATION_EXIT, status };

	for (;;)
		semihost(SYS_EXIT, block);
}

static u64 open_file(const char *name, u64 mode)
{
	volatile u64 block[3] = { (u64)name, mode, 0 };

	while (name[block[2]])
		block[2]++;
	return semihost(SYS_OPEN, block);
}

/* True when all bytes came, false when the input ended before them. */
static int read_bytes(u64 address, u64 size)
{
	while (size) {
		volatile u64 block[3] = { input, address, size };
		u64 left = semihost(SYS_READ, block);

		if (left >= size) /* nothing came: the end, or an error */
			return 0;
		address += size - left;
		size = left;
	}
	return 1;
}

static void write_bytes(u64 address, u64 size)
{
	while (size) {
		volatile u64 block[3] = { output, address, size };
		u64 left = semihost(SYS_WRITE, block);

		if (left >= size)
			quit(EXIT_PROTOCOL);
		address += size - left;
		size = left;
	}
}

_Noreturn void exception(u64 esr, u64 elr, u64 far)
{
	static char text[] = "exception at EL2: ESR, ELR, FAR = "
			     "0000000000000000 0000000000000000 0000000000000000\n";
	u64 values[3] = { esr, elr, far };
	char *end = text + sizeof(text) - 2;

	for (int i = 2; i >= 0; i--) {
		for (int digit = 0; digit < 16; digit++) {
			*--end = "0123456789abcdef"[values[i] & 15];
			values[i] >>= 4;
		}
		end--;
	}
	output = open_file("/dev/stderr", MODE_WB);
	write_bytes((u64)text, sizeof(text) - 1);
	quit(EXIT_EXCEPTION);
}

static struct result translate(u64 vtcr, u64 vttbr, u64 ipa, u64 is_write)
{
	/*
	 * Descriptors and registers changed, so what the TLB holds for this VMID goes.
	 * The VMID is in VTTBR_EL2, which is why it is written first.
	 */
	__asm__ volatile("msr vtcr_el2, %0\n\t"
			 "msr vttbr_el2, %1\n\t"
			 "isb\n\t"
			 "dsb sy\n\t"
			 "tlbi vmalls12e1\n\t"
			 "dsb sy\n\t"
			 "isb"
			 : : "r"(vtcr), "r"(vttbr) : "memory");
	return is_write ? at_write(ipa) : at_read(ipa);
}

static u64 *probe(u64 *word, struct result *result)
{
	u64 vtcr = *word++;
	u64 vttbr = *word++;
	u64 ipa = *word++;
	u64 is_write = *word++;
	u64 count = *word++;
	u64 covered[MAX_DESCRIPTORS];

	if (count > MAX_DESCRIPTORS)
		quit(EXIT_PROTOCOL);
	for (u64 i = 0; i < count; i++) {
		volatile u64 *descriptor = (volatile u64 *)word[2 * i];

		covered[i] = *descriptor;
		*descriptor = word[2 * i + 1];
	}
	*result = translate(vtcr, vttbr, ipa, is_write);
	/* Backwards, so that an address named twice gets its first contents back. */
	for (u64 i = count; i-- > 0;)
		*(volatile u64 *)word[2 * i] = covered[i];
	return word + 2 * count;
}

static void greet(void)
{
	u64 el;

	answer[0] = GREETING;
	__asm__("mrs %0, CurrentEL" : "=r"(el));
	answer[1] = el >> 2 & 3;
	/* The numeric names of ID_AA64MMFR0..2_EL1: old assemblers lack the last. */
	__asm__("mrs %0, S3_0_C0_C7_0" : "=r"(answer[2]));
	__asm__("mrs %0, S3_0_C0_C7_1" : "=r"(answer[3]));
	__asm__("mrs %0, S3_0_C0_C7_2" : "=r"(answer[4]));
	write_bytes((u64)answer, 5 * sizeof(u64));
}

int main(void)
{
	u64 header[3];

	input = open_file("/dev/stdin", MODE_RB);
	output = open_file("/dev/stdout", MODE_WB);
	__asm__ volatile("msr hcr_el2, %0\n\tisb" : : "r"(HCR_RW_VM) : "memory");
	greet();
	while (read_bytes((u64)header, sizeof(header))) {
		u64 words = 1;

		answer[0] = 0;
		switch (header[0]) {
		case LOAD:
			if (!read_bytes(header[1], header[2]))
				quit(EXIT_PROTOCOL);
			break;
		case CLEAR:
			for (u64 i = 0; i < header[2]; i++)
				((volatile unsigned char *)header[1])[i] = 0;
			break;
		case PROBE:
			words = 2 * header[1];
			if (words > MAX_WORDS || header[2] > MAX_WORDS ||
			    !read_bytes((u64)request, header[2] * sizeof(u64)))
				quit(EXIT_PROTOCOL);
			for (u64 i = 0, *word = request; i < header[1]; i++) {
				struct result result;

				word = probe(word, &result);
				answer[2 * i] = result.par;
				answer[2 * i + 1] = result.esr;
			}
			break;
		default:
			quit(EXIT_PROTOCOL);
		}
		write_bytes((u64)answer, words * sizeof(u64));
	}
	quit(0);
}
