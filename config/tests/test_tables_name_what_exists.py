"""The dotted paths in config's tables resolve to functions of one argument."""

from __future__ import annotations

import inspect

import pytest
from django.utils.module_loading import import_string

from config.admin_panels import INDEX_CONTEXT, SITEWIDE_PANELS, VIEWS
from config.stripe_events import EVENTS
from config.worker_tasks import WEB_WATCH, WORKER_TASKS

HANDLERS = sorted({path for paths in EVENTS.values() for path in paths})
PAGES = sorted({view for _address, view, _name in VIEWS})
ONE_ARGUMENT = [
    *HANDLERS,
    *(duty.path for duty in WORKER_TASKS),
    *SITEWIDE_PANELS,
    INDEX_CONTEXT,
    *PAGES,
]


def test_the_watch_of_the_web_processes_takes_no_argument() -> None:
    inspect.signature(import_string(WEB_WATCH)).bind()


@pytest.mark.parametrize("path", ONE_ARGUMENT)
def test_the_path_resolves_to_a_function_of_one_argument(path: str) -> None:
    function = import_string(path)

    inspect.signature(function).bind("an event, a time or a request")


@pytest.mark.parametrize("path", sorted({query for task in WORKER_TASKS for query in task.only_if}))
def test_the_query_of_a_task_takes_no_argument(path: str) -> None:
    inspect.signature(import_string(path)).bind()


def test_every_worker_task_has_an_interval() -> None:
    assert all(duty.every > 0 for duty in WORKER_TASKS)


def test_no_worker_task_is_listed_twice() -> None:
    assert len({duty.path for duty in WORKER_TASKS}) == len(WORKER_TASKS)
