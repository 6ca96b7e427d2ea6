"""A kata on whole servers and workers in Docker, by pytest-celery.

    pytest tests/test_cluster.py -m cluster

It is off by default: it needs a Docker engine, builds an image and takes minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dojo.grading.curriculum import ROOT
from tests.workshop import TOLD_OUTSIDE

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

SUITE = ROOT / "tests" / "cluster" / "routing_in_docker.py"
#: A broker named outside would win over the one in the container.
SERVERS_OUTSIDE = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")

#: Where one of these is, pytest-celery takes the containers' own ports for those of localhost.
INSIDE_A_CONTAINER = ("/.dockerenv", "/run/.containerenv")


@pytest.fixture(autouse=True)
def _only_if_asked_for(request: pytest.FixtureRequest) -> None:
    if "cluster" not in request.config.option.markexpr:
        pytest.skip("off by default: pytest tests/test_cluster.py -m cluster")


@pytest.fixture
def _engine() -> None:
    """Skips the test where no Docker engine answers, or its containers cannot be reached."""
    docker = pytest.importorskip("docker")
    if any(Path(sign).is_file() for sign in INSIDE_A_CONTAINER):
        pytest.skip("pytest-celery finds its containers only from outside of a container")
    try:
        docker.from_env().ping()
    except docker.errors.DockerException as error:
        pytest.skip(f"no Docker engine answers: {error}")


def run_suite(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the suite in a pytest of its own: with pytest-celery, and without the dojo."""
    own = ["-o", "addopts=", "--import-mode=importlib", "-p", "no:cacheprovider"]
    own += [f"--confcutdir={SUITE.parent}", "--timeout=600"]
    hidden = {*TOLD_OUTSIDE, *SERVERS_OUTSIDE}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *own, *options, str(SUITE)],
        env={name: value for name, value in os.environ.items() if name not in hidden},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_the_fixtures_fit_together() -> None:
    """Each test is planned with both brokers. This needs no Docker engine."""
    run = run_suite("--setup-plan", "-v")
    assert run.returncode == pytest.ExitCode.OK, run.stdout
    for broker in ("celery_rabbitmq_broker", "celery_redis_broker"):
        assert f"celery_broker['{broker}']" in run.stdout, run.stdout


@pytest.mark.usefixtures("_engine")
def test_kata_05_on_a_cluster() -> None:
    """The reference solution works in containers, on RabbitMQ and on Redis."""
    run = run_suite("-v")
    assert run.returncode == pytest.ExitCode.OK, run.stdout
