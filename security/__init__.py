"""Who said what, and may they? Works on bytes; only `keystore` touches files."""
