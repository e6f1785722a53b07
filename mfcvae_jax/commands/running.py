# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""From a command line to an exit code: flags, help, errors and signals.

Exit codes are 0; 2 for bad usage and for errors, each with a line on stderr;
and 128 plus the signal's number for a command that was stopped.
"""

import functools
import re
import signal
import sys
import textwrap
import traceback
import types
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from absl import app, flags, logging

__all__ = [
    "Flag",
    "exit_code",
    "integer",
    "parse",
    "real",
    "script",
    "start",
    "string",
    "strings",
    "switch",
    "words",
]

_HELP = {"--help", "-help", "-h", "-?", "--helpshort", "--helpfull"}

# Defines a flag, given where and the command line.
Flag = Callable[[flags.FlagValues, Sequence[str]], None]


def _flag(
    define: Callable[..., Any],
    name: str,
    text: str,
    default: Any = None,
    **rest: Any,
) -> Flag:
    """A flag for the FLAGS of a command, with what absl's function takes."""
    return lambda values, argv: define(
        name, default, text, flag_values=values, **rest
    )


integer = functools.partial(_flag, flags.DEFINE_integer)
real = functools.partial(_flag, flags.DEFINE_float)
string = functools.partial(_flag, flags.DEFINE_string)
strings = functools.partial(_flag, flags.DEFINE_multi_string)
switch = functools.partial(_flag, flags.DEFINE_bool, default=False)
words = functools.partial(_flag, flags.DEFINE_list)


def start(command: types.ModuleType, argv: Sequence[str]) -> NoReturn:
    """Runs a command as this process, and ends it; argv has its name first."""
    app.run(
        lambda values: exit_code(lambda: command.main(values)),
        list(argv),
        flags_parser=lambda args: parse(command, args),
    )
    raise AssertionError("absl's app.run came back")


def script(
    work: Callable[[], int], advice: str = "", *, is_quiet: bool = False
) -> None:
    """Runs a script, whose flags are absl's own, as this process.

    Args:
        work: see ``exit_code``.
        advice: see ``exit_code``.
        is_quiet: whether only warnings are logged unless --verbosity is given.
    """

    def main(argv: Sequence[str]) -> int:
        if len(argv) > 1:
            raise app.UsageError(f"unexpected arguments: {argv[1:]}")
        if is_quiet and not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)
        return exit_code(work, advice)

    app.run(main)


def parse(command: types.ModuleType, argv: Sequence[str]) -> flags.FlagValues:
    """Reads the flags of one command, and those of absl; argv as in ``start``.

    Raises:
        SystemExit: with 0 after help, with 2 after a line on what is wrong.
    """
    name, *args = argv
    values = flags.FlagValues()
    try:
        for define in command.FLAGS:
            define(values, argv)
        asked = _HELP.intersection(args)
        if asked:
            print(_help(command, values))
            if "--helpfull" in asked:
                print(*map(flags.FLAGS.module_help, _absl_flags()), sep="\n")
            raise SystemExit(0)
        # The flags themselves, not copies: absl sees what is parsed here.
        for of_module in _absl_flags().values():
            for flag in of_module:
                if flag.name not in values and f"--{flag.name}" not in _HELP:
                    values[flag.name] = flag
        _, *rest = values(list(argv))
        if rest:
            raise flags.Error(f"unexpected arguments: {' '.join(rest)}")
    # What comes of a config file that is none, or has not got a setting.
    except (
        flags.Error,
        AttributeError,
        LookupError,
        OSError,
        SyntaxError,
        TypeError,
        ValueError,
    ) as error:
        print(f"error: {_line(error)} (see {name} --help)", file=sys.stderr)
        raise SystemExit(2) from error
    flags.FLAGS.mark_as_parsed()
    return values


def exit_code(main: Callable[[], int], advice: str = "") -> int:
    """Runs the work of a command, and turns its errors into a line and a code.

    Args:
        main: the work; returns its exit code.
        advice: what to do after a stop, where it is not the usual --resume.
    """
    # Not at the top, as in every command.
    import jax

    from mfcvae_jax.training import processes, stopping

    logging.get_absl_handler().addFilter(_is_worth_reading)
    try:
        return main()
    except stopping.Stopped as stopped:
        print(f"{stopped}{advice}", file=sys.stderr)
        return 128 + stopped.signum
    except KeyboardInterrupt:
        print("stopped at once by SIGINT", file=sys.stderr)
        code = 128 + signal.SIGINT
    except (
        FloatingPointError,
        ImportError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        logging.debug("where it came from", exc_info=True)
        print(f"error: {error}", file=sys.stderr)
        code = 2
    except Exception:  # a fault of the program
        if not jax.distributed.is_initialized():
            raise
        traceback.print_exc()
        code = 1
    processes.leave(code)
    return code


def _absl_flags() -> dict[str, list[flags.Flag]]:
    """The flags that absl itself defines, by module."""
    return {
        module: of_module
        for module, of_module in flags.FLAGS.flags_by_module_dict().items()
        if module.startswith("absl.")
    }


def _line(error: Exception) -> str:
    """What is wrong with the flags, in one line."""
    text = str(error)
    match error:
        case KeyError(args=(text,)):
            text = f"--config has no setting {text}"
        case SyntaxError():
            text = f"--config is no Python file: {text}"
        case flags.IllegalFlagValueError():
            missing = re.findall(r"Flag (--\w+) must have a value", text)
            if missing:
                text = f"{' and '.join(missing)} must be given"
    # The traceback of a config file that does not run is for its author.
    return text if "Traceback" in text else " ".join(text.split())


def _is_worth_reading(record) -> bool:
    """Keeps what libraries log of every file and every backend out."""
    return not re.search(r"orbax|jax/_src|botocore", record.pathname)


def _help(command: types.ModuleType, values: flags.FlagValues) -> str:
    """The command's docstring, and its flags in the order of definition."""
    lines = [(command.__doc__ or "").strip(), "", "flags:"]
    for name in values:
        flag = values[name]
        shown = f"--[no]{name}" if flag.boolean else f"--{name}"
        text = " ".join(flag.help.split())
        if flag.default is not None and not flag.boolean:
            text += f" (default {flag.default})"
        wrapped = textwrap.fill(text, 72)
        lines += [f"  {shown}", textwrap.indent(wrapped, " " * 6)]
    lines += [
        "  --verbosity",
        "      1 shows where an error came from, -1 warnings only.",
        "",
        "--helpfull lists the flags of absl, too.",
    ]
    return "\n".join(lines)
