"""A witness that comes back: looks at the log until it has read it all. Run by `benchmarks.evidence`.

    python -m benchmarks.away NODE.TOML

Prints how many looks it took, and how many leaves were read. The hub is asked over gRPC, as by the daemon.
"""

import sys
from pathlib import Path

from node.config import load_settings
from node.engine import Engine
from node.session import Session
from node.state import StateLock


def main() -> None:
    """Look until there is nothing left to read."""
    settings = load_settings(Path(sys.argv[1]))
    with StateLock(settings.node.state_dir), Session.open(settings) as session:
        engine = Engine(session)
        looks = 1
        while engine.witness():
            looks += 1
        session.board.flush()
        seen = session.board.report.witness
        assert seen is not None and seen.read == seen.size, session.board.report
        print(looks, seen.read)


if __name__ == "__main__":
    main()
