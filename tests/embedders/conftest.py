"""What the embedders' tests share."""

import pytest


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "sentence_transformers: needs that package and a model; `tox -e models` has them"
    )


@pytest.fixture(autouse=True)
def _loopback_without_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
