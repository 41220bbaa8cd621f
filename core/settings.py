"""TOML files to frozen models, once, with errors that name file, key and remedy.

    class HubSection(Section):
        address: str

    settings = load(Path("/etc/syncline/node.toml"), NodeSettings)

Unknown keys are errors ("did you mean …"), and so are wrong types; nothing is coerced. Only the
CLIs read the environment.
"""

import difflib
import tomllib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import InvalidInput, SynclineError

_WANTED = {
    "string_type": 'text; write it in quotes: "…"',
    "int_type": "a whole number; write it without quotes: 5",
    "int_from_float": "a whole number; write it without a point: 5",
    "float_type": "a number; write it without quotes: 2.5",
    "bool_type": "a yes or no; write true or false",
    "list_type": 'a list; write ["…", "…"]',
    "tuple_type": 'a list; write ["…", "…"]',
    "dict_type": 'a table; write { en = "…" }',
    "model_type": "a table; write it as [table] with its keys below",
}


class Section(BaseModel):
    """A table of a settings file: frozen, strict, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)


Model = TypeVar("Model", bound=Section)


def load(path: Path, model: type[Model]) -> Model:
    """Read the TOML file at `path` into `model`.

    Raises:
        InvalidInput: the file is missing, not UTF-8, not TOML, or does not fit the model; every
            problem is listed, each with its key and what to do.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")  # some editors write a byte order mark
    except FileNotFoundError:
        raise InvalidInput(f"{path} does not exist", remedy="give the right file with --config") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InvalidInput(
            f"{path} is not UTF-8 (line {line})", remedy="save it as UTF-8 in your editor"
        ) from None
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}",
            remedy="give the right file with --config, or let the user that runs this read it",
        ) from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(
            f"{path} is not TOML: {error}", remedy='correct that line: text stands in quotes, key = "value"'
        ) from error
    return parse(table, model, source=str(path))


def parse(table: dict[str, Any], model: type[Model], *, source: str) -> Model:
    """Validate an already parsed `table`; `source` names it in errors. Raises `InvalidInput`."""
    try:
        return model.model_validate(table)
    except SynclineError as error:  # a validator's own; pydantic lets it pass without its key
        raise InvalidInput(f"{source}: {error.message}", remedy=error.remedy, reason=error.reason) from None
    except ValidationError as error:
        problems = [_explain(detail, model) for detail in error.errors(include_url=False)]
        shown = "\n  ".join(problems)
        raise InvalidInput(f"{source}: {shown}") from None


def _explain(detail: Any, model: type[Section]) -> str:
    location: tuple[str | int, ...] = tuple(
        part for part in detail["loc"] if isinstance(part, int) or part.isprintable()
    )
    key = "".join(f"[{p + 1}]" if isinstance(p, int) else f".{p}" for p in location).lstrip(".")
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = _known_keys(model, location[:-1])
        close = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
        return f"unknown key {key}; {hint}"
    if kind == "missing":
        return f"key {key} is missing"
    cause = detail.get("ctx", {}).get("error")
    message = str(cause) if isinstance(cause, SynclineError | ValueError) else _plainly(detail)
    return f"{key}: {message}" if key else str(message)


def _plainly(detail: Any) -> str:
    """What pydantic says, in the words of a settings file."""
    wanted = _WANTED.get(detail["type"])
    if wanted is None:
        return str(detail["msg"]).replace("Input should be", "must be")
    given = detail["input"]
    shown = repr(given) if isinstance(given, str | int | float) else f"a {type(given).__name__}"
    return f"{shown} is not {wanted}"


def _known_keys(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    current: type[BaseModel] = model
    for part in location:
        if isinstance(part, int):
            continue
        field = next((f for n, f in current.model_fields.items() if part in (n, f.alias)), None)
        nested = _model_in(field.annotation) if field is not None else None
        if nested is None:
            return []
        current = nested
    return [field.alias or name for name, field in current.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if isinstance(annotation, types.GenericAlias | types.UnionType) or typing.get_args(annotation):
        for argument in typing.get_args(annotation):
            found = _model_in(argument)
            if found is not None:
                return found
    return None
