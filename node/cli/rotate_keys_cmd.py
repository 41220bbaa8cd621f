"""`rotate-keys`: another signing key for this node; the old one counts until the registry lists the new."""

from contextlib import closing
from pathlib import Path

import typer

from core.clock import SystemClock
from core.commands import ConfigOption, JsonOption, emit_json, say
from core.errors import NEEDS_ATTENTION, SynclineError
from core.names import NodeName
from node import identity as identities
from node import rotate
from node.cli.opening import Opened, open_node
from node.trust import TrustStore
from security.keys import PublicKey


def rotate_keys(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Change this node's signing key, and tell the hub.

    Safe to interrupt, and to repeat until it says that it is done: no second change begins before. The
    administrators sign the change; until then exit status 8, the old key counts and everything goes on. What
    it signed stays valid for ever.
    """
    opened = open_node(ctx, config, folders=False, log_level="critical")
    state_dir, settings = opened.state_dir, opened.settings
    identity = identities.load(state_dir, opened.passphrase)
    before = identity.signing.public
    if rotate.waiting(state_dir) is None:
        made = rotate.untold(state_dir, before, SystemClock().now())
        if made is not None:
            _end(state_dir, made.old, made.new, None, as_json=as_json)
            return
    trust = TrustStore(state_dir, SystemClock())
    new = rotate.request(
        state_dir,
        identity,
        trust.current().registry.federation,
        settings.partner,
        NodeName(settings.node.name),
        SystemClock().now(),
    )
    _end(state_dir, before, new, _tell(opened), as_json=as_json)


def _end(
    state_dir: Path, before: PublicKey, new: PublicKey, problem: SynclineError | None, *, as_json: bool
) -> None:
    done = rotate.waiting(state_dir) is None
    if done:
        rotate.tell(state_dir)
    if as_json:
        emit_json(
            {
                "done": done,
                "old": list(before.keyids),
                "new": list(new.keyids),
                "problem": None if problem is None else problem.message,
            }
        )
    else:
        _show(before, new, problem, done=done)
    if not done:
        raise typer.Exit(NEEDS_ATTENTION)


def _tell(opened: Opened) -> SynclineError | None:
    """Let the daemon tell the hub, or do it; what stands in the way, if anything does."""
    from node.engine import Engine  # noqa: PLC0415
    from node.session import Session  # noqa: PLC0415
    from node.state import StateLock  # noqa: PLC0415

    try:
        if opened.ask_daemon("sync") is None:
            with (
                StateLock(opened.state_dir),
                closing(Session.open(opened.settings, opened.passphrase)) as session,
            ):
                Engine(session).greet()
                fault = session.board.report.faults.get("keys")
                if fault is not None:
                    return SynclineError(fault.message, remedy=fault.remedy)
    except SynclineError as error:
        return error
    return None


def _show(before: PublicKey, new: PublicKey, problem: SynclineError | None, *, done: bool) -> None:
    say(f"old key  {before.keyids[0]}")
    say(f"new key  {new.keyids[0]}")
    if done:
        say("The registry lists the new key, and this node signs with it. The old one is removed.")
        return
    if problem is not None:
        say(f"The hub has not heard of it yet: {problem.message}")
        if problem.remedy:
            say(f"  → {problem.remedy}")
        say("The next sync, or the daemon, tells it.")
        return
    say("It waits for the administrators' signatures: syncline-hub registry sign --keys DIR.")
    say("This node signs with the old key until then, and changes by itself.")
