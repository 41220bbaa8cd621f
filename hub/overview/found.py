"""A short way to write down something for a person.

Found("node-silent", "la-dgm", "main").error(since_s=7200)      # an Attention, its words under that code
"""

from dataclasses import dataclass

from hub.overview.model import Attention, Message, Severity

Value = str | int | None


@dataclass(frozen=True, slots=True)
class Found:
    """What it is about. `code` stands in `wording` behind `attention.`, `remedy` behind `remedy.`."""

    code: str
    partner: str | None = None
    node: str | None = None
    dataset: str | None = None
    remedy: str = ""

    def error(
        self, *, urgent: bool = True, decision: bool = False, command: str = "", **params: Value
    ) -> Attention:
        """Something is broken, or about to be."""
        return self._as("error", params, urgent=urgent, decision=decision, command=command)

    def warning(
        self, *, urgent: bool = True, decision: bool = False, command: str = "", **params: Value
    ) -> Attention:
        """Something waits, or goes wrong if nobody looks."""
        return self._as("warning", params, urgent=urgent, decision=decision, command=command)

    def info(self, **params: Value) -> Attention:
        """A reminder."""
        return self._as("info", params, urgent=False, decision=False, command="")

    def _as(
        self, severity: Severity, params: dict[str, Value], *, urgent: bool, decision: bool, command: str
    ) -> Attention:
        subject: dict[str, Value] = {
            name: value
            for name, value in (("partner", self.partner), ("node", self.node), ("dataset", self.dataset))
            if value is not None
        }
        said = {**subject, **params}
        return Attention(
            severity=severity,
            urgent=urgent,
            message=Message(code=f"attention.{self.code}", params=said),
            remedy=Message(code=f"remedy.{self.remedy or self.code}", params=said),
            command=command,
            partner=self.partner,
            node=self.node,
            dataset=self.dataset,
            decision=decision,
        )
