"""The auditor against `sha256sum -c`: one version of one data set, verified by both, warm.

    verifier = Verifier(exchange)
    verifier.measure("tiles")               # {"sha256sum -c": Cost, "syncline-audit verify": Cost, …}

All read the same files of the same mirror. `sha256sum` checks hashes alone; the auditor also checks
signatures, the log's proofs, and that nothing else stands there. `openssl dgst` compares nothing: it shows
what hashing costs one process that uses the processor's SHA instructions, where `sha256sum` does not.
"""

import sys
from pathlib import Path

from benchmarks.exchange import Exchange, expect
from benchmarks.measure import Cost, cost_of

_AUDIT = str(Path(sys.executable).parent / "syncline-audit")
_OPENSSL = "find . -path ./.syncline -prune -o -type f -print0 | xargs -0 openssl dgst -sha256 > /dev/null"
_ROUNDS = 2


class Verifier:
    """Verifies what the exchange's reader mirrors."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._trust = exchange.federation.root / "trust.json"
        expect(exchange.federation.hub("registry", "trust", "--out", str(self._trust)))

    def measure(self, name: str) -> dict[str, Cost]:
        """What either costs: of some rounds, one after the other, the fastest of each."""
        version = self._exchange.mirror(name) / "current"
        commands = {
            "openssl dgst -sha256": ["sh", "-c", _OPENSSL],
            "sha256sum -c": ["sha256sum", "--quiet", "-c", ".syncline/inventory.sha256"],
            "syncline-audit verify": [_AUDIT, "verify", str(version.resolve()), "--trust", str(self._trust)],
        }
        found: dict[str, list[Cost]] = {program: [] for program in commands}
        for turn in range(_ROUNDS + 1):
            for program, command in commands.items():
                cost = cost_of(command, folder=version.resolve())
                if turn:  # the first only warms the page cache
                    found[program].append(cost)
        return {program: min(costs, key=lambda cost: cost.seconds) for program, costs in found.items()}
