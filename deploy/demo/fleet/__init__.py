"""A fleet that is made up and a hub directory that is real, to look at the operator's pages.

from deploy.demo.fleet import seed
seed(Path("hub"))
"""

from deploy.demo.fleet.seeding import SeededFleet, seed

__all__ = ["SeededFleet", "seed"]
