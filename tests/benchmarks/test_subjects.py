"""The subjects' own arithmetic: a slope from samples, a phase from /metrics; and that each subject is there."""

from __future__ import annotations

import importlib
import inspect

import pytest

from benchmarks import throughput
from benchmarks.__main__ import SUBJECTS
from benchmarks.bare import SETTINGS
from benchmarks.cycles import slope
from benchmarks.further import of_phase

METRICS = """# HELP edgefn_cold_start_seconds Seconds of each phase of instance starts.
# TYPE edgefn_cold_start_seconds histogram
edgefn_cold_start_seconds_bucket{function="classify_image",le="+Inf",phase="fork"} 3.0
edgefn_cold_start_seconds_count{function="classify_image",phase="fork"} 3.0
edgefn_cold_start_seconds_sum{function="classify_image",phase="fork"} 0.045
edgefn_cold_start_seconds_count{function="classify_image",phase="session"} 1.0
edgefn_cold_start_seconds_sum{function="classify_image",phase="session"} 0.009
edgefn_cold_start_seconds_count{function="echo",phase="fork"} 7.0
edgefn_cold_start_seconds_sum{function="echo",phase="fork"} 0.021
"""


@pytest.mark.parametrize("subject", SUBJECTS)
def test_each_subject_is_a_module_that_says_what_it_measures(subject: str) -> None:
    """`measure` takes nothing, gives figures, and has a docstring with the unit."""
    measure = importlib.import_module(f"benchmarks.{subject}").measure
    assert not inspect.signature(measure).parameters
    assert inspect.isgeneratorfunction(measure)
    assert measure.__doc__


def test_a_phase_is_one_functions_own() -> None:
    """Count and sum of that function and that phase, zero before there are any."""
    assert of_phase(METRICS, "classify_image", "fork") == (3.0, 0.045)
    assert of_phase(METRICS, "argmax", "fork") == (0.0, 0.0)


def test_a_first_step_is_no_slope() -> None:
    """What is taken once at the beginning does not count, what goes on growing does."""
    step = {0: (30.0, 20.0), 10: (31.0, 20.0), 500: (31.0, 20.5), 1000: (31.0, 21.0)}
    assert slope(step, 0) == 0.0
    assert slope(step, 1) == pytest.approx(1.0)


def test_the_settings_of_the_bare_app_differ() -> None:
    """Each is tried once, and the table can name it."""
    assert len({str(setting) for setting in SETTINGS}) == len(SETTINGS)


def test_the_tensor_is_602_kilobytes() -> None:
    """As the issue has it, and the same in each run."""
    assert throughput.tensor().size == 602_112
    assert throughput.tensor() == throughput.tensor()
