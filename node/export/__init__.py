"""What this node can prove by itself, as a bundle (docs/formats/bundle.md); asks nobody.

done = export(place, [dataset], Path("evidence.zip"), with_data=False, progress=progress)
"""

from node.export.service import Exported, Place, choose, export

__all__ = ["Exported", "Place", "choose", "export"]
