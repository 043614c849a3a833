"""What there is to set about the HTTP door."""

from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType

from pydantic import Field, ValidationError

from seakeep.core.config import Section
from seakeep.core.errors import ConfigError

__all__ = ["WebSettings", "is_loopback", "web_of"]


class WebSettings(Section):
    """Where the door listens, who may come in, and how much they may ask."""

    host: str = Field("127.0.0.1", min_length=1, description="address to listen on; others than this machine need auth")
    port: int = Field(8000, ge=0, le=65_535, description="port of the API; 0 takes any that is free")
    risks_port: int = Field(8081, ge=0, le=65_535, description="port of the /risks door; 0 takes any that is free")
    workers: int = Field(1, ge=1, le=64, description="processes that answer /risks, each with an engine of its own")
    hosts: tuple[str, ...] = Field((), description="names this server is called by, beside localhost")
    origins: tuple[str, ...] = Field((), description="web pages of other origins that may call the API (CORS)")
    open_read: bool = Field(True, description="whether reading needs no token while the host is this machine")
    session_minutes: int = Field(15, ge=1, le=1440, description="how long a person's login lasts")
    seal_seconds: float = Field(30.0, ge=1, le=3600, description="how long a sealed approval can be redeemed")
    risks_body_bytes: int = Field(1_000_000, ge=1_000, le=50_000_000, description="largest body of /risks")
    body_bytes: int = Field(64_000, ge=1_000, le=10_000_000, description="largest body of the API")
    body_depth: int = Field(32, ge=4, le=500, description="deepest nesting of a body")
    body_seconds: float = Field(10.0, gt=0, le=300, description="how long a body may take to arrive")
    rate: float = Field(50.0, gt=0, description="requests a second to the API, a caller and process")
    risks_rate: float = Field(5_000.0, gt=0, description="requests a second to /risks, a caller and process")

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the door."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("example.org")
    (True, True, False, False)
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def web_of(section: WebSettings, given: Mapping[str, object] = MappingProxyType({})) -> WebSettings:
    """The section [web] of the settings, with what was given on the command line instead.

    Raises: ConfigError naming the key and what is allowed.
    """
    try:
        return WebSettings.model_validate(section.model_dump() | dict(given))
    except ValidationError as error:
        said = error.errors()[0]
        key = ".".join(str(part) for part in said["loc"])
        raise ConfigError(f"web.{key}: {said['msg']}", value=said["input"]) from None
