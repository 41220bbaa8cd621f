"""What gRPC must find in the environment; it reads it when it is imported.

os.environ.update(ENVIRONMENT)
import grpc
"""

from types import MappingProxyType

ENVIRONMENT = MappingProxyType(
    {
        # gRPC offers no way to demand TLS 1.3. Certificates here are P-256, so a TLS 1.2 handshake that may
        # use RSA suites alone finds no common cipher; TLS 1.3 has suites of its own. Calls check it again.
        "GRPC_SSL_CIPHER_SUITES": "ECDHE-RSA-AES256-GCM-SHA384",
        # Refused handshakes are for the network's log, not for ours: anybody can cause them. What gRPC says
        # of a taken port we say ourselves, with a remedy.
        "GRPC_VERBOSITY": "NONE",
    }
)
