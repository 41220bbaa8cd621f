"""What an owner says of a dataset beside its manifest: how often versions come, where and when the data are.

Rules: it travels in the status report, signs nothing and blocks nothing; what is declared wins over what the
node found out from the files, value by value; each value says whose it is.

    declared = Declared.of(section, settings)
    declared.footprint(found)                   # found: a footprint with what was extracted
"""

from dataclasses import dataclass

from core.clock import format_instant
from node.config import NodeSettings, PublishSection
from node.status import FootprintStatus


@dataclass(frozen=True, slots=True)
class Declared:
    """Of one dataset. `next_update` is an instant, `bbox` is west, south, east, north, `period` two dates or
    years; `extracts`: what is not declared is to be found out."""

    update_frequency: str | None
    next_update: str | None
    bbox: tuple[float, float, float, float] | None
    period: tuple[str, str] | None
    extracts: bool

    @classmethod
    def of(cls, section: PublishSection, settings: NodeSettings) -> "Declared":
        """What `section` declares."""
        due = section.next_update
        return cls(
            update_frequency=section.update_frequency,
            next_update=None if due is None else format_instant(due),
            bbox=section.bbox,
            period=section.period,
            extracts=settings.geo.extract and (section.bbox is None or section.period is None),
        )

    def footprint(self, found: FootprintStatus) -> FootprintStatus:
        """What is declared, and of `found` what was extracted where nothing is declared."""
        begin, end = self.period or (None, None)
        footprint = FootprintStatus(
            bbox=self.bbox,
            bbox_source="unknown" if self.bbox is None else "declared",
            begin=begin,
            end=end,
            period_source="unknown" if self.period is None else "declared",
        )
        if not self.extracts:
            return footprint
        if self.bbox is None and found.bbox_source == "extracted":
            footprint = footprint.model_copy(update={"bbox": found.bbox, "bbox_source": "extracted"})
        if self.period is None and found.period_source == "extracted":
            extracted = {"begin": found.begin, "end": found.end, "period_source": "extracted"}
            footprint = footprint.model_copy(update=extracted)
        return footprint


def declared_by(settings: NodeSettings) -> dict[str, Declared]:
    """What each published dataset's section declares, by its id."""
    return {str(each.id(settings.partner)): Declared.of(each, settings) for each in settings.publish}
