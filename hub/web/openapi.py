"""The description of `/api/v1` (OpenAPI 3.1), generated from the models that answer.

document()                    # JSON, made once
"""

import json
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hub.overview.model import (
    DatasetPage,
    DatasetView,
    EventPage,
    FleetView,
    LogView,
    MapView,
    PartnerView,
    StorageView,
    TransfersView,
)
from hub.overview.search import DatasetSearch, EventSearch
from hub.services.hub import software_version

PREFIX = "/api/v1"

#: What each path answers, and in a line why one asks.
ANSWERS: dict[str, tuple[type[BaseModel], str]] = {
    "/fleet": (FleetView, "Every partner and node, the worst first, and what a person must look at"),
    "/partners/{partner}": (PartnerView, "One partner"),
    "/datasets": (DatasetPage, "The datasets that match"),
    "/datasets/{owner}/{name}": (DatasetView, "One dataset, its versions and who holds them"),
    "/transfers": (TransfersView, "What moves now, ended lately, and waits"),
    "/events": (EventPage, "What happened, the newest first"),
    "/log": (LogView, "The log, its witnesses, their alarms"),
    "/storage": (StorageView, "The hub's disk"),
    "/map": (MapView, "Where the data are"),
}
_SEARCHES: dict[str, type[BaseModel]] = {"/datasets": DatasetSearch, "/events": EventSearch}
_PATH_PARAMETERS = {
    "partner": "A partner's id, like la-dgm",
    "owner": "The id of the partner that owns it",
    "name": "The dataset's name, the part behind the slash",
}
_PROBLEM = {
    "type": "object",
    "description": "A problem (RFC 9457). `reason` is a stable word.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "remedy": {"type": "string"},
        "reason": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail", "remedy", "reason"],
}
_REFUSALS = {
    "400": "What was asked is not understood",
    "401": "Nobody is signed in",
    "404": "There is no such thing",
    "503": "Not now; Retry-After says when",
}


@cache
def document() -> bytes:
    """The description."""
    return json.dumps(described(), ensure_ascii=False, indent=1).encode("utf-8")


def described() -> dict[str, Any]:
    """The description as values."""
    models = [model for model, _ in ANSWERS.values()] + list(_SEARCHES.values())
    modes = [(model, "serialization") for model in models]
    _, defined = models_json_schema(modes, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas: dict[str, Any] = defined["$defs"]
    searches = {path: schemas[model.__name__] for path, model in _SEARCHES.items()}
    asked = {model.__name__ for model in _SEARCHES.values()}
    schemas = {name: each for name, each in schemas.items() if name not in asked}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Syncline hub",
            "version": software_version(),
            "description": "What the operator's pages show, to read only. Sign in on the pages; the session's"
            " cookie counts here. Instants are RFC 3339 in UTC, sizes bytes, durations seconds; null: not"
            " known.",
        },
        "paths": {f"{PREFIX}{path}": {"get": _operation(path, searches.get(path))} for path in ANSWERS},
        "components": {
            "schemas": {**schemas, "Problem": _PROBLEM},
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": "syncline-session"}},
        },
        "security": [{"session": []}],
    }


def _operation(path: str, search: dict[str, Any] | None) -> dict[str, Any]:
    model, summary = ANSWERS[path]
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "description": text}
        for name, text in _PATH_PARAMETERS.items()
        if f"{{{name}}}" in path
    ]
    for name, schema in (search or {}).get("properties", {}).items():
        parameters.append({"name": name, "in": "query", "required": False, "schema": schema})
    refusals = {
        status: {
            "description": text,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, text in _REFUSALS.items()
    }
    return {
        "operationId": model.__name__,
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {
                "description": summary,
                "headers": {
                    "ETag": {
                        "description": "The revision; with If-None-Match, 304 where nothing has changed",
                        "schema": {"type": "string"},
                    }
                },
                "content": {
                    "application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}
                },
            },
            "304": {"description": "Nothing has changed"},
            **refusals,
        },
    }
