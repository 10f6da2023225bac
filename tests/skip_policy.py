"""The rule that a skipped test is a failure in continuous integration.

A skip is allowed there only for a reason of the table: what the machine lacks, not what somebody
forgot to install.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

#: Patterns of reasons for which a test may be skipped when ``CI`` is ``true``.
ALLOWED = {
    "large data": r"the shared folder 'data' is not beside this checkout",
    "a GPU, or none": r"there is (a|no) CUDA device",
    "another system": r"asks Linux|on Unix only|on Linux only|only Linux|Windows has n|macOS has no"
    r"|needs a limit of the file size",
    "root": r"root may read everything",
    "no release that agrees with our pydantic": r"could not import 'bioimageio\.core'",
}

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def _fail_if_not_allowed(report: Report) -> Report:
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return report
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    if not any(re.search(pattern, reason) for pattern in ALLOWED.values()):
        report.outcome = "failed"
        report.longrepr = (
            f"{reason}\nIn continuous integration this is a failure: remove the cause, or give it "
            "a line in the table of tests/skip_policy.py."
        )
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what is skipped while it runs."""
    return _fail_if_not_allowed((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail what is skipped while it is collected."""
    return _fail_if_not_allowed((yield))
