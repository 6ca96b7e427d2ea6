"""Kata 05's solution in containers: a broker, a result back end and two workers.

tests/test_cluster.py runs this file in a pytest of its own. Its name, and having its fixtures
here and not in a conftest.py, keep it away from `pytest tests`: pytest-celery takes half a
second to import, and uses the names of the katas' fixtures.

pytest-celery runs each test twice, with RabbitMQ and with Redis as the broker.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from pytest_celery import (  # type: ignore[import-untyped]
    RESULT_TIMEOUT,
    CeleryTestSetup,
    CeleryTestWorker,
    CeleryWorkerCluster,
    CeleryWorkerContainer,
)
from pytest_docker_tools import build, container, fxtr  # type: ignore[import-untyped]

from dojo.grading import answers
from dojo.grading.curriculum import ROOT
from dojo.running import playground
from dojo.safety.shelter import celery_untouched

KATA = playground.find("05_routing")
STARTS_WITHIN = 120  # seconds
ON_LOOPBACK = ("127.0.0.1", None)  # and on any free port


class KataWorker(CeleryWorkerContainer):  # type: ignore[misc]
    """A worker on the reference solution, started as docker-compose.yml does it."""

    @classmethod
    def command(cls, *args: str, **_: Any) -> list[str]:
        """What the container runs."""
        name, queue = f"{cls.worker_name()}@%h", cls.worker_queue()
        celery = ["python", "-m", "dojo", "celery", KATA.slug]
        return [*celery, "worker", "--loglevel=INFO", "-n", name, "-Q", queue, *args]

    @classmethod
    def initial_env(cls, config: dict[str, Any], initial: dict[str, str] | None = None) -> Any:
        """The environment of the container: broker and back end, and which answer to take."""
        return super().initial_env(config, {**(initial or {}), "SOLUTIONS": "1"})


class MailWorker(KataWorker):
    """Reads the queue `mail` only."""

    @classmethod
    def worker_queue(cls) -> str:
        """The queue that it reads."""
        return "mail"


class PressWorker(KataWorker):
    """Reads the queue `image` only."""

    @classmethod
    def worker_queue(cls) -> str:
        """The queue that it reads."""
        return "image"


def in_container(worker: type[KataWorker]) -> Any:
    """The fixture of a container that runs this worker."""
    return container(
        image="{celery_base_worker_image.id}",
        environment=fxtr("default_worker_env"),
        network="{default_pytest_celery_network.name}",
        volumes={str(ROOT): {"bind": "/katas", "mode": "ro"}},
        wrapper_class=worker,
        timeout=STARTS_WITHIN,
        command=worker.command(),
    )


celery_base_worker_image = build(
    path=str(ROOT), dockerfile="docker/Dockerfile", tag="celery-katas-cluster"
)
mail_container = in_container(MailWorker)
press_container = in_container(PressWorker)


@pytest.fixture
def default_worker_container_cls() -> type[KataWorker]:
    """Which class gives the environment of the workers."""
    return KataWorker


@pytest.fixture
def default_rabbitmq_broker_image() -> str:
    """The image that docker-compose.yml uses, too."""
    return "rabbitmq:3.13"


@pytest.fixture
def default_redis_broker_image() -> str:
    """The image that docker-compose.yml uses, too."""
    return "redis:7"


@pytest.fixture
def default_redis_backend_image(default_redis_broker_image: str) -> str:
    """The image of the broker."""
    return default_redis_broker_image


@pytest.fixture
def default_rabbitmq_broker_ports() -> dict[str, Any]:
    """Published on this machine only."""
    return {"5672/tcp": ON_LOOPBACK}


@pytest.fixture
def default_redis_broker_ports() -> dict[str, Any]:
    """Published on this machine only."""
    return {"6379/tcp": ON_LOOPBACK}


@pytest.fixture
def default_redis_backend_ports(default_redis_broker_ports: dict[str, Any]) -> dict[str, Any]:
    """Published on this machine only."""
    return default_redis_broker_ports


@pytest.fixture
def celery_setup_app(celery_setup_config: dict[str, Any]) -> Iterator[Celery]:
    """The kata's own app, on the servers of this cluster."""
    answer = ROOT / "solutions" / KATA.slug / "tasks.py"
    with celery_untouched(), answers.imported(KATA, answer) as module:
        module.app.conf.update(celery_setup_config)
        yield module.app
        module.app.close()


@pytest.fixture
def mail_worker(mail_container: MailWorker, celery_setup_app: Celery) -> Iterator[CeleryTestWorker]:
    """The worker for e-mail."""
    worker = CeleryTestWorker(mail_container, app=celery_setup_app)
    yield worker
    worker.teardown()


@pytest.fixture
def press_worker(
    press_container: PressWorker, celery_setup_app: Celery
) -> Iterator[CeleryTestWorker]:
    """The worker at the presses."""
    worker = CeleryTestWorker(press_container, app=celery_setup_app)
    yield worker
    worker.teardown()


@pytest.fixture
def celery_worker_cluster(
    mail_worker: CeleryTestWorker, press_worker: CeleryTestWorker
) -> Iterator[CeleryWorkerCluster]:
    """Both workers."""
    cluster = CeleryWorkerCluster(mail_worker, press_worker)
    yield cluster
    cluster.teardown()


def test_each_worker_runs_its_own_tasks(
    celery_setup: CeleryTestSetup, mail_worker: CeleryTestWorker, press_worker: CeleryTestWorker
) -> None:
    """E-mail goes to one worker, and photos to the other."""
    mail = celery_setup.app.send_task("mail.welcome", ("ann@example.org",))
    photo = celery_setup.app.send_task("image.render", (7,))
    assert mail.get(timeout=RESULT_TIMEOUT) == "welcome, ann@example.org"
    assert photo.get(timeout=RESULT_TIMEOUT) == "photo 7 for a private customer"

    mail_worker.assert_log_exists(f"{mail.id}] succeeded")
    press_worker.assert_log_exists(f"{photo.id}] succeeded")
    assert photo.id not in mail_worker.logs()
    assert mail.id not in press_worker.logs()


def test_the_mail_goes_out_while_the_presses_stand_still(
    celery_setup: CeleryTestSetup, press_worker: CeleryTestWorker
) -> None:
    """A photo waits until its worker is back; e-mail does not wait for it."""
    press_worker.kill()
    photo = celery_setup.app.send_task("image.render", (8,))
    mail = celery_setup.app.send_task("mail.receipt", (8,))
    assert mail.get(timeout=RESULT_TIMEOUT) == "receipt 8 for a private customer"
    assert not photo.ready()

    press_worker.restart()
    assert photo.get(timeout=RESULT_TIMEOUT) == "photo 8 for a private customer"
