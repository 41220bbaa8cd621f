"""`syncline-hub registry draft`, `cosign` and `publish`: administrators who sign on machines of their own.

    hub$    syncline-hub registry draft --out next.registry           # what waits, or a renewal; unsigned
    each$   syncline-hub registry cosign next.registry --keys DIR     # needs no hub; says what it signs
    hub$    syncline-hub registry publish next.registry               # when enough have signed

The file is the statement's envelope. `cosign` shows what changes against the statement before, where a copy
of that one is kept beside the keys, and refuses a draft that follows another one.
"""

from pathlib import Path
from typing import Annotated

import typer

from audit.registry_changes import changes
from core import durable
from core.clock import format_instant
from core.commands import ConfigOption, say
from core.errors import Conflict, InvalidInput, Unavailable
from core.limits import LIMITS
from hub.administrators import keep_registry, kept_registry, require_keys
from hub.cli.setting import opened, passphrase, same_config, settings_of
from security import envelope as dsse
from security.registry import Registry

_FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The draft.")]
_KeysDirectory = Annotated[
    Path, typer.Option("--keys", metavar="DIR", help="Folder with the administrators' keys.")
]


def draft(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write it; must be free.")],
    config: ConfigOption = None,
) -> None:
    """Write the next registry unsigned, for administrators elsewhere: all that waits, or a renewal."""
    with opened(settings_of(ctx, config)) as hub:
        acts = hub.registry.pending()
        made = hub.registry.next_registry()
    try:
        durable.write_file(out, dsse.assemble(dsse.REGISTRY, made.to_payload(), {}), exclusive=True)
    except FileExistsError as error:
        raise Conflict(f"{out} exists", remedy="choose another name, or remove it") from error
    for act in acts:
        say(f"In it: {act.text}")
    say(f"Registry {made.seq}, unsigned: {out}")
    say(
        f"Next: syncline-hub registry cosign {out} --keys DIR, by {made.administrators.threshold} of"
        f" {len(made.administrators.keys)} administrators; then {same_config(ctx, config)} registry publish"
    )


def cosign(
    file: _FileArgument,
    keys: _KeysDirectory,
    config: ConfigOption = None,  # noqa: ARG001 - taken as by every command, and not read
) -> None:
    """Sign a drafted registry with the keys at hand; reads no hub and no settings."""
    data = _read(file)
    parsed = dsse.parse(data)
    if parsed.payload_type != dsse.REGISTRY:
        raise InvalidInput(f"{file} is no registry", remedy="give what `registry draft` has written")
    drafted = Registry.from_payload(parsed.payload)
    signers = [key for key in require_keys(keys, passphrase()) if key.public in drafted.administrators.keys]
    if not signers:
        raise Unavailable(
            f"no key in {keys} is an administrator's of this federation",
            remedy="give the folder with an administrator's key: --keys DIR",
            reason="NO_KEYS",
        )
    for line in _what_changes(drafted, kept_registry(keys)):
        say(f"  {line}")
    signed = dsse.cosign(data, signers)
    durable.write_file(file, signed)
    have = sum(
        all(keyid in dsse.parse(signed).signatures for keyid in key.keyids)
        for key in drafted.administrators.keys
    )
    say(f"Registry {drafted.seq} of {drafted.federation} until {format_instant(drafted.expires)}: signed.")
    missing = drafted.administrators.threshold - have
    say(f"{missing} more must sign it." if missing > 0 else "Enough have signed: publish it at the hub.")


def publish(
    ctx: typer.Context,
    file: _FileArgument,
    config: ConfigOption = None,
) -> None:
    """Put a registry in force that enough administrators have signed."""
    settings = settings_of(ctx, config)
    with opened(settings) as hub:
        hub.registry.publish(_read(file))
        keep_registry(settings.admin_keys, hub.registry.list_from)
        told = hub.registry.current().registry
    say(
        f"Registry {told.seq} is in force until {format_instant(told.expires)}; nodes fetch it by themselves."
    )


def _what_changes(drafted: Registry, kept: list[bytes]) -> list[str]:
    """In words. Raises `Conflict` (FORK) when another statement is kept in its place or before it."""
    if len(kept) < drafted.seq - 1:
        return [f"{partner.id}: {partner.state}" for partner in drafted.partners]
    before = dsse.parse(kept[drafted.seq - 2])
    if before.id != drafted.prev or len(kept) >= drafted.seq:
        raise Conflict(
            f"the draft is number {drafted.seq} and does not follow the newest statement beside these keys",
            remedy="do not sign it: ask the hub's operator for a new draft, and why the numbers differ",
            reason="FORK",
        )
    return list(changes(Registry.from_payload(before.payload), drafted))


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > LIMITS.registry_envelope_bytes_max:
            raise InvalidInput(f"{file} is too large for a registry", remedy="give the drafted file")
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file}: {error.strerror}", remedy="give the drafted file") from error
