# SPDX-License-Identifier: MIT
"""`Origin`: where a fact about a kernel was found."""

from attrs import frozen

from s2geom.core.public import public

IN_WORDS: dict[int | str | None, str] = {None: "unknown", True: "on", False: "off"}
"""Values that are not written as they are. No fact is the number 0 or 1."""


@public
@frozen
class Origin:
    r"""Where a fact about a kernel was found.

    Args:
        value: The fact: a number, on or off, the release, or None where it is unknown.
        option: The option it was read from; None where it is derived.
        line: The line of that option in the file, from 1; None where it is derived.
        words: How it was found, such as ``"read from CONFIG_KVM=y, line 718"`` or
            ``"derived from page size and VA width"``.

    >>> kernel = KernelConfig.from_text(
    ...     "CONFIG_ARM64_16K_PAGES=y\nCONFIG_ARM64_VA_BITS=36\n"
    ... )
    >>> print(kernel.origins["va_bits"])
    36 (read from CONFIG_ARM64_VA_BITS=36, line 2)
    >>> print(kernel.origins["pgtable_levels"])
    2 (derived from page size and VA width)
    """

    value: int | str | None
    option: str | None
    line: int | None
    words: str

    @property
    def derived(self) -> bool:
        """Whether the file does not say it itself."""
        return self.option is None

    def to_dict(self) -> dict[str, int | str | None]:
        """Return plain JSON types, keyed by the names of the arguments."""
        return {
            "value": self.value,
            "option": self.option,
            "line": self.line,
            "words": self.words,
        }

    def __str__(self) -> str:
        return f"{IN_WORDS.get(self.value, self.value)} ({self.words})"
