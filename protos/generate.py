"""Regenerate `protos/gen` from `protos/syncline`; with `--check`, say whether it has drifted.

Exit status 0 when nothing differs (or after writing), 1 when `--check` finds a difference.
"""

import filecmp
import os
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent
GENERATED = PROTOS / "gen"


def generate(target: Path) -> None:
    """Write the generated package below `target`."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in (PROTOS / "syncline").rglob("*.proto"))
    arguments = [
        "protoc",
        f"-I{PROTOS}",
        f"-I{files('grpc_tools') / '_proto'}",
        f"--python_out={target}",
        f"--pyi_out={target}",
        f"--grpc_python_out={target}",
        f"--mypy_grpc_out={target}",
        *sources,
    ]
    # The stub generator stands beside this interpreter.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    if protoc.main(arguments) != 0:
        sys.exit(1)
    for folder in (target / "syncline", target / "syncline" / "v1"):
        (folder / "__init__.py").write_text('"""Generated from protos/ by protos/generate.py."""\n')


def differences(old: Path, new: Path) -> list[str]:
    """Relative names of files that are missing, surplus or different."""
    found = ((root, path) for root in (old, new) for path in root.rglob("*.py*"))
    names = {str(path.relative_to(root)) for root, path in found if path.suffix != ".pyc"}
    return [
        name
        for name in sorted(names)
        if not (old / name).exists()
        or not (new / name).exists()
        or not filecmp.cmp(old / name, new / name, shallow=False)
    ]


def main() -> None:
    """Write, or compare."""
    if "--check" not in sys.argv[1:]:
        GENERATED.mkdir(exist_ok=True)
        generate(GENERATED)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        drifted = differences(GENERATED, Path(folder))
    if drifted:
        sys.exit(f"protos/gen has drifted ({', '.join(drifted)}): run `make protos`")


if __name__ == "__main__":
    main()
