"""`syncline-hub backup DIR`: copy the hub to another disk, encrypted; and look whether copies are whole."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from core.clock import SystemClock, format_instant
from core.commands import ConfigOption, JsonOption, config_path, emit_json, say
from core.errors import Corrupt, InvalidInput, SynclineError
from core.progress import Progress
from core.terminal import bytes_text, progress
from hub.administrators import key_files
from hub.backup.checking import check as check_place
from hub.backup.making import Made, Task, make_backup
from hub.backup.place import Place
from hub.backup.records import failed, record, was_there
from hub.backup.seal import Identity, Seal, load_identity, load_keys, make_keys
from hub.cli.setting import opened, settings_of
from hub.config import HubSettings
from hub.services.hub import Hub, software_version
from security.keys import Signer
from security.keystore import load_signing_key

IDENTITY_NAME = "backup-identity.txt"

IdentityOption = Annotated[
    Path | None,
    typer.Option("--identity", metavar="FILE", help="What opens encrypted backups: the age identity."),
]


def backup(
    ctx: typer.Context,
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to; best on another machine's disk.")
    ],
    plain: Annotated[bool, typer.Option("--plain", help="Do not encrypt.")] = False,
    identity_out: Annotated[
        Path | None,
        typer.Option(
            "--identity-out",
            metavar="FILE",
            help="Where the first backup writes the identity [default: beside the administrators' keys].",
        ),
    ] = None,
    keep: Annotated[
        int | None, typer.Option("--keep", metavar="N", min=1, help="Remove all but the newest N snapshots.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Read back only what is new, not all that the backup needs.")
    ] = False,
    new: Annotated[
        bool, typer.Option("--new", help="Begin anew in a folder whose earlier backups are gone.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Make no backup: look whether those in DIR are whole. Needs no hub."),
    ] = False,
    identity: IdentityOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Back the hub up, also while it runs. Only what is new is written; all of it is read back.

    Not in it: the administrators' keys in admin/, and the identity, without which nothing can be restored.
    """
    opener = None if identity is None else load_identity(identity)
    with progress() as shown:
        if check:
            _check(directory, opener, shown, as_json=as_json)
            return
        settings = settings_of(ctx, config)
        with opened(settings) as hub:
            made, made_identity = _make(
                hub,
                settings,
                config_path(ctx, config),
                directory.absolute(),
                None if plain else (identity_out or settings.admin_keys / IDENTITY_NAME),
                shown,
                keep=keep,
                quick=quick,
                new=new,
            )
    if opener is not None:
        with progress() as shown:
            _demand_whole(list(check_place(Place.open(directory), opener, shown)))
    if as_json:
        emit_json({**_json(made, directory), "identity_made": made_identity})
    else:
        _tell(made, directory, made_identity, settings)


def _make(
    hub: Hub,
    settings: HubSettings,
    settings_file: Path,
    directory: Path,
    identity_path: Path | None,
    shown: Progress,
    *,
    keep: int | None,
    quick: bool,
    new: bool,
) -> tuple[Made, Path | None]:
    """The backup, and the identity's file if it was made now."""
    _refuse_inside(settings.layout.directory, directory, "is lost together with the hub")
    if identity_path is not None:
        _refuse_inside(
            directory, identity_path.absolute(), "would be lost, or found, together with the backup"
        )
    signer = load_signing_key(settings.layout.hub_key)
    made_identity: Path | None = None
    with suppress(SynclineError):  # a damaged log is told by `fsck` and `status`, and still backed up
        if not hub.log.status().checkpoint_size:  # never run: without any, a restored log cannot go on
            hub.log.make_checkpoint(force=True)
    try:
        place = _place(hub, directory, new=new)
        seal, made_identity = _seal(settings, place, identity_path, signer)
        if place is None:
            place = Place.make(directory, settings.hub.federation, seal.recipient)
        elif place.header.recipient != seal.recipient:
            raise InvalidInput(
                f"{directory} is encrypted to another recipient than this hub's",
                remedy="give another folder",
                reason="OTHER_RECIPIENT",
            )
        task = Task(
            settings.layout, settings_file, place, seal, signer, software_version(), keep=keep, quick=quick
        )
        made = make_backup(task, shown, SystemClock())
    except SynclineError as error:
        if made_identity is not None:  # it is made once, and this is when
            typer.echo(_key_text(made_identity), err=True)
        if error.reason != "BACKUP_RUNS":
            with suppress(SynclineError):  # a full disk of the hub's own, say
                failed(hub, directory, error.message)
        raise
    record(hub, made, directory)
    return made, made_identity


