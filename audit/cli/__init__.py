"""`syncline-audit`: the auditor's command.

    syncline-audit verify PATH… --trust FILE [--json]

Exit status 0 when everything holds, 3 when something does not, 6 when nothing is wrong but not everything
could be checked.
"""

from core import commands

__all__ = ["app", "main"]

app = commands.new_app(
    "syncline-audit",
    "Checks the signed evidence of datasets, offline.",
    table={
        "verify": "audit.cli.verify_cmd:verify",
        "show": "audit.cli.show_cmd:show",
        "report": "audit.cli.report_cmd:report",
        "diff": "audit.cli.diff_cmd:diff",
        "replay": "audit.cli.replay_cmd:replay_",
    },
)


def main() -> None:
    """Entry point of `syncline-audit`."""
    commands.main(app)
