"""Private database servers for the tests: started when first asked for, on a socket or on loopback, gone afterwards."""

from tests.servers.process import Unavailable
from tests.servers.registry import ENGINES, POSTGRESQL_VERSIONS, Servers

__all__ = ["ENGINES", "POSTGRESQL_VERSIONS", "Servers", "Unavailable"]
