"""The key files of a bundle: copies of the registry's keys, for checks with openssl.

key_files(chain, {PartnerId("la-dgm")}, log)       # {"la-dgm.ed25519.pem": …, "log.pem": …}
log_policy(chain[-1])                              # tlog-policy: logs and witnesses
"""

from collections.abc import Iterable, Sequence

from core.names import PartnerId
from security.keys import ed25519_pem
from security.members import RegistryLog
from security.registry import Registry
from security.tlog.log_policy import write as write_log_policy
from security.tlog.quorum import needed
from security.tlog.witnesses import witnesses_of


def key_files(chain: Sequence[Registry], partners: Iterable[PartnerId], log: RegistryLog) -> dict[str, bytes]:
    """The Ed25519 halves that `partners`, administrators and hub ever had, in the order of the statements."""
    keys: dict[str, dict[bytes, None]] = {}
    wanted = set(partners)
    for registry in chain:
        listed = {
            "administrators": registry.administrators.keys,
            "hub": registry.hub_keys,
            **{each.id: each.signing_keys for each in registry.partners if each.id in wanted},
        }
        for who, pairs in listed.items():
            keys.setdefault(who, {}).update(dict.fromkeys(pair.ed25519 for pair in pairs))
    files = {
        f"{who}.ed25519.pem" if number == 1 else f"{who}.{number}.ed25519.pem": ed25519_pem(key)
        for who, found in keys.items()
        for number, key in enumerate(found, 1)
    }
    return {**files, "log.pem": ed25519_pem(log.key)}


def log_policy(registry: Registry) -> bytes:
    """The logs and witnesses of a registry, with the quorum that would be asked of all of them."""
    # A key under two names is one witness.
    witnesses = tuple({each.key: each for each in witnesses_of(registry)}.values())
    return write_log_policy(registry.logs, witnesses, needed(len(witnesses)))