def _refuse_inside(outer: Path, inner: Path, why: str) -> None:
    if inner.resolve().is_relative_to(outer.resolve()):
        raise InvalidInput(
            f"{inner} stands in {outer}, and {why}", remedy="give another place", reason="SAME_PLACE"
        )


def _place(hub: Hub, directory: Path, *, new: bool) -> Place | None:
    """The place, or None where it is to be made."""
    try:
        return Place.open(directory)
    except InvalidInput as error:
        if error.reason != "NO_BACKUP":
            raise
    if was_there(hub, directory) and not new:
        raise InvalidInput(
            f"the backups that stood in {directory} are not there",
            remedy="mount their disk; or, if they are gone for good, begin anew with --new",
            reason="PLACE_GONE",
        )
    return None


def _seal(
    settings: HubSettings, place: Place | None, identity_path: Path | None, signer: Signer
) -> tuple[Seal, Path | None]:
    """How this place is sealed. Makes the identity at the first encrypted backup."""
    if place is not None and (place.header.recipient is None) != (identity_path is None):
        encrypted = place.header.recipient is not None
        raise InvalidInput(
            f"the backups in {place.path} are {'encrypted' if encrypted else 'not encrypted'}",
            remedy="leave out --plain" if encrypted else "give --plain, or another folder",
            reason="OTHER_SEAL",
        )
    if identity_path is None:
        return Seal(None), None
    keys = load_keys(settings.layout.backup_keys)
    if keys is not None:
        return Seal(keys), None
    default = identity_path.parent == settings.admin_keys
    if not identity_path.parent.is_dir() or (default and not key_files(settings.admin_keys)):
        raise InvalidInput(
            "this first backup makes the identity that opens all of them, and"
            f" {identity_path.parent} is not at hand",
            remedy="give --identity-out FILE, on a stick that leaves this machine; or --plain",
            reason="NO_PLACE_FOR_IDENTITY",
        )
    made = format_instant(SystemClock().now())
    keys = make_keys(settings.layout.backup_keys, identity_path, signer.public.keyids, made)
    return Seal(keys), identity_path


def _check(directory: Path, identity: Identity | None, shown: Progress, *, as_json: bool) -> None:
    place = Place.open(directory)
    with place.unchanging():
        findings = list(check_place(place, identity, shown))
    known = place.snapshots()
    if as_json:
        emit_json({"snapshots": [each.name for each in known], "findings": findings})
    else:
        for each in findings:
            say(each)
    _demand_whole(findings)
    if as_json:
        return
    say(f"{len(known)} snapshot(s) in {directory}, all whole; the newest is {place.snapshot(None).name}")
    if identity is None and place.header.recipient is not None:
        say("Compared with their digests, not opened: give --identity FILE to decrypt everything.")


def _demand_whole(findings: list[str]) -> None:
    if findings:
        raise Corrupt(
            f"{len(findings)} thing(s) in the backup are not what they must be: {findings[0]}",
            remedy="make a backup now: what the hub still has is written anew; then look at the disk",
            reason="CORRUPT_BACKUP",
        )


def _json(made: Made, directory: Path) -> dict[str, object]:
    return {
        "place": directory,
        "snapshot": made.snapshot.id,
        "time": made.snapshot.created,
        "bytes_added": made.bytes_added,
        "bytes_total": made.bytes_total,
        "objects": made.objects,
        "log_size": made.snapshot.log.size,
        "healed": made.healed,
        "pruned": made.pruned,
        "bytes_freed": made.bytes_freed,
    }


def _tell(made: Made, directory: Path, identity: Path | None, settings: HubSettings) -> None:
    saved = made.snapshot
    say(f"Snapshot {saved.id} in {directory}: the hub at {saved.log.size} leaves of its log")
    say(
        f"  written    {bytes_text(made.bytes_added)} of {bytes_text(made.bytes_total)}; read back, and whole"
    )
    if made.healed:
        say(f"  healed     {made.healed} object(s) were damaged there and are written anew: see to that disk")
    if made.pruned:
        say(f"  pruned     {made.pruned} older snapshot(s), {bytes_text(made.bytes_freed)}")
    if directory.stat().st_dev == settings.layout.directory.stat().st_dev:
        say(f"  warning    {directory} is on the hub's own disk: what destroys that destroys both")
    if identity is not None:
        say()
        say(_key_text(identity))
    if key_files(settings.admin_keys):
        say()
        say(
            f"Not in the backup: {settings.admin_keys}, with the administrators' keys. Keep copies elsewhere:"
        )
        say("  a hub that is restored from an older state can go on only with them.")


def _key_text(identity: Path) -> str:
    return (
        f"THE KEY TO THIS BACKUP is {identity}. It was made now, and stands nowhere else.\n"
        "  Without it nothing can be restored. Keep copies away from this machine and from the backup."
    )
