"""`kubectl phase migrate`: move over from another operator."""

from phase_operator.cli.common.lazy import Lazy, LazyGroup
from phase_operator.cli.common.options import HELP

_COMMANDS = "phase_operator.cli.commands"

migrate = LazyGroup(
    "migrate",
    help="""Move over from another operator of secrets.

    check says what would differ, convert writes PhaseSecrets, and adopt hands the Secrets over.
    """,
    context_settings=HELP,
    lazies=(
        Lazy("check", f"{_COMMANDS}.migrate_check", "check", "Say what would differ, the worst first."),
        Lazy(
            "convert",
            f"{_COMMANDS}.migrate_convert",
            "convert",
            "Write PhaseSecrets for what other operators have.",
        ),
        Lazy("adopt", f"{_COMMANDS}.migrate_adopt", "adopt", "Hand over the Secrets that PhaseSecrets name."),
    ),
)
