"""The servers of a run: the embedded Redis, or real ones whose addresses are in the environment.

KATAS_REDIS_URL names a Redis: broker and result back end. KATAS_AMQP_URL names a RabbitMQ:
the broker; results stay in Redis. Both may be used by others. Whatever a run puts there has a
name that begins with the prefix of the run, and is deleted when it ends.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dojo.safety import garbage

REDIS, AMQP = "KATAS_REDIS_URL", "KATAS_AMQP_URL"
#: Our own temporary files; asked for before any test, which may want another folder for its own.
TEMPORARY = Path(tempfile.gettempdir())
SCHEMES = {REDIS: ("redis", "rediss"), AMQP: ("amqp", "amqps")}
EXAMPLES = {REDIS: "redis://127.0.0.1:6379/0", AMQP: "amqp://guest:guest@127.0.0.1:5672//"}
PATIENCE = 5.0  # seconds that a server has for its first answer


@dataclass(frozen=True)
class Servers:
    """Where the tests of this run find their servers."""

    broker: str
    backend: str

    def environment(self) -> dict[str, str]:
        """The variables from which Celery takes broker and result back end."""
        brokers = ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL")
        return {**dict.fromkeys(brokers, self.broker), "CELERY_RESULT_BACKEND": self.backend}


def celerys_own(environ: Mapping[str, str]) -> list[str]:
    """The variables in which Celery looks for its settings: those of another project."""
    return [name for name in environ if name.startswith("CELERY_")]


def check(environ: Mapping[str, str] = os.environ) -> None:
    """Make sure that each server that the environment names is there.

    Raises:
        pytest.UsageError: an address is wrong, or nobody answers there in `PATIENCE` seconds.
    """
    for variable, greet in ((REDIS, _greet_redis), (AMQP, _greet_rabbitmq)):
        url = environ.get(variable)
        if not url:
            continue
        try:
            parts = urlsplit(url)
            right = parts.scheme in SCHEMES[variable] and parts.hostname and parts.port != 0
        except ValueError:
            right = False
        if not right:
            raise pytest.UsageError(
                f"{variable} is not the address of a server: it must look like {EXAMPLES[variable]}"
            )
        try:
            greet(url)
        except Exception as error:  # of a library that has many
            why = " ".join(str(error).split()) or type(error).__name__
            where = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
            raise pytest.UsageError(
                f"{variable}: no answer from {where} ({why}). Start the server, or unset "
                f"{variable} to use the embedded one."
            ) from None


def _greet_redis(url: str) -> None:
    import redis

    seconds = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
    with redis.Redis.from_url(url, **seconds) as client:
        client.ping()


def _greet_rabbitmq(url: str) -> None:
    from kombu.connection import Connection

    with Connection(url, connect_timeout=PATIENCE) as connection:
        connection.transport.establish_connection().close()


@contextlib.contextmanager
def running(prefix: str, environ: Mapping[str, str] = os.environ) -> Iterator[Servers]:
    """The servers of this run; what is left there under `prefix` is deleted in the end."""
    with contextlib.ExitStack() as stack:
        backend = environ.get(REDIS)
        if backend:
            stack.callback(delete_keys, backend, prefix)
        else:
            with garbage.spared():
                from dojo.running.broker import (
                    EmbeddedRedis,  # costs 0.1 s, and eager tests do without
                )

            backend = stack.enter_context(EmbeddedRedis()).url
            # Without a loopback network Celery would try for a minute.
            _greet_redis(backend)
        yield Servers(environ.get(AMQP) or backend, backend)


def delete_keys(url: str, prefix: str) -> None:
    """Delete every key of a Redis that begins with `prefix`, and no other."""
    import redis

    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(match=f"{prefix}*", count=1000):
            client.delete(key)
