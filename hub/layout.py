"""Where everything stands in the hub's directory; one place that knows the names.

    <directory>/
      hub.toml              settings (may stand elsewhere, /etc/syncline/hub.toml)
      hub.lock              held by the running hub
      hub.sqlite            metadata: registry, enrolments, catalogue, log, reports
      store/<partner>/      chunks, a pack store an owner
      keys/                 what the hub itself signs and serves with; 0700
        ca.crt  ca.key          certificate authority of the nodes
        server.crt  server.key  the two TLS ports
        hub.key                 the hub's signing key (receipts)
        log.key                 the log's signing key (checkpoints)
        log-2.key …             those of logs that continue it after a restore
        backup.json             whom backups are encrypted to
      backup.lock           held by a backup; old uploads stay meanwhile
      backup/               what the last backups were made of, so that the next is small
      restored.json         only after a restore, until it is settled how the log goes on
      admin/                the administrators' keys, `<name>.key`; belong on another machine

Only names are known here, nothing is opened:

    layout = Layout(Path("/var/lib/syncline-hub"))
    layout.database
"""

from dataclasses import dataclass
from pathlib import Path

from core.names import PartnerId


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths within one hub directory."""

    directory: Path

    @property
    def settings(self) -> Path:
        """Where `init` writes the settings."""
        return self.directory / "hub.toml"

    @property
    def lock(self) -> Path:
        """Locked by the running hub."""
        return self.directory / "hub.lock"

    @property
    def database(self) -> Path:
        """Metadata, SQLite."""
        return self.directory / "hub.sqlite"

    @property
    def store(self) -> Path:
        """Parent of the owners' pack stores."""
        return self.directory / "store"

    def owner_store(self, partner: PartnerId) -> Path:
        """The pack store of one owner."""
        return self.store / partner

    @property
    def keys(self) -> Path:
        """What the hub itself signs and serves with."""
        return self.directory / "keys"

    @property
    def ca_certificate(self) -> Path:
        """Certificate authority of the nodes, PEM."""
        return self.keys / "ca.crt"

    @property
    def ca_key(self) -> Path:
        """Private key of the certificate authority."""
        return self.keys / "ca.key"

    @property
    def server_certificate(self) -> Path:
        """Certificate of the two TLS ports, PEM."""
        return self.keys / "server.crt"

    @property
    def server_key(self) -> Path:
        """Private key of the two TLS ports."""
        return self.keys / "server.key"

    @property
    def hub_key(self) -> Path:
        """The hub's signing key."""
        return self.keys / "hub.key"

    @property
    def log_key(self) -> Path:
        """The first log's signing key."""
        return self.keys / "log.key"

    def log_key_of(self, number: int) -> Path:
        """The signing key of log `number`, counted from 1 as the registry's `logs` have them."""
        return self.log_key if number == 1 else self.keys / f"log-{number}.key"

    @property
    def backup_keys(self) -> Path:
        """Whom backups are encrypted to, and how their objects are named."""
        return self.keys / "backup.json"

    @property
    def backup_lock(self) -> Path:
        """Locked by a backup that is being made."""
        return self.directory / "backup.lock"

    @property
    def backup(self) -> Path:
        """What the last backup at each place was made of."""
        return self.directory / "backup"

    @property
    def restored(self) -> Path:
        """Says that this directory was restored and that the log has not been continued."""
        return self.directory / "restored.json"

    @property
    def admin(self) -> Path:
        """The administrators' keys, until they move to another machine."""
        return self.directory / "admin"
