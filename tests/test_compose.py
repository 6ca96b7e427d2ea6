"""docker-compose.yml: the playground stays on this machine, and its commands exist."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest

from dojo.grading.curriculum import ROOT
from dojo.running import playground

pytestmark = pytest.mark.timeout(120)

FILE = ROOT / "docker-compose.yml"
SERVERS = {"redis", "rabbitmq"}
CELERY = {"worker", "beat", "flower"}
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
COMPOSE = (["docker", "compose"], ["docker-compose"])


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services, as the file describes them."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    return found


def filled_in(text: str, **variables: str) -> str:
    """The text with the variables that are given, and the defaults of the others."""
    return VARIABLE.sub(lambda match: variables.get(match[1], match[2]), text)


def command_of(service: dict[str, Any], **variables: str) -> list[str]:
    """What the service runs, word by word."""
    return shlex.split(filled_in(service["command"], **variables))


def test_all_services_are_known(services: dict[str, Any]) -> None:
    """The tests below look at every service."""
    assert set(services) == SERVERS | CELERY


def test_ports_are_on_this_machine_only(services: dict[str, Any]) -> None:
    """Nobody on the network can reach a published port."""
    ports = {name: service.get("ports", []) for name, service in services.items()}
    assert {name for name, published in ports.items() if published} == SERVERS | {"flower"}
    for published in ports.values():
        assert [port for port in published if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_a_server_tells_when_it_is_ready(services: dict[str, Any], name: str) -> None:
    """A server has a health check, and Celery's processes wait for it."""
    assert services[name]["healthcheck"]["test"][0] == "CMD"
    for other in CELERY:
        assert services[other]["depends_on"][name] == {"condition": "service_healthy"}


@pytest.mark.parametrize("name", sorted(CELERY))
def test_a_celery_process_starts_again(services: dict[str, Any], name: str) -> None:
    """A file that cannot be imported is tried again; the file itself cannot be written to."""
    assert services[name]["restart"] == "on-failure"
    assert services[name]["volumes"] == [".:/katas:ro"]


def test_there_can_be_many_workers(services: dict[str, Any]) -> None:
    """Nothing of a worker can exist only once, and Flower sees what it does."""
    assert services["worker"].keys().isdisjoint({"container_name", "hostname", "ports"})
    assert "-E" in command_of(services["worker"])


def test_beat_writes_outside_of_the_tree(services: dict[str, Any]) -> None:
    """The file of beat's schedule is not in the tree, which is read-only."""
    options = command_of(services["beat"])
    assert [option for option in options if option.startswith("--schedule=/tmp/")]


def test_the_broker_can_be_chosen(services: dict[str, Any]) -> None:
    """Redis unless BROKER_URL says else. Results are always in Redis."""
    rabbitmq = "amqp://guest:guest@rabbitmq:5672//"
    for name in CELERY:
        told = services[name]["environment"]
        assert filled_in(told["CELERY_BROKER_URL"]) == "redis://redis:6379/0"
        assert filled_in(told["CELERY_BROKER_URL"], BROKER_URL=rabbitmq) == rabbitmq
        assert told["CELERY_RESULT_BACKEND"] == "redis://redis:6379/0"
        assert filled_in(told["SOLUTIONS"], SOLUTIONS="1") == "1"


@pytest.mark.parametrize("name", sorted(CELERY))
def test_the_command_exists(services: dict[str, Any], name: str) -> None:
    """The command is one that Celery knows, with options that it knows, for the kata chosen."""
    if name == "flower" and not importlib.util.find_spec("flower"):
        pytest.skip("Flower is not installed")
    python, *arguments = command_of(services[name], KATA="05_routing")
    assert [python, *arguments[:4]] == ["python", "-m", "dojo", "celery", "05_routing"]
    assert playground.find(command_of(services[name])[4])
    run = subprocess.run(
        [sys.executable, *arguments, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def compose() -> list[str] | None:
    """The Compose CLI of this machine."""
    for command in COMPOSE:
        try:
            subprocess.run([*command, "version"], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    return None


def test_compose_accepts_the_file() -> None:
    """Compose itself finds no fault. It needs no Docker engine for that."""
    command = compose()
    if command is None:
        pytest.skip("neither `docker compose` nor `docker-compose` answers")
    settings = {**os.environ, "KATA": "05_routing", "SOLUTIONS": "1"}
    run = subprocess.run(
        [*command, "--file", str(FILE), "config", "--quiet"],
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
