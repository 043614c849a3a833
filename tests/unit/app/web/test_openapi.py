"""Requests made up from the OpenAPI document itself: whatever is sent, the answer is the document's, never a fault."""

import shutil
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from seakeep.app.web.settings import WebSettings
from tests.unit.app.web.conftest import Site

SLOW = ("/api/v1/risk/var/monte-carlo", "/api/v1/risk/ruin", "/api/v1/risk/stress-test")
"""Answers that are worked out anew for every question; the short budget asks them less."""
AUDIT = "/api/v1/audit"
WRITES = tuple(f"/api/v1/risk/{page}" for page in ("breaker", "limits", "limits/confirm", "redeem"))
"""What nobody may do without a name; a login brings its own secret."""


@pytest.fixture
def fuzzed(home: Path) -> Site:
    return Site(
        home, WebSettings(rate=1e6, hosts=("testserver",)), {"SEAKEEP_WEB_SECRET": "a secret of enough letters"}
    )


def fuzz(site: Site, examples: int, slow: int) -> list[str]:
    """Send made-up requests to every operation, as an admin; the paths that were asked.

    What a document cannot say (which runs and limits there are) may be refused. That a stranger is refused is tested
    with strangers: here every request bears the token.
    """
    bearer, paths = site.bearer("admin", "fuzz"), []
    schema = schemathesis.openapi.from_asgi("/openapi.json", site.app)
    for operation in (result.ok() for result in schema.get_all_operations()):
        limits = settings(
            max_examples=slow if operation.path in SLOW else examples,
            database=None,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )

        @limits
        @given(operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=bearer, excluded_checks=[positive_data_acceptance, ignored_auth])

        check()
        paths.append(operation.path)
    return paths


def test_no_request_the_document_allows_is_answered_with_a_fault(fuzzed: Site) -> None:
    paths = fuzz(fuzzed, 12, 3)
    assert {"/api/v1/risk/metrics", "/api/v1/risk/check-order", "/api/v1/risk/breaker", "/healthz"} <= set(paths)
    assert not [line for line in fuzzed.log.lines if line["event"] == "failed"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_request_the_document_allows_is_answered_with_a_fault_in_the_long_run(fuzzed: Site) -> None:
    fuzz(fuzzed, 300, 20)
    assert not [line for line in fuzzed.log.lines if line["event"] == "failed"]


def test_every_operation_says_what_it_answers_and_how_it_refuses(fuzzed: Site) -> None:
    document = fuzzed.app.app._app.openapi()  # type: ignore[attr-defined]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], f"{method} {path}"
            assert {"401", "413", "422", "429"} <= set(operation["responses"]), f"{method} {path}"
            writes = path in WRITES and method == "post"
            assert operation.get("security") == ([{"bearer": []}] if writes or path == AUDIT else None), path


def test_nothing_is_left_in_the_folder_that_was_not_asked_for(fuzzed: Site) -> None:
    before = {path.name for path in fuzzed.home.iterdir()}
    fuzz(fuzzed, 2, 1)
    assert {path.name for path in fuzzed.home.iterdir()} - before <= {"web", "ledger.db-wal", "ledger.db-shm"}
    shutil.rmtree(fuzzed.home / "web")
