"""Completion in shells: the scripts of bash, zsh and fish are click's; for `kubectl phase`, kubectl asks a program.

kubectl runs `kubectl_complete-phase` from the PATH with the words behind `kubectl phase`, and reads one candidate a
line, then a number that says whether the shell may complete names of files.
"""

import sys
from enum import StrEnum

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, get_completion_class

from phase_operator.core.text import clean

# Under each of its names, the program is asked for completions by this variable.
VARIABLE = "_PHASE_OPERATOR_COMPLETE"
_PROGRAM, _PLUGIN = "phase-operator", "kubectl-phase"
_ANSWER = "kubectl_complete"
# What cobra, which kubectl is made with, calls ShellCompDirective: default, no files, folders only.
_FILES, _NO_FILES, _FOLDERS = 0, 4, 16


class Shell(StrEnum):
    """What a script is printed for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    KUBECTL = "kubectl"


class KubectlComplete(ShellComplete):
    """Answers kubectl."""

    name = "kubectl"
    source_template = f"""\
#!/bin/sh
# kubectl runs this to complete `kubectl phase`. It has to be on the PATH, executable, as kubectl_complete-phase.
{VARIABLE}={_ANSWER} exec {_PLUGIN} "$@"
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one to complete, and that one."""
        *before, incomplete = sys.argv[1:] or [""]
        return before, incomplete

    def complete(self) -> str:
        """Return the answer as cobra has it."""
        return answer(self.get_completions(*self.get_completion_args()))

    def format_completion(self, item: CompletionItem) -> str:
        """Return one candidate, with what it is about."""
        return _line(item)


def script(shell: Shell) -> str:
    """Return what a shell runs at its start, or, for kubectl, the program that it runs."""
    if shell is Shell.KUBECTL:
        return KubectlComplete.source_template
    found = get_completion_class(shell)
    if found is None:
        raise ValueError(shell)
    # click's `source` would first run a bash to see its version.
    made = found(click.Command(_PROGRAM), {}, _PROGRAM, VARIABLE)
    return f"{(made.source_template % made.source_vars()).strip()}\n"


def answer(items: list[CompletionItem]) -> str:
    """Return candidates as kubectl reads them."""
    kinds = {item.type for item in items}
    directive = _FOLDERS if kinds == {"dir"} else _FILES if "file" in kinds else _NO_FILES
    return "\n".join([*(_line(item) for item in items if item.type == "plain"), f":{directive}"])


def _line(item: CompletionItem) -> str:
    return f"{item.value}\t{clean(item.help)}" if item.help else str(item.value)


add_completion_class(KubectlComplete)
