"""The rule about skipped tests."""

from __future__ import annotations

import pytest

pytest_plugins = ("pytester",)

SKIPS = """
import pytest

def test_mark_less():
    pytest.skip("somebody forgot something")

@pytest.mark.skipif(True, reason="there is no CUDA device")
def test_allowed():
    pass

@pytest.mark.xfail(reason="known")
def test_expected():
    assert False

def test_fine():
    pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(
        test_runs=SKIPS, test_imports="import pytest\npytest.importorskip('nowhere')"
    )
    return pytester


@pytest.mark.parametrize("ci", [None, "", "false"])
def test_elsewhere_a_skip_is_a_skip(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str | None
) -> None:
    monkeypatch.delenv("CI", raising=False)
    if ci is not None:
        monkeypatch.setenv("CI", ci)
    done = project.runpytest("-p", "skip_policy", "-p", "no:xvfb")
    done.assert_outcomes(passed=1, skipped=3, xfailed=1)


def test_in_continuous_integration_it_is_a_failure(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    done = project.runpytest("-p", "skip_policy", "-p", "no:xvfb", "test_runs.py")
    done.assert_outcomes(passed=1, skipped=1, xfailed=1, failed=1)
    done.stdout.fnmatch_lines(["*somebody forgot something*", "*tests/skip_policy.py*"])


def test_a_module_that_is_skipped_at_its_import_too(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    done = project.runpytest("-p", "skip_policy", "-p", "no:xvfb", "test_imports.py")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*could not import 'nowhere'*"])
