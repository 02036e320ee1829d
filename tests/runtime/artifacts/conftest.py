"""Fixtures of the artifacts' tests: those of the deployment road's."""

from __future__ import annotations

from tests.runtime.deployment.conftest import tmp_path as tmp_path
