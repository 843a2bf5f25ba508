# SPDX-License-Identifier: MIT
"""`main`: run one command, and end with an exit code and never with a traceback.

0 is supported, or right; 1 is not supported, with the reason; 2 says that the question
was not understood, the input not read or the answer not written; 130 is Ctrl-C. The
other modules are imported inside `main`, so that Ctrl-C is heard while they load.
"""

import sys
from collections.abc import Sequence

USAGE_ERROR = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    try:
        return _exit_code(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        from s2geom.cli.channels import complain, drop_output  # noqa: PLC0415

        drop_output()
        complain("s2geom: interrupted")
        return INTERRUPTED


def _exit_code(arguments: Sequence[str]) -> int:
    from s2geom.cli.channels import OutputLost, complain  # noqa: PLC0415
    from s2geom.cli.commands import UsageError  # noqa: PLC0415
    from s2geom.core.errors import S2GeomError  # noqa: PLC0415

    try:
        return _respond(arguments)
    except UsageError as error:
        complain(*error.args)
    except OutputLost as lost:
        if lost.args:  # else the reader has seen enough
            complain(f"s2geom: error: {lost}")
    except S2GeomError as error:
        complain(f"s2geom: error: {error}")
    return USAGE_ERROR


def _respond(arguments: Sequence[str]) -> int:
    from s2geom.cli.channels import complain, write  # noqa: PLC0415
    from s2geom.cli.commands import TextWanted, parse  # noqa: PLC0415

    try:
        command, args = parse(arguments)
    except TextWanted as text:
        write(str(text).splitlines())
        return 0
    try:
        report = command.run(args)
        report.write(as_json=args.json)
    except MemoryError:
        advice = command.memory_advice
        complain(f"s2geom: error: out of memory{advice and f'; {advice}'}")
        return USAGE_ERROR
    return report.status
